#include "daemon_switch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum mw_verdict mw_daemon_ceiling(bool stormed)
{
	if (access(MW_DAEMON_SWITCH, F_OK) == 0)
		return MW_OBSERVE;
	return stormed ? MW_ALERT : MW_DENY;
}

bool mw_daemon_is_off(void)
{
	char line[4096], *rest = NULL;
	FILE *file = fopen("/proc/cmdline", "re");
	bool off = false;

	if (!file)
		return false;
	if (fgets(line, sizeof(line), file))
		for (char *word = strtok_r(line, " \n", &rest); word && !off;
		     word = strtok_r(NULL, " \n", &rest))
			off = !strcmp(word, "modelwatch=off");
	fclose(file);
	return off;
}
