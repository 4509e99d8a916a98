/* What the sensors in the process and the floor below them (seccomp user notification) agree on. */
#ifndef MW_CORE_FLOOR_H
#define MW_CORE_FLOOR_H

/* An option of prctl(2) that the kernel does not know (EINVAL) and the floor answers: a call to the
 * monitor that no other thread of the process can take part in. */
#define MW_FLOOR_CALL 0x4d574652 /* "MWFR" */

#endif
