/* Where CPython keeps what a walk of its stack reads. Numbers only, so that it fits into a map. */
#ifndef MW_EBPF_PYOFFSETS_H
#define MW_EBPF_PYOFFSETS_H

#ifdef __bpf__
#include "kernel.h"
#else
#include <stdint.h>
#endif

#define MW_PY_SPAN_MAX 96 /* is a multiple of 8 */
#define MW_PY_VERSION(major, minor) ((major) << 8 | (minor))

/* In bytes from the start of the object that is named first. */
struct mw_py_offsets {
	uint32_t version; /* MW_PY_VERSION(), which is PY_VERSION_HEX >> 16; 0: not known */
	uint32_t runtime_interpreters;
	uint32_t interpreter_next, interpreter_threads;
	uint32_t thread_next, thread_id;
	uint32_t thread_frame; /* 3.11 and 3.12: of a C frame's address, in which lies */
	uint32_t cframe_frame;
	uint32_t frame_back, frame_code;
	uint32_t frame_at;                /* f_lasti, prev_instr or instr_ptr */
	uint32_t frame_owner;             /* from 3.12 on */
	uint32_t frame_start, frame_span; /* the part of a frame that these four lie in */
	uint32_t code_file, code_name, code_first_line, code_table;
	uint32_t code_start, code_span; /* as for a frame */
	uint32_t code_bytes;            /* from 3.11 on: its instructions */
	uint32_t text_length;           /* 16 bytes behind that, how it is written */
	uint32_t text_ascii, text_wide; /* the characters of the two kinds of string */
	uint32_t bytes_size, bytes_data;
};

#endif
