/* The processes that run an interpreter. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon_found.h"

/* Of /proc/<pid>/stat, as proc(5) numbers them. */
#define FIELD_THREADS 20
#define FIELD_START 22

struct living {
	uint64_t start;
	long threads;
	char state;
};

/* The fields from the third on; the name in the second is the process's own and may hold anything
 * but what ends it last. */
static int read_fields(char *text, struct living *ret)
{
	char *at = strrchr(text, ')');

	if (!at || !at[1] || !at[2])
		return -EBADMSG;
	ret->state = at[2];
	for (int field = 3; field <= FIELD_START; field++) {
		at = strchr(at + 1, ' ');
		if (!at)
			return -EBADMSG;
		if (field == FIELD_THREADS)
			ret->threads = strtol(at, NULL, 10);
	}
	ret->start = strtoull(at, NULL, 10);
	return 0;
}

static int read_stat(pid_t pid, struct living *ret)
{
	char path[32], text[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return n < 0 ? -errno : -ESRCH;
	text[n] = 0;
	return read_fields(text, ret);
}

static bool has_ended(pid_t pid, uint64_t start)
{
	struct living living = {0};

	return read_stat(pid, &living) < 0 || living.start != start ||
	       (living.threads <= 1 && strchr("ZX", living.state));
}

static uint16_t *bucket(struct mw_found *found, pid_t pid)
{
	return &found->bucket[(uint32_t)pid * 2654435761u >> 20];
}

static struct mw_found_running *find(struct mw_found *found, pid_t pid)
{
	uint16_t at = *bucket(found, pid);

	while (at && found->running[at - 1].pid != pid)
		at = found->running[at - 1].next;
	return at ? &found->running[at - 1] : NULL;
}

static struct mw_found_running *enter(struct mw_found *found, pid_t pid, uint64_t start)
{
	struct mw_found_running *running;
	uint16_t at = found->free;

	if (!at && found->fresh == MW_FOUND_PROCESSES) {
		found->counts.processes_full++;
		return NULL;
	}
	if (at)
		found->free = found->running[at - 1].next;
	else
		at = ++found->fresh;
	running = &found->running[at - 1];
	*running = (struct mw_found_running){.pid = pid, .start = start, .scan = found->scan};
	running->next = *bucket(found, pid);
	*bucket(found, pid) = at;
	found->counts.processes++;
	return running;
}

static void leave(struct mw_found *found, struct mw_found_running *running)
{
	uint16_t index = (uint16_t)(running - found->running + 1);
	uint16_t *at = bucket(found, running->pid);

	if (running->runtime)
		found->options.gone(found->options.context, running->pid, running->start);
	for (size_t i = 0; i < running->used_count; i++)
		found->object[running->used[i]]->object.users--;
	mw_code_end(&found->past, running->code);
	running->code = NULL;
	while (*at != index)
		at = &found->running[*at - 1].next;
	*at = running->next;
	running->pid = 0;
	running->next = found->free;
	found->free = index;
	found->counts.processes--;
}

/* "python3.12" and "libpython3.12.so.1.0" say what they are. */
static uint32_t version_in(const char *path)
{
	const char *name = strrchr(path, '/');
	unsigned long major, minor;
	char *end;

	name = name ? name + 1 : path;
	if (!strncmp(name, "lib", 3))
		name += 3;
	if (strncmp(name, "python", 6))
		return 0;
	major = strtoul(name + 6, &end, 10);
	if (*end != '.')
		return 0;
	minor = strtoul(end + 1, NULL, 10);
	return major > 9 || minor > 99 ? 0 : (uint32_t)(major << 8 | minor);
}

static uint32_t version_of(const struct mw_found *found, const struct mw_found_running *running)
{
	uint32_t version = found->object[running->runtime - 1]->object.found.version;

	for (size_t i = 0; !version && i < running->used_count; i++)
		version = found->object[running->used[i]]->object.found.version;
	for (size_t i = 0; !version && i < running->used_count; i++)
		version = version_in(found->object[running->used[i]]->path);
	return version;
}

static struct mw_found_process describe(const struct mw_found *found,
                                        const struct mw_found_running *running)
{
	const struct mw_found_object *object = &found->object[running->runtime - 1]->object;

	return (struct mw_found_process){
	        .pid = running->pid,
	        .start = running->start,
	        .bias = running->bias,
	        .runtime = running->bias + object->found.runtime,
	        .version = running->version,
	        .object = object,
	};
}

static void tell(const struct mw_found *found, struct mw_found_running *running)
{
	struct mw_found_process process = describe(found, running);

	running->untold = false;
	found->options.process(found->options.context, &process);
}

static void add_object(struct mw_found_running *running, struct mw_found_entry *entry)
{
	size_t i = 0;

	while (i < running->used_count && running->used[i] != entry->index)
		i++;
	if (i == MW_FOUND_USED)
		return;
	if (i == running->used_count) {
		running->used[running->used_count++] = entry->index;
		entry->object.users++;
	}
	running->met |= (uint8_t)(1u << i);
}

/* The start of the page that a segment starts in is mapped with it. */
static bool find_bias(const struct mw_found_entry *entry, const struct mw_mapping *mapping,
                      uint64_t *ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < entry->segment_count; i++) {
		const struct mw_elf_load *segment = &entry->segment[i];

		if (mapping->offset < (segment->offset & ~(page - 1)) ||
		    mapping->offset >= segment->offset + segment->size)
			continue;
		*ret = mapping->address - (segment->vaddr + (mapping->offset - segment->offset));
		return true;
	}
	return false;
}

