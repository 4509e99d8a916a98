/* What the names that a stream fetches stand for, as far as a name can tell: two sorted lists, the
 * plain rebuilders, which only build the value they are named after, and the directly effectful
 * callables. */
#include "rebuilders.h"

#include <stdlib.h>
#include <string.h>

/* Modules all of whose callables have effects: nothing in them is data. */
static const char *const effectful_modules[] = {
        "_interpreters",
        "_posixsubprocess",
        "_pyrepl",
        "_socket",
        "_xxsubinterpreters",
        "asyncio",
        "bdb",
        "cProfile",
        "code",
        "codeop",
        "commands",
        "distutils.spawn",
        "doctest",
        "ensurepip",
        "ftplib",
        "http.client",
        "http.server",
        "idlelib",
        "imaplib",
        "multiprocessing.util",
        "numpy.distutils",
        "pdb",
        "pip",
        "poplib",
        "profile",
        "pty",
        "pydoc",
        "runpy",
        "smtplib",
        "socket",
        "subprocess",
        "telnetlib",
        "timeit",
        "torch.utils.bottleneck",
        "torch.utils.collect_env",
        "trace",
        "urllib.request",
        "venv",
        "webbrowser",
        "xmlrpc",
};

/* "module name", sorted. `os` and its platform twin are one list. */
static const char *const effectful[] = {
        "__builtin__ compile",
        "__builtin__ eval",
        "__builtin__ exec",
        "__builtin__ execfile",
        "_ctypes call_cdeclfunction",
        "_ctypes call_function",
        "_ctypes dlopen",
        "_ctypes dlsym",
        "_io FileIO",
        "_io open",
        "_io open_code",
        "builtins breakpoint",
        "builtins compile",
        "builtins eval",
        "builtins exec",
        "builtins open",
        "ctypes CDLL",
        "ctypes CFUNCTYPE",
        "ctypes PYFUNCTYPE",
        "ctypes PyDLL",
        "ctypes cast",
        "ctypes cdll",
        "ctypes memmove",
        "ctypes memset",
        "ctypes pydll",
        "ctypes pythonapi",
        "ctypes string_at",
        "importlib import_module",
        "io FileIO",
        "io open",
        "marshal load",
        "marshal loads",
        "os _exit",
        "os abort",
        "os chmod",
        "os chown",
        "os execl",
        "os execle",
        "os execlp",
        "os execlpe",
        "os execv",
        "os execve",
        "os execvp",
        "os execvpe",
        "os fork",
        "os forkpty",
        "os kill",
        "os killpg",
        "os link",
        "os makedirs",
        "os mkdir",
        "os mkfifo",
        "os mknod",
        "os open",
        "os popen",
        "os posix_spawn",
        "os posix_spawnp",
        "os putenv",
        "os remove",
        "os removedirs",
        "os rename",
        "os renames",
        "os replace",
        "os rmdir",
        "os spawnl",
        "os spawnle",
        "os spawnlp",
        "os spawnlpe",
        "os spawnv",
        "os spawnve",
        "os spawnvp",
        "os spawnvpe",
        "os symlink",
        "os system",
        "os truncate",
        "os unlink",
        "os write",
        "shutil chown",
        "shutil copy",
        "shutil copy2",
        "shutil copyfile",
        "shutil copytree",
        "shutil move",
        "shutil rmtree",
        "shutil unpack_archive",
        "sys addaudithook",
        "sys setprofile",
        "sys settrace",
        "types CodeType",
        "types FunctionType",
};

/* Effects of their own that no lower sensor sees: whatever the stream does with them, they plant
 * something that acts later. */
static const char *const never[] = {
        "_codecs register",
        "_codecs register_error",
        "_signal signal",
        "atexit register",
        "codecs register",
        "codecs register_error",
        "faulthandler register",
        "os register_at_fork",
        "signal signal",
        "sys audit",
        "sys.monitoring register_callback",
        "sys.monitoring set_events",
        "sys.monitoring use_tool_id",
        "threading _register_atexit",
        "threading setprofile",
        "threading setprofile_all_threads",
        "threading settrace",
        "threading settrace_all_threads",
        "weakref finalize",
};

