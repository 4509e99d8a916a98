/* What `modelwatch daemon` is told: MW_DAEMON_CONFIG, the files in conf.d beside it, and the
 * command line, which has the last word. docs/man/modelwatch-daemon.8 has the keys. */
#ifndef MW_TOOLS_DAEMON_CONFIG_H
#define MW_TOOLS_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define MW_DAEMON_CONFIG MW_SYSCONFDIR "/modelwatch/modelwatch.yaml"
#define MW_DAEMON_RUN "/run/modelwatch"

/* How system calls are seen: by the best that there is, by tracepoints, or not. */
enum mw_file_writes { MW_WRITES_AUTO, MW_WRITES_TRACEPOINTS, MW_WRITES_OFF };

/* What refusing goes on without the daemon for: when it is killed, or fails; also when it is told
 * to end; or never. */
enum mw_outlives { MW_OUTLIVES_CRASH, MW_OUTLIVES_STOP, MW_OUTLIVES_NOTHING };

/* Texts are owned; NULL where nothing is said and there is no default. Lists are arrays of strings.
 */
struct mw_daemon_config {
	int mode;         /* enum mw_verdict that is asked for, MW_OBSERVE when nothing is */
	json_t *policies; /* files, the last tried first */
	char *alerts;     /* with the words of mw_expand() */
	char *metrics_listen, *metrics_textfile;
	char *control_socket;
	char *report_socket;
	uint32_t reports_per_minute; /* of one user */
	uint32_t storm; /* loads refused something in a minute that end all refusing; 0: never */
	json_t *interpreters; /* patterns of paths that count as interpreters, beside those that
	                         are found to be some */
	bool hold_new_interpreters;
	enum mw_file_writes file_writes;
	enum mw_outlives outlives;
	json_t *cgroups;     /* whose tasks alone are refused anything; none: all */
	uint32_t ring_bytes; /* a power of two, of whole pages */
	json_t *labels;      /* an object of strings */
	json_t *cri_sockets; /* where container runtimes are asked; NULL: where they usually are */
	json_t *sinks;       /* where alerts go (courier/sink_config.h) */
};

/* Reads `file` (NULL: MW_DAEMON_CONFIG, which need not be there) and then, in the order of their
 * names, the *.yaml files of the folder conf.d beside it: a single value replaces the one before,
 * lists and labels add up. What root has not written, or everybody can write, is refused. Returns
 * 0, or a negative errno with "file:line: what is wrong" in `why`. Free in either case. */
int mw_daemon_config_read(struct mw_daemon_config *config, const char *file, char *why,
                          size_t why_size);
void mw_daemon_config_free(struct mw_daemon_config *config);

/* Reads one text named `name` on top of what is there. The same. `config` starts as
 * mw_daemon_config_start() leaves it: with the defaults. */
int mw_daemon_config_start(struct mw_daemon_config *config);
int mw_daemon_config_text(struct mw_daemon_config *config, const char *name, const char *text,
                          size_t len, char *why, size_t why_size);

#endif
