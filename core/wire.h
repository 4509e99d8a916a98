/* The wire format between a watched process and the monitor (docs/protocol.md).
 *
 * The process opens one stream connection to the monitor's unix socket for each exchange, sends one
 * record, waits for one reply and closes: nothing in the job's descriptor table for the job to
 * lose. A record is a frame: a 4-byte big-endian length, then that many bytes of MessagePack (one
 * map). A reply is `struct mw_reply`, as it stands in memory: both ends run on one machine and the
 * process trusts the monitor, so it needs no decoder.
 *
 * Packing writes into a caller's buffer and never allocates. Unpacking is the one bounded decoder:
 * every length is checked against the bytes that are there before anything is allocated. */
#ifndef MW_CORE_WIRE_H
#define MW_CORE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"
#include "regs.h"
#include "words.h"

/* The process reads the policy's image as it lies in memory: who has another one speaks another
 * language. */
#define MW_WIRE_VERSION (1u << 16 | MW_POLICY_VERSION)
#define MW_WIRE_MAX (512u << 10)   /* bytes of a frame's body */
#define MW_WIRE_STACK (256u << 10) /* bytes of native stack in a record */
#define MW_WIRE_HEAD (30u << 10)   /* a record without its stack always fits in this */
#define MW_WIRE_FRAMES 48
#define MW_WIRE_GLOBALS 16
#define MW_WIRE_ARGS 32
#define MW_WIRE_TEXT 1024 /* bytes of any one string; longer ones are cut when packed */
#define MW_WIRE_FDS 2     /* descriptors that come with the reply to a hello */

enum mw_kind {
	MW_HELLO, /* a process starts: asks for the policy, the state page and its scope */
	MW_BORN,  /* from a process that a load forked: it is in the scope of the load */
	MW_EFFECT,
	MW_FETCH,    /* the stream fetched a directly effectful callable: will it only be called? */
	MW_ANNOUNCE, /* a load starts a thread: it is to be known, and to have a slot */
	MW_JOIN,     /* a lower sensor sees the effect of an alert too */
	MW_WHY,      /* a load ends, and something in its scope was denied: what was it? */
	MW_PREVIEW,  /* what would be decided about an effect that may come? */
	MW_OPEN,     /* a load fetched what is no plain rebuilder: the floor looks at its thread */
	MW_PERMIT,   /* an effect that goes on unrecorded: the floor is to let it through */
	MW_LOADED, /* an outermost load has ended, for the inventory; only the first of a process is
	            * waited for */
	MW_KIND_COUNT
};

/* Bytes somebody else wrote: not NUL-terminated, any byte may occur. `s` is NULL when not known. */
struct mw_str {
	const char *s;
	uint32_t len;
};

struct mw_pyframe {
	struct mw_str function, file;
	uint32_t line;
};

struct mw_record_load {
	uint64_t id; /* 0: none */
	enum mw_origin origin;
	struct mw_str entry; /* "pickle.load", "torch.load" ... the outermost entry point */
	struct mw_str path;  /* artifact as the process names it, relative to its cwd */
	int32_t fd;          /* descriptor the load reads from, or -1 */
	uint64_t data; /* address of the stream in the process's memory, 0 when it is not there */
	uint64_t data_len;
	uint64_t start;  /* position of the stream's first byte in the file, when read by fd or path
	                  */
	int64_t tell;    /* reader's position counted from the stream's first byte, or -1 */
	bool tell_exact; /* no read-ahead: the last opcode ends at tell */
	bool importing;  /* the effect came from the import of the last global */
	bool after;      /* the load had ended */
	uint64_t scope;  /* the load that its thread answers for by birth, or 0 */
	uint64_t sp;     /* stack pointer of the frame that opened it and will close it */
	bool called;     /* it has called what is no plain rebuilder */
	uint32_t depth;  /* loads open around this one on its thread */
	uint64_t globals;                    /* find_class events so far */
	struct mw_str seen[MW_WIRE_GLOBALS]; /* the last of them, oldest first, "module name" */
	uint32_t seen_count;
	uint32_t dev; /* of the file at `path`, as the kernel encodes it (major << 20 | minor) */
	uint64_t ino; /* 0: not known. A file of that path that is another one is not read */
	/* Never sent: what who has seen the load from outside knows of it. */
	const uint8_t *copy; /* the first bytes of the stream at `data`, or NULL */
	uint32_t copy_len;
	bool archive; /* it reads an archive of PyTorch's: the stream is the one called data.pkl */
};

