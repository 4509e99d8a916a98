/* Which audit events are effects. */
#include <stdlib.h>
#include <string.h>

#include "effects.h"

/* Sorted by name. */
static const struct mw_audit_event events[] = {
        {"_posixsubprocess.fork_exec", MW_EXEC, FORK, false},
        {"_thread.start_joinable_thread", MW_CODE, THREAD, false},
        {"_thread.start_new_thread", MW_CODE, THREAD, false},
        {"atexit.register", MW_CODE, PLANT, false},
        {"code.__new__", MW_CODE, CODE, false},
        {"compile", MW_CODE, SOURCE, false},
        {"cpython.PyInterpreterState_New", MW_CODE, CODE, false},
        {"ctypes.call_function", MW_CODE, CODE, false},
        {"ctypes.cdata", MW_CODE, CODE, false},
        {"ctypes.dlopen", MW_MAP, LIBRARY, false},
        {"ctypes.dlsym", MW_CODE, LIBRARY, false},
        {"ctypes.dlsym/handle", MW_CODE, CODE, false},
        {"ctypes.memoryview_at", MW_CODE, CODE, false},
        {"ctypes.string_at", MW_CODE, CODE, false},
        {"ctypes.wstring_at", MW_CODE, CODE, false},
        {"exec", MW_CODE, CODE, false},
        {"fcntl.fcntl", MW_TAMPER, CONTROL, false},
        {"fcntl.ioctl", MW_TAMPER, CONTROL, false},
        {"ftplib.sendcmd", MW_SEND, CODE, true},
        {"function.__new__", MW_CODE, CODE, false},
        {"marshal.load", MW_CODE, CODE, false},
        {"marshal.loads", MW_CODE, CODE, false},
        {"object.__setattr__", MW_CODE, ATTRIBUTE, false},
        {"open", MW_WRITE, OPEN, false},
        {"os.chdir", MW_TAMPER, DIRECTORY, false},
        {"os.chflags", MW_WRITE, CHANGE, false},
        {"os.chmod", MW_WRITE, CHANGE, false},
        {"os.chown", MW_WRITE, CHANGE, false},
        {"os.exec", MW_EXEC, PROGRAM, false},
        {"os.kill", MW_TAMPER, SIGNAL, false},
        {"os.killpg", MW_TAMPER, SIGNAL, false},
        {"os.link", MW_WRITE, TWO, false},
        {"os.mkdir", MW_WRITE, CREATE, false},
        {"os.posix_spawn", MW_EXEC, PROGRAM, false},
        {"os.putenv", MW_TAMPER, VARIABLE, false},
        {"os.remove", MW_WRITE, CHANGE, false},
        {"os.removexattr", MW_WRITE, CHANGE, false},
        {"os.rename", MW_WRITE, TWO, false},
        {"os.rmdir", MW_WRITE, CHANGE, false},
        {"os.setxattr", MW_WRITE, CHANGE, false},
        {"os.spawn", MW_EXEC, SPAWN, false},
        {"os.symlink", MW_WRITE, LINK, false},
        {"os.system", MW_EXEC, COMMAND, false},
        {"os.truncate", MW_WRITE, CHANGE, false},
        {"os.unsetenv", MW_TAMPER, VARIABLE, false},
        {"os.utime", MW_WRITE, CHANGE, false},
        {"pty.spawn", MW_EXEC, ARGV, true},
        {"resource.prlimit", MW_TAMPER, CODE, false},
        {"resource.setrlimit", MW_TAMPER, CODE, false},
        {"shutil.chown", MW_WRITE, CHANGE, true},
        {"shutil.copyfile", MW_WRITE, TWO, true},
        {"shutil.copymode", MW_WRITE, TWO, true},
        {"shutil.copystat", MW_WRITE, TWO, true},
        {"shutil.copytree", MW_WRITE, TWO, true},
        {"shutil.make_archive", MW_WRITE, CREATE, true},
        {"shutil.move", MW_WRITE, TWO, true},
        {"shutil.rmtree", MW_WRITE, CHANGE, true},
        {"shutil.unpack_archive", MW_WRITE, CHANGE, true},
        {"signal.pthread_kill", MW_TAMPER, SIGNAL, false},
        {"signal.signal", MW_CODE, PLANT, false},
        {"socket.bind", MW_LISTEN, ADDRESS, false},
        {"socket.connect", MW_CONNECT, ADDRESS, false},
        {"socket.getaddrinfo", MW_SEND, NAME, false},
        {"socket.gethostbyaddr", MW_SEND, NAME, false},
        {"socket.gethostbyname", MW_SEND, NAME, false},
        {"socket.send", MW_SEND, ADDRESS, false},
        {"socket.sendmsg", MW_SEND, ADDRESS, false},
        {"socket.sendto", MW_SEND, ADDRESS, false},
        {"sqlite3.connect", MW_WRITE, CREATE, false},
        {"subprocess.Popen", MW_EXEC, POPEN, true},
        {"sys.addaudithook", MW_TAMPER, CODE, false},
        {"sys.remote_exec", MW_TAMPER, CODE, false},
        {"sys.setprofile", MW_TAMPER, CODE, false},
        {"sys.settrace", MW_TAMPER, CODE, false},
        {"syslog.syslog", MW_SEND, CODE, false},
};

static int by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct mw_audit_event *)item)->name);
}

const struct mw_audit_event *mw_find_event(const char *name)
{
	return bsearch(name, events, sizeof(events) / sizeof(*events), sizeof(*events), by_name);
}