static const char *const rebuilders[] = {
        "cloudpickle.cloudpickle",
        "cloudpickle.cloudpickle_fast",
        "dill._dill",
        "joblib.externals.cloudpickle.cloudpickle",
        "numba.cloudpickle",
        "pyspark.cloudpickle",
        "ray.cloudpickle",
        "srsly.cloudpickle",
};

/* Build the value they are named after, and nothing else. */
static const char *const plain[] = {
        "__builtin__ bytearray",
        "__builtin__ complex",
        "__builtin__ frozenset",
        "__builtin__ list",
        "__builtin__ object",
        "__builtin__ set",
        "__builtin__ slice",
        "_codecs encode",
        "array _array_reconstructor",
        "builtins bytearray",
        "builtins complex",
        "builtins frozenset",
        "builtins list",
        "builtins object",
        "builtins range",
        "builtins set",
        "builtins slice",
        "collections Counter",
        "collections OrderedDict",
        "collections defaultdict",
        "collections deque",
        "copy_reg __newobj__",
        "copy_reg _reconstructor",
        "copyreg __newobj__",
        "copyreg _reconstructor",
        "datetime date",
        "datetime datetime",
        "datetime time",
        "datetime timedelta",
        "datetime timezone",
        "decimal Decimal",
        "fractions Fraction",
        "numpy dtype",
        "numpy ndarray",
        "numpy._core.multiarray _reconstruct",
        "numpy._core.multiarray scalar",
        "numpy._core.numeric _frombuffer",
        "numpy.core.multiarray _reconstruct",
        "numpy.core.multiarray scalar",
        "numpy.core.numeric _frombuffer",
        "pathlib PosixPath",
        "torch Size",
        "torch device",
        "torch._tensor _rebuild_from_type_v2",
        "torch._utils _rebuild_device_tensor_from_numpy",
        "torch._utils _rebuild_parameter",
        "torch._utils _rebuild_qtensor",
        "torch._utils _rebuild_sparse_tensor",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_tensor_v3",
        "torch.serialization _get_layout",
        "uuid UUID",
};

static int compare(const void *key, const void *item)
{
	return strcmp(key, *(const char *const *)item);
}

#define LISTED(key, list)                                                                          \
	(bsearch(key, list, sizeof(list) / sizeof(*(list)), sizeof(*(list)), compare) != NULL)

bool mw_in_modules(const char *module, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(list[i]);

		if (!strncmp(module, list[i], len) && (!module[len] || module[len] == '.'))
			return true;
	}
	return false;
}

#define IN_MODULES(module, list) mw_in_modules(module, list, sizeof(list) / sizeof(*(list)))

/* Names of the platform module and of its alias are the same functions. */
static const char *canonical(const char *module)
{
	return !strcmp(module, "posix") || !strcmp(module, "nt") ? "os" : module;
}

bool mw_global_key(const char *module, const char *name, char ret[static MW_GLOBAL_KEY])
{
	size_t m, n = strlen(name);

	module = canonical(module);
	m = strlen(module);
	if (m + n + 2 > MW_GLOBAL_KEY)
		return false;
	memcpy(ret, module, m);
	ret[m] = ' ';
	memcpy(ret + m + 1, name, n + 1);
	return true;
}

enum mw_global mw_global_listed(const char *module, const char *key)
{
	if (LISTED(key, plain))
		return MW_PLAIN;
	if (LISTED(key, never))
		return MW_NEVER;
	if (LISTED(key, effectful) || IN_MODULES(module, effectful_modules))
		return MW_EFFECTFUL;
	if (IN_MODULES(module, rebuilders))
		return MW_REBUILDS;
	return MW_OTHER;
}

#define EACH(list, kind)                                                                           \
	for (size_t i = 0; i < sizeof(list) / sizeof(*(list)); i++)                                \
	tell(context, (list)[i], kind)

void mw_global_each(void (*tell)(void *context, const char *key, enum mw_global kind),
                    void *context)
{
	EACH(plain, MW_PLAIN);
	EACH(never, MW_NEVER);
	EACH(effectful, MW_EFFECTFUL);
	EACH(effectful_modules, MW_EFFECTFUL);
	EACH(rebuilders, MW_REBUILDS);
}
