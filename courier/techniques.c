/* The table of techniques: ATT&CK 18.1, ATLAS 5.6.0. One row of `rules` says what has to be known
 * for one; more is not concluded. */
#include "techniques.h"

#include <string.h>

#include "../core/glob.h"

#define VERSION_ATTACK "ATT&CK 18.1"
#define VERSION_ATLAS "ATLAS 5.6.0"

#define ENTITY(kind, uid, called) "\"" kind "\":{\"uid\":\"" uid "\",\"name\":\"" called "\"}"
#define OCSF(version, t, tn, u, un)                                                                \
	"{\"version\":\"" version "\"," ENTITY("tactic", t, tn) "," ENTITY("technique", u, un)

#define PLAIN(atlas, version, t, tn, u, un)                                                        \
	{                                                                                          \
		atlas, t, tn, u, un, NULL, NULL, OCSF(version, t, tn, u, un) "}"                   \
	}
#define SUB(atlas, version, t, tn, u, un, s, sn)                                                   \
	{                                                                                          \
		atlas, t, tn, u, un, s, sn,                                                        \
		        OCSF(version, t, tn, u, un) "," ENTITY("sub_technique", s, sn) "}"         \
	}
#define ATTACK(...) PLAIN(false, VERSION_ATTACK, __VA_ARGS__)
#define ATTACK_SUB(...) SUB(false, VERSION_ATTACK, __VA_ARGS__)
#define ATLAS(...) PLAIN(true, VERSION_ATLAS, __VA_ARGS__)
#define ATLAS_SUB(...) SUB(true, VERSION_ATLAS, __VA_ARGS__)

#define EXECUTION "TA0002", "Execution"
#define PERSISTENCE "TA0003", "Persistence"
#define EVASION "TA0005", "Defense Evasion"
#define CREDENTIALS "TA0006", "Credential Access"
#define CONTROL "TA0011", "Command and Control"

enum technique {
	UNSAFE_ARTIFACT,
	EMBEDDED,
	SUPPLY_CHAIN,
	MALICIOUS_FILE,
	PYTHON,
	COMMAND_AI,
	SHELL,
	TOOL_TRANSFER,
	CRON,
	REFLECTIVE,
	REVERSE_SHELL,
	WEB,
	DNS,
	OTHER_PROTOCOL,
	EXFILTRATION_AI,
	EXFILTRATION,
	MACHINE,
	SHELL_PROFILE,
	PYTHON_HOOK,
	AUTHORIZED_KEYS,
	SYSTEMD,
	LINKER,
	AUTOSTART,
	DELETION,
	PERMISSIONS,
	SHARED_MODULE,
	CREDENTIALS_AI,
	IN_FILES,
	PRIVATE_KEYS,
	HISTORY,
	SHADOW,
	PROC,
	BROWSER,
	PASSWORD_STORE,
	TOKEN,
	DISABLE,
	PTRACE,
	EXHAUSTION_AI,
	EXHAUSTION,
	TECHNIQUES
};

