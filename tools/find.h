/* Alerts by their IDs. */
#ifndef MW_TOOLS_FIND_H
#define MW_TOOLS_FIND_H

#include <stdbool.h>

#include <jansson.h>

/* Whether `word` can be an alert's ID, or the beginning of one. */
bool mw_is_alert_id(const char *word);

/* The alerts in `file` (NULL: the journal) whose IDs begin with `prefix` (NULL: all), each as its
 * last line says but for its stacks and processes, by ID. Returns 0 and a new reference; or a
 * negative errno: -ENOENT also when there is no HOME where the journal would be. */
int mw_find_alerts(const char *file, const char *prefix, json_t **ret);

#endif
