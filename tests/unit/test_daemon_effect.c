/* What the events of each hook are as effects, and what the policy that comes with the program says
 * of honest ones and of attacks. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../../tools/unwind.h"
#include "daemon_judge_of.h"

#define OUTSIDE 1000

static void add_script(void)
{
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, "/models/a.pkl");
}

static void call(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	event(MW_K_HOOK_SYSCALL, number);
	e.args[0] = a;
	e.args[1] = b;
	e.args[2] = c;
	e.args[3] = d;
}

static void opens(const char *path, unsigned flags)
{
	call(SYS_openat, (uint64_t)AT_FDCWD, 0, flags, 0);
	e.path = put(path);
	e.file = put_path(path);
}

static void by_default(void)
{
	mw_daemon_judge_policy(judge, built_in);
}

static int to_everything(void **state)
{
	(void)state;
	mw_daemon_judge_policy(judge, everything);
	stack_part = stream_part = NULL;
	process_start++;
	return 0;
}

static void what_only_reads_is_none(void **state)
{
	(void)state;
	opens("/srv/x", O_RDONLY | O_CLOEXEC);
	add_script();
	assert_no_effect();
	opens("/dev/shm/psm_1", O_RDWR);
	add_script();
	assert_no_effect();
	call(SYS_ftruncate, 3, 100, 0, 0);
	e.file = put_path("/memfd:x");
	e.file.nlink = 0;
	add_script();
	assert_no_effect();
	call(SYS_prctl, PR_SET_NAME, 0, 0, 0);
	add_script();
	assert_no_effect();
	call(SYS_mkdir, 0, 0755, 0, 0);
	e.path = put("/srv/x");
	e.result = -17;
	add_script();
	assert_no_effect();
	call(SYS_getpid, 0, 0, 0, 0);
	add_script();
	assert_no_effect();
}

static void files_by_name(void **state)
{
	(void)state;
	call(SYS_mkdirat, (uint64_t)AT_FDCWD, 0, 0755, 0);
	e.path = put("x");
	e.directory = put_path("/usr");
	add_script();
	assert_cause("call");
	assert_text("effect.class", "write");
	assert_text("effect.detail.op", "mkdirat");
	assert_text("effect.detail.path", "/usr/x");
	assert_text("effect.detail.file", "/usr/x");
	call(SYS_renameat2, (uint64_t)AT_FDCWD, 0, (uint64_t)AT_FDCWD, 0);
	e.path = put("/usr/../usr/a");
	e.path2 = put("/proc/self/../../usr/b");
	add_script();
	assert_non_null(judged());
	assert_text("effect.detail.file", "/usr/a");
	assert_text("effect.detail.file2", "/usr/b");
	/* The second directory is another one, and nobody knows it. */
	call(SYS_renameat2, (uint64_t)AT_FDCWD, 0, 7, 0);
	e.path = put("/usr/a");
	e.path2 = put("b");
	add_script();
	assert_non_null(judged());
	assert_text("effect.detail.path2", "b");
	assert_null(text_at("effect.detail.file2"));
	call(SYS_symlink, 0, 0, 0, 0);
	e.path = put("/usr/link");
	e.path2 = put("/etc/shadow");
	add_script();
	assert_non_null(judged());
	assert_text("effect.detail.path", "/usr/link");
	call(SYS_fchmod, 5, 0777, 0, 0);
	e.file = put_path("/usr/bin/env");
	add_script();
	assert_non_null(judged());
	assert_text("effect.detail.file", "/usr/bin/env");
}

static void a_path_that_may_be_cut_leads_nowhere(void **state)
{
	char path[MW_K_TEXT];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	call(SYS_unlink, 0, 0, 0, 0);
	e.path = put(path);
	add_script();
	assert_non_null(judged());
	assert_null(text_at("effect.detail.file"));
}

