/* What a process was given, looked at when it has nothing yet, and again. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/daemon_given.h"

/* As one in the middle of an exec, whose environment the kernel shows as empty until it is there:
 * it becomes a program with one when it is told to. */
static pid_t start(int *ret_go)
{
	static const char script[] = "echo; read go; PYTHONPYCACHEPREFIX=/pyc exec sleep 60";
	char *argv[] = {"sh", "-c", (char *)script, NULL}, *none[] = {NULL}, said;
	int go[2], out[2];
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (!pid) {
		dup2(go[0], 0);
		dup2(out[1], 1);
		execve("/bin/sh", argv, none);
		_exit(127);
	}
	assert_int_equal(read(out[0], &said, 1), 1);
	close(go[0]);
	close(out[0]);
	close(out[1]);
	*ret_go = go[1];
	return pid;
}

static void what_was_not_there_is_looked_for_again(void **state)
{
	static struct mw_givens givens;
	const struct mw_given *given;
	int go;
	pid_t pid = start(&go);

	(void)state;
	given = mw_given_note(&givens, pid);
	assert_non_null(given);
	assert_string_equal(given->pycache_prefix, "");
	assert_int_equal(write(go, "\n", 1), 1);
	for (int i = 0; i < 1000 && strcmp(given->pycache_prefix, "/pyc") != 0; i++) {
		usleep(10000);
		given = mw_given_of(&givens, pid, 0);
		assert_non_null(given);
	}
	assert_string_equal(given->pycache_prefix, "/pyc");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	given = mw_given_of(&givens, pid, 0);
	assert_non_null(given);
	assert_string_equal(given->pycache_prefix, "/pyc");
	close(go);
	mw_given_clear(&givens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_was_not_there_is_looked_for_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
