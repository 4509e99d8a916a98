/* The text of a policy, YAML, into rules:
 *
 *   version: 1
 *   rules:
 *     - name: import-pyc         required and unique: letters, digits, '.', '_', '-'
 *       effect: [write]          classes; a list of one can be written as a value
 *       cause: [machinery]       causes
 *       origin: [file, bytes]    origins
 *       when: [pyc]              facts that must hold
 *       unless: [called]         facts that must not
 *       op: ["open*"]            patterns (core/policy.h) on the operation,
 *       target: ["{tmp}/x?"]     on the target, where {tmp} and {home} stand for directories,
 *       argv: ["uname -p"]       on the arguments,
 *       global: ["torch.*"]      and on the last global that the stream fetched
 *       verdict: allow           required
 *       severity: info           default: info, of alert medium, of deny and kill high
 *       reason: "..."            required of a rule that allows
 *
 * A field that is missing asks nothing; of several values one must match, of several facts all. */
#ifndef MW_TOOLS_POLICY_SOURCE_H
#define MW_TOOLS_POLICY_SOURCE_H

#include <stddef.h>

#include "policy_build.h"

/* Adds the rules of one policy text to `build`. `name` is what `error` calls it. Returns 0, or a
 * negative errno with a line "name:line:column: what is wrong" in `error`. Memory is bounded by a
 * small multiple of `len`: aliases are refused, and nesting ends where a rule does. */
int mw_policy_source(struct mw_policy_build *build, const char *name, const char *text, size_t len,
                     char *error, size_t error_size);

#endif
