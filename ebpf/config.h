/* What the loader tells the programs in the kernel, by maps and constants. Included by both. */
#ifndef MW_EBPF_CONFIG_H
#define MW_EBPF_CONFIG_H

#include "../core/words.h"
#include "event.h"

#define MW_K_SITES 4096     /* probes, each with a number of its own: its cookie */
#define MW_K_PYTHONS 64     /* layouts of interpreters that are told apart */
#define MW_K_PROCESSES 8192 /* that run an interpreter */
#define MW_K_TASKS 65536    /* threads that load or are in scope */
#define MW_K_CALLS 512      /* system calls, by number; those of 32-bit programs come behind */
#define MW_K_VALUES 8
#define MW_K_BODIES 4
#define MW_K_BELOW 8
#define MW_K_IN_MESSAGE 6 /* an address: in the struct msghdr that argument 1 points at */
#define MW_K_NAME 32      /* bytes of a name that makes a path worth a look */

/* Calls of 32-bit programs: those whose arguments lie in memory, and those that have others behind
 * them ... */
#define MW_K_OLD_MMAP 90
#define MW_K_SOCKETCALL 102
#define MW_K_IPC 117
#define MW_K_IPC_SHMAT 21
/* ... which have numbers of their own, too. */
#define MW_K_SENDMMSG 345
#define MW_K_BIND 361
#define MW_K_CONNECT 362
#define MW_K_SENDTO 369
#define MW_K_SENDMSG 370
#define MW_K_SHMAT 397

/* A name of a secret's path that begins so is what a name ends in. */
#define MW_K_TAIL '*'
#define MW_K_TAIL_BYTES 7

/* How a probe finds what it is about: as tools/python_sites.h says it. */
enum mw_k_convention {
	MW_K_BY_SELF,   /* the object is the first argument */
	MW_K_BY_OBJECT, /* it is the second */
	MW_K_BY_FAST,   /* an array of objects is the second */
	MW_K_BY_METHOD, /* ... or the third */
	MW_K_BY_THIS,   /* C++: `this`, then the rest */
	MW_K_BY_USDT,   /* where its note says */
};

/* An argument of a USDT: in a register, or in memory at a distance from where one points. */
struct mw_k_usdt {
	uint32_t at; /* bytes of the register into struct pt_regs */
	uint32_t in_memory;
	int64_t distance;
};

struct mw_k_site {
	uint32_t kind; /* enum mw_k_entry */
	uint32_t convention;
	uint32_t
	        text; /* bytes from a compact ASCII string object to its characters; 0: not known */
	uint32_t takes_path; /* PyTorchStreamReader: the second argument is a std::string */
	uint32_t skip;       /* bytes from the entry to the probe */
	uint32_t pad;
	int32_t from[MW_K_BODIES], to[MW_K_BODIES]; /* code of the call, counted from its entry */
	/* How far below the call's return address that of the next call may lie, in words. */
	uint8_t below[MW_K_BODIES][MW_K_BELOW];
	struct mw_k_usdt usdt[2]; /* the name of the event, and what comes with it */
};

/* A file that holds an interpreter's runtime. */
struct mw_k_runtime {
	uint64_t distance; /* from where the first byte of the file would be mapped to _PyRuntime */
	uint32_t python;   /* index of its layout */
	uint32_t pad;
};

/* A process that runs an interpreter. */
struct mw_k_process {
	uint64_t runtime; /* address of _PyRuntime */
	uint32_t python;  /* index of its layout */
	uint32_t pad;
};

/* A system call that is looked at: where in its arguments things are, -1 where nowhere. */
struct mw_k_call {
	uint8_t watched;
	uint8_t attempts;   /* told of also when it fails: honest loads do not try */
	uint8_t kind;       /* enum mw_k_call_kind */
	int8_t path, path2; /* strings */
	int8_t directory;   /* the descriptor that `path` starts from */
	int8_t fd;          /* the descriptor that it is about; of an open, its flags */
	int8_t address;     /* a struct sockaddr, its length right behind */
	int8_t test;        /* looked at only if this argument ... */
	uint8_t value_count;
	uint64_t bits;                /* ... has one of these bits, ... */
	uint32_t values[MW_K_VALUES]; /* ... or, where there are any, is one of them */
};