static void secrets(void **state)
{
	(void)state;
	by_default();
	opens("/etc/shadow", O_RDONLY);
	add_script();
	assert_non_null(judged());
	assert_text("effect.class", "read");
	assert_text("rule", "secret-read");
	assert_text("verdict", "alert");
	assert_text("requested", "deny");
	opens("/etc/passwd", O_RDONLY);
	add_script();
	assert_no_effect();
	opens("/etc/shadow", O_PATH);
	add_script();
	assert_no_effect();
	/* Both are told of; the second is the reading. */
	opens("/etc/shadow", O_RDWR);
	add_script();
	assert_non_null(judged());
	assert_text("effect.class", "read");
}

/* The kernel writes a process's number in one way; what is spelled otherwise is another place. */
static void the_environment_of_this_very_process(void **state)
{
	static const struct {
		const char *before, *after;
		bool own;
	} cases[] = {{"/proc/", "/environ", true},     {"/proc/", "/task/1/environ", true},
	             {"/proc/", "0/environ", false},   {"/proc/", ".d/environ", false},
	             {"/proc/0", "/environ", false},   {"/proc/00", "/environ", false},
	             {"/proc/+", "/environ", false},   {"/proc/ ", "/environ", false},
	             {"/srv/proc/", "/environ", false}};
	char path[64];

	(void)state;
	by_default();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(path, sizeof(path), "%s%d%s", cases[i].before, (int)getpid(),
		         cases[i].after);
		opens(path, O_RDONLY);
		add_script();
		assert_non_null(judged());
		assert_text("rule", "secret-read");
		assert_text("effect.detail.file", path);
		assert_fact("own", cases[i].own);
	}
}

static void the_null_device(void **state)
{
	(void)state;
	by_default();
	opens("/dev/null", O_WRONLY);
	add_script();
	assert_no_effect();
	opens("/dev/zero", O_WRONLY);
	add_script();
	assert_non_null(judged());
}

static void maps(const char *path, unsigned prot)
{
	call(SYS_mmap, 0, 4096, prot, path ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS);
	if (path)
		e.file = put_path(path);
}

static void memory(void **state)
{
	(void)state;
	maps(NULL, PROT_READ | PROT_EXEC);
	add_script();
	assert_cause("call");
	assert_text("effect.class", "map");
	assert_fact("anonymous", true);
	maps(NULL, PROT_READ | PROT_WRITE);
	add_script();
	assert_no_effect();
	maps("/bin/sh", PROT_READ | PROT_EXEC);
	add_script();
	assert_non_null(judged());
	assert_fact("installed", true);
	maps("/models/x.so", PROT_READ | PROT_EXEC);
	add_script();
	assert_non_null(judged());
	assert_fact("installed", false);
	assert_text("effect.detail.library", "/models/x.so");
	/* In parts. */
	e.args[0] = 4096;
	assert_no_effect();
	maps("/bin/sh", PROT_WRITE | PROT_EXEC);
	add_script();
	assert_non_null(judged());
	assert_fact("installed", false);
}

static void libraries_of_an_import(void **state)
{
	(void)state;
	by_default();
	maps("/bin/sh", PROT_READ | PROT_EXEC);
	add_frame("_call_with_frames_removed", CORE, 1);
	add_frame("ExtensionFileLoader.create_module", EXTERNAL, 2);
	add_import_frames();
	add_script();
	assert_no_effect();
	maps(user_file(), PROT_READ | PROT_EXEC);
	add_frame("_call_with_frames_removed", CORE, 1);
	add_frame("ExtensionFileLoader.create_module", EXTERNAL, 2);
	add_import_frames();
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, model_beside_user_file());
	assert_non_null(judged());
	assert_text("rule", "load-map");
}

/* In the body of a module that came with the model. */
static void libraries_that_a_planted_module_imports(void **state)
{
	const char *const files[] = {"/bin/sh", user_file()};

	(void)state;
	by_default();
	for (size_t i = 0; i < 2; i++) {
		maps(files[i], PROT_READ | PROT_EXEC);
		add_frame("_call_with_frames_removed", CORE, 1);
		add_frame("ExtensionFileLoader.create_module", EXTERNAL, 2);
		add_import_frames();
		add_module_frames("/srv/no/such.py");
		add_script();
		assert_int_equal(judged() != NULL, i);
	}
	assert_text("cause", "call");
	assert_text("rule", "load-map");
	/* By the module itself. */
	maps("/bin/sh", PROT_READ | PROT_EXEC);
	add_module_frames("/srv/no/such.py");
	add_script();
	assert_non_null(judged());
}

