#include "alert_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alert_parts.h"
#include "text.h"

static void complain(struct mw_alert_file *file, int error)
{
	char line[600];
	struct mw_text t;

	file->error = -error;
	if (file->said)
		return;
	mw_text_start(&t, line, sizeof(line));
	mw_text_add(&t, "modelwatch: cannot write alerts to ");
	mw_text_tail(&t, file->path, strlen(file->path), 400);
	mw_text_add(&t, ": %s; enforcement goes on\n", strerror(-error));
	mw_write_patiently(STDERR_FILENO, line, t.len, MW_PATIENCE_MS);
	file->said = true;
}

static int open_file(struct mw_alert_file *file)
{
	if (file->out.fd < 0)
		file->out.fd = open(
		        file->path,
		        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	return file->out.fd < 0 ? -errno : 0;
}

int mw_alert_file_open(struct mw_alert_file *file, const char *path)
{
	int error;

	*file = (struct mw_alert_file){.out.fd = -1, .path = strdup(path)};
	if (!file->path)
		return -ENOMEM;
	error = open_file(file);
	if (error)
		complain(file, error);
	return 0;
}

static int append(struct mw_alert_file *file, const char *line, size_t len)
{
	return mw_lines_out_add(&file->out, line, len, &(struct mw_patience){.ms = -1, .stop = -1});
}

static int write_loss(struct mw_alert_file *file)
{
	char id[40], now[40], line[256];
	int error, len;

	if (!file->lost)
		return 0;
	mw_alert_stamp(id, now);
	len = snprintf(line, sizeof(line),
	               "{\"schema\":\"modelwatch.loss/1\",\"id\":\"%s\",\"time\":\"%s\","
	               "\"lost\":%llu,\"reason\":\"%s\",\"version\":\"" MW_VERSION "\"}\n",
	               id, now, (unsigned long long)file->lost, strerror(file->error));
	error = append(file, line, (size_t)len);
	if (!error)
		file->lost = 0;
	return error;
}

void mw_alert_file_write(struct mw_alert_file *file, const char *line, size_t len)
{
	int error = open_file(file);

	if (!error)
		error = write_loss(file);
	if (!error)
		error = append(file, line, len);
	if (error) {
		file->lost++;
		complain(file, error);
	} else {
		file->said = false;
	}
}

void mw_alert_file_close(struct mw_alert_file *file)
{
	char line[160];
	int len;

	if (!file->path)
		return;
	if (file->lost && (open_file(file) || write_loss(file))) {
		len = snprintf(line, sizeof(line), "modelwatch: %llu alerts were not written: %s\n",
		               (unsigned long long)file->lost, strerror(file->error));
		mw_write_patiently(STDERR_FILENO, line, (size_t)len, MW_PATIENCE_MS);
	}
	if (file->out.fd >= 0)
		close(file->out.fd);
	free(file->path);
	*file = (struct mw_alert_file){.out.fd = -1};
}