struct mw_record_effect {
	enum mw_class class;
	enum mw_cause cause;
	enum mw_sensor sensor;
	uint32_t facts;
	int64_t number;
	uint64_t owner;
	struct mw_str op, target, target2, file, file2; /* as in struct mw_effect */
	struct mw_str argv[MW_WIRE_ARGS];
	uint32_t argc; /* as packed: at most MW_WIRE_ARGS */
	bool argv_cut;
};

enum mw_answer_known { MW_NOT_KNOWN, MW_NO, MW_YES, MW_ANSWER_COUNT };

/* How a load went, once it has ended. */
struct mw_record_done {
	uint64_t duration;                 /* ns */
	bool raised;                       /* it ended in an exception, and returned nothing */
	enum mw_answer_known weights_only; /* torch.load was asked for no more than weights */
	uint64_t lost; /* messages of this kind of the process's that could not be sent before */
};

/* One message from a watched process. Unpacked strings point into the unpacked frame. */
struct mw_record {
	enum mw_kind kind;
	uint32_t tid;
	struct mw_str alert; /* of a join: the id; its effect has the sensor and no more */
	struct mw_record_load load;
	struct mw_record_effect effect;
	struct mw_record_done done;               /* of MW_LOADED */
	struct mw_pyframe frames[MW_WIRE_FRAMES]; /* Python stack, innermost first */
	uint32_t frame_count;
	uint32_t inside; /* of them, how many lie inside the load */
	struct mw_regs regs;
	const uint8_t *stack; /* native stack from the stack pointer in regs upwards */
	uint32_t stack_len;
};

#define MW_REPLY_MAGIC 0x4d575250u /* "MWRP" */

struct mw_reply {
	uint32_t magic;
	uint32_t verdict; /* enum mw_verdict: what the process is to do about the effect; for a
	                     fetch, MW_ALLOW or MW_DENY */
	uint64_t scope;   /* hello: the load that this process answers for, or 0 */
	uint32_t slot;    /* the load's slot in the state page, valid when not 0 */
	uint32_t monitor; /* pid of the monitor as the monitor sees it */
	char id[40];      /* the alert's id, NUL-terminated; empty when there is none */
	char title[600];  /* the alert's sentence, for the exception in the job */
};

/* The state page: only the monitor can write it; every watched process maps it read-only. A slot
 * belongs to a load; `denied` counts the denials in its scope, in whatever process. */
#define MW_PAGE_MAGIC 0x4d575347u /* "MWSG" */
#define MW_PAGE_SLOTS 2048

struct mw_page {
	uint32_t magic;
	uint32_t scopes; /* processes in the scope of some load; 0 spares everybody the question */
	uint32_t inventory; /* the monitor wants to hear of loads that have ended */
	uint32_t pad;
	struct {
		uint64_t load;
		uint32_t denied;
		uint32_t pad;
	} slot[MW_PAGE_SLOTS];
};

/* Packs `record` as a frame into `buf`, without the bytes of its stack: the frame's length counts
 * them, and the caller sends the `stack_len` bytes right after. Strings are cut to MW_WIRE_TEXT.
 * Returns the bytes written (at most MW_WIRE_HEAD), or -ENOSPC. errno is kept. */
int mw_wire_pack(const struct mw_record *record, uint8_t *buf, size_t cap);

/* A decoded record and what it points into. */
struct mw_unpacked {
	struct mw_record record;
	void *zone;
};

/* Unpacks the body of a frame (without its 4 length bytes). Allocates at most a small multiple of
 * `len`; free with mw_wire_free(). Unknown keys are passed over. Returns 0; -EBADMSG when the bytes
 * are no record; -EPROTONOSUPPORT for another version; -ENOMEM. `data` must outlive the result. */
int mw_wire_unpack(const uint8_t *data, size_t len, struct mw_unpacked *ret);
void mw_wire_free(struct mw_unpacked *unpacked);

#endif
