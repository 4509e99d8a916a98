/* The words of the glossary as C: what every sensor, rule and alert is written in.
 *
 * Each enum is dense from 0, each has a name function that returns the word used in policies and
 * alerts ("?" for a value out of range, never NULL), and a parse function that returns the value or
 * -EINVAL. Pure: no I/O, no allocation, no globals. */
#ifndef MW_CORE_WORDS_H
#define MW_CORE_WORDS_H

enum mw_class {
	MW_EXEC,
	MW_CONNECT,
	MW_SEND,
	MW_LISTEN,
	MW_WRITE,
	MW_MAP,
	MW_READ,
	MW_TAMPER,
	MW_CODE,
	MW_LIMIT, /* the load takes more than the policy's `limits` */
	MW_CLASS_COUNT
};

/* What in the load led to the effect. */
enum mw_cause {
	MW_BY_CALL,
	MW_BY_IMPORT,    /* proved import context */
	MW_BY_MACHINERY, /* the import system's own frames, no module body: .pyc and extension only
	                  */
	MW_BY_LOADER,
	MW_BY_NATIVE,
	MW_BY_UNKNOWN,
	MW_CAUSE_COUNT
};

/* Ordered: the effective verdict is the lower of the rule's and the mode's. */
enum mw_verdict { MW_ALLOW, MW_OBSERVE, MW_ALERT, MW_DENY, MW_KILL, MW_VERDICT_COUNT };

enum mw_outcome { MW_PREVENTED, MW_KILLED_AFTER_EFFECT, MW_OBSERVED, MW_OUTCOME_COUNT };

enum mw_sensor { MW_PYTHON, MW_LIBC, MW_SYSCALL, MW_KERNEL, MW_SENSOR_COUNT };

enum mw_severity { MW_INFO, MW_LOW, MW_MEDIUM, MW_HIGH, MW_CRITICAL, MW_SEVERITY_COUNT };

/* Where the bytes of a load come from. */
enum mw_origin { MW_FROM_FILE, MW_FROM_BYTES, MW_FROM_SESSION, MW_FROM_FOREIGN, MW_ORIGIN_COUNT };

const char *mw_class_name(enum mw_class c);
const char *mw_cause_name(enum mw_cause c);
const char *mw_verdict_name(enum mw_verdict v);
const char *mw_outcome_name(enum mw_outcome o);
const char *mw_sensor_name(enum mw_sensor s);
const char *mw_severity_name(enum mw_severity s);
const char *mw_origin_name(enum mw_origin o);

int mw_class_parse(const char *word);
int mw_cause_parse(const char *word);
int mw_verdict_parse(const char *word);
int mw_outcome_parse(const char *word);
int mw_severity_parse(const char *word);
int mw_origin_parse(const char *word);

#endif
