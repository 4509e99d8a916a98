/* The descriptors that a supervisor holds beside those of its own. */
#ifndef MW_TOOLS_DESCRIPTORS_H
#define MW_TOOLS_DESCRIPTORS_H

/* Opens /dev/null, closed on exec, where stdin, stdout or stderr is closed: nothing that is opened
 * later must land there and be written to by mistake. */
void mw_descriptors_fill(void);

/* Lets go of what was inherited, except stderr, once the command has it: who reads from the job is
 * told of its end by the job, not by us. What is closed on exec is ours and stays. */
void mw_descriptors_release(void);

#endif
