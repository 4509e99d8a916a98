/* What the files of the judge share. */
#ifndef MW_TOOLS_FLOOR_MATTER_H
#define MW_TOOLS_FLOOR_MATTER_H

#include "floor_judge.h"
#include "floor_look.h"
#include "floor_mark.h"
#include "floor_shim.h"
#include "floor_started.h"
#include "floor_tasks.h"

#define MW_FLOOR_REFUSED 64

#define MW_FLOOR_PROGRAMS 32

/* A program that a child of process `parent` is to become. */
struct mw_floor_program {
	pid_t parent;
	struct mw_permit *permit; /* owned; NULL: none */
};

struct mw_floor_judge {
	struct mw_floor_host host;
	int listener;
	struct mw_gate *gate;
	struct mw_floor_tasks tasks;
	struct mw_floor_started started;
	struct mw_floor_mark mark;
	struct mw_floor_program programs[MW_FLOOR_PROGRAMS];
	unsigned int program_turn;
	struct mw_floor_shims shims;
	uint64_t
	        refused[MW_FLOOR_REFUSED]; /* the last effects that were, each where its key says */
	struct mw_floor_look look;         /* of the notification at hand: too large for a stack */
};

/* One notification, and who answers for it. */
struct mw_matter {
	struct mw_tracee tracee;
	const struct seccomp_data *data;
	struct mw_floor_thread *thread;   /* NULL: it is in scope with its process */
	const struct mw_floor_load *load; /* that the thread has open, or NULL */
	uint64_t scope;                   /* the id of the load; 0: it is in no scope */
};

/* floor_hear.c: a call to the monitor. Returns 0 or a negative errno for the task. */
int mw_floor_hear(struct mw_floor_judge *judge, const struct mw_tracee *tracee,
                  const struct seccomp_data *data);

/* floor_decide.c: the permit that covers the effect in `judge->look`, or NULL. */
struct mw_permit *mw_floor_find_permit(struct mw_floor_judge *judge,
                                       const struct mw_matter *matter);

/* The verdict on that effect. With a permit it is recorded already; one that turns out not to hold
 * for it becomes NULL. */
enum mw_verdict mw_floor_verdict(struct mw_floor_judge *judge, const struct mw_matter *matter,
                                 struct mw_permit **permit);

/* Whether what was let pass would be so whatever it is on: then it does not matter that another
 * thread may have changed that. `permit` may be NULL. */
bool mw_floor_stands_anyway(struct mw_floor_judge *judge, const struct mw_matter *matter,
                            const struct mw_permit *permit);

/* The verdict on an effect that nobody has announced; it is recorded. */
enum mw_verdict mw_floor_accuse(struct mw_floor_judge *judge, const struct mw_matter *matter,
                                struct mw_effect *effect);

/* floor_birth.c: a task in scope starts another. Answers it. */
int mw_floor_birth(struct mw_floor_judge *judge, const struct mw_matter *matter,
                   const struct mw_floor_call *row);

/* A program that the policy allows, or that an import starts, lives on by itself. */
bool mw_floor_is_born_free(const struct mw_permit *permit);

#endif
