#include "severity.h"

static const struct {
	enum mw_severity prevented, happened;
} table[MW_CLASS_COUNT] = {
        [MW_EXEC] = {MW_CRITICAL, MW_CRITICAL},    /* a program of the attacker's choice */
        [MW_CONNECT] = {MW_CRITICAL, MW_CRITICAL}, /* a way out, or a way in */
        [MW_READ] = {MW_CRITICAL, MW_CRITICAL},    /* a secret is gone when it is read */
        [MW_TAMPER] = {MW_CRITICAL, MW_CRITICAL},  /* aimed at the process or its watch */
        [MW_SEND] = {MW_HIGH, MW_CRITICAL},
        [MW_LISTEN] = {MW_HIGH, MW_CRITICAL},
        [MW_WRITE] = {MW_HIGH, MW_CRITICAL},
        [MW_MAP] = {MW_HIGH, MW_CRITICAL},
        [MW_CODE] = {MW_HIGH, MW_CRITICAL},
        [MW_LIMIT] = {MW_MEDIUM, MW_HIGH}, /* perhaps no attack at all */
};

enum mw_severity mw_severity(const struct mw_severity_facts *facts)
{
	enum mw_severity level = MW_CRITICAL;

	if ((unsigned int)facts->own < MW_SEVERITY_COUNT)
		return facts->own;
	if (facts->requested < MW_ALERT)
		return MW_INFO;
	if ((unsigned int)facts->class < MW_CLASS_COUNT)
		level = facts->outcome == MW_PREVENTED ? table[facts->class].prevented
		                                       : table[facts->class].happened;
	return facts->evasion && level < MW_CRITICAL ? level + 1 : level;
}
