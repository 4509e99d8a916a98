/* What the files of daemon_programs.h share. */
#ifndef MW_TOOLS_DAEMON_PROGRAMS_INSIDE_H
#define MW_TOOLS_DAEMON_PROGRAMS_INSIDE_H

#include <stdbool.h>

#include <bpf/libbpf.h>

#include "../ebpf/config.h"
#include "daemon_calls.h"
#include "daemon_heritage.h"
#include "daemon_parts.h"
#include "daemon_pins.h"
#include "daemon_programs.h"
#include "daemon_uprobes.h"
#include "modelwatch.skel.h"

#define MW_PROGRAMS 53
#define MW_PROGRAMS_CALLS 256

/* One program of the object, and which hook it belongs to. One that stands in for another, which
 * comes before it, is used where that one cannot be. */
struct mw_program {
	const char *name;
	enum mw_k_hook hook;
	const char *how;
	bool needed;
	const char *instead;
};

extern const struct mw_program mw_programs_table[MW_PROGRAMS];

/* The probes of one file. */
struct mw_probes {
	struct mw_uprobes uprobes;
	uint32_t number; /* by which its links are called that stay */
	struct mw_probes *next, **back;
};

struct mw_programs {
	struct mw_programs_options options;
	struct mw_bpf *bpf;
	struct mw_daemon_parts *assembly;
	struct bpf_program *program[MW_PROGRAMS];
	struct bpf_link *link[MW_PROGRAMS];
	const char *why[MW_PROGRAMS]; /* it is off; NULL: it is on */
	bool offered[MW_PROGRAMS];    /* there is something that it could be put on */
	bool asks;                    /* the kernel asks programs before it does something */
	int cgroup;
	uint64_t group[MW_K_GROUPS]; /* of options.cgroups */
	bool calls_on;               /* it is asked for */
	bool calls_seen;             /* and it is so */
	bool multi;                  /* all probes of a file are one link */
	struct mw_daemon_call call[MW_PROGRAMS_CALLS];
	size_t calls;
	struct mw_k_site *site; /* the map's own memory */
	uint16_t site_used[MW_K_SITES];
	uint32_t next_site;
	struct mw_probes *probes; /* all of them */
	uint32_t next_probes;
	struct mw_heritage *heritage;
	struct mw_pins pins; /* what stays when the daemon is killed */
	int unpinned;        /* why nothing does, or 0 */
	bool took_over, leaves;
	int64_t grace;  /* until when what is unlike ours stands, ms */
	uint32_t round; /* of what is guarded */
	struct mw_py_offsets python[MW_K_PYTHONS];
	uint32_t pythons;
};

/* The place in the table of the program called `name`, which is in it. */
size_t mw_programs_find(const char *name);

/* What the maps look like, and those that a daemon after this one goes on with; NULL at the end. */
extern const char mw_programs_layout[];
extern const char *const mw_programs_shared[];

/* Has our own maps be those of the daemon before, before they are made; and learns what is in them.
 * These are the parts of mw_programs_open(). */
int mw_programs_inherit(struct mw_programs *p);
int mw_programs_take_stock(struct mw_programs *p);

/* What refuses stays from now on, or no more; and one link, or the probes of one file, more or
 * fewer. */
void mw_programs_stay(struct mw_programs *p, bool on);
void mw_programs_stay_one(struct mw_programs *p, size_t i);
void mw_programs_stay_probes(struct mw_programs *p, const struct mw_probes *probes);
void mw_programs_leave_probes(struct mw_programs *p, const struct mw_probes *probes);

/* Says who the daemon is. */
int mw_programs_sign(struct mw_programs *p);

/* Attaches one; whether that went well its link and `why` say. */
void mw_programs_attach_one(struct mw_programs *p, size_t i);

#endif
