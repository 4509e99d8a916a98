/* A socket address as Python code gives it: a tuple, or a unix path. */
#ifndef MW_PYEXT_ADDRESS_H
#define MW_PYEXT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "compat.h"

/* Writes the address as text and returns the facts it proves. `socket` is asked for its peer when
 * there is no address. Leaves no error set. */
uint32_t mw_address(PyObject *socket, PyObject *address, char *out, size_t size);

/* True for an address in digits: looking that up sends nothing. */
bool mw_is_numeric(const char *host);

#endif
