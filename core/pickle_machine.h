/* The symbolic state of the pickle machine. Values are small and copied; tuples and calls, which
 * hold other values, live in a ring of nodes, so that a long stream only forgets what is long past.
 */
#ifndef MW_CORE_PICKLE_MACHINE_H
#define MW_CORE_PICKLE_MACHINE_H

#include "pickle_ops.h"
#include "wire.h"

#define MW_NODES 2048u
#define MW_NODE_VALUES 6
#define MW_STACK_MAX (1u << 18)
#define MW_MEMO_MAX (1u << 18)

enum mw_value_kind {
	MW_V_UNKNOWN,
	MW_V_MARK,
	MW_V_NONE,
	MW_V_TRUE,
	MW_V_FALSE,
	MW_V_INT,
	MW_V_TEXT,  /* at, number = length */
	MW_V_BYTES, /* at, number = length */
	MW_V_GLOBAL,
	MW_V_TUPLE,
	MW_V_CALL, /* the result of a call: callable and arguments */
	MW_V_LIST, /* containers: their first members, for a dictionary keys and values in turn */
	MW_V_DICT,
	MW_V_SET,
};

struct mw_value {
	uint8_t kind;
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

/* A global as the stream spells it; wildcard for an extension code. */
struct mw_global {
	uint64_t module, module_len, name, name_len;
	uint64_t offset; /* of the opcode that fetches it */
	bool wildcard;
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
	struct mw_node *nodes;
	uint32_t next;    /* node to use */
	uint64_t globals; /* fetched so far */
	struct mw_global last;
	bool lost;              /* a limit was hit: what is on the stack is not known any more */
	bool framed;            /* a FRAME was met: positions of the reader say nothing */
	bool error;             /* no memory */
	uint64_t watched;       /* index of the global whose uses are counted, or UINT64_MAX */
	uint64_t calls, others; /* uses of it: called at once, anything else */
	void (*on_global)(struct mw_machine *, const struct mw_global *);
	void (*on_call)(struct mw_machine *, const struct mw_call *);
	void *context;
};

/* Takes one opcode. False when the stream ends with it (STOP) or cannot go on after it. */
bool mw_machine_step(struct mw_machine *m, const struct mw_pickle_op *op);

/* Sets up an empty machine over the bytes. False when there is no memory. */
bool mw_machine_start(struct mw_machine *m, const uint8_t *data, size_t len);
void mw_machine_end(struct mw_machine *m);

/* The node of a value, or NULL when it has been forgotten. */
const struct mw_node *mw_machine_node(const struct mw_machine *m, struct mw_value v);

/* Writes a value as Python would show it, within `size`, control characters escaped. */
void mw_machine_show(const struct mw_machine *m, struct mw_value v, char *out, size_t size);

#endif
