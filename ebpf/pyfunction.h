/* Functions that are compiled for the kernel and for user space: see pystack.h. */
#ifndef MW_EBPF_PYFUNCTION_H
#define MW_EBPF_PYFUNCTION_H

#ifdef __bpf__
#define MW_PY_FN __attribute__((noinline))
#define MW_PY_PART static inline __attribute__((always_inline))
/* Keeps the compiler from comparing one copy of a number and using another, or from leaving out a
 * comparison: the verifier has to see it. Of 64 bits, because it loses track of halves. */
#define MW_PY_KEEP(variable) asm volatile("" : "+r"(variable))
#else
#define MW_PY_FN static inline
#define MW_PY_PART static inline
#define MW_PY_KEEP(variable) (void)0
#endif

#endif
