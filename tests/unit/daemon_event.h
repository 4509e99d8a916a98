/* Events as the kernel sends them, made by hand: of this very process, so that its files and its
 * memory are there to be looked at. */
#ifndef TESTS_UNIT_DAEMON_EVENT_H
#define TESTS_UNIT_DAEMON_EVENT_H

#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../../ebpf/event.h"

#define CORE "<frozen importlib._bootstrap>"
#define EXTERNAL "<frozen importlib._bootstrap_external>"

static struct mw_k_effect e;
static uint16_t used;
static uint64_t process_start = 7; /* another one is another process */

static inline struct mw_k_str put_bytes(const char *bytes, size_t len)
{
	struct mw_k_str s = {used, (uint16_t)len};

	memcpy(e.strings + used, bytes, len);
	used = (uint16_t)(used + len);
	return s;
}

static inline struct mw_k_str put(const char *text)
{
	return put_bytes(text, strlen(text));
}

/* "/a/b" as "b\0a\0". */
static inline struct mw_k_path put_path(const char *path)
{
	struct mw_k_path ret = {.ino = 99, .mode = S_IFREG | 0644, .nlink = 1};
	uint16_t at = used;
	char copy[4096];
	struct stat st;
	char *slash;

	strcpy(copy, path);
	while ((slash = strrchr(copy, '/'))) {
		put_bytes(slash + 1, strlen(slash + 1) + 1);
		*slash = '\0';
	}
	ret.names = (struct mw_k_str){at, (uint16_t)(used - at)};
	if (!stat(path, &st)) {
		ret.ino = st.st_ino;
		ret.dev = major(st.st_dev) << 20 | minor(st.st_dev);
		ret.mode = st.st_mode;
		ret.owner = st.st_uid;
		ret.nlink = (uint32_t)st.st_nlink;
	}
	return ret;
}

/* An effect of nobody in particular. */
static inline void event(enum mw_k_hook hook, int64_t number)
{
	static uint64_t last = 100;
	struct stat st;

	memset(&e, 0, sizeof(e));
	used = 0;
	e.head = (struct mw_k_head){.kind = MW_K_EFFECT,
	                            .id = ++last,
	                            .tgid = (uint32_t)getpid(),
	                            .tid = (uint32_t)gettid(),
	                            .start = process_start};
	e.hook = hook;
	e.number = number;
	e.uid = getuid();
	e.gid = getgid();
	if (!stat("/proc/self/exe", &st)) {
		e.program.ino = st.st_ino;
		e.program.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	}
}

static inline void add_frame(const char *name, const char *file, uint64_t frame)
{
	e.frame[e.frame_count++] =
	        (struct mw_k_frame){.frame = frame, .name = put(name), .file = put(file)};
}

/* Opened by the Python frame at `frame`, of the file at `path` or of none. */
static inline void add_load(uint64_t id, enum mw_k_entry entry, uint64_t frame, const char *path)
{
	e.load[e.depth] = (struct mw_k_load){.id = id, .entry = entry, .frame = frame, .fd = -1};
	if (path)
		e.load[e.depth].file = put_path(path);
	e.depth++;
}

/* "module name", fetched by the innermost load. */
static inline void add_global(const char *global)
{
	strcpy(e.global[e.global_count++], global);
	if (e.depth)
		e.load[e.depth - 1].globals++;
}

/* Who imports, from the outermost frame in. */
static inline void add_import_frames(void)
{
	add_frame("_find_and_load_unlocked", CORE, 11);
	add_frame("_find_and_load", CORE, 12);
}

/* The same with a module's body that runs: innermost first. */
static inline void add_module_frames(const char *file)
{
	add_frame("<module>", file, 21);
	add_frame("_call_with_frames_removed", CORE, 22);
	add_frame("_LoaderBasics.exec_module", EXTERNAL, 23);
	add_frame("_load_unlocked", CORE, 24);
	add_import_frames();
}

#endif
