/* The symbolic state of the pickle machine. Values are small and copied; tuples, containers and
 * calls, which hold other values, live in a ring of nodes, and globals in one of their own, so that
 * a long stream only forgets what is long past.
 */
#ifndef MW_CORE_PICKLE_MACHINE_H
#define MW_CORE_PICKLE_MACHINE_H

#include "pickle_ops.h"
#include "wire.h"

#define MW_NODES 2048u
#define MW_NODE_VALUES 8
#define MW_GLOBALS 2048u
#define MW_STACK_MAX (1u << 18)
#define MW_MEMO_MAX (1u << 18)

enum mw_value_kind {
	MW_V_ABSENT, /* a place in the memo that was never filled */
	MW_V_UNKNOWN,
	MW_V_MARK,
	MW_V_NONE,
	MW_V_TRUE,
	MW_V_FALSE,
	MW_V_INT,
	MW_V_FLOAT,  /* number: its bits */
	MW_V_NUMBER, /* a number as the stream spells it: at, number = length */
	MW_V_TEXT,   /* at, number = length */
	MW_V_BYTES,  /* at, number = length */
	MW_V_GLOBAL, /* number: index of the global */
	MW_V_TUPLE,
	MW_V_CALL, /* the result of a call: callable and arguments */
	MW_V_LIST, /* containers: their first members, for a dictionary keys and values in turn */
	MW_V_DICT,
	MW_V_SET,
};

struct mw_value {
	uint8_t kind;
	bool escaped;        /* text with backslash escapes that are not resolved here */
	bool watched;        /* a global whose uses are counted */
	uint32_t generation; /* of the node */
	uint64_t at;         /* offset in the stream, or node */
	uint64_t number;     /* value, length, or index of the global */
};

struct mw_node {
	uint32_t generation;
	uint32_t count; /* values there were; the first MW_NODE_VALUES are kept */
	struct mw_value value[MW_NODE_VALUES];
};

struct mw_values {
	struct mw_value *at;
	uint32_t count, room;
};

/* A global as the stream spells it; wildcard when the stream does not tell which one it is. */
struct mw_global {
	uint64_t module, module_len, name, name_len;
	uint64_t offset;    /* of the opcode that fetches it */
	const char *opcode; /* its name */
	bool wildcard;
	bool extension; /* by its code: only the first use of a code is a find_class event */
};

/* A call by the stream: the opcode that makes it, what is called and with what. */
struct mw_call {
	const struct mw_pickle_op *op;
	struct mw_value callable, args;
	const char *method; /* of the callable's result: "__setstate__", or NULL */
};

struct mw_machine {
	const uint8_t *data;
	size_t len;
	struct mw_values stack, memo;
	uint64_t memo_filled; /* places of the memo that hold something: MEMOIZE fills the next */
	struct mw_node *nodes;
	struct mw_global *global; /* ring of the last MW_GLOBALS */
	uint32_t next;            /* node to use */
	uint64_t globals;         /* fetched so far */
	uint64_t frame_end;       /* of the last frame */
	bool lost;                /* a limit was hit: what is on the stack is not known any more */
	bool doubt;               /* lost, or something that unpicklers do not all take alike */
	bool broken;              /* every unpickler stops here with an error */
	bool error;               /* no memory */
	bool watch;               /* set by on_global: count the uses of this one */
	uint64_t calls, others;   /* uses of what is watched: called at once, anything else */
	void (*on_global)(struct mw_machine *, const struct mw_global *);
	void (*on_call)(struct mw_machine *, const struct mw_call *);
	void *context;
};

/* Sets up an empty machine over the bytes, which it allocates memory for: mw_machine_end() gives
 * that back, also when this returns false because there is none. */
bool mw_machine_start(struct mw_machine *m, const uint8_t *data, size_t len);
void mw_machine_end(struct mw_machine *m);

/* Takes one opcode. False when the stream ends with it (STOP) or cannot go on after it. */
bool mw_machine_step(struct mw_machine *m, const struct mw_pickle_op *op);

/* How a walk ended. */
struct mw_walk {
	uint64_t end;  /* offset behind the last opcode; the length when the bytes ran out */
	bool complete; /* at a STOP that left a result */
	bool ran_out;  /* the bytes ended first */
};

/* Takes the stream's opcodes to its end. */
struct mw_walk mw_machine_walk(struct mw_machine *m);

/* The stack. Taking what is not there breaks the stream. */
void mw_machine_push(struct mw_machine *m, struct mw_value v);
struct mw_value mw_machine_pop(struct mw_machine *m);
struct mw_value mw_machine_top(struct mw_machine *m);

/* Index of the first value above the topmost mark, which it takes time in their number to find. 0
 * when there is no mark, which breaks the stream. */
uint32_t mw_machine_above_mark(struct mw_machine *m);

/* The memo: stores the top of the stack, reads. An index that is not `plain` is in doubt. */
void mw_machine_remember(struct mw_machine *m, uint64_t index, bool plain);
struct mw_value mw_machine_recall(struct mw_machine *m, uint64_t index, bool plain);

/* A use of a value: as a callable, or as anything else. Dropping it is no use. Returns it. */
struct mw_value mw_machine_use(struct mw_machine *m, struct mw_value v, bool called);

/* A new value that holds others. */
struct mw_value mw_machine_make(struct mw_machine *m, uint8_t kind, const struct mw_value *values,
                                uint32_t count);

/* The node of a value, or NULL when it has none or it has been forgotten. */
struct mw_node *mw_machine_node(const struct mw_machine *m, struct mw_value v);

/* The global of a value, or NULL when it is none or it has been forgotten. */
const struct mw_global *mw_machine_global(const struct mw_machine *m, struct mw_value v);

/* Writes a value as Python would show it, within `size`, control characters escaped. */
void mw_machine_show(const struct mw_machine *m, struct mw_value v, char *out, size_t size);

#endif
