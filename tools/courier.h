/* The monitor's side of the courier (courier/): a program that keeps alerts on disk and sends them
 * to the sinks. What it has not taken is kept, within a bound, and it is started anew when it has
 * died. docs/protocol.md has the messages. */
#ifndef MW_TOOLS_COURIER_H
#define MW_TOOLS_COURIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

struct mw_courier;

/* Starts it. `config` is a configuration of sinks (courier/sink_config.h) that names some; shared.
 * Call it while the process has one thread. Returns 0, -ENOENT when the program is not installed,
 * or another negative errno. */
int mw_courier_open(json_t *config, bool is_daemon, struct mw_courier **ret);

/* Hands over a line of native JSON, its newline with it, which is copied. Where there is no room,
 * a monitor that is not the daemon waits for a courier that goes on taking records, at most ten
 * seconds for the next; what there is no room for then is counted, and told in a record of the loss
 * once there is room. */
void mw_courier_send(struct mw_courier *courier, const char *line, size_t len);

/* The descriptor to poll, or -1, for which events, and after how many ms (-1: never)
 * mw_courier_poll() is to be called in any case. They change with every call here. */
int mw_courier_fd(const struct mw_courier *courier);
short mw_courier_events(const struct mw_courier *courier);
int mw_courier_patience(const struct mw_courier *courier);

/* Sends, hears, and starts it anew. */
void mw_courier_poll(struct mw_courier *courier);

/* Sinks are configured anew, or files are to be opened anew. */
void mw_courier_reload(struct mw_courier *courier, json_t *config);

/* How often the configuration wants to be told that we are there: ms, 0 never. */
uint64_t mw_courier_heartbeat(const struct mw_courier *courier);

/* Its process, which is no part of a job; 0: there is none. */
pid_t mw_courier_pid(const struct mw_courier *courier);

/* What it said of itself last: {why, spool, sinks}, borrowed; NULL: nothing yet. */
const json_t *mw_courier_view(const struct mw_courier *courier);

/* What keeps alerts from their sinks, for people; "" when nothing does. Changes with
 * mw_courier_poll(). */
const char *mw_courier_trouble(const struct mw_courier *courier);

/* Lets it take what is left, gives the sinks the moment that the configuration says, and ends it.
 * mw_courier_trouble() says afterwards what kept alerts from their sinks. */
void mw_courier_finish(struct mw_courier *courier);

/* The same, if that has not been done, and frees it. Returns how many records are not on disk. NULL
 * is allowed. */
uint64_t mw_courier_close(struct mw_courier *courier);

/* The same without a wait: puts it, with nothing more to send, into `*list`, where it is until it
 * has ended. mw_courier_sweep() goes on with that, and is to be called now and then; it returns how
 * many records of those that have ended are not on disk. mw_courier_close_all() waits for all. */
void mw_courier_retire(struct mw_courier *courier, struct mw_courier **list);
uint64_t mw_courier_sweep(struct mw_courier **list);
uint64_t mw_courier_close_all(struct mw_courier **list);

/* Sends one record to the sink called `name`, past the spool, and waits for the answer: what
 * courier/trial.h says, a new reference. NULL when there is none, with a line in `why`. */
json_t *mw_courier_test(const json_t *config, const char *name, const json_t *record, char *why,
                        size_t why_size);

#endif
