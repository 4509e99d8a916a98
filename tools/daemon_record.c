#include "daemon_record.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "maps.h"

/* The end of each record, by the sample_type that they are opened with. */
struct sample_id {
	uint32_t pid, tid;
	uint64_t time;
	uint32_t cpu, reserved;
};

struct task {
	uint32_t pid, parent, tid, parent_tid;
	uint64_t time;
};

struct loss {
	uint64_t id, lost;
};

struct name {
	uint32_t pid, tid;
};

struct mapped {
	uint32_t pid, tid;
	uint64_t address, length, offset;
	uint32_t major, minor;
	uint64_t ino, generation;
	uint32_t prot, flags;
};

static uint32_t protection(uint32_t prot)
{
	return (prot & PROT_READ ? MW_MAP_READ : 0) | (prot & PROT_WRITE ? MW_MAP_WRITE : 0) |
	       (prot & PROT_EXEC ? MW_MAP_EXEC : 0);
}

static int read_mapped(const char *body, size_t len, struct mw_side *side)
{
	struct mapped mapped;

	if (len < sizeof(mapped) || !memchr(body + sizeof(mapped), 0, len - sizeof(mapped)))
		return -EBADMSG;
	memcpy(&mapped, body, sizeof(mapped));
	if (!mapped.ino || !(mapped.prot & PROT_EXEC))
		return 0;
	side->kind = MW_SIDE_MAPPED;
	side->pid = (pid_t)mapped.pid;
	side->tid = (pid_t)mapped.tid;
	side->mapping = (struct mw_mapping){
	        .pid = side->pid,
	        .address = mapped.address,
	        .length = mapped.length,
	        .offset = mapped.offset,
	        .dev = makedev(mapped.major, mapped.minor),
	        .ino = mapped.ino,
	        .generation = (uint32_t)mapped.generation,
	        .prot = protection(mapped.prot),
	        .time = side->time,
	        .path = body + sizeof(mapped),
	};
	return 0;
}

static int read_name(const char *body, size_t len, uint16_t misc, struct mw_side *side)
{
	struct name name;

	if (len < sizeof(name))
		return -EBADMSG;
	/* Others only give themselves a name. */
	if (!(misc & PERF_RECORD_MISC_COMM_EXEC))
		return 0;
	memcpy(&name, body, sizeof(name));
	side->kind = MW_SIDE_EXEC;
	side->pid = (pid_t)name.pid;
	side->tid = (pid_t)name.tid;
	return 0;
}

static int read_task(const char *body, size_t len, enum mw_side_kind kind, struct mw_side *side)
{
	struct task task;

	if (len < sizeof(task))
		return -EBADMSG;
	memcpy(&task, body, sizeof(task));
	side->kind = kind;
	side->pid = (pid_t)task.pid;
	side->tid = (pid_t)task.tid;
	side->parent = (pid_t)task.parent;
	return 0;
}

static int read_loss(const char *body, size_t len, struct mw_side *side)
{
	struct loss loss;

	if (len < sizeof(loss))
		return -EBADMSG;
	memcpy(&loss, body, sizeof(loss));
	side->kind = MW_SIDE_LOST;
	side->lost = loss.lost;
	return 0;
}

int mw_side_decode(const void *record, size_t len, struct mw_side *ret)
{
	const char *body = (const char *)record + sizeof(struct perf_event_header);
	struct mw_side side = {.kind = MW_SIDE_OTHER};
	struct perf_event_header header;
	struct sample_id id;
	int r = 0;

	if (len < sizeof(header) + sizeof(id))
		return -EBADMSG;
	memcpy(&header, record, sizeof(header));
	memcpy(&id, (const char *)record + len - sizeof(id), sizeof(id));
	side.time = id.time;
	len -= sizeof(header) + sizeof(id);
	if (header.type == PERF_RECORD_MMAP2)
		r = read_mapped(body, len, &side);
	else if (header.type == PERF_RECORD_COMM)
		r = read_name(body, len, header.misc, &side);
	else if (header.type == PERF_RECORD_FORK)
		r = read_task(body, len, MW_SIDE_FORK, &side);
	else if (header.type == PERF_RECORD_EXIT)
		r = read_task(body, len, MW_SIDE_EXIT, &side);
	else if (header.type == PERF_RECORD_LOST)
		r = read_loss(body, len, &side);
	if (r < 0)
		return r;
	*ret = side;
	return 0;
}
