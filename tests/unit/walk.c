/* Walks the Python stacks of a process that stands still, for test_python_stack.py and record.py:
 *
 *   walk stacks PID VERSION RUNTIME FILE BASE ID...   of the threads with these pthread_self()
 *   walk lines                                        of code objects that come on stdin
 *
 * A stack is "thread ID", a line for each frame and "cut" where there is more. All that was
 * read follows, so that it can be walked again. Code is "code VERSION FIRST TABLE", the table in
 * hex, and "at LASTI" asks for a line. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../tools/python_offsets.h"
#include "python_stack.h"

#define READS_MAX 65536

static pid_t pid;
static struct {
	uint64_t at;
	size_t size;
	uint8_t *bytes;
} reads[READS_MAX];
static size_t read_count;
static struct mw_k_effect effect;

static int read_memory(void *dst, size_t size, uint64_t address)
{
	struct iovec to = {dst, size}, from = {(void *)(uintptr_t)address, size};

	if (process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)size)
		return -EFAULT;
	if (read_count == READS_MAX)
		return 0;
	reads[read_count].at = address;
	reads[read_count].size = size;
	reads[read_count].bytes = malloc(size + 1);
	if (!reads[read_count].bytes)
		return -ENOMEM;
	memcpy(reads[read_count++].bytes, dst, size);
	return 0;
}

static int read_file(void *userdata, uint64_t offset, void *buf, size_t len)
{
	return pread(*(int *)userdata, buf, len, (off_t)offset) == (ssize_t)len ? 0 : -EIO;
}

static int find_offsets(char **args, uint64_t runtime, struct mw_py_offsets *ret)
{
	uint32_t version = (uint32_t)strtoul(args[0], NULL, 0);
	uint64_t base = strtoull(args[3], NULL, 0);
	int fd = open(args[2], O_RDONLY | O_CLOEXEC);
	struct mw_elf elf;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = mw_elf_open(&elf, read_file, &fd, (uint64_t)st.st_size);
	if (r < 0)
		return r;
	r = mw_python_offsets(version, &elf, runtime - base + (elf.loads[0].vaddr & ~4095ul), ret);
	close(fd);
	return r;
}

static void print_memory(const struct mw_py_offsets *o, uint64_t runtime)
{
	const uint32_t *numbers = (const uint32_t *)o;

	printf("offsets");
	for (size_t i = 0; i < sizeof(*o) / sizeof(*numbers); i++)
		printf(" %" PRIu32, numbers[i]);
	printf("\nruntime %" PRIu64 "\n", runtime);
	for (size_t i = 0; i < read_count; i++) {
		printf("memory %" PRIu64 " ", reads[i].at);
		for (size_t j = 0; j < reads[i].size; j++)
			printf("%02x", reads[i].bytes[j]);
		printf("\n");
		free(reads[i].bytes);
	}
}

static void print_stack(const struct mw_py_offsets *o, uint64_t runtime, uint64_t id)
{
	uint64_t thread = mw_py_thread(o, runtime, id);
	char line[2048];
	uint32_t used = 0;

	printf("thread %" PRIu64 "\n", id);
	if (!mw_py_is_thread(o, thread, id) || mw_py_walk(o, thread, &effect, &used) < 0)
		printf("unreadable\n");
	else if (mw_py_top(o, thread) != effect.frame[0].frame)
		printf("another top\n");
	for (uint32_t i = 0; i < effect.frame_count; i++) {
		describe(o, &effect, i, line, sizeof(line));
		printf("%s\n", line);
	}
	if (effect.frames_cut)
		printf("cut\n");
}

static int stacks(char **args)
{
	uint64_t runtime = strtoull(args[2], NULL, 0);
	struct mw_py_offsets offsets = {0};
	int r;

	pid = (pid_t)strtol(args[0], NULL, 10);
	r = find_offsets(args + 1, runtime, &offsets);
	if (r < 0) {
		fprintf(stderr, "offsets: %s\n", strerror(-r));
		return 1;
	}
	for (char **id = args + 5; *id; id++)
		print_stack(&offsets, runtime, strtoull(*id, NULL, 0));
	print_memory(&offsets, runtime);
	return 0;
}

/* The table goes to `bytes`, which holds TABLE_MAX of them. */
static void take_code(const char *text, uint8_t *bytes, struct mw_python_table *ret)
{
	char *rest;

	ret->version = (uint32_t)strtoul(text, &rest, 10);
	ret->first_line = (int32_t)strtol(rest, &rest, 10);
	rest += *rest == ' ';
	ret->len = ret->whole = strlen(rest) / 2 < TABLE_MAX ? from_hex(rest, bytes) : 0;
	ret->bytes = bytes;
}

static int lines(void)
{
	struct mw_python_table table = {0};
	uint8_t *bytes = malloc(TABLE_MAX);
	char *line = NULL;
	size_t size = 0;

	while (bytes && getline(&line, &size, stdin) > 0) {
		if (!strncmp(line, "code ", 5))
			take_code(line + 5, bytes, &table);
		else if (!strncmp(line, "at ", 3))
			printf("%d\n", mw_python_line(&table, (int32_t)strtol(line + 3, NULL, 10)));
	}
	free(line);
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 6 && !strcmp(argv[1], "stacks"))
		return stacks(argv + 2);
	if (argc == 2 && !strcmp(argv[1], "lines"))
		return lines();
	fprintf(stderr, "usage: walk stacks PID VERSION RUNTIME FILE BASE ID... | walk lines\n");
	return 2;
}
