/* The state of the process and of its threads, and how it is set up before main(). */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "floor.h"
#include "shim.h"

__thread struct mw_thread mw_thread;
struct mw_process mw_process;

static struct mw_thread *this_thread(void)
{
	return &mw_thread;
}

MW_EXPORT struct mw_guest modelwatch_guest_1;

uint64_t mw_load_id(struct mw_load *load)
{
	int saved = errno;

	while (!load->id)
		if (syscall(SYS_getrandom, &load->id, sizeof(load->id), GRND_NONBLOCK) < 0)
			load->id = (uint64_t)getpid() << 32 ^ (uintptr_t)load;
	errno = saved;
	return load->id;
}

static struct mw_str text(const char *s)
{
	return (struct mw_str){s && *s ? s : NULL, s ? (uint32_t)strlen(s) : 0};
}

void mw_describe_load(struct mw_record_load *out, struct mw_load *load)
{
	uint64_t count = load->globals < MW_WIRE_GLOBALS ? load->globals : MW_WIRE_GLOBALS;

	out->id = mw_load_id(load);
	out->depth = load->depth;
	out->sp = load->sp;
	out->called = load->called;
	out->globals = load->globals;
	out->importing = load->importing;
	for (uint64_t i = 0; i < count; i++)
		out->seen[i] = text(load->seen[(load->globals - count + i) % MW_WIRE_GLOBALS]);
	out->seen_count = (uint32_t)count;
	out->entry = text(load->entry);
	out->fd = -1;
	out->tell = -1;
	if (!load->described)
		return;
	out->origin = load->origin;
	out->entry = text(load->outermost[0] ? load->outermost : load->entry);
	out->path = text(load->path);
	out->fd = load->fd;
	out->data = load->data;
	out->data_len = load->data_len;
	out->start = load->start;
	out->tell = load->tell;
	out->tell_exact = load->tell_exact;
}

void mw_record_load(struct mw_record *record, const struct mw_thread *thread)
{
	record->tid = (uint32_t)syscall(SYS_gettid);
	if (thread->load) {
		mw_describe_load(&record->load, thread->load);
		record->load.scope = thread->scope;
		return;
	}
	record->load.id = thread->scope;
	record->load.fd = -1;
	record->load.tell = -1;
	record->load.after = true;
}

void mw_enter_scope(uint64_t load, uint32_t slot)
{
	mw_thread.scope = load;
	mw_thread.scope_slot = slot;
	mw_thread.imports.since = time(NULL);
	mw_thread.imports.native = MW_BY_CALL;
	mw_thread.active = 1;
}

/* The monitor's socket is named in the environment; the policy and the state page come from it. A
 * process that cannot get them is not watched, and works as if there were no shim. */
static void say_hello(void)
{
	struct mw_record hello = {.kind = MW_HELLO};
	struct mw_reply reply;
	struct stat st;
	int fds[MW_WIRE_FDS] = {-1, -1};
	void *policy = MAP_FAILED, *page = MAP_FAILED;

	hello.tid = (uint32_t)getpid();
	hello.load.fd = -1;
	hello.load.tell = -1;
	if (mw_exchange(&hello, &reply, fds) < 0)
		return;
	if (fds[0] >= 0 && !fstat(fds[0], &st) && st.st_size <= MW_POLICY_MAX_SIZE)
		policy = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fds[0], 0);
	if (fds[1] >= 0)
		page = mmap(NULL, sizeof(struct mw_page), PROT_READ, MAP_SHARED, fds[1], 0);
	for (int i = 0; i < MW_WIRE_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (policy == MAP_FAILED || page == MAP_FAILED ||
	    mw_policy_check(policy, (size_t)st.st_size))
		return;
	mw_process.policy = policy;
	mw_process.page = page;
	mw_process.monitor = reply.monitor;
	if (reply.scope)
		mw_enter_scope(reply.scope, reply.slot);
}

static void find_self(void)
{
	Dl_info info;
	char *slash;

	if (!dladdr(&mw_process, &info) || !info.dli_fname ||
	    strlen(info.dli_fname) >= sizeof(mw_process.directory))
		return;
	strcpy(mw_process.self, info.dli_fname);
	strcpy(mw_process.directory, info.dli_fname);
	slash = strrchr(mw_process.directory, '/');
	if (slash)
		*slash = '\0';
}

static const uint32_t *inventory(void)
{
	static const uint32_t unwanted;

	return mw_process.page ? &mw_process.page->inventory : &unwanted;
}

static const struct mw_limits *limits(void)
{
	const struct mw_limits *limits = mw_process.policy ? &mw_process.policy->limits : NULL;

	return limits && (limits->time || limits->memory || limits->nesting) ? limits : NULL;
}

static void fill_table(void)
{
	modelwatch_guest_1 = (struct mw_guest){.thread = this_thread,
	                                       .load_id = mw_load_id,
	                                       .judge = mw_judge,
	                                       .permit = mw_permit,
	                                       .would_deny = mw_would_deny,
	                                       .only_called = mw_only_called,
	                                       .denials = mw_denials,
	                                       .floor_open = mw_floor_open,
	                                       .floor_close = mw_floor_close,
	                                       .ask_why = mw_ask_why,
	                                       .trust = mw_trust,
	                                       .trusted = mw_trusted,
	                                       .is_entry = mw_is_entry,
	                                       .is_own = mw_is_own,
	                                       .same_run = mw_same_run,
	                                       .secret = mw_opens_secret,
	                                       .inventory = inventory(),
	                                       .loaded = mw_loaded,
	                                       .limits = limits(),
	                                       .limit_memory = mw_limit_memory,
	                                       .unlimit_memory = mw_unlimit_memory,
	                                       .data_size = mw_data_size,
	                                       .hash = mw_hash,
	                                       .directory = mw_process.directory,
	                                       .version = MW_VERSION,
	                                       .monitored = mw_process.policy != NULL};
}

static const char *variable(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* Linked with -z initfirst: every other library's constructor may already call what is wrapped.
 * That is also before libc's own, so the environment comes from the argument. The loader has
 * dropped LD_PRELOAD from programs that run with more rights than their caller. */
__attribute__((constructor)) static void start(int argc, char **argv, char **env)
{
	const char *socket = variable(env, "MODELWATCH_SOCKET");
	int saved = errno;

	(void)argc;
	(void)argv;

	mw_thread.busy++;
	mw_resolve();
	find_self();
	if (socket && strlen(socket) < sizeof(mw_process.socket)) {
		strcpy(mw_process.socket, socket);
		say_hello();
	}
	fill_table();
	mw_python_start();
	mw_thread.busy--;
	errno = saved;
}
