/* What the files of daemon_programs.h share. */
#ifndef MW_TOOLS_DAEMON_PROGRAMS_INSIDE_H
#define MW_TOOLS_DAEMON_PROGRAMS_INSIDE_H

#include <stdbool.h>

#include <bpf/libbpf.h>

#include "../ebpf/config.h"
#include "daemon_calls.h"
#include "daemon_parts.h"
#include "daemon_programs.h"
#include "modelwatch.skel.h"

#define MW_PROGRAMS 46
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
	bool calls_on;   /* it is asked for */
	bool calls_seen; /* and it is so */
	bool multi;      /* all probes of a file are one link */
	struct mw_daemon_call call[MW_PROGRAMS_CALLS];
	size_t calls;
	uint8_t site_used[MW_K_SITES];
	uint32_t next_site;
	struct mw_py_offsets python[MW_K_PYTHONS];
	uint32_t pythons;
};

/* The place in the table of the program called `name`, which is in it. */
size_t mw_programs_find(const char *name);

/* Attaches one; whether that went well its link and `why` say. */
void mw_programs_attach_one(struct mw_programs *p, size_t i);

#endif
