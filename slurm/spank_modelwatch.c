/* Tells the user of a Slurm job, in the job's own log, what the daemon has alerted of it. In
 * plugstack.conf:
 *
 *     optional /usr/lib/modelwatch/spank_modelwatch.so [alerts=FILE] [settle=MILLISECONDS]
 *
 * slurmstepd runs it, as root, for every step. Nothing that it does not find keeps a job from
 * running or from ending. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <slurm/slurm.h>
#include <slurm/spank.h>

SPANK_PLUGIN(modelwatch, 1)

#define ALERTS "/var/log/modelwatch/alerts.jsonl"
#define SETTLE_MS 300
#define SETTLE_MS_MAX 5000
#define READ_MAX (64 << 20) /* of what was written while the step ran */
#define LINES_MAX 20

/* One step a process: slurmstepd. */
static struct {
	const char *alerts;
	long settle_ms;
	dev_t device;
	ino_t inode;
	off_t from; /* where the file ended when the step began */
	bool begun;
} step;

static void take_options(int count, char **words)
{
	step.alerts = ALERTS;
	step.settle_ms = SETTLE_MS;
	for (int i = 0; i < count; i++) {
		if (!strncmp(words[i], "alerts=", 7))
			step.alerts = words[i] + 7;
		else if (!strncmp(words[i], "settle=", 7))
			step.settle_ms = strtol(words[i] + 7, NULL, 10);
		else
			slurm_error("modelwatch: %s: it takes alerts= and settle=", words[i]);
	}
	if (step.settle_ms < 0 || step.settle_ms > SETTLE_MS_MAX)
		step.settle_ms = SETTLE_MS_MAX;
}

/* Before the first task starts. */
int slurm_spank_init(spank_t spank, int count, char **words)
{
	struct stat status;

	(void)spank;
	if (spank_context() != S_CTX_REMOTE)
		return ESPANK_SUCCESS;
	take_options(count, words);
	step.begun = true;
	if (!stat(step.alerts, &status)) {
		step.device = status.st_dev;
		step.inode = status.st_ino;
		step.from = status.st_size;
	}
	return ESPANK_SUCCESS;
}

static bool is_ours(const json_t *alert, const char *job, const char *number)
{
	const json_t *of = json_object_get(alert, "job");
	const char *kind = json_string_value(json_object_get(of, "kind"));
	const char *id = json_string_value(json_object_get(of, "id"));
	const char *in = json_string_value(json_object_get(of, "step"));

	return kind && id && !strcmp(kind, "slurm") && !strcmp(id, job) &&
	       (!in || !strcmp(in, number));
}

/* The first record of each alert: later ones say how often, or add names. */
static bool tell(const char *line, size_t len, const char *job, const char *number, bool quiet)
{
	json_t *alert = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *title = json_string_value(json_object_get(alert, "title"));
	bool ours = title && !json_integer_value(json_object_get(alert, "update")) &&
	            is_ours(alert, job, number);

	if (ours && !quiet)
		slurm_error("modelwatch: %s", title);
	json_decref(alert);
	return ours;
}

static void tell_all(char *text, size_t size, const char *job, const char *number)
{
	char *end = text + size, *eol;
	unsigned int told = 0;

	for (char *line = text; (eol = memchr(line, '\n', (size_t)(end - line))); line = eol + 1)
		told += tell(line, (size_t)(eol - line), job, number, told >= LINES_MAX);
	if (told > LINES_MAX)
		slurm_error("modelwatch: and %u more", told - LINES_MAX);
}

/* From where the file ended when the step began; from the beginning when it is another one by now.
 */
static char *read_new(size_t *ret_size)
{
	int fd = open(step.alerts, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	struct stat status;
	off_t from = 0;
	ssize_t n;

	*ret_size = 0;
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		goto out;
	if (status.st_dev == step.device && status.st_ino == step.inode &&
	    step.from <= status.st_size)
		from = step.from;
	if (status.st_size - from > READ_MAX)
		from = status.st_size - READ_MAX;
	text = malloc((size_t)(status.st_size - from) + 1);
	while (text && from < status.st_size &&
	       (n = pread(fd, text + *ret_size, (size_t)(status.st_size - from), from)) > 0) {
		*ret_size += (size_t)n;
		from += n;
	}
out:
	if (fd >= 0)
		close(fd);
	return text;
}

static void settle(void)
{
	const struct timespec time = {step.settle_ms / 1000, step.settle_ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

/* All its tasks have ended, and their output goes on to where it belongs. */
static void tell_step(spank_t spank)
{
	char job[24], number[24];
	uint32_t id, step_id;
	size_t size;
	char *text;

	if (spank_get_item(spank, S_JOB_ID, &id) || spank_get_item(spank, S_JOB_STEPID, &step_id))
		return;
	snprintf(job, sizeof(job), "%" PRIu32, id);
	snprintf(number, sizeof(number), "%" PRIu32, step_id);
	if (step_id == SLURM_BATCH_SCRIPT)
		strcpy(number, "batch");
	else if (step_id == SLURM_INTERACTIVE_STEP)
		strcpy(number, "interactive");
	settle();
	text = read_new(&size);
	if (text)
		tell_all(text, size, job, number);
	free(text);
}

int slurm_spank_task_exit(spank_t spank, int count, char **words)
{
	static uint32_t ended;
	uint32_t tasks = 1;

	(void)count;
	(void)words;
	spank_get_item(spank, S_JOB_LOCAL_TASK_COUNT, &tasks);
	if (step.begun && ++ended == tasks)
		tell_step(spank);
	return ESPANK_SUCCESS;
}
