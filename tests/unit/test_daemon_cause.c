/* What in a load led to an effect, told by stacks made by hand, as the alert says it. */
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <jansson.h>

#include "daemon_judge_of.h"

#define OUTSIDE 1000 /* the frame that asked for the load */

/* A file is made, by openat(2). */
static void writes(const char *path)
{
	event(MW_K_HOOK_SYSCALL, SYS_openat);
	e.args[0] = (uint64_t)AT_FDCWD;
	e.args[2] = O_WRONLY | O_CREAT;
	e.path = put(path);
	e.file = put_path(path);
	e.is_new = true;
}

/* The script that loads, after the frames inside. */
static void add_script(void)
{
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_frame("<module>", "/srv/job/train.py", OUTSIDE + 1);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, "/models/a.pkl");
}

static void call_by_the_stream(void **state)
{
	(void)state;
	writes("/srv/out");
	add_script();
	add_global("posix open");
	assert_cause("call");
	assert_fact("called", true);
	assert_fact("new", true);
	assert_text("effect.class", "write");
	assert_text("effect.detail.op", "openat");
	assert_text("effect.detail.file", "/srv/out");
	assert_text("load.artifact.path", "/models/a.pkl");
	assert_text("load.entry", "pickle.load");
	assert_text("load.call", "posix.open");
	assert_text("sensor", "kernel");
	assert_text("outcome", "observed");
}

static void call_of_a_python_function(void **state)
{
	(void)state;
	writes("/srv/out");
	add_frame("copyfile", "/usr/lib/python3.11/shutil.py", 1);
	add_script();
	add_global("shutil copyfile");
	assert_cause("call");
}

#define TORCH "/usr/lib/python3/dist-packages/torch/"

/* torch.load(), which does its own work, or has its unpickler do what the stream says. */
static void torch_at_work_and_its_stream(void **state)
{
	(void)state;
	for (int stream = 0; stream < 2; stream++) {
		writes("/models/a.pkl");
		if (stream) {
			add_frame("copyfile", "/usr/lib/python3.11/shutil.py", 1);
			add_frame("Unpickler.load", TORCH "_weights_only_unpickler.py", 2);
			add_frame("_load", TORCH "serialization.py", 3);
		}
		add_frame("load", TORCH "serialization.py", OUTSIDE);
		add_frame("main", "/srv/job/train.py", OUTSIDE + 1);
		add_load(next_load(), MW_K_TORCH, OUTSIDE, "/models/a.pkl");
		assert_cause(stream ? "call" : "loader");
		assert_text("load.entry", "torch.load");
	}
}

static void the_unpickler_imports(void **state)
{
	(void)state;
	writes("/srv/pkg/__pycache__/m.cpython-311.pyc.140234");
	add_frame("_write_atomic", EXTERNAL, 1);
	add_frame("SourceFileLoader.set_data", EXTERNAL, 2);
	add_import_frames();
	add_script();
	e.fetching = true;
	add_global("pkg Thing");
	assert_cause("machinery");
	assert_fact("pyc", true);
	assert_fact("called", false);
	assert_flag_importing(true);
}

static void only_bytecode_is_the_machinerys(void **state)
{
	(void)state;
	writes("/srv/pkg/__pycache__/m.so");
	add_frame("_write_atomic", EXTERNAL, 1);
	add_import_frames();
	add_script();
	assert_cause("machinery");
	assert_fact("pyc", false);
	writes("/srv/pkg/m.cpython-311.pyc");
	add_frame("_write_atomic", EXTERNAL, 1);
	add_import_frames();
	add_script();
	assert_cause("machinery");
	assert_fact("pyc", false);
}

static void an_installed_body_runs(void **state)
{
	(void)state;
	writes("/tmp/probe");
	add_module_frames(installed_file());
	add_script();
	add_global("collections OrderedDict");
	add_global("pkg Thing");
	assert_cause("import");
	assert_fact("called", false);
}

static void a_body_beside_the_model_is_a_call(void **state)
{
	(void)state;
	writes("/tmp/probe");
	add_module_frames(user_file());
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, model_beside_user_file());
	e.fetching = true;
	assert_cause("call");
}

static void a_body_beside_the_script_is_the_users(void **state)
{
	(void)state;
	writes("/tmp/probe");
	add_module_frames(user_file());
	add_frame("<module>", script_beside_user_file(), OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, model_beside_user_file());
	assert_cause("import");
}

