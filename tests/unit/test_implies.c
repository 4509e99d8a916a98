/* Which lower events are part of an effect that was announced, and which are effects of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../core/implies.h"

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order they are read */
static const struct {
	struct mw_announced above;
	enum mw_class class;
	const char *target;
	bool implied;
} cases[] = {
        /* getaddrinfo: one look-up; the resolver's own sockets; nobody else's */
        {{MW_SEND, "socket.getaddrinfo", "example.org", ""}, MW_SEND, "example.org", true},
        {{MW_SEND, "socket.getaddrinfo", "example.org", ""}, MW_CONNECT, "127.0.0.53:53", true},
        {{MW_SEND, "socket.getaddrinfo", "example.org", ""}, MW_CONNECT, "[fe80::1]:53", true},
        {{MW_SEND, "socket.getaddrinfo", "example.org", ""},
         MW_CONNECT,
         "/var/run/nscd/socket",
         true},
        {{MW_SEND, "socket.getaddrinfo", "example.org", ""}, MW_CONNECT, "203.0.113.7:443", false},
        {{MW_SEND, "socket.getaddrinfo", "example.org", ""}, MW_SEND, "secret.example.net", false},
        {{MW_SEND, "socket.getaddrinfo", "example.org", ""}, MW_EXEC, "/bin/sh", false},
        {{MW_SEND, "socket.getaddrinfo", "example.org", ""}, MW_WRITE, "/etc/hosts", false},
        {{MW_SEND, "socket.gethostbyname", "example.org", ""}, MW_CONNECT, "127.0.0.53:53", true},
        {{MW_SEND, "socket.getaddrinfo", "example.org", ""}, MW_SEND, "127.0.0.53:53", true},
        {{MW_SEND, "socket.getaddrinfo", "example.org", ""}, MW_SEND, "203.0.113.7:443", false},
        {{MW_SEND, "getaddrinfo", "example.org", ""}, MW_CONNECT, "127.0.0.53:53", true},
        {{MW_SEND, "getaddrinfo", "example.org", ""}, MW_SEND, "127.0.0.53:53", true},
        {{MW_SEND, "getaddrinfo", "example.org", ""}, MW_CONNECT, "203.0.113.7:443", false},
        {{MW_SEND, "gethostbyname_r", "example.org", ""}, MW_SEND, "127.0.0.53:53", true},
        /* names that are made up on the way */
        {{MW_WRITE, "mkstemp", "/tmp/aXXXXXX", ""}, MW_WRITE, "/tmp/aB3dEf9", true},
        {{MW_WRITE, "mkstemp", "/tmp/aXXXXXX", ""}, MW_WRITE, "/tmp/b/aB3dEf9", false},
        {{MW_WRITE, "mkdtemp", "/tmp/aXXXXXX", ""}, MW_WRITE, "/home/me/.bashrc", false},
        {{MW_WRITE, "sem_open", "/dev/shm/sem.mp-1", ""}, MW_WRITE, "/dev/shm/sem.x1y2z3", true},
        {{MW_SEND, "socket.gethostbyaddr", "192.0.2.1", ""}, MW_CONNECT, "127.0.0.53:53", true},
        {{MW_SEND, "socket.gethostbyaddr", "192.0.2.1", ""}, MW_CONNECT, "192.0.2.1:53", true},
        {{MW_SEND, "socket.gethostbyname", "example.org", ""}, MW_CONNECT, "192.0.2.1:80", false},
        /* Popen: the program, wherever on PATH it is tried; no other one */
        {{MW_EXEC, "subprocess.Popen", "/usr/bin/uname", ""}, MW_EXEC, "/usr/bin/uname", true},
        {{MW_EXEC, "subprocess.Popen", "/usr/bin/uname", ""},
         MW_EXEC,
         "/usr/local/bin/uname",
         true},
        {{MW_EXEC, "subprocess.Popen", "/usr/bin/uname", ""}, MW_EXEC, "/bin/sh", false},
        {{MW_EXEC, "subprocess.Popen", "/usr/bin/uname", ""}, MW_EXEC, NULL, true},
        {{MW_EXEC, "subprocess.Popen", "/usr/bin/uname", ""}, MW_CONNECT, "127.0.0.1:80", false},
        {{MW_EXEC, "os.system", "/bin/sh", ""}, MW_EXEC, "/bin/sh", true},
        {{MW_EXEC, "os.posix_spawn", "/bin/true", ""}, MW_EXEC, "/bin/false", false},
        /* rmtree: what lies below; names relative to a descriptor */
        {{MW_WRITE, "shutil.rmtree", "/tmp/tree", ""}, MW_WRITE, "/tmp/tree/a/b", true},
        {{MW_WRITE, "shutil.rmtree", "/tmp/tree/", ""}, MW_WRITE, "/tmp/tree", true},
        {{MW_WRITE, "shutil.rmtree", "/tmp/tree", ""}, MW_WRITE, "leaf", true},
        {{MW_WRITE, "shutil.rmtree", "/tmp/tree", ""}, MW_WRITE, "/tmp/treehouse", false},
        {{MW_WRITE, "shutil.rmtree", "/tmp/tree", ""}, MW_WRITE, "/home/me/.bashrc", false},
        {{MW_WRITE, "shutil.copyfile", "/etc/hostname", "/tmp/copy"}, MW_WRITE, "/tmp/copy", true},
        {{MW_WRITE, "shutil.copyfile", "/etc/hostname", "/tmp/copy"}, MW_WRITE, "/tmp/x", false},
        {{MW_WRITE, "shutil.make_archive", "/tmp/all", ""}, MW_WRITE, "/tmp/all.tar.gz", true},
        {{MW_WRITE, "sqlite3.connect", "/tmp/a.db", ""}, MW_WRITE, "/tmp/a.db-journal", true},
        {{MW_WRITE, "sqlite3.connect", "/tmp/a.db", ""}, MW_WRITE, "/tmp/b.db", false},
        /* sockets: equal numbers; a name is looked up in between */
        {{MW_CONNECT, "socket.connect", "127.0.0.1:80", ""}, MW_CONNECT, "127.0.0.1:80", true},
        {{MW_CONNECT, "socket.connect", "127.0.0.1:80", ""}, MW_CONNECT, "127.0.0.2:80", false},
        {{MW_CONNECT, "socket.connect", "127.0.0.1:80", ""}, MW_CONNECT, "127.0.0.1:81", false},
        {{MW_CONNECT, "socket.connect", "[::1]:80", ""}, MW_CONNECT, "[::2]:80", false},
        {{MW_CONNECT, "socket.connect", "localhost:80", ""}, MW_CONNECT, "127.0.0.1:80", true},
        {{MW_CONNECT, "socket.connect", "localhost:80", ""}, MW_CONNECT, "127.0.0.1:81", false},
        {{MW_CONNECT, "socket.connect", "/run/a.sock", ""}, MW_CONNECT, "/run/b.sock", false},
        {{MW_LISTEN, "socket.bind", ":0", ""}, MW_LISTEN, "0.0.0.0:0", true},
        /* everything else: the same class and the same target */
        {{MW_WRITE, "open", "/tmp/a", ""}, MW_WRITE, "/tmp/a", true},
        {{MW_WRITE, "open", "/tmp/a", ""}, MW_WRITE, "/tmp/b", false},
        {{MW_WRITE, "open", "/tmp/a", ""}, MW_WRITE, NULL, true},
        {{MW_READ, "open", "/h/.netrc", ""}, MW_READ, "/h/.netrc", true},
        {{MW_READ, "open", "/h/.netrc", ""}, MW_READ, "/h/.pgpass", false},
        /* who may write a file, or copy it, may not therefore read a secret */
        {{MW_WRITE, "open", "/h/.netrc", ""}, MW_READ, "/h/.netrc", false},
        {{MW_WRITE, "shutil.copyfile", "/h/.netrc", "/tmp/a"}, MW_READ, "/h/.netrc", false},
        {{MW_EXEC, "subprocess.Popen", "/bin/cat", ""}, MW_READ, "/h/.netrc", false},
        {{MW_READ, "open", "/h/.netrc", ""}, MW_WRITE, "/h/.netrc", false},
        {{MW_MAP, "ctypes.dlopen", "/tmp/a.so", ""}, MW_MAP, "/tmp/b.so", false},
        {{MW_TAMPER, "os.kill", "", ""}, MW_TAMPER, NULL, true},
        {{MW_TAMPER, "os.kill", "", ""}, MW_EXEC, NULL, false},
};

static void cases_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct mw_effect below = {.class = cases[i].class, .target = cases[i].target};

		if (mw_implies(&cases[i].above, &below) != cases[i].implied)
			fail_msg("case %zu: %s and %s", i, cases[i].above.op,
			         cases[i].target ? cases[i].target : "?");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(cases_hold)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