static const struct mw_technique techniques[TECHNIQUES] = {
        [UNSAFE_ARTIFACT] = ATLAS_SUB("AML.TA0005", "Execution", "AML.T0011", "User Execution",
                                      "AML.T0011.000", "Unsafe AI Artifacts"),
        [EMBEDDED] = ATLAS_SUB("AML.TA0006", "Persistence", "AML.T0018", "Manipulate AI Model",
                               "AML.T0018.002", "Embed Malware"),
        [SUPPLY_CHAIN] = ATLAS_SUB("AML.TA0004", "Initial Access", "AML.T0010",
                                   "AI Supply Chain Compromise", "AML.T0010.003", "Model"),
        [MALICIOUS_FILE] =
                ATTACK_SUB(EXECUTION, "T1204", "User Execution", "T1204.002", "Malicious File"),
        [PYTHON] = ATTACK_SUB(EXECUTION, "T1059", "Command and Scripting Interpreter", "T1059.006",
                              "Python"),
        [COMMAND_AI] =
                ATLAS("AML.TA0005", "Execution", "AML.T0050", "Command and Scripting Interpreter"),
        [SHELL] = ATTACK_SUB(EXECUTION, "T1059", "Command and Scripting Interpreter", "T1059.004",
                             "Unix Shell"),
        [TOOL_TRANSFER] = ATTACK(CONTROL, "T1105", "Ingress Tool Transfer"),
        [CRON] = ATTACK_SUB(PERSISTENCE, "T1053", "Scheduled Task/Job", "T1053.003", "Cron"),
        [REFLECTIVE] = ATTACK(EVASION, "T1620", "Reflective Code Loading"),
        [REVERSE_SHELL] = ATLAS("AML.TA0014", "Command and Control", "AML.T0072", "Reverse Shell"),
        [WEB] = ATTACK_SUB(CONTROL, "T1071", "Application Layer Protocol", "T1071.001",
                           "Web Protocols"),
        [DNS] = ATTACK_SUB(CONTROL, "T1071", "Application Layer Protocol", "T1071.004", "DNS"),
        [OTHER_PROTOCOL] = ATTACK(CONTROL, "T1095", "Non-Application Layer Protocol"),
        [EXFILTRATION_AI] =
                ATLAS("AML.TA0010", "Exfiltration", "AML.T0025", "Exfiltration via Cyber Means"),
        [EXFILTRATION] = ATTACK("TA0010", "Exfiltration", "T1041", "Exfiltration Over C2 Channel"),
        [MACHINE] = ATLAS_SUB("AML.TA0011", "Impact", "AML.T0112", "Machine Compromise",
                              "AML.T0112.001", "AI Artifacts"),
        [SHELL_PROFILE] = ATTACK_SUB(PERSISTENCE, "T1546", "Event Triggered Execution", "T1546.004",
                                     "Unix Shell Configuration Modification"),
        [PYTHON_HOOK] = ATTACK_SUB(PERSISTENCE, "T1546", "Event Triggered Execution", "T1546.018",
                                   "Python Startup Hooks"),
        [AUTHORIZED_KEYS] = ATTACK_SUB(PERSISTENCE, "T1098", "Account Manipulation", "T1098.004",
                                       "SSH Authorized Keys"),
        [SYSTEMD] = ATTACK_SUB(PERSISTENCE, "T1543", "Create or Modify System Process", "T1543.002",
                               "Systemd Service"),
        [LINKER] = ATTACK_SUB(PERSISTENCE, "T1574", "Hijack Execution Flow", "T1574.006",
                              "Dynamic Linker Hijacking"),
        [AUTOSTART] = ATTACK_SUB(PERSISTENCE, "T1547", "Boot or Logon Autostart Execution",
                                 "T1547.013", "XDG Autostart Entries"),
        [DELETION] =
                ATTACK_SUB(EVASION, "T1070", "Indicator Removal", "T1070.004", "File Deletion"),
        [PERMISSIONS] = ATTACK_SUB(EVASION, "T1222", "File and Directory Permissions Modification",
                                   "T1222.002",
                                   "Linux and Mac File and Directory Permissions Modification"),
        [SHARED_MODULE] = ATTACK(EXECUTION, "T1129", "Shared Modules"),
        [CREDENTIALS_AI] =
                ATLAS("AML.TA0013", "Credential Access", "AML.T0055", "Unsecured Credentials"),
        [IN_FILES] = ATTACK_SUB(CREDENTIALS, "T1552", "Unsecured Credentials", "T1552.001",
                                "Credentials In Files"),
        [PRIVATE_KEYS] = ATTACK_SUB(CREDENTIALS, "T1552", "Unsecured Credentials", "T1552.004",
                                    "Private Keys"),
        [HISTORY] = ATTACK_SUB(CREDENTIALS, "T1552", "Unsecured Credentials", "T1552.003",
                               "Shell History"),
        [SHADOW] = ATTACK_SUB(CREDENTIALS, "T1003", "OS Credential Dumping", "T1003.008",
                              "/etc/passwd and /etc/shadow"),
        [PROC] = ATTACK_SUB(CREDENTIALS, "T1003", "OS Credential Dumping", "T1003.007",
                            "Proc Filesystem"),
        [BROWSER] = ATTACK_SUB(CREDENTIALS, "T1555", "Credentials from Password Stores",
                               "T1555.003", "Credentials from Web Browsers"),
        [PASSWORD_STORE] = ATTACK(CREDENTIALS, "T1555", "Credentials from Password Stores"),
        [TOKEN] = ATTACK(CREDENTIALS, "T1528", "Steal Application Access Token"),
        [DISABLE] = ATTACK_SUB(EVASION, "T1562", "Impair Defenses", "T1562.001",
                               "Disable or Modify Tools"),
        [PTRACE] = ATTACK_SUB(EVASION, "T1055", "Process Injection", "T1055.008",
                              "Ptrace System Calls"),
        [EXHAUSTION_AI] = ATLAS("AML.TA0011", "Impact", "AML.T0029", "Denial of AI Service"),
        [EXHAUSTION] = ATTACK_SUB("TA0040", "Impact", "T1499", "Endpoint Denial of Service",
                                  "T1499.004", "Application or System Exploitation"),
};