static struct mw_found_running *get(struct mw_found *found, const struct mw_mapping *mapping)
{
	struct mw_found_running *running = find(found, mapping->pid);
	struct living living = {0};

	if (read_stat(mapping->pid, &living) < 0)
		return NULL;
	if (running && running->start != living.start) {
		leave(found, running);
		running = NULL;
	}
	if (running)
		return running;
	running = enter(found, mapping->pid, living.start);
	if (running)
		running->code = mw_code_new(mapping->pid, living.start, mapping->time);
	return running;
}

void mw_found_note(struct mw_found *found, const struct mw_mapping *mapping)
{
	struct mw_found_running *running = find(found, mapping->pid);

	if (running && running->code)
		mw_code_put(running->code, mapping);
}

void mw_found_use(struct mw_found *found, const struct mw_mapping *mapping,
                  struct mw_found_entry *entry)
{
	struct mw_found_running *running = get(found, mapping);
	uint64_t bias;

	if (!running)
		return;
	add_object(running, entry);
	if (entry->object.found.runtime && find_bias(entry, mapping, &bias) &&
	    (running->runtime != entry->index + 1 || running->bias != bias)) {
		running->runtime = (uint16_t)(entry->index + 1);
		running->bias = bias;
		running->version = version_of(found, running);
		tell(found, running);
	} else if (running->runtime && running->version != version_of(found, running)) {
		running->version = version_of(found, running);
		tell(found, running);
	}
}

void mw_found_exec(void *context, pid_t pid)
{
	struct mw_found *found = context;
	struct mw_found_running *running = find(found, pid);

	if (running)
		leave(found, running);
}

/* Most children run another program at once: who they are need not be looked up. */
static void tell_later(struct mw_found *found, struct mw_found_running *child)
{
	if (found->children == MW_FOUND_CHILDREN)
		mw_found_caught_up(found);
	child->untold = true;
	found->child[found->children++] = (uint16_t)(child - found->running);
}

void mw_found_forked(void *context, pid_t pid, pid_t parent)
{
	struct mw_found *found = context;
	struct mw_found_running *child, *from = find(found, parent);
	struct living living = {0};

	mw_found_exec(found, pid);
	if (!from)
		return;
	if (read_stat(pid, &living) < 0) {
		mw_code_end(&found->past, mw_code_inherit(from->code, pid, 0));
		return;
	}
	child = enter(found, pid, living.start);
	if (!child)
		return;
	child->code = mw_code_inherit(from->code, pid, living.start);
	child->version = from->version;
	child->bias = from->bias;
	child->runtime = from->runtime;
	for (size_t i = 0; i < from->used_count; i++)
		add_object(child, found->object[from->used[i]]);
	if (child->runtime)
		tell_later(found, child);
}

