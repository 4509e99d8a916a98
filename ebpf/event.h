/* What the programs in the kernel tell the daemon, through one ring buffer, and its inventory,
 * through another: the only things that they share. Included by both sides, so it needs no other
 * header than the one that names the fixed-width types.
 *
 * An effect comes as an optional stack, an optional stream, its strings and then the effect itself,
 * all with the same `id`, so that whoever has the effect has the rest, unless it was lost. A stream
 * comes with the first effect of its load. */
#ifndef MW_EBPF_EVENT_H
#define MW_EBPF_EVENT_H

#ifdef __bpf__
#include "kernel.h"
#else
#include <stdint.h>
#endif

#define MW_K_LOADS 8        /* loads of one task that are told apart, outermost first */
#define MW_K_GLOBALS 16     /* the last that were fetched */
#define MW_K_GLOBAL 128     /* bytes of "module name" ... */
#define MW_K_GLOBAL_NAME 48 /* ... of which the name has at most these, and the module the rest */
#define MW_K_PART 128    /* bytes of one name of a path, with its NUL: what fills them may be cut */
#define MW_K_TEXT 256    /* the same of a path or an argument that a task spelt */
#define MW_K_FRAMES 96   /* of the Python stack, innermost first */
#define MW_K_STACK 65536 /* bytes of native stack */
#define MW_K_STREAM 16384
#define MW_K_STRINGS 8192
#define MW_K_TABLE 96 /* bytes of a frame's line table: those up to the instruction, see below */
#define MW_K_FILES 4
#define MW_K_SHARE 2 /* of one process: so many times what is left of the ring */

enum mw_k_kind {
	MW_K_LOST, /* never sent: a record of all zeroes is none */
	MW_K_STACK_PART,
	MW_K_STREAM_PART, /* once for a load */
	MW_K_STRINGS_PART,
	MW_K_EFFECT,
	MW_K_BIRTH, /* a task in scope started another: as an effect, with the new task in `number`
	             */
	MW_K_EXEC,  /* any process runs another program: a header and no more */
	MW_K_BEGUN, /* a load begins to read a file: in the inventory's ring, and alone there */
};

/* What a probe is put on, and so what kind of load it opens. */
enum mw_k_entry {
	MW_K_PICKLE_LOAD,  /* _pickle.load(file) */
	MW_K_PICKLE_LOADS, /* _pickle.loads(data) */
	MW_K_UNPICKLER,    /* _pickle.Unpickler.load(self) */
	MW_K_TORCHSCRIPT,  /* torch::jit::Unpickler::parse_ivalue(this) */
	MW_K_PURE,         /* an unpickler written in Python, which said "pickle.find_class" */
	MW_K_TORCH,        /* torch.load(), which made a PyTorchStreamReader */
	MW_K_ENTRY_COUNT,
	/* The others open nothing. */
	MW_K_FIND_CLASS = MW_K_ENTRY_COUNT, /* _pickle.Unpickler.find_class */
	MW_K_SYS_AUDIT,                     /* sys.audit(), called from Python */
	MW_K_READER_OPEN,                   /* PyTorchStreamReader's constructors */
	MW_K_READER_CLOSE,                  /* and its destructor */
	MW_K_SITE_COUNT
};

/* Written in Python, such a load has no place of its own on the native stack: that it still runs is
 * told by the frame that runs its code. */
static inline int mw_k_by_frame(uint32_t entry)
{
	return entry == MW_K_PURE || entry == MW_K_TORCH;
}

