/* Which audit events are effects. */
#include <stdlib.h>
#include <string.h>

#include "effects.h"

/* Sorted by name. */
static const struct mw_audit_event events[] = {
        {"_posixsubprocess.fork_exec", MW_EXEC, FORK, false, 0},
        {"_thread.start_joinable_thread", MW_CODE, THREAD, false, 0},
        {"_thread.start_new_thread", MW_CODE, THREAD, false, 0},
        {"atexit.register", MW_CODE, PLANT, false, 0},
        {"code.__new__", MW_CODE, CODE, false, 0},
        {"compile", MW_CODE, SOURCE, false, 0},
        {"cpython.PyInterpreterState_New", MW_CODE, CODE, false, 0},
        {"ctypes.call", MW_TAMPER, CODE, false, 0}, /* ours: pointers.c */
        {"ctypes.call_function", MW_CODE, CODE, false, 0},
        {"ctypes.cdata", MW_CODE, CODE, false, 0},
        {"ctypes.dlopen", MW_MAP, LIBRARY, false, 0},
        {"ctypes.dlsym", MW_CODE, LIBRARY, false, 0},
        {"ctypes.dlsym/handle", MW_CODE, CODE, false, 0},
        {"ctypes.memoryview_at", MW_CODE, CODE, false, 0},
        {"ctypes.string_at", MW_CODE, CODE, false, 0},
        {"ctypes.wstring_at", MW_CODE, CODE, false, 0},
        {"exec", MW_CODE, CODE, false, 0},
        {"fcntl.fcntl", MW_TAMPER, CONTROL, false, 0},
        {"fcntl.ioctl", MW_TAMPER, CONTROL, false, 0},
        {"ftplib.sendcmd", MW_SEND, CODE, true, 0},
        {"function.__new__", MW_CODE, CODE, false, 0},
        {"marshal.load", MW_CODE, CODE, false, 0},
        {"marshal.loads", MW_CODE, CODE, false, 0},
        {"object.__setattr__", MW_CODE, ATTRIBUTE, false, 0},
        {"open", MW_WRITE, OPEN, false, 0},
        {"os.chdir", MW_TAMPER, DIRECTORY, false, 0},
        {"os.chflags", MW_WRITE, CHANGE, false, 0},
        {"os.chmod", MW_WRITE, CHANGE, false, 2},
        {"os.chown", MW_WRITE, CHANGE, false, 3},
        {"os.exec", MW_EXEC, PROGRAM, false, 0},
        {"os.kill", MW_TAMPER, SIGNAL, false, 0},
        {"os.killpg", MW_TAMPER, SIGNAL, false, 0},
        {"os.link", MW_WRITE, TWO, false, 2},
        {"os.mkdir", MW_WRITE, CREATE, false, 2},
        {"os.posix_spawn", MW_EXEC, PROGRAM, false, 0},
        {"os.putenv", MW_TAMPER, VARIABLE, false, 0},
        {"os.remove", MW_WRITE, CHANGE, false, 1},
        {"os.removexattr", MW_WRITE, CHANGE, false, 0},
        {"os.rename", MW_WRITE, TWO, false, 2},
        {"os.rmdir", MW_WRITE, CHANGE, false, 1},
        {"os.setxattr", MW_WRITE, CHANGE, false, 0},
        {"os.spawn", MW_EXEC, SPAWN, false, 0},
        {"os.symlink", MW_WRITE, LINK, false, 2},
        {"os.system", MW_EXEC, COMMAND, false, 0},
        {"os.truncate", MW_WRITE, CHANGE, false, 0},
        {"os.unsetenv", MW_TAMPER, VARIABLE, false, 0},
        {"os.utime", MW_WRITE, CHANGE, false, 3},
        {"pty.spawn", MW_EXEC, ARGV, true, 0},
        {"resource.prlimit", MW_TAMPER, CODE, false, 0},
        {"resource.setrlimit", MW_TAMPER, CODE, false, 0},
        {"shutil.chown", MW_WRITE, CHANGE, true, 0},
        {"shutil.copyfile", MW_WRITE, TWO, true, 0},
        {"shutil.copymode", MW_WRITE, TWO, true, 0},
        {"shutil.copystat", MW_WRITE, TWO, true, 0},
        {"shutil.copytree", MW_WRITE, TWO, true, 0},
        {"shutil.make_archive", MW_WRITE, CREATE, true, 0},
        {"shutil.move", MW_WRITE, TWO, true, 0},
        {"shutil.rmtree", MW_WRITE, CHANGE, true, 0},
        {"shutil.unpack_archive", MW_WRITE, CHANGE, true, 0},
        {"signal.pthread_kill", MW_TAMPER, SIGNAL, false, 0},
        {"signal.signal", MW_CODE, PLANT, false, 0},
        {"socket.bind", MW_LISTEN, ADDRESS, false, 0},
        {"socket.connect", MW_CONNECT, ADDRESS, false, 0},
        {"socket.getaddrinfo", MW_SEND, NAME, false, 0},
        {"socket.gethostbyaddr", MW_SEND, NAME, false, 0},
        {"socket.gethostbyname", MW_SEND, NAME, false, 0},
        {"socket.send", MW_SEND, ADDRESS, false, 0},
        {"socket.sendmsg", MW_SEND, ADDRESS, false, 0},
        {"socket.sendto", MW_SEND, ADDRESS, false, 0},
        {"sqlite3.connect", MW_WRITE, CREATE, false, 0},
        {"subprocess.Popen", MW_EXEC, POPEN, true, 0},
        {"sys.addaudithook", MW_TAMPER, CODE, false, 0},
        {"sys.remote_exec", MW_TAMPER, CODE, false, 0},
        {"sys.setprofile", MW_TAMPER, CODE, false, 0},
        {"sys.settrace", MW_TAMPER, CODE, false, 0},
        {"syslog.syslog", MW_SEND, CODE, false, 0},
};

static int by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct mw_audit_event *)item)->name);
}

const struct mw_audit_event *mw_find_event(const char *name)
{
	return bsearch(name, events, sizeof(events) / sizeof(*events), sizeof(*events), by_name);
}
