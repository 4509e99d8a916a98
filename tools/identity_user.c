/* Whose process it is, and on which machine. */
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "identity.h"
#include "jsontext.h"

#define NOBODY_LOGGED_IN 4294967295u

/* Asking for a name may go over the network: once for each user of the run is enough. */
const char *mw_identity_user_name(uid_t uid)
{
	static struct {
		bool known;
		uid_t uid;
		char name[64];
	} last;
	char buffer[4096];
	struct passwd entry, *found = NULL;

	if (!last.known || last.uid != uid) {
		getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found);
		snprintf(last.name, sizeof(last.name), "%s", found ? found->pw_name : "");
		last.known = true;
		last.uid = uid;
	}
	return last.name;
}

/* Of the line of /proc/<pid>/status with the supplementary groups. */
static json_t *groups_of(const char *status)
{
	const char *line = strstr(status, "\nGroups:\t");
	json_t *list = json_array();
	char *end;

	for (line = line ? line + 9 : ""; *line && *line != '\n'; line = end) {
		unsigned long gid = strtoul(line, &end, 10);

		if (end == line)
			break;
		json_array_append_new(list, json_integer((json_int_t)gid));
		end += strspn(end, " ");
	}
	return list;
}

json_t *mw_identity_user(pid_t pid)
{
	char text[4096];
	unsigned long uid, login;
	const char *line;
	json_t *groups;

	mw_proc_read(pid, "status", text, sizeof(text));
	groups = groups_of(text);
	line = strstr(text, "\nUid:\t");
	line = line ? strchr(line + 5, '\t') : NULL; /* the real one */
	line = line ? strchr(line + 1, '\t') : NULL; /* the effective one */
	uid = line ? strtoul(line, NULL, 10) : 0;
	mw_proc_read(pid, "loginuid", text, sizeof(text));
	login = *text ? strtoul(text, NULL, 10) : NOBODY_LOGGED_IN;
	return json_pack("{s:o, s:o, s:o, s:o}", "uid",
	                 line ? json_integer((json_int_t)uid) : json_null(), "name",
	                 line ? mw_json_text(mw_identity_user_name((uid_t)uid)) : json_null(),
	                 "groups", groups, "loginuid",
	                 login == NOBODY_LOGGED_IN ? json_null() : json_integer((json_int_t)login));
}

json_t *mw_identity_host(void)
{
	char boot[64] = "";
	struct utsname host = {0};
	FILE *in = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!in || !fgets(boot, sizeof(boot), in))
		boot[0] = '\0';
	if (in)
		fclose(in);
	boot[strcspn(boot, "\n")] = '\0';
	uname(&host);
	return json_pack("{s:o, s:o, s:o}", "name", mw_json_text(host.nodename), "boot_id",
	                 mw_json_text(boot), "kernel", mw_json_text(host.release));
}