/* How an effect was seen. A number below MW_K_HOOKS is a hook; counters are kept for each. */
enum mw_k_hook {
	MW_K_HOOK_ENTRY,   /* a probe in an interpreter */
	MW_K_HOOK_FORK,    /* tp_btf/sched_process_fork */
	MW_K_HOOK_EXEC,    /* tp_btf/sched_process_exec */
	MW_K_HOOK_EXIT,    /* tp_btf/sched_process_exit */
	MW_K_HOOK_SYSCALL, /* system calls, by tracepoint or fentry: `number` names it */
	MW_K_HOOK_CONNECT, /* cgroup/connect4, connect6, connect_unix */
	MW_K_HOOK_SEND,    /* cgroup/sendmsg4, sendmsg6 */
	MW_K_HOOK_BIND,    /* cgroup/bind4, bind6 */
	MW_K_HOOK_SOCKET,  /* cgroup/sock_create: raw, packet, vsock */
	MW_K_HOOK_LISTEN,  /* tp_btf/inet_sock_set_state */
	MW_K_HOOK_SIGNAL,  /* tp_btf/signal_generate */
	MW_K_HOOK_URING,   /* tp_btf/io_uring_submit_req */
	MW_K_HOOK_LSM,     /* what keeps effects from happening: the others tell of it */
	MW_K_HOOKS
};

/* What is counted for each hook, on each CPU. What is lost is never silent. */
enum mw_k_counter {
	MW_K_HITS,       /* the program ran for a task that it looks at */
	MW_K_SENT,       /* effects sent */
	MW_K_RING_FULL,  /* lost: the daemon did not read fast enough */
	MW_K_NO_SCRATCH, /* lost: too many effects at once on this CPU */
	MW_K_MAP_FULL,   /* a task that could not be kept track of */
	MW_K_USER_READ,  /* memory of the task that could not be read */
	MW_K_TOO_DEEP,   /* loads nested deeper than is told apart */
	MW_K_UNTOLD,     /* loads that the inventory was not told of: its ring was full */
	MW_K_COUNTERS
};

/* A string in `strings`: its first byte and its length, without a NUL. */
struct mw_k_str {
	uint16_t at, len;
};

/* A path as the kernel has it: the names from the file up to the root of its mount namespace, each
 * ended by a NUL, innermost first: "c\0b\0a\0" is /a/b/c. Empty: none. */
struct mw_k_path {
	struct mw_k_str names;
	uint32_t dev; /* the kernel's own encoding: major << 20 | minor */
	uint32_t mode;
	uint64_t ino;
	uint32_t owner; /* uid of the inode, in the host's numbers */
	uint32_t nlink;
	uint8_t cut; /* there were more names than fit */
	uint8_t pad[7];
};

struct mw_k_head {
	uint32_t kind; /* enum mw_k_kind */
	uint32_t cpu;
	uint64_t id;   /* of the effect */
	uint64_t time; /* ns, CLOCK_BOOTTIME */
	uint32_t tgid, tid;
	uint64_t start; /* of the process: ns since boot (CLOCK_BOOTTIME), group leader's */
	uint64_t cgroup;
};

/* A file. */
struct mw_k_program {
	uint64_t ino;
	uint32_t dev, pad; /* the kernel's own encoding */
};

struct mw_k_frame {
	uint64_t frame, code; /* addresses */
	uint64_t table_at;    /* address of the line table's first byte in `table` */
	int32_t lasti;        /* f_lasti in bytes; negative: first_line is the line */
	int32_t first_line;
	struct mw_k_str name, file; /* qualified name from 3.11 on */
	uint32_t table_len;         /* of the whole line table */
	uint8_t is_static;          /* the code object lies in a file's mapping: it was built in */
	uint8_t cut;
	uint16_t table_used;
	uint8_t table[MW_K_TABLE]; /* of what is longer the rest is read from the process, if it is
	                              still there */
};

struct mw_k_load {
	uint64_t id;      /* never 0 */
	uint64_t sp, ret; /* where its return address lies, and what it is */
	uint64_t ip;      /* of the entry point */
	uint64_t frame;  /* the Python frame that called it, or by which it is told; 0: not known */
	uint64_t object; /* file, bytes or unpickler: address of the object */
	uint64_t data, len; /* the stream, where it lies in memory */
	uint64_t position;  /* of the reader in it, or in its file */
	uint64_t start;     /* of the stream in its file, where it is read from one */
	uint32_t entry;     /* enum mw_k_entry */
	int32_t fd;         /* -1: none */
	uint64_t globals;   /* fetched so far */
	uint64_t since;     /* when it was opened: ns, CLOCK_BOOTTIME; 0: not known */
	struct mw_k_path file;
	uint8_t read_ahead; /* the reader may be ahead of the stream */
	uint8_t exact;      /* position is known */
	uint8_t pad[2];
	uint32_t site; /* number of the probe that saw it begin; 0: none did */
};