static void inet_address(const char *host, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, host, &in.sin_addr), 1);
	memcpy(e.address, &in, sizeof(in));
	e.address_len = sizeof(in);
}

static void network(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/docker.sock"};

	(void)state;
	event(MW_K_HOOK_CONNECT, 0);
	inet_address("10.1.2.3", 443);
	add_script();
	assert_cause("call");
	assert_text("effect.class", "connect");
	assert_text("effect.detail.op", "connect");
	assert_text("effect.detail.address", "10.1.2.3");
	event(MW_K_HOOK_SEND, 0);
	inet_address("10.1.2.3", 53);
	add_script();
	assert_non_null(judged());
	assert_text("effect.class", "send");
	event(MW_K_HOOK_BIND, 0);
	inet_address("127.0.0.1", 0);
	add_script();
	assert_non_null(judged());
	assert_text("effect.class", "listen");
	assert_fact("loopback", true);
	assert_fact("ephemeral", true);
	call(SYS_connect, 3, 0, 0, 0);
	memcpy(e.address, &un, sizeof(un));
	e.address_len = sizeof(un);
	e.result = -115;
	add_script();
	assert_non_null(judged());
	assert_fact("unix", true);
	assert_text("effect.detail.path", "/run/docker.sock");
	call(SYS_sendto, 3, 0, 0, 0);
	e.address[0] = AF_NETLINK;
	e.address_len = 12;
	add_script();
	assert_no_effect();
	event(MW_K_HOOK_CONNECT, 0);
	e.address_len = 16;
	add_script();
	assert_no_effect();
	event(MW_K_HOOK_SOCKET, AF_INET);
	e.protocol = SOCK_RAW << 16 | IPPROTO_ICMP;
	add_script();
	assert_non_null(judged());
	assert_text("effect.class", "send");
}

static void a_port_that_was_bound_is_told_of_once(void **state)
{
	(void)state;
	event(MW_K_HOOK_BIND, 0);
	inet_address("127.0.0.1", 0);
	add_script();
	assert_non_null(judged());
	e.hook = MW_K_HOOK_LISTEN;
	inet_address("127.0.0.1", 43567);
	assert_no_effect();
	event(MW_K_HOOK_LISTEN, 0);
	inet_address("0.0.0.0", 43567);
	add_script();
	assert_non_null(judged());
}

static void signals(void **state)
{
	(void)state;
	event(MW_K_HOOK_SIGNAL, SIGTERM);
	e.other = 1;
	add_script();
	assert_non_null(judged());
	assert_text("effect.class", "tamper");
	assert_int_equal(json_integer_value(mw_field(last, "effect.detail.number")), SIGTERM);
	event(MW_K_HOOK_SIGNAL, SIGTERM);
	e.other = e.head.tgid;
	add_script();
	assert_no_effect();
}

static void rings(void **state)
{
	(void)state;
	event(MW_K_HOOK_URING, 18);
	e.args[2] = e.other = O_WRONLY | O_CREAT;
	e.path = put("/usr/x");
	e.in_kernel = true;
	add_script();
	assert_non_null(judged());
	assert_text("effect.class", "write");
	assert_text("effect.detail.op", "io_uring");
	event(MW_K_HOOK_URING, 18);
	e.path = put("/usr/x");
	add_script();
	assert_no_effect();
	event(MW_K_HOOK_URING, 22 /* read */);
	add_script();
	assert_no_effect();
}

static void another_entry_of_the_kernel(void **state)
{
	(void)state;
	call(5 /* open(2) of 32-bit programs */, 0, 0, 0, 0);
	e.compat = true;
	add_script();
	assert_non_null(judged());
	assert_text("effect.class", "write");
}