/* What a row's patterns are matched against. */
enum about { ANYTHING, OP, PROGRAM, PATH, TARGET };

#define ANY_CLASS (-1)

/* `patterns` is a run of NUL-terminated globs that ends with an empty one. */
static const struct {
	int class;
	enum about about;
	const char *patterns;
	enum technique technique;
} rules[] = {
        {ANY_CLASS, ANYTHING, NULL, UNSAFE_ARTIFACT},
        {ANY_CLASS, ANYTHING, NULL, MALICIOUS_FILE},
        {MW_CODE, ANYTHING, NULL, PYTHON},

        {MW_EXEC, ANYTHING, NULL, COMMAND_AI},
        {MW_EXEC, PROGRAM,
         "sh\0bash\0dash\0zsh\0ksh*\0mksh\0ash\0fish\0csh\0tcsh\0rbash\0busybox\0", SHELL},
        {MW_EXEC, PROGRAM, "python*\0pypy*\0ipython*\0", PYTHON},
        {MW_EXEC, PROGRAM, "curl\0wget\0ftp\0tftp\0scp\0sftp\0rsync\0aria2c\0", TOOL_TRANSFER},
        {MW_EXEC, PROGRAM, "crontab\0at\0batch\0", CRON},
        {MW_EXEC, PROGRAM, "systemctl\0systemd-run\0", SYSTEMD},
        {MW_EXEC, PROGRAM, "chmod\0chown\0chgrp\0chattr\0setfacl\0", PERMISSIONS},
        {MW_EXEC, PROGRAM, "nc\0nc.*\0ncat\0netcat\0socat\0", OTHER_PROTOCOL},
        {MW_EXEC, PATH, "/memfd:**\0memfd:**\0/proc/*/fd/*\0/dev/fd/*\0", REFLECTIVE},

        {MW_SEND, ANYTHING, NULL, EXFILTRATION_AI},
        {MW_SEND, ANYTHING, NULL, EXFILTRATION},

        {MW_WRITE, PATH,
         "**/.bash*\0**/.profile\0**/.zsh*\0**/.zprofile\0**/.login\0/etc/profile*\0"
         "/etc/profile.d/**\0/etc/bash*\0/etc/zsh/**\0**/.config/fish/**\0",
         SHELL_PROFILE},
        {MW_WRITE, PATH,
         "**/*-packages/*.pth\0**/sitecustomize.py\0**/usercustomize.py\0**/.pythonrc*\0",
         PYTHON_HOOK},
        {MW_WRITE, PATH, "**/.ssh/authorized_keys*\0", AUTHORIZED_KEYS},
        {MW_WRITE, PATH, "/etc/cron*\0/etc/cron*/**\0/var/spool/cron/**\0/etc/anacrontab\0", CRON},
        {MW_WRITE, PATH,
         "**/systemd/system/**\0**/systemd/user/**\0**/.config/systemd/**\0/etc/init.d/**\0",
         SYSTEMD},
        {MW_WRITE, PATH, "/etc/ld.so.preload\0/etc/ld.so.conf\0/etc/ld.so.conf.d/**\0", LINKER},
        {MW_WRITE, PATH, "**/.config/autostart/**\0/etc/xdg/autostart/**\0", AUTOSTART},
        {MW_WRITE, OP, "*unlink*\0*rmdir*\0os.remove\0shutil.rmtree\0", DELETION},
        {MW_WRITE, OP, "*chmod*\0*chown*\0*setxattr*\0", PERMISSIONS},

        {MW_MAP, PATH, "**/*.so\0**/*.so.*\0", SHARED_MODULE},

        {MW_READ, ANYTHING, NULL, CREDENTIALS_AI},
        {MW_READ, PATH,
         "**/.ssh/**\0**/private-keys-v1.d/**\0**/ssl/private/**\0"
         "**/tls/private/**\0/etc/ssh/**\0**/*.pem\0/etc/kubernetes/pki/**\0",
         PRIVATE_KEYS},
        {MW_READ, PATH, "**/.*_history\0**/fish_history\0", HISTORY},
        {MW_READ, PATH, "/etc/shadow*\0/etc/gshadow*\0", SHADOW},
        {MW_READ, PATH,
         "**/proc/*/mem\0**/proc/*/task/*/mem\0**/proc/*/environ\0"
         "**/proc/*/task/*/environ\0",
         PROC},
        {MW_READ, PATH, "**/.mozilla/**\0**/google-chrome/**\0**/chromium/**\0", BROWSER},
        {MW_READ, PATH, "**/keyrings/**\0**/.password-store/**\0", PASSWORD_STORE},
        {MW_READ, PATH,
         "/run/secrets/**\0/var/run/secrets/**\0**/.kube/cache/**\0"
         "**/huggingface/token\0**/huggingface/stored_tokens\0"
         "**/.vault-token\0**/.aws/sso/cache/*\0**/.aws/cli/cache/*\0",
         TOKEN},
        {MW_READ, PATH,
         "**/.aws/**\0**/.config/gcloud/**\0**/.azure/**\0**/.netrc\0**/_netrc\0"
         "**/.kube/config\0**/.docker/config.json\0**/auth.json\0"
         "**/*credentials*\0**/.pgpass\0**/.my.cnf\0**/.pypirc\0**/.npmrc\0",
         IN_FILES},

        {MW_TAMPER, TARGET, "LD_*\0", LINKER},
        {MW_TAMPER, TARGET, "PYTHON*\0", PYTHON_HOOK},
        {MW_TAMPER, OP, "*ptrace*\0*process_vm_writev*\0", PTRACE},
        {MW_TAMPER, ANYTHING, NULL, DISABLE},

        {MW_LIMIT, ANYTHING, NULL, EXHAUSTION_AI},
        {MW_LIMIT, ANYTHING, NULL, EXHAUSTION},
};

