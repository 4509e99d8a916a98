/* The system calls of the daemon and of its helpers. What is not on their list fails as if the
 * kernel did not know it. */
#ifndef MW_COURIER_CALLS_H
#define MW_COURIER_CALLS_H

enum mw_caller {
	MW_CALLER_READS = 1,   /* looks at files and processes, and says what is there */
	MW_CALLER_SENDS = 2,   /* the courier: files and sockets of its own */
	MW_CALLER_WATCHES = 4, /* the daemon, and all that it starts */
};

/* From now on, for every thread of this process and whatever it starts. Takes that no new privilege
 * can be gained (mw_confine_rights()). Returns 0 or a negative errno. */
int mw_calls_confine(enum mw_caller caller);

#endif