/* --- Programs and what descends from a load */

static void runs(const char *path, const char *const *argv)
{
	uint16_t at;

	event(MW_K_HOOK_EXEC, 0);
	e.path = put(path);
	e.file = put_path(path);
	at = used;
	for (; *argv; argv++)
		put_bytes(*argv, strlen(*argv) + 1);
	e.argv = (struct mw_k_str){at, (uint16_t)(used - at)};
}

static const char *const shell[] = {"sh", "-c", "id", NULL};
static const char *const uname_p[] = {"uname", "-p", NULL};

static void a_program_in_place_of_the_load(void **state)
{
	(void)state;
	runs("/bin/sh", shell);
	add_script();
	assert_cause("call");
	assert_text("effect.class", "exec");
	assert_text("effect.detail.path", "/bin/sh");
	assert_int_equal(json_array_size(mw_field(last, "effect.detail.argv")), 3);
	assert_int_equal(json_integer_value(mw_field(last, "effect.detail.executable_owner")), 0);
}

/* A birth in the load that add_script() has just opened, and from now on events of the child. */
static uint64_t bear(void)
{
	e.head.kind = MW_K_BIRTH;
	e.hook = MW_K_HOOK_FORK;
	e.number = e.head.tgid;
	e.other = e.head.tgid;
	assert_no_effect();
	return e.head.id;
}

static void descend(uint64_t birth)
{
	e.birth = birth;
	e.scope = loads;
}

static void what_a_call_starts_answers_for_it(void **state)
{
	uint64_t birth;

	(void)state;
	event(MW_K_HOOK_FORK, 0);
	add_script();
	add_global("posix system");
	birth = bear();
	runs("/bin/sh", shell);
	descend(birth);
	assert_cause("call");
	assert_fact("scope", false); /* it is what the load itself does */
	assert_fact("called", true);
	assert_text("load.artifact.path", "/models/a.pkl");
	assert_text("load.call", "posix.system");
	runs("/bin/uname", uname_p);
	descend(birth);
	assert_cause("call");
	assert_fact("scope", true);
	opens("/srv/x", O_WRONLY | O_CREAT);
	descend(birth);
	assert_cause("call");
	assert_fact("scope", true);
	/* Its libraries are its own. */
	maps("/bin/sh", PROT_READ | PROT_EXEC);
	descend(birth);
	assert_no_effect();
	maps(NULL, PROT_READ | PROT_EXEC);
	descend(birth);
	assert_cause("call");
}

static void what_an_import_starts_lives_by_itself(void **state)
{
	uint64_t birth;

	(void)state;
	by_default();
	event(MW_K_HOOK_FORK, 0);
	add_frame("check_output", "/usr/lib/python3.11/subprocess.py", 1);
	add_module_frames(installed_file());
	add_script();
	add_global("pkg Thing");
	birth = bear();
	/* As it closes what it has inherited, before it runs the program. */
	opens("/dev/zero", O_WRONLY);
	descend(birth);
	assert_no_effect();
	runs("/bin/uname", uname_p);
	descend(birth);
	assert_no_effect();
	opens("/srv/x", O_WRONLY | O_CREAT);
	descend(birth);
	assert_no_effect();
	/* A program that no import is known to need. */
	process_start++;
	mw_daemon_judge_policy(judge, everything);
	event(MW_K_HOOK_FORK, 0);
	add_module_frames(installed_file());
	add_script();
	birth = bear();
	runs("/bin/sh", shell);
	descend(birth);
	assert_cause("import");
	assert_fact("scope", false);
	assert_fact("called", false);
}

