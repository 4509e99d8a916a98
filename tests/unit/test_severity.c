/* Every cell of the table, and who comes before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../core/severity.h"

/* What is expected: prevented, happened; the same of an evasion. */
static const struct {
	enum mw_class class;
	enum mw_severity plain[2], evasion[2];
} rows[] = {
        {MW_EXEC, {MW_CRITICAL, MW_CRITICAL}, {MW_CRITICAL, MW_CRITICAL}},
        {MW_CONNECT, {MW_CRITICAL, MW_CRITICAL}, {MW_CRITICAL, MW_CRITICAL}},
        {MW_SEND, {MW_HIGH, MW_CRITICAL}, {MW_CRITICAL, MW_CRITICAL}},
        {MW_LISTEN, {MW_HIGH, MW_CRITICAL}, {MW_CRITICAL, MW_CRITICAL}},
        {MW_WRITE, {MW_HIGH, MW_CRITICAL}, {MW_CRITICAL, MW_CRITICAL}},
        {MW_MAP, {MW_HIGH, MW_CRITICAL}, {MW_CRITICAL, MW_CRITICAL}},
        {MW_READ, {MW_CRITICAL, MW_CRITICAL}, {MW_CRITICAL, MW_CRITICAL}},
        {MW_TAMPER, {MW_CRITICAL, MW_CRITICAL}, {MW_CRITICAL, MW_CRITICAL}},
        {MW_CODE, {MW_HIGH, MW_CRITICAL}, {MW_CRITICAL, MW_CRITICAL}},
        {MW_LIMIT, {MW_MEDIUM, MW_HIGH}, {MW_HIGH, MW_CRITICAL}},
};

static enum mw_severity ask(enum mw_severity own, enum mw_verdict requested, enum mw_class class,
                            enum mw_outcome outcome, bool evasion)
{
	const struct mw_severity_facts facts = {own, requested, class, outcome, evasion};

	return mw_severity(&facts);
}

static void every_cell_is_as_it_is_told(void **state)
{
	(void)state;
	assert_int_equal(sizeof(rows) / sizeof(*rows), MW_CLASS_COUNT);
	for (size_t i = 0; i < MW_CLASS_COUNT; i++) {
		assert_int_equal(rows[i].class, i);
		for (int outcome = 0; outcome < MW_OUTCOME_COUNT; outcome++)
			for (int verdict = MW_ALERT; verdict < MW_VERDICT_COUNT; verdict++) {
				const int column = outcome == MW_PREVENTED ? 0 : 1;

				assert_int_equal(ask(MW_BY_TABLE, verdict, i, outcome, false),
				                 rows[i].plain[column]);
				assert_int_equal(ask(MW_BY_TABLE, verdict, i, outcome, true),
				                 rows[i].evasion[column]);
			}
	}
}

static void a_severity_of_the_rule_wins(void **state)
{
	(void)state;
	for (int own = 0; own < MW_SEVERITY_COUNT; own++)
		for (int class = 0; class < MW_CLASS_COUNT; class ++)
			for (int outcome = 0; outcome < MW_OUTCOME_COUNT; outcome++)
				for (int verdict = 0; verdict < MW_VERDICT_COUNT; verdict++) {
					assert_int_equal(ask(own, verdict, class, outcome, false),
					                 own);
					assert_int_equal(ask(own, verdict, class, outcome, true),
					                 own);
				}
}

static void what_is_only_observed_is_no_finding(void **state)
{
	(void)state;
	for (int class = 0; class < MW_CLASS_COUNT; class ++) {
		assert_int_equal(ask(MW_BY_TABLE, MW_ALLOW, class, MW_OBSERVED, false), MW_INFO);
		assert_int_equal(ask(MW_BY_TABLE, MW_OBSERVE, class, MW_OBSERVED, false), MW_INFO);
	}
}

static void what_is_out_of_range_is_the_worst(void **state)
{
	(void)state;
	assert_int_equal(ask(MW_BY_TABLE, MW_DENY, MW_CLASS_COUNT, MW_PREVENTED, false),
	                 MW_CRITICAL);
	assert_int_equal(ask(MW_BY_TABLE, MW_DENY, (enum mw_class) - 22, MW_PREVENTED, true),
	                 MW_CRITICAL);
	assert_int_equal(ask(MW_BY_TABLE, MW_DENY, MW_WRITE, (enum mw_outcome) - 22, false),
	                 MW_CRITICAL);
	assert_int_equal(ask((enum mw_severity)255, MW_DENY, MW_WRITE, MW_PREVENTED, false),
	                 MW_HIGH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_cell_is_as_it_is_told),
	        cmocka_unit_test(a_severity_of_the_rule_wins),
	        cmocka_unit_test(what_is_only_observed_is_no_finding),
	        cmocka_unit_test(what_is_out_of_range_is_the_worst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
