/* What the programs keep: maps, and the state of the threads that load or answer for a load. Keyed
 * by thread, in a hash table: programs of control groups may not use a task's own storage. */
#ifndef MW_EBPF_STATE_H
#define MW_EBPF_STATE_H

#include "config.h"
#include "pystack.h"

struct open_load {
	uint64_t id, sp, ret, ip, frame, object, globals, since;
	uint32_t entry, site;
	uint32_t stream_len, stream_pad; /* bytes of the stream that were sent */
	uint64_t code;                   /* that runs in `frame`, of one that is told by it */
	uint64_t
	        at; /* the instruction of `frame` that called it, of the others: as it lies there */
	uint64_t reader; /* the PyTorchStreamReader of a torch.load(); 0: gone */
	uint64_t files;  /* that were open when the inventory was told of a load of MW_K_PURE */
	/* Of one that began to read a file: which, and from where on. The stream may close it, or
	 * have its descriptor stand for another one. */
	uint64_t file; /* the object that reads; 0: none */
	uint64_t mount, dentry, ino, start;
	uint32_t dev;
	int32_t fd;
};

/* A call of a thread that has begun. */
struct begun {
	uint64_t args[8]; /* of which six are used */
	int32_t number;   /* -1: none */
	uint32_t compat;
	uint32_t path_len, path2_len, address_len;
	uint32_t refused; /* by a program */
	char path[256], path2[256];
	uint8_t address[128];
};

enum exec_state {
	EXEC_IS_UNKNOWN,
	EXEC_IS_ASKED, /* its call has begun, and the loads that are over are dropped */
	EXEC_IS_TOLD,
};

struct state {
	uint32_t depth, deeper;
	struct open_load load[MW_K_LOADS];
	uint64_t scope, birth;
	uint64_t find_sp, find_ret, find_ip; /* of the last find_class */
	uint32_t find_site;
	uint32_t read_word; /* where an Unpickler keeps its read(), once one was found ... */
	uint64_t read_method, buffered_type, raw_type,
	        other_type; /* ... and what it and its file were */
	uint64_t thread;    /* address of the interpreter's own state of the thread */
	uint64_t reader;    /* the PyTorchStreamReader that is there */
	uint32_t reader_len;
	uint32_t prepared;    /* of the program that is about to run: enum exec_state */
	uint32_t replaced;    /* by a new program: the memory is another's */
	uint32_t blame;       /* enum mw_k_blame of what the task was started by */
	uint32_t fetched;     /* by its loads: MW_K_FETCHED_CALL ... */
	uint32_t bound;       /* what is denied is refused to it */
	uint64_t told_reader; /* the inventory knows of the load that this one is for */
	uint64_t global_count;
	char reader_path[256];
	char global[MW_K_GLOBALS][MW_K_GLOBAL]; /* a ring */
	struct begun begun;
};

/* What a process has put into the ring since all of it was read last, and where in it that ends. */
struct share {
	uint64_t bytes, end;
};

