/* Which tasks were started in loads, by what, and which programs live on by themselves. Bounded:
 * what was not heard of for longest is forgotten. */
#ifndef MW_TOOLS_DAEMON_SCOPE_H
#define MW_TOOLS_DAEMON_SCOPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../core/wire.h"
#include "../ebpf/event.h"
#include "locate.h"

#define MW_DAEMON_BIRTHS 4096
#define MW_DAEMON_FREE 4096

/* A Python stack that outlives its event. */
struct mw_daemon_stack {
	uint32_t count, inside;
	struct {
		const char *function, *file;
		uint32_t line;
	} frame[MW_WIRE_FRAMES];
	char text[];
};

/* The load that started tasks, as it was then: shared by them. */
struct mw_daemon_origin {
	unsigned int tasks;
	struct mw_record_load *load;   /* with its texts behind it */
	struct mw_location at;         /* where in its stream; wide enough for all of them */
	struct mw_daemon_stack *stack; /* where it started the first of them, or NULL */
};

struct mw_daemon_birth {
	uint64_t id;           /* of its event; 0: none */
	uint32_t parent;       /* the process that started it ... */
	uint64_t parent_start; /* ... ns since boot */
	enum mw_cause cause;
	uint32_t tgid;               /* of the task that was born */
	bool ran;                    /* which has become a program already */
	struct mw_k_program program; /* that the load ran in */
	bool called;                 /* the load had called beyond plain rebuilders by then */
	bool makes_code;             /* and could have made code */
	bool is_free; /* started by an import or an installed library: lives on by itself */
	struct mw_daemon_origin *origin; /* never NULL */
};

struct mw_daemon_scope {
	struct mw_daemon_birth births[MW_DAEMON_BIRTHS]; /* a ring */
	uint32_t next;
	struct {
		uint32_t tgid;
		bool born; /* `start` is when its birth was seen, a moment before or after */
		uint64_t start;
	} own[MW_DAEMON_FREE]; /* processes in scope that live by themselves: a ring */
	uint32_t own_next;
};

/* Remembers a birth in `load` of process `pid`, at `at`: both are copied, and the first `count` of
 * `frames`, of which `inside` lie inside the load. Returns 0 or -ENOMEM. */
int mw_daemon_scope_born(struct mw_daemon_scope *scope, const struct mw_daemon_birth *birth,
                         pid_t pid, const struct mw_record_load *load, const struct mw_location *at,
                         const struct mw_pyframe *frames, uint32_t count, uint32_t inside);

/* The birth with that id, or NULL. Good until the next one is added. */
struct mw_daemon_birth *mw_daemon_scope_find(struct mw_daemon_scope *scope, uint64_t id);

/* The process answers for no load by birth from now on; the same for one whose birth is seen at
 * `time`; whether it does not. */
void mw_daemon_scope_free(struct mw_daemon_scope *scope, uint32_t tgid, uint64_t start);
void mw_daemon_scope_free_born(struct mw_daemon_scope *scope, uint32_t tgid, uint64_t time);
bool mw_daemon_scope_is_free(struct mw_daemon_scope *scope, uint32_t tgid, uint64_t start);

void mw_daemon_scope_clear(struct mw_daemon_scope *scope);

#endif
