/* While the disk keeps us waiting, whoever waits for us is told that we are at it. */
#ifndef MW_COURIER_PULSE_H
#define MW_COURIER_PULSE_H

struct mw_pulse;

/* From now on a thread calls `beat` once a second while there is work. Lives as long as the
 * process. Returns 0 or a negative errno. */
int mw_pulse_start(void (*beat)(void *context), void *context, struct mw_pulse **ret);

/* Work begins and ends: in between `beat` may be called, and only then. */
void mw_pulse_begin(struct mw_pulse *pulse);
void mw_pulse_end(struct mw_pulse *pulse);

#endif