/* Models are put below the user's own directory. */
static void a_body_beside_a_model_below_the_script_is_a_call(void **state)
{
	char directory[96], body[128], model[128];

	(void)state;
	snprintf(directory, sizeof(directory), "%s/models", scratch);
	assert_int_equal(mkdir(directory, 0755), 0);
	make_file("models/evil.py", body);
	make_file("models/a.pkl", model);
	writes("/tmp/probe");
	add_module_frames(body);
	add_frame("<module>", script_beside_user_file(), OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, model);
	assert_cause("call");
}

static void a_body_that_is_not_there_is_a_call(void **state)
{
	(void)state;
	writes("/tmp/probe");
	add_module_frames("/usr/lib/python3/../../../srv/x.py");
	add_script();
	assert_cause("call");
	writes("/tmp/probe");
	add_module_frames("/srv/no/such/file.py");
	add_script();
	assert_cause("call");
}

static void a_body_newer_than_the_load_is_a_call(void **state)
{
	(void)state;
	writes("/tmp/probe");
	add_module_frames(user_file());
	add_script();
	e.load[0].since = 1;
	assert_cause("call");
}

static void steered_by_a_body_further_out(void **state)
{
	(void)state;
	writes("/tmp/probe");
	add_module_frames(installed_file());
	add_module_frames("/srv/no/such/file.py");
	add_script();
	assert_cause("import");
	assert_fact("called", true);
}

static void code_made_by_the_stream_has_any_name(void **state)
{
	static const char *const makers[] = {"builtins exec",
	                                     "types CodeType",
	                                     "marshal loads",
	                                     "builtins getattr",
	                                     "importlib import_module",
	                                     "cloudpickle.cloudpickle _builtin_type",
	                                     "numpy os.system",
	                                     "types LambdaType",
	                                     "torch.fx.graph_module reduce_graph_module",
	                                     "importlib.machinery SourcelessFileLoader",
	                                     "posix putenv"};

	(void)state;
	for (size_t i = 0; i < sizeof(makers) / sizeof(*makers); i++) {
		writes("/tmp/probe");
		add_module_frames(installed_file());
		add_script();
		add_global(makers[i]);
		assert_cause("unknown");
		assert_fact("unproved", true);
		assert_fact("called", true);
	}
}

static void globals_that_were_not_kept_may_be_any(void **state)
{
	(void)state;
	writes("/tmp/probe");
	add_module_frames(installed_file());
	add_script();
	add_global("pkg Thing");
	e.load[0].globals = 20;
	assert_cause("unknown");
}

static void what_the_unpickler_imports_is_proved_all_the_same(void **state)
{
	(void)state;
	writes("/tmp/probe");
	add_module_frames(installed_file());
	add_script();
	add_global("builtins exec");
	e.fetching = true;
	assert_cause("import");
	assert_fact("called", true);
	/* In the find_class of a subclass. */
	writes("/tmp/probe");
	add_module_frames(installed_file());
	add_frame("Mine.find_class", installed_file(), 40);
	add_script();
	add_global("builtins exec");
	e.fetching = true;
	assert_cause("import");
	/* What a function of the stream imports meanwhile is not. */
	writes("/tmp/probe");
	add_module_frames(installed_file());
	add_frame("evil", installed_file(), 40);
	add_script();
	add_global("builtins exec");
	e.fetching = true;
	assert_cause("unknown");
}

static void the_programs_own_file(void **state)
{
	(void)state;
	writes("/srv/cache");
	add_frame("fetch", "/srv/no/such.py", 1);
	add_frame("S3File.readinto", installed_file(), 2);
	add_script();
	assert_cause("loader");
	/* A stream can call one as well. */
	writes("/srv/cache");
	add_frame("S3File.readinto", installed_file(), 2);
	add_script();
	add_global("s3 S3File.readinto");
	assert_cause("call");
	writes("/srv/cache");
	add_frame("read", "/srv/no/such.py", 2);
	add_script();
	assert_cause("call");
}

static void an_installed_class_takes_its_state(void **state)
{
	(void)state;
	writes("/tmp/x");
	add_frame("unpack", "/srv/no/such.py", 1);
	add_frame("Model.__setstate__", installed_file(), 2);
	add_script();
	add_global("pkg Model");
	assert_cause("call");
	assert_fact("setstate", true);
	assert_fact("called", false);
	writes("/tmp/x");
	add_frame("Model.__setstate__", installed_file(), 2);
	add_script();
	add_global("pkg Model");
	add_global("pkg steer");
	assert_cause("call");
	assert_fact("setstate", true);
	assert_fact("called", true);
}

