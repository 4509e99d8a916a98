/* Getting into every interpreter: an audit hook added before Py_Initialize, which Python code
 * cannot remove (PEP 578), and the CPython extension, loaded when the interpreter is about to run
 * code. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "shim.h"

typedef int (*audit_hook)(const char *event, void *args, void *data);
typedef int (*extension_init)(struct mw_guest *guest);

/* Weak: NULL in a process that has no Python. */
extern int PySys_AddAuditHook(audit_hook hook, void *data) __attribute__((weak));

static void load_extension(void)
{
	static atomic_flag once = ATOMIC_FLAG_INIT;
	char path[600];
	extension_init init;
	void *library;

	if (atomic_flag_test_and_set(&once) || !mw_process.policy)
		return;
	mw_thread.busy++;
	snprintf(path, sizeof(path), "%s/_modelwatch.abi3.so", mw_process.directory);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	init = library ? (extension_init)dlsym(library, "mw_extension_init") : NULL;
	if (init)
		init(&modelwatch_guest_1);
	mw_thread.busy--;
}

/* Events that matter in a thread with no open load: the interpreter is ready, something that can
 * load is being imported, or a load is running that was not seen to open. */
static bool wakes(const char *event)
{
	switch (event[0]) {
	case 'c':
		return !strncmp(event, "cpython.run_", 12);
	case 'i':
		return !strcmp(event, "import");
	case 'p':
		return !strcmp(event, "pickle.find_class");
	default:
		return false;
	}
}

static int audit(const char *event, void *args, void *data)
{
	int (*handler)(const char *, void *);

	(void)data;
	if (mw_likely(!mw_thread.active) && !wakes(event))
		return 0;
	if (mw_thread.busy && !mw_thread.own)
		return 0;
	handler = atomic_load_explicit(&modelwatch_guest_1.event, memory_order_acquire);
	if (!handler && event[0] == 'c') {
		load_extension();
		handler = atomic_load_explicit(&modelwatch_guest_1.event, memory_order_acquire);
	}
	return handler ? handler(event, args) : 0;
}

void mw_python_start(void)
{
	if (PySys_AddAuditHook && mw_process.policy)
		PySys_AddAuditHook(audit, NULL);
}

bool mw_is_libpython(const char *path)
{
	return path && strstr(path, "libpython");
}

/* A program that embeds Python opens its library late; the hook goes in before the interpreter
 * starts. */
void *mw_open_libpython(const char *path, int mode, void *(*open)(const char *, int))
{
	static atomic_flag once = ATOMIC_FLAG_INIT;
	void *library = open(path, mode);
	int (*add)(audit_hook, void *) = NULL;

	if (library && mw_process.policy && !PySys_AddAuditHook)
		add = (int (*)(audit_hook, void *))dlsym(library, "PySys_AddAuditHook");
	if (add && !atomic_flag_test_and_set(&once))
		add(audit, NULL);
	return library;
}
