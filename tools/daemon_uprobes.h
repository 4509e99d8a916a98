/* Probes on entry, by one link for all of a file where the kernel can (6.6 and newer), and one for
 * its USDTs; else by one for each: a link takes a while to go, whatever it holds. */
#ifndef MW_TOOLS_DAEMON_UPROBES_H
#define MW_TOOLS_DAEMON_UPROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bpf_program;

#define MW_UPROBES_MAX 32

struct mw_uprobes {
	size_t count;
	uint64_t offset[MW_UPROBES_MAX]; /* in the file */
	/* Of a USDT, also in the file: the kernel counts it up wherever that is mapped. 0: none. */
	uint64_t semaphore[MW_UPROBES_MAX];
	uint64_t cookie[MW_UPROBES_MAX];
	bool attached[MW_UPROBES_MAX];
	int link[MW_UPROBES_MAX]; /* -1: not attached, or by the link of one before it */
};

/* Whether this kernel has one link for all of a file: one is made and taken away. */
bool mw_uprobes_can_share(void);

/* Says that `program` is to be attached by one link a file. Before it is loaded. */
void mw_uprobes_prepare(struct bpf_program *program);

/* Attaches `program` to what `uprobes` says of the file that `path` leads to, in process `pid`, or
 * everywhere when that is 0. Returns 0 when at least one is attached, or a negative errno. */
int mw_uprobes_attach(const struct bpf_program *program, pid_t pid, const char *path,
                      struct mw_uprobes *uprobes);
void mw_uprobes_detach(struct mw_uprobes *uprobes);

#endif