struct scratch {
	uint32_t busy, used; /* `used` of the strings */
	uint32_t secret, replaced;
	struct pt_regs regs;
	struct {
		struct mw_k_head head;
		uint8_t bytes[MW_K_STREAM];
	} stream;
	struct {
		struct mw_k_head head;
		uint8_t bytes[MW_K_STACK];
	} stack;
	struct {
		struct mw_k_head head;
		uint8_t bytes[MW_K_STRINGS];
	} strings;
	struct mw_k_effect effect;
	struct mw_k_begun load;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

/* Of its own, so that loads, of which there may be any number, take no room from effects. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} loads_begun SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MW_K_TASKS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, struct state);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MW_K_PROCESSES);
	__type(key, uint32_t);
	__type(value, struct mw_k_process);
} processes SEC(".maps");

/* By process: the longest silent leave. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, uint32_t);
	__type(value, struct share);
} shares SEC(".maps");

/* By device and inode. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct mw_k_program);
	__type(value, struct mw_k_runtime);
} runtimes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MW_K_SITES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct mw_k_site);
} sites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MW_K_PYTHONS);
	__type(key, uint32_t);
	__type(value, struct mw_py_offsets);
} pythons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MW_K_CALLS);
	__type(key, uint32_t);
	__type(value, struct mw_k_call);
} calls SEC(".maps");

/* Names that a secret's path has; the loader makes them from the policy. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, char[MW_K_NAME]);
	__type(value, uint32_t);
} secret_names SEC(".maps");

/* Programs that have been looked at: others are held when that is asked for. The longest unused
 * ones are forgotten, and held once more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct mw_k_program);
	__type(value, uint32_t);
} known_programs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MW_K_HOOKS *MW_K_COUNTERS);
	__type(key, uint32_t);
	__type(value, uint64_t);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint64_t);
} ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MW_K_ENTRY_COUNT);
	__type(key, uint32_t);
	__type(value, uint64_t);
} loads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MW_CLASS_COUNT *MW_K_BLAMES);
	__type(key, uint32_t);
	__type(value, struct mw_k_refusal);
} refusals SEC(".maps");

/* How many lost effects the loader has told of. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint64_t);
} told SEC(".maps");

/* Files and folders that no load changes, by device and inode: MW_K_GUARD_ITSELF ... */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MW_K_GUARDED);
	__type(key, struct mw_k_program);
	__type(value, struct mw_k_guarded);
} guarded SEC(".maps");

/* What names stand for; the loader says it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, char[MW_K_GLOBAL]);
	__type(value, uint32_t);
} names SEC(".maps");

/* Two for each CPU, as the loader sets it: one may interrupt the other. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, uint32_t);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* A new state starts as this: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct state);
} blank SEC(".maps");

/* The daemon; 0: it has gone. */
volatile uint32_t guardian;
/* Another set of these programs does the work on the same maps: no task is known here. */
volatile bool resting;
/* Turned off before the daemon goes: nobody would let a program go that was held. */
volatile bool hold_new;
/* Control groups: what is refused is refused to those in one of them. None: to all. */
const volatile uint32_t group_count;
const volatile uint64_t groups[MW_K_GROUPS];
/* Somebody wants to know of each load of a file. */
volatile bool wants_loads;
/* Whether anything is refused at all: nobody pays for it in the other modes. */
volatile bool enforces;

/* Whether a call of this number, in either numbering, is looked at. */
const volatile uint8_t watched_calls[MW_K_CALLS];

static __always_inline void count(enum mw_k_hook hook, enum mw_k_counter what)
{
	uint32_t key = hook * MW_K_COUNTERS + what;
	uint64_t *value = bpf_map_lookup_elem(&counters, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
}

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task_btf();
}

static __always_inline struct state *state_of(uint32_t tid)
{
	return resting ? NULL : bpf_map_lookup_elem(&tasks, &tid);
}

static __always_inline struct state *make_state(uint32_t tid, enum mw_k_hook hook)
{
	struct state *found = state_of(tid), *empty;
	uint32_t zero = 0;

	if (found || resting)
		return found;
	empty = bpf_map_lookup_elem(&blank, &zero);
	if (!empty || bpf_map_update_elem(&tasks, &tid, empty, BPF_ANY)) {
		count(hook, MW_K_MAP_FULL);
		return NULL;
	}
	found = state_of(tid);
	if (found)
		found->begun.number = -1;
	return found;
}

/* memcmp() of a text that is known, without the call that the compiler would make of it. */
static __always_inline bool is_text(const char *text, const char *known, uint32_t size)
{
	uint8_t differs = 0;

#pragma unroll
	for (uint32_t i = 0; i < size; i++)
		differs |= text[i] ^ known[i];
	return !differs;
}

#define IS_TEXT(text, known) is_text(text, known, sizeof(known))

/* Never 0, and never the same twice while the daemon runs. */
static __always_inline uint64_t new_id(void)
{
	uint32_t zero = 0;
	uint64_t *next = bpf_map_lookup_elem(&ids, &zero);

	if (!next)
		return 1;
	return (__sync_fetch_and_add(next, 1) + 1) << 12 | (bpf_get_smp_processor_id() & 0xfff);
}

#endif
