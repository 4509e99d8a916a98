/* What each opcode does to the symbolic machine: one function for those that are alike. */
#ifndef MW_CORE_PICKLE_STEP_H
#define MW_CORE_PICKLE_STEP_H

#include "pickle_machine.h"

typedef void mw_step(struct mw_machine *m, const struct mw_pickle_op *op);

/* Opcodes that push a plain value. */
mw_step mw_step_constant, mw_step_integer, mw_step_number, mw_step_long, mw_step_float,
        mw_step_text, mw_step_bytes, mw_step_unknown;

/* Opcodes that hold values in others, fetch globals and call. */
mw_step mw_step_tuple, mw_step_short_tuple, mw_step_empty, mw_step_filled, mw_step_reduce,
        mw_step_obj, mw_step_inst, mw_step_build, mw_step_persistent, mw_step_add, mw_step_add_all,
        mw_step_global, mw_step_stack_global, mw_step_extension;

#endif