static void the_tracker_of_shared_memory(void **state)
{
	static const char *const tracker[] = {
	        "/usr/bin/python3", "-c",
	        "from multiprocessing.resource_tracker import main;main(12)", NULL};
	char interpreter[256];
	uint64_t birth;
	ssize_t len;

	(void)state;
	len = readlink("/proc/self/exe", interpreter, sizeof(interpreter) - 1);
	assert_true(len > 0);
	interpreter[len] = '\0';
	by_default();
	for (int steered = 0; steered < 2; steered++) {
		process_start++;
		event(MW_K_HOOK_FORK, 0);
		add_frame("ResourceTracker.ensure_running",
		          "/usr/lib/python3.11/multiprocessing/resource_tracker.py", 1);
		add_script();
		add_global("multiprocessing.shared_memory SharedMemory");
		if (steered)
			add_global("posix putenv");
		birth = bear();
		runs(interpreter, tracker);
		descend(birth);
		assert_int_equal(judged() != NULL, steered);
	}
	assert_fact("interpreter", true);
	assert_text("rule", "load-exec");
}

static void a_birth_that_was_lost(void **state)
{
	(void)state;
	opens("/srv/x", O_WRONLY | O_CREAT);
	e.scope = 77;
	e.birth = 123456789;
	assert_cause("unknown");
	assert_fact("unproved", true);
	assert_fact("scope", true);
	by_default();
	opens("/srv/y", O_WRONLY | O_CREAT);
	e.scope = 77;
	e.birth = 123456789;
	assert_cause("unknown");
	assert_text("rule", "unproved");
	assert_text("requested", "alert");
}

/* The same effect of another load in another process, whatever their numbers are. */
static void effects_are_told_apart(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < 4; i++) {
		opens("/srv/apart", O_WRONLY | O_CREAT);
		add_script();
		e.load[0].id = 0x1000000 ^ i;
		e.head.tgid = 0x2000000 ^ i;
		assert_non_null(judged());
		assert_no_effect();
	}
}

static void nobody_answers(void **state)
{
	(void)state;
	opens("/srv/x", O_WRONLY | O_CREAT);
	assert_no_effect();
}

/* --- The policy that comes with the program */

static void honest_imports_raise_nothing(void **state)
{
	static const char *const scratch_files[] = {"/tmp/x1", "/dev/shm/y"};

	(void)state;
	by_default();
	for (size_t i = 0; i < 2; i++) {
		opens(scratch_files[i], O_RDWR | O_CREAT | O_EXCL);
		add_module_frames(installed_file());
		add_script();
		add_global("pkg Thing");
		assert_no_effect();
	}
	call(SYS_rename, 0, 0, 0, 0);
	e.path = put("/srv/__pycache__/m.cpython-311.pyc.14");
	e.path2 = put("/srv/__pycache__/m.cpython-311.pyc");
	add_frame("_write_atomic", EXTERNAL, 1);
	add_import_frames();
	add_script();
	assert_no_effect();
}

static void a_message_of_a_worker(void **state)
{
	static char path[160];

	(void)state;
	by_default();
	installed_file();
	snprintf(path, sizeof(path), "%s/site-packages/multiprocessing", scratch);
	mkdir(path, 0755);
	make_file("site-packages/multiprocessing/connection.py", path);
	opens("/srv/x", O_WRONLY | O_CREAT);
	add_frame("_ConnectionBase.recv", path, OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOADS, OUTSIDE, NULL);
	assert_no_effect();
	/* In another load it is none. */
	opens("/srv/x", O_WRONLY | O_CREAT);
	add_frame("_ConnectionBase.recv", path, OUTSIDE);
	add_frame("main", "/srv/job/train.py", OUTSIDE + 1);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE + 1, "/models/a.pkl");
	add_load(next_load(), MW_K_PICKLE_LOADS, OUTSIDE, NULL);
	assert_non_null(judged());
	assert_text("load.origin", "file");
}