static const char *text_about(const struct mw_deed *deed, enum about about)
{
	switch (about) {
	case OP:
		return deed->op;
	case PROGRAM:
		return deed->program;
	case PATH:
		return deed->path;
	case TARGET:
		return deed->target;
	case ANYTHING:
		break;
	}
	return NULL;
}

#define BIT(technique) (UINT64_C(1) << (technique))
_Static_assert(TECHNIQUES <= 64, "a bit for each");

/* A connection is called by its port. */
static uint64_t of_connection(const struct mw_deed *deed)
{
	if (deed->class == MW_LISTEN)
		return BIT(OTHER_PROTOCOL);
	switch (deed->port) {
	case -1:
		return 0;
	case 53:
	case 853:
		return BIT(DNS);
	case 80:
	case 443:
	case 8080:
	case 8443:
		return BIT(WEB);
	default:
		return BIT(OTHER_PROTOCOL) | BIT(REVERSE_SHELL);
	}
}

/* What stays when nothing more exact is known of a class. */
static uint64_t of_class(const struct mw_deed *deed, uint64_t found)
{
	if (deed->class == MW_MAP && !(found & BIT(SHARED_MODULE)))
		return BIT(REFLECTIVE);
	if (deed->class == MW_READ &&
	    !(found & ~(BIT(UNSAFE_ARTIFACT) | BIT(MALICIOUS_FILE) | BIT(CREDENTIALS_AI))))
		return BIT(IN_FILES);
	if (deed->class == MW_CONNECT || deed->class == MW_LISTEN)
		return of_connection(deed);
	/* A start-up path makes the machine the attacker's. */
	if (found & (BIT(SHELL_PROFILE) | BIT(PYTHON_HOOK) | BIT(AUTHORIZED_KEYS) | BIT(CRON) |
	             BIT(SYSTEMD) | BIT(LINKER) | BIT(AUTOSTART)))
		return BIT(MACHINE);
	return 0;
}

uint64_t mw_techniques(const struct mw_deed *deed)
{
	uint64_t found = 0;

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const char *text = text_about(deed, rules[i].about);

		if (rules[i].class != ANY_CLASS && rules[i].class != deed->class)
			continue;
		if (rules[i].about == ANYTHING || (text && mw_glob_any(rules[i].patterns, text)))
			found |= BIT(rules[i].technique);
	}
	if (deed->cause == MW_BY_CALL)
		found |= BIT(EMBEDDED) | BIT(PYTHON);
	if (deed->from_hub)
		found |= BIT(SUPPLY_CHAIN);
	return found | of_class(deed, found);
}

const struct mw_technique *mw_technique(unsigned int bit)
{
	return bit < TECHNIQUES ? &techniques[bit] : NULL;
}
