/* What the program says about itself on stderr, and the exit status that goes with it. */
#ifndef MW_TOOLS_SAY_H
#define MW_TOOLS_SAY_H

/* Chosen as env(1), nohup(1) and timeout(1) choose theirs: no command of its own uses it. */
#define MW_EXIT_OWN 125

/* Writes one line, "modelwatch: " and the text, in one piece; what is beyond 8 KiB is cut off.
 * Returns MW_EXIT_OWN, so that a failure is said and returned in one statement. */
int mw_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