static void a_semaphore(void **state)
{
	(void)state;
	by_default();
	opens("/dev/shm/sem.AbCdEf", O_RDWR | O_CREAT | O_EXCL);
	e.is_new = true;
	add_script();
	assert_no_effect();
	call(SYS_link, 0, 0, 0, 0);
	e.path = put("/dev/shm/sem.AbCdEf");
	e.path2 = put("/dev/shm/sem.mp-x1");
	add_script();
	assert_no_effect();
	call(SYS_unlink, 0, 0, 0, 0);
	e.path = put("/dev/shm/sem.AbCdEf");
	add_script();
	assert_no_effect();
	call(SYS_unlink, 0, 0, 0, 0);
	e.path = put("/dev/shm/sem.mp-x1");
	add_script();
	assert_no_effect();
	call(SYS_unlink, 0, 0, 0, 0);
	e.path = put("/dev/shm/sem.database");
	add_script();
	assert_non_null(judged());
	call(SYS_link, 0, 0, 0, 0);
	e.path = put("/dev/shm/sem.AbCdEf");
	e.path2 = put("/dev/shm/sem.database");
	add_script();
	assert_non_null(judged());
}

/* --- Where the load stands */

/* posix.system('id') */
static const char pickle[] = "\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.";

static void which_opcode(void **state)
{
	(void)state;
	runs("/bin/sh", shell);
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOADS, OUTSIDE, NULL);
	add_global("posix system");
	e.load[0].data = (uint64_t)(uintptr_t)pickle;
	e.load[0].len = sizeof(pickle) - 1;
	assert_non_null(judged());
	assert_text("load.call", "posix.system");
	assert_text("load.args", "('id',)");
	assert_int_equal(json_integer_value(mw_field(last, "load.offset")), 23);
	assert_text("load.origin", "bytes");
	assert_text("load.entry", "pickle.loads");
}

static void the_copy_serves_when_the_process_has_gone(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	runs("/bin/sh", shell);
	e.head.tgid = e.head.tid = (uint32_t)pid;
	add_load(next_load(), MW_K_PICKLE_LOADS, 0, NULL);
	add_global("posix system");
	e.load[0].data = e.stream_at = 0x1000;
	e.load[0].len = e.stream_len = sizeof(pickle) - 1;
	stream_part = (const uint8_t *)pickle;
	assert_non_null(judged());
	assert_text("load.call", "posix.system");
	assert_int_equal(json_integer_value(mw_field(last, "load.offset")), 23);
	assert_non_null(text_at("load.artifact.stream_sha256"));
}

static void the_second_pickle_of_a_file(void **state)
{
	static const char first[] = "\x80\x04K\x01.";
	char both[sizeof(first) + sizeof(pickle)], path[128];
	FILE *file;

	(void)state;
	memcpy(both, first, sizeof(first) - 1);
	memcpy(both + sizeof(first) - 1, pickle, sizeof(pickle));
	make_file("two.pkl", path);
	file = fopen(path, "w");
	fwrite(both, 1, sizeof(first) + sizeof(pickle) - 2, file);
	fclose(file);
	runs("/bin/sh", shell);
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOAD, OUTSIDE, path);
	add_global("posix system");
	assert_non_null(judged());
	assert_text("load.artifact.path", path);
	assert_int_equal(json_integer_value(mw_field(last, "load.offset")),
	                 23 + (int)sizeof(first) - 1);
}

static void bytes_of_a_file_that_is_open(void **state)
{
	char path[128];
	FILE *file;

	(void)state;
	make_file("held.pkl", path);
	file = fopen(path, "w");
	fwrite(pickle, 1, sizeof(pickle) - 1, file);
	fclose(file);
	runs("/bin/sh", shell);
	add_frame("main", "/srv/job/train.py", OUTSIDE);
	add_load(next_load(), MW_K_PICKLE_LOADS, OUTSIDE, NULL);
	add_global("posix system");
	e.load[0].data = (uint64_t)(uintptr_t)pickle;
	e.load[0].len = sizeof(pickle) - 1;
	e.open[0] = put_path("/etc/passwd");
	e.open[1] = put_path(path);
	assert_non_null(judged());
	assert_text("load.artifact.path", path);
	assert_text("load.origin", "file");
}

/* --- Whether the load is still open, by the native stack */

static struct mw_regs regs;
static uint8_t stack_copy[16384];
static uint64_t stack_base, entry_sp;
static ssize_t stack_len;