struct mw_k_effect {
	struct mw_k_head head;
	uint32_t hook;        /* enum mw_k_hook */
	uint32_t globals_cut; /* more than are kept, since the outermost load of the thread began */
	uint64_t scope;       /* the load that the task answers for by birth, or 0 */
	uint64_t birth;       /* id of the MW_K_BIRTH that put it there, or 0 */
	uint32_t depth;       /* loads open on this very thread: the first `depth` of `load` */
	uint32_t deeper;      /* more of them */
	uint8_t fetching;     /* a find_class of the innermost load is running */
	uint8_t is_new;       /* files: it was made by this call */
	uint8_t in_kernel;    /* done by the kernel on the task's behalf: io_uring's workers */
	uint8_t compat;       /* a 32-bit call */
	uint8_t prevented;    /* it was refused, and has not happened */
	uint8_t pad[7];
	uint32_t uid, gid;
	/* What the process runs. Where that has just been replaced, what its parent runs. */
	struct mw_k_program program;
	int64_t number; /* system call, signal, state, opcode, or the tid of the born */
	int64_t result; /* what it returned; 0 where the hook knows of none */
	uint64_t args[6];
	uint64_t other;              /* signals: the tgid it goes to; births: clone flags */
	struct mw_k_path file;       /* what it is about: the program, the opened file */
	struct mw_k_path directory;  /* what a relative path starts from, where `path` is one */
	struct mw_k_str path, path2; /* as the task spelt it: it may have changed it meanwhile */
	struct mw_k_str comm, argv;  /* arguments, each ended by a NUL */
	uint8_t address[128];        /* struct sockaddr */
	uint32_t address_len;
	uint32_t protocol; /* sockets: type << 16 | protocol */
	struct mw_k_load load[MW_K_LOADS];
	uint32_t global_count;
	uint32_t frame_count;
	struct mw_k_str reader; /* path that a PyTorchStreamReader of the thread was made with */
	uint32_t frames_cut;    /* there were more */
	struct mw_k_path open[MW_K_FILES]; /* regular files that the process has open for reading */
	uint64_t regs[17];                 /* as core/regs.h numbers them */
	uint64_t stack_at;                 /* address of the first byte of the stack's copy */
	uint32_t stack_len, stream_len;    /* bytes of the parts that were sent before */
	uint64_t stream_at;
	char global[MW_K_GLOBALS][MW_K_GLOBAL]; /* oldest first, "module name", NUL at the end */
	struct mw_k_frame frame[MW_K_FRAMES];   /* sent no further than they go ... */
	uint8_t strings[MW_K_STRINGS];          /* ... and these apart, as far as they go */
};

struct mw_k_exec {
	struct mw_k_head head;
	uint64_t ino; /* of the program */
	uint32_t dev; /* the kernel's own encoding */
	uint32_t pad;
};

/* A load of a thread that was in none begins to read a file. Where which one is not known, one of
 * those that are open may be it. */
struct mw_k_begun {
	struct mw_k_head head;
	uint64_t load;  /* its id */
	uint64_t start; /* of the stream in its file */
	uint32_t entry; /* enum mw_k_entry */
	uint32_t uid;
	int32_t fd; /* -1: none */
	uint32_t strings_len;
	struct mw_k_path file, open[MW_K_FILES];
	struct mw_k_str reader, comm;
	uint8_t strings[MW_K_STRINGS]; /* sent no further than they go */
};

/* A stack or a stream. */
struct mw_k_part {
	struct mw_k_head head;
	uint8_t bytes[];
};

#endif
