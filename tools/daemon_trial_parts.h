/* What the trials share: instructions of programs, and a flag that a program raises when it runs.
 */
#ifndef MW_TOOLS_DAEMON_TRIAL_PARTS_H
#define MW_TOOLS_DAEMON_TRIAL_PARTS_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define MW_BPF_COUNT(program) (sizeof(program) / sizeof(*(program)))

#define MW_BPF_SET(to, number)                                                                     \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (number)              \
	}
#define MW_BPF_MOVE(to, from)                                                                      \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from)            \
	}
#define MW_BPF_CALL(helper)                                                                        \
	{                                                                                          \
		.code = BPF_JMP | BPF_CALL, .imm = (helper)                                        \
	}
#define MW_BPF_EXIT                                                                                \
	{                                                                                          \
		.code = BPF_JMP | BPF_EXIT                                                         \
	}
/* Two instructions: the map itself, or the address of its first value. */
#define MW_BPF_MAP_AS(to, fd, what)                                                                \
	{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (to), .src_reg = (what), .imm = (fd)},      \
	{                                                                                          \
		.code = 0                                                                          \
	}
#define MW_BPF_MAP(to, fd) MW_BPF_MAP_AS(to, fd, BPF_PSEUDO_MAP_FD)
/* Three: raises the flag. */
#define MW_BPF_RAISE(flag)                                                                         \
	MW_BPF_MAP_AS(1, flag, BPF_PSEUDO_MAP_VALUE),                                              \
	{                                                                                          \
		.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 1, .imm = 1                          \
	}

/* Loads a program; `target` is the BTF id it is for, or 0. Returns its descriptor or a negative
 * errno. */
int mw_trial_load(int type, int attach, uint32_t target, const struct bpf_insn *program,
                  size_t count);

/* A map of one number, 0 until a program raises it: its descriptor or a negative errno. */
int mw_trial_flag(void);
int mw_trial_flag_is_set(int map);

#endif
