/* Where probes go in an interpreter, in _pickle where that is a library of its own, and in
 * libtorch: read from the file alone, which may be stripped and may lie about everything. */
#ifndef MW_TOOLS_PYTHON_SITES_H
#define MW_TOOLS_PYTHON_SITES_H

#include <stdbool.h>
#include <stdint.h>

#include "../ebpf/event.h"
#include "elf.h"

#define MW_SITES_MAX 32
#define MW_BODIES_MAX 4
#define MW_BELOW_MAX 8

/* Where a site's arguments are at its entry. */
enum mw_convention {
	MW_BY_SELF,   /* the object in rdi, and nothing else is wanted */
	MW_BY_OBJECT, /* the only argument in rsi: METH_O */
	MW_BY_FAST,   /* PyObject *const *args in rsi, their count in rdx: METH_FASTCALL */
	MW_BY_METHOD, /* the class in rsi, then as MW_BY_FAST from rdx on: METH_METHOD */
	MW_BY_THIS,   /* C++: `this` in rdi, the arguments from rsi on */
	MW_BY_USDT,   /* where its note says */
};

/* An argument of a USDT: in a register, or in memory at a distance from where one points. */
struct mw_usdt_arg {
	int32_t distance;
	uint8_t reg; /* as core/regs.h numbers them */
	bool in_memory;
};

/* Code that is at the top of a call's frame while the call is not over, relative to the function's
 * first byte: the function, the parts that the compiler moved away from it, and whatever it ends in
 * a jump to, which then returns to its caller in its place. */
struct mw_body {
	int32_t from, to;
	/* How far below the call's return address, in bytes, the return address of what it calls in
	 * turn may lie: one for each size that its frame has; 0: no more. */
	uint16_t below[MW_BELOW_MAX];
};

struct mw_site {
	uint32_t kind;       /* enum mw_k_entry */
	uint32_t convention; /* enum mw_convention */
	uint64_t offset;     /* in the file, of the instruction to put the probe on */
	uint32_t skip;       /* bytes of the function before that instruction */
	uint64_t entry;      /* linked address of the function, or of the instruction of a USDT */
	uint64_t semaphore;  /* USDT: where in the file it lies; 0: none */
	struct mw_usdt_arg usdt_arg[2]; /* USDT: the event's name, a string of C, and the tuple of
	                                   what comes with it */
	bool slow;                      /* single-stepped: ten times the cost of the others */
	bool takes_path;     /* a reader's constructor with a std::string const & in rsi */
	bool bodies_cut;     /* there are more than fit, or code that could not be read */
	uint32_t body_count; /* 0: the file has no unwind entry for it */
	struct mw_body body[MW_BODIES_MAX];
};

/* Why a site that is there gets no probe. */
enum mw_site_refusal {
	MW_SITE_NOP5,       /* on Linux 6.18 the probe would overwrite what lies below the stack */
	MW_SITE_TRAP,       /* no instruction, or one that leaves the process's own code */
	MW_SITE_ELSEWHERE,  /* not code of this file, or not the first byte of a function */
	MW_SITE_CONVENTION, /* called in a way that is not known */
	MW_SITE_SEMAPHORE,  /* USDT whose semaphore does not lie among the file's semaphores */
	MW_SITE_TOO_MANY,
	MW_SITE_REFUSALS
};

struct mw_refused_site {
	uint32_t kind;
	enum mw_site_refusal why;
	uint64_t entry;
};

struct mw_python_sites {
	uint32_t version; /* 0x030b for 3.11; 0: not known from this file */
	uint64_t runtime; /* linked address of _PyRuntime; 0: not in this file */
	struct mw_site site[MW_SITES_MAX];
	uint32_t count;
	struct mw_refused_site refused[MW_SITES_MAX];
	uint32_t refused_count;
	bool wants_pickle; /* an interpreter without _pickle: that will come as a library of its own
	                    */
};

/* Finds the sites of a file in `ret`, which owns nothing. Takes up to 16 MB of memory while it
 * runs. A file that has none is no error. Returns 0, -ENOTSUP where machine code is not that of
 * x86-64, -EFBIG when an interpreter's variables take more than that memory, -ENOMEM, or what the
 * reader returned. */
int mw_python_sites(const struct mw_elf *elf, struct mw_python_sites *ret);

/* A few words for people. */
const char *mw_site_refusal(enum mw_site_refusal why);

#endif
