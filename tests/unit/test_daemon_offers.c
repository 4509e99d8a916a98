#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/btf.h>

#include "../../tools/daemon_offers.h"

/* A kernel with one tracepoint, and one function of a name that a tracepoint could have. */
static struct btf *kernel(void)
{
	struct btf *types = btf__new_empty();
	int function;

	assert_non_null(types);
	assert_true(btf__add_typedef(types, "btf_trace_sched_process_exec", 0) > 0);
	function = btf__add_func_proto(types, 0);
	assert_true(function > 0);
	assert_true(btf__add_func(types, "begin_new_exec", BTF_FUNC_STATIC, function) > 0);
	assert_true(btf__add_func(types, "btf_trace_signal_generate", BTF_FUNC_STATIC, function) >
	            0);
	return types;
}

static void test_tracepoints(void **state)
{
	struct btf *types = kernel();

	(void)state;
	assert_true(mw_kernel_offers(types, "tp_btf/sched_process_exec"));
	assert_false(mw_kernel_offers(types, "tp_btf/sched_prepare_exec"));
	assert_false(mw_kernel_offers(types, "tp_btf/signal_generate"));
	btf__free(types);
}

static void test_functions(void **state)
{
	struct btf *types = kernel();

	(void)state;
	assert_true(mw_kernel_offers(types, "fentry/begin_new_exec"));
	assert_false(mw_kernel_offers(types, "fentry/end_new_exec"));
	assert_false(mw_kernel_offers(types, "fentry/btf_trace_sched_process_exec"));
	btf__free(types);
}

/* Types say nothing of control groups: trying them does. */
static void test_others(void **state)
{
	struct btf *types = kernel();

	(void)state;
	assert_true(mw_kernel_offers(types, "cgroup/connect4"));
	assert_true(mw_kernel_offers(types, "uprobe"));
	btf__free(types);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_tracepoints),
	        cmocka_unit_test(test_functions),
	        cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