/* Takes the registers, and by a system call, which no sanitizer minds, a copy of the stack. */
__attribute__((noinline)) static int effect_of_load(void)
{
	struct iovec to = {stack_copy, sizeof(stack_copy)}, from;

	mw_regs_capture(&regs);
	stack_base = mw_regs_sp(&regs);
	from = (struct iovec){(void *)(uintptr_t)stack_base, sizeof(stack_copy)};
	stack_len = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	return stack_len > 0;
}

/* Its return address lies right below the frame address of its caller's view. */
__attribute__((noinline)) static int load_of_test(void)
{
	volatile int result;

	entry_sp = (uint64_t)(uintptr_t)__builtin_dwarf_cfa() - 8;
	result = effect_of_load();
	return result + 1;
}

static void stacked_event(void)
{
	runs("/bin/sh", shell);
	add_script();
	e.load[0].sp = entry_sp;
	e.stack_at = stack_base;
	e.stack_len = (uint32_t)stack_len;
	memcpy(e.regs, regs.r, sizeof(e.regs));
	stack_part = stack_copy;
}

static void the_native_stack_leads_to_the_load(void **state)
{
	uint64_t over = mw_daemon_judge_count(judge)->over;

	(void)state;
	assert_int_equal(load_of_test(), 2);
	stacked_event();
	e.load[0].ip = (uint64_t)(uintptr_t)load_of_test;
	assert_non_null(judged());
	/* Another function stands in its place. */
	stacked_event();
	e.load[0].ip = (uint64_t)(uintptr_t)effect_of_load;
	assert_non_null(judged()); /* its name says that it loads */
	/* Nothing stands there: its place lies inside another frame. */
	stacked_event();
	e.load[0].ip = (uint64_t)(uintptr_t)load_of_test;
	e.load[0].sp = entry_sp - 24;
	assert_no_effect();
	assert_int_equal(mw_daemon_judge_count(judge)->over, over + 1);
	/* Without the stack the kernel is believed. */
	stacked_event();
	stack_part = NULL;
	e.load[0].sp = entry_sp - 24;
	assert_non_null(judged());
}

__attribute__((noinline)) static int another_function(void)
{
	volatile int result;

	entry_sp = (uint64_t)(uintptr_t)__builtin_dwarf_cfa() - 8;
	result = effect_of_load();
	return result * 2; /* or the two would be one */
}

static void another_function_in_its_place(void **state)
{
	(void)state;
	assert_int_equal(another_function(), 2);
	stacked_event();
	e.load[0].ip = (uint64_t)(uintptr_t)load_of_test;
	assert_no_effect();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, to_everything)
	const struct CMUnitTest tests[] = {
	        TEST(what_only_reads_is_none),
	        TEST(files_by_name),
	        TEST(a_path_that_may_be_cut_leads_nowhere),
	        TEST(secrets),
	        TEST(the_environment_of_this_very_process),
	        TEST(the_null_device),
	        TEST(memory),
	        TEST(libraries_of_an_import),
	        TEST(libraries_that_a_planted_module_imports),
	        TEST(network),
	        TEST(a_port_that_was_bound_is_told_of_once),
	        TEST(signals),
	        TEST(rings),
	        TEST(another_entry_of_the_kernel),
	        TEST(a_program_in_place_of_the_load),
	        TEST(what_a_call_starts_answers_for_it),
	        TEST(what_an_import_starts_lives_by_itself),
	        TEST(the_tracker_of_shared_memory),
	        TEST(a_birth_that_was_lost),
	        TEST(effects_are_told_apart),
	        TEST(nobody_answers),
	        TEST(honest_imports_raise_nothing),
	        TEST(a_message_of_a_worker),
	        TEST(a_semaphore),
	        TEST(which_opcode),
	        TEST(the_copy_serves_when_the_process_has_gone),
	        TEST(the_second_pickle_of_a_file),
	        TEST(bytes_of_a_file_that_is_open),
	        TEST(the_native_stack_leads_to_the_load),
	        TEST(another_function_in_its_place),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