/* Whether argument `test` makes it worth a look. */
static inline int mw_k_is_looked_at(const struct mw_k_call *call, uint64_t argument)
{
	int found = 0;

	if (!call->value_count)
		return (argument & call->bits) != 0;
	for (uint32_t i = 0; i < MW_K_VALUES; i++)
		found |= i < call->value_count && call->values[i] == (uint32_t)argument;
	return found;
}

/* What is refused is decided in place, by who is to blame for it as far as a program can tell. */
enum mw_k_blame {
	MW_K_NOBODY,    /* it cannot tell: the daemon judges what has happened */
	MW_K_CALLED,    /* a call of the stream, with nothing in between; or what one has started */
	MW_K_BY_PYTHON, /* Python code that a call runs, no import: a call, or a library's own need
	                 */
	MW_K_BLAMES
};

/* What names that a load fetches stand for, as far as a name can tell: by "module name", else by
 * the module. Others count by how they are spelt. */
#define MW_K_FETCHED_CALL 1u  /* more than a class */
#define MW_K_FETCHED_MAKER 2u /* what makes code, or reaches what does */

#define MW_K_SPARED 24 /* exceptions of one class */
#define MW_K_FOLDERS 4
#define MW_K_WORDS 3   /* of a text that paths are compared with, in words */
#define MW_K_SPELT 24  /* and in bytes */
#define MW_K_GROUPS 8  /* control groups that refusing may be bounded to */
#define MW_K_LEVELS 32 /* of the hierarchy, that one is looked for above a task */

/* Facts that a program in the kernel can establish. */
#define MW_K_IS_DEVICE 1u      /* a character device */
#define MW_K_IS_INTERPRETER 2u /* the program that the process runs */
#define MW_K_IS_UNIX 4u        /* a unix socket */
#define MW_K_LOOKS_UP 16u      /* it is opened as it is, neither made nor emptied */
#define MW_K_UNCALLED 8u       /* the loads have fetched nothing that would have been called */

struct mw_k_words {
	uint64_t word[MW_K_WORDS];
};

/* What a rule may allow is not refused: it has all these facts, a name like that, and lies there.
 * The masks say which bytes count. */
struct mw_k_spared {
	uint32_t facts;
	uint32_t place_len; /* 0: in any folder; as a path of the kernel's has it: "shm\0dev\0" */
	struct mw_k_words name, name_mask, place, place_mask;
};

/* By class and blame. What lies in one of the folders, wherever that is, is not refused either. */
struct mw_k_refusal {
	uint32_t refuse, count, folders, pad;
	struct mw_k_words folder[MW_K_FOLDERS], folder_mask[MW_K_FOLDERS];
	struct mw_k_spared spared[MW_K_SPARED];
};

static inline uint32_t mw_k_refusal_key(uint32_t class, uint32_t blame)
{
	return class * MW_K_BLAMES + blame;
}

/* Why a file is guarded. */
#define MW_K_GUARD_ITSELF 1u /* it, and what lies in it */
#define MW_K_GUARD_ABOVE 2u  /* such a file lies somewhere below it */
#define MW_K_GUARDED 256
#define MW_K_GUARD_LEVELS 16 /* of a path that are looked at */

struct mw_k_guarded {
	uint32_t kinds;
	uint32_t round; /* in which it was said last */
};

/* What the daemon has the program `guard` do: one of its own descriptors is guarded from now on. */
struct mw_k_guard {
	int32_t fd;
	uint32_t kind, round, pad;
};

enum mw_k_call_kind {
	MW_K_CALL_ANY,
	MW_K_CALL_OPEN,     /* returns a descriptor of what it opened; flags where `fd` says */
	MW_K_CALL_OPEN_HOW, /* the same, with its flags in memory: openat2(2) */
	MW_K_CALL_OPEN_NEW, /* the same, which always writes: creat(2) */
	MW_K_CALL_CONNECT,  /* of a unix socket: the others have hooks of their own */
	MW_K_CALL_SEND,     /* the same */
};

#endif
