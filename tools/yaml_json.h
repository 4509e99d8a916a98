/* A YAML document as JSON, with the places of its parts. */
#ifndef MW_TOOLS_YAML_JSON_H
#define MW_TOOLS_YAML_JSON_H

#include <stddef.h>

#include <jansson.h>

#include "policy_yaml.h"

/* Mappings become objects, with the line they start on as the integer "line" beside their own keys;
 * lists become arrays; every value becomes a string. Aliases are refused, and nesting ends at a
 * few levels. Returns a new reference, or NULL with "name:line:column: what is wrong" in `error`.
 */
json_t *mw_yaml_json(const char *name, const char *text, size_t len, char *error,
                     size_t error_size);

/* The same of the value that begins with the current event; ends on its last one. Returns 0 and a
 * new reference, or a negative errno, said. */
int mw_source_json(struct mw_source *s, json_t **ret);

#endif