void mw_found_caught_up(void *context)
{
	struct mw_found *found = context;

	for (size_t i = 0; i < found->children; i++) {
		struct mw_found_running *child = &found->running[found->child[i]];

		if (child->pid && child->untold)
			tell(found, child);
	}
	found->children = 0;
}

/* Its first thread may end before the others. */
void mw_found_ended(void *context, pid_t pid, pid_t tid)
{
	struct mw_found *found = context;
	struct mw_found_running *running = find(found, pid);

	if (!running)
		return;
	running->leaving |= tid == pid;
	if (running->leaving && has_ended(pid, running->start))
		leave(found, running);
}

void mw_found_tick_processes(struct mw_found *found)
{
	for (size_t i = 0; i < found->fresh; i++) {
		struct mw_found_running *running = &found->running[i];

		if (running->pid && running->leaving && has_ended(running->pid, running->start))
			leave(found, running);
	}
}

/* Forgets what the scan did not meet in the process. */
static void forget_unmet(struct mw_found *found, struct mw_found_running *running)
{
	size_t kept = 0;

	for (size_t i = 0; i < running->used_count; i++) {
		if (running->met & 1u << i) {
			running->used[kept++] = running->used[i];
			continue;
		}
		found->object[running->used[i]]->object.users--;
		if (running->runtime == running->used[i] + 1) {
			found->options.gone(found->options.context, running->pid, running->start);
			running->runtime = 0;
		}
	}
	running->used_count = (uint8_t)kept;
	if (!kept)
		leave(found, running);
}

static void end_scan(struct mw_found *found)
{
	for (size_t i = 0; i < found->fresh; i++) {
		struct mw_found_running *running = &found->running[i];

		if (running->pid && running->scan != found->scan &&
		    has_ended(running->pid, running->start))
			leave(found, running);
	}
	found->scanning = false;
}

void mw_found_scanned(void *context, pid_t pid, bool ends)
{
	struct mw_found *found = context;
	struct mw_found_running *running = find(found, pid);

	if (!found->scanning && !ends) {
		found->scanning = true;
		found->scan++;
	}
	if (!pid) {
		end_scan(found);
	} else if (running && !ends) {
		running->met = 0;
		running->scan = found->scan;
	} else if (running) {
		forget_unmet(found, running);
	}
}

uint32_t mw_found_version(const struct mw_found *found, pid_t pid)
{
	const struct mw_found_running *running = find((struct mw_found *)(uintptr_t)found, pid);

	return running ? running->version : 0;
}

const struct mw_maps *mw_found_code(const struct mw_found *found, pid_t pid, uint64_t start,
                                    uint64_t time, bool *ret_ended)
{
	const struct mw_found_running *running = find((struct mw_found *)(uintptr_t)found, pid);
	const struct mw_code *code = running ? running->code : NULL;

	*ret_ended = !code || code->start != start || code->since > time;
	if (*ret_ended)
		code = mw_code_find(&found->past, pid, start, time);
	*ret_ended &= code != NULL;
	return code && !code->incomplete ? &code->maps : NULL;
}

void mw_found_forget_processes(struct mw_found *found)
{
	for (size_t i = 0; i < found->fresh; i++)
		mw_code_free(found->running[i].code);
	mw_code_forget(&found->past);
}

void mw_found_each(const struct mw_found *found,
                   void (*each)(void *context, const struct mw_found_process *process),
                   void *context)
{
	for (size_t i = 0; i < found->fresh; i++) {
		struct mw_found_process process;

		if (!found->running[i].pid || !found->running[i].runtime)
			continue;
		process = describe(found, &found->running[i]);
		each(context, &process);
	}
}