static void a_stack_that_is_not_whole_proves_nothing(void **state)
{
	(void)state;
	writes("/srv/out");
	add_frame("f", installed_file(), 1);
	e.frames_cut = 1;
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, "/models/a.pkl");
	assert_cause("unknown");
	/* Below an import it takes no more than that. */
	writes("/tmp/probe");
	add_module_frames(installed_file());
	e.frames_cut = 1;
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, "/models/a.pkl");
	assert_cause("import");
	add_global("builtins exec");
	e.load[0].id = next_load();
	assert_cause("unknown");
	/* Of an interpreter that is not known yet there is none. */
	writes("/srv/out");
	add_load(next_load(), MW_K_PICKLE_LOAD, 0, "/models/a.pkl");
	assert_cause("unknown");
	/* libtorch is called by C++. */
	writes("/srv/out");
	add_load(next_load(), MW_K_TORCHSCRIPT, 0, "/models/a.pkl");
	assert_cause("call");
	/* Who asked for it is not there any more. */
	writes("/srv/out");
	add_frame("f", installed_file(), 1);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, "/models/a.pkl");
	assert_no_effect();
}

/* Nobody knew the interpreter yet when it imported what it needs. */
static void bytecode_without_a_stack(void **state)
{
	(void)state;
	writes("/srv/pkg/__pycache__/m.cpython-311.pyc.140234");
	add_load(next_load(), MW_K_PICKLE_LOAD, 0, "/models/a.pkl");
	assert_no_effect();
	writes("/srv/pkg/__pycache__/m.so");
	add_load(next_load(), MW_K_PICKLE_LOAD, 0, "/models/a.pkl");
	assert_cause("unknown");
	/* With one, it has to show an import. */
	writes("/srv/pkg/__pycache__/m.cpython-311.pyc.140234");
	add_script();
	assert_cause("call");
}

static void an_unpickler_in_python(void **state)
{
	(void)state;
	writes("/srv/out");
	add_frame("_Unpickler.load_reduce", "/usr/lib/python3.11/pickle.py", 1);
	add_frame("_Unpickler.load", "/usr/lib/python3.11/pickle.py", 2);
	add_frame("main", "/srv/job/train.py", 3);
	add_load(next_load(), MW_K_PURE, 2, "/models/a.pkl");
	add_global("posix open");
	assert_cause("call");
	writes("/tmp/probe");
	add_module_frames(installed_file());
	add_frame("_Unpickler.find_class", "/usr/lib/python3.11/pickle.py", 41);
	add_frame("_Unpickler.load_stack_global", "/usr/lib/python3.11/pickle.py", 42);
	add_frame("_Unpickler.load", "/usr/lib/python3.11/pickle.py", 43);
	add_frame("main", "/srv/job/train.py", 44);
	add_load(next_load(), MW_K_PURE, 43, "/models/a.pkl");
	add_global("builtins exec");
	assert_cause("import");
	/* It has returned. */
	writes("/srv/out");
	add_frame("main", "/srv/job/train.py", 3);
	add_load(next_load(), MW_K_PURE, 2, "/models/a.pkl");
	assert_no_effect();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(call_by_the_stream),
	        cmocka_unit_test(call_of_a_python_function),
	        cmocka_unit_test(torch_at_work_and_its_stream),
	        cmocka_unit_test(the_unpickler_imports),
	        cmocka_unit_test(only_bytecode_is_the_machinerys),
	        cmocka_unit_test(an_installed_body_runs),
	        cmocka_unit_test(a_body_beside_the_model_is_a_call),
	        cmocka_unit_test(a_body_beside_the_script_is_the_users),
	        cmocka_unit_test(a_body_beside_a_model_below_the_script_is_a_call),
	        cmocka_unit_test(a_body_that_is_not_there_is_a_call),
	        cmocka_unit_test(a_body_newer_than_the_load_is_a_call),
	        cmocka_unit_test(steered_by_a_body_further_out),
	        cmocka_unit_test(code_made_by_the_stream_has_any_name),
	        cmocka_unit_test(globals_that_were_not_kept_may_be_any),
	        cmocka_unit_test(what_the_unpickler_imports_is_proved_all_the_same),
	        cmocka_unit_test(the_programs_own_file),
	        cmocka_unit_test(an_installed_class_takes_its_state),
	        cmocka_unit_test(a_stack_that_is_not_whole_proves_nothing),
	        cmocka_unit_test(bytecode_without_a_stack),
	        cmocka_unit_test(an_unpickler_in_python),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
