/* Which interpreters there are, and what modelwatch can do in each. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "doctor.h"

#define TIMEOUT_MS 10000
#define ANSWER "modelwatch-probe:"

/* Runs in any Python that was ever in use, and answers with one line. The current directory is not
 * searched: somebody else's modelwatch.py may lie there. */
static const char probe[] =
        "import sys\n"
        "sys.path = [p for p in sys.path if p]\n"
        "answer = {'version': '%d.%d.%d' % tuple(sys.version_info[:3]), 'status': None}\n"
        "try:\n"
        "    import modelwatch\n"
        "    answer['status'] = modelwatch.status()\n"
        "except Exception:\n"
        "    answer['error'] = '%s: %s' % (sys.exc_info()[0].__name__, sys.exc_info()[1])\n"
        "import json\n"
        "print('" ANSWER "' + json.dumps(answer))\n";

struct list {
	struct mw_python *items;
	size_t count, max;
	struct {
		dev_t dev;
		ino_t ino;
	} seen[MW_DOCTOR_PYTHONS_MAX];
};

/* python, python3, python3.N */
static int is_python(const struct dirent *entry)
{
	const char *rest = entry->d_name;

	if (strncmp(rest, "python", 6))
		return 0;
	rest += 6;
	if (*rest == '3')
		rest++;
	if (rest[0] == '.' && rest[-1] == '3' && rest[1])
		rest += 1 + strspn(rest + 1, "0123456789");
	return !*rest;
}

/* Scripts that choose an interpreter (pyenv's shims) are not one. */
static bool is_program(const char *path, struct stat *st)
{
	char magic[4] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool elf = fd >= 0 && !fstat(fd, st) && S_ISREG(st->st_mode) &&
	           read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
	           !memcmp(magic, "\177ELF", sizeof(magic));

	if (fd >= 0)
		close(fd);
	return elf && !access(path, X_OK);
}

static void add(struct list *list, const char *path)
{
	struct stat st;

	if (list->count == list->max || list->count == MW_DOCTOR_PYTHONS_MAX ||
	    strlen(path) >= PATH_MAX || !is_program(path, &st))
		return;
	for (size_t i = 0; i < list->count; i++)
		if (list->seen[i].dev == st.st_dev && list->seen[i].ino == st.st_ino)
			return;
	list->seen[list->count].dev = st.st_dev;
	list->seen[list->count].ino = st.st_ino;
	list->items[list->count] = (struct mw_python){.health = MW_OFF};
	strcpy(list->items[list->count++].path, path);
}

static void look_in(struct list *list, const char *directory)
{
	struct dirent **entries;
	int count = *directory ? scandir(directory, &entries, is_python, alphasort) : -1;
	char path[PATH_MAX];

	for (int i = 0; i < count; i++) {
		int used = snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);

		if (used > 0 && (size_t)used < sizeof(path))
			add(list, path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static void look_on_path(struct list *list)
{
	const char *path = getenv("PATH");
	char *copy = path ? strdup(path) : NULL, *rest = copy, *directory;

	while (rest && (directory = strsep(&rest, ":")))
		if (*directory == '/')
			look_in(list, directory);
	free(copy);
}

static void look_in_pyenv(struct list *list)
{
	const char *root = getenv("PYENV_ROOT"), *home = getenv("HOME");
	char versions[PATH_MAX / 2], directory[PATH_MAX];
	struct dirent **entries;
	int count;

	snprintf(versions, sizeof(versions), "%s%s/versions",
	         root   ? root
	         : home ? home
	                : "",
	         root ? "" : "/.pyenv");
	count = scandir(versions, &entries, NULL, versionsort);
	for (int i = 0; i < count; i++) {
		int used = snprintf(directory, sizeof(directory), "%s/%s/bin", versions,
		                    entries[i]->d_name);

		if (entries[i]->d_name[0] != '.' && used > 0 && (size_t)used < sizeof(directory))
			look_in(list, directory);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static void look(struct list *list)
{
	const char *environment = getenv("VIRTUAL_ENV");
	char directory[PATH_MAX];

	if (environment && strlen(environment) + 5 < sizeof(directory)) {
		snprintf(directory, sizeof(directory), "%s/bin", environment);
		look_in(list, directory);
	}
	look_on_path(list);
	look_in_pyenv(list);
	look_in(list, "/usr/local/bin");
	look_in(list, "/usr/bin");
}

static void keep(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%s", text ? text : "");
	mw_doctor_clean(ret);
}

static bool is_supported(const char *version)
{
	return !strncmp(version, "3.", 2) && strtol(version + 2, NULL, 10) >= 9;
}

static void judge(struct mw_python *python)
{
	bool hooked = !strcmp(python->unpickler, "hooked");

	if (*python->version && !is_supported(python->version)) {
		python->health = MW_UNSUPPORTED;
		snprintf(python->detail, sizeof(python->detail),
		         "not watched: needs CPython 3.9 or newer");
	} else if (!python->shim) {
		python->health = MW_OFF;
		python->cost = "not watched";
	} else if (!hooked) {
		python->health = MW_DEGRADED;
		python->cost = "loads are not recognised: nothing is stopped";
		if (!*python->detail)
			keep(python->detail, sizeof(python->detail), python->unpickler);
	} else if (!python->audit) {
		python->health = MW_DEGRADED;
		python->cost =
		        "effects are seen at libc only, later and without their Python cause";
	} else {
		python->health = MW_WORKS;
	}
}

static void read_status(struct mw_python *python, const json_t *answer)
{
	const json_t *status = json_object_get(answer, "status");

	keep(python->version, sizeof(python->version),
	     json_string_value(json_object_get(answer, "version")));
	keep(python->detail, sizeof(python->detail),
	     json_string_value(json_object_get(answer, "error")));
	python->shim = json_is_true(json_object_get(status, "shim"));
	python->audit = json_is_true(json_object_get(status, "audit"));
	keep(python->unpickler, sizeof(python->unpickler),
	     json_string_value(json_object_get(status, "unpickler")));
}

static void try_python(struct mw_python *python, char *self)
{
	char *argv[] = {self, "run", "--quiet", "--",          python->path,
	                "-E", "-s",  "-c",      (char *)probe, NULL};
	char out[8192], *answer;
	int status = mw_capture(argv, NULL, TIMEOUT_MS, out, sizeof(out));
	json_t *json;

	answer = strstr(out, ANSWER);
	json = answer ? json_loads(answer + strlen(ANSWER), JSON_DISABLE_EOF_CHECK, NULL) : NULL;
	if (json) {
		read_status(python, json);
		json_decref(json);
	} else if (status < 0) {
		keep(python->detail, sizeof(python->detail), strerror(-status));
	} else {
		mw_doctor_clean(out);
		snprintf(python->detail, sizeof(python->detail), "ended with %d: %.200s", status,
		         out);
	}
	judge(python);
}

size_t mw_doctor_pythons(struct mw_python *ret, size_t max)
{
	struct list list = {.items = ret, .max = max};
	char self[PATH_MAX];

	if (!realpath("/proc/self/exe", self))
		return 0;
	look(&list);
	for (size_t i = 0; i < list.count; i++)
		try_python(&list.items[i], self);
	return list.count;
}
