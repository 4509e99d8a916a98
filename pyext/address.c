#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ext.h"

bool mw_is_numeric(const char *host)
{
	struct in6_addr ignored;

	return !*host || inet_pton(AF_INET, host, &ignored) == 1 ||
	       inet_pton(AF_INET6, host, &ignored) == 1;
}

static uint32_t inet_facts(const char *host, long port)
{
	uint32_t facts = port ? 0 : MW_FACT_EPHEMERAL;

	if (!strncmp(host, "127.", 4) || !strcmp(host, "::1") || !strcmp(host, "localhost"))
		facts |= MW_FACT_LOOPBACK;
	return facts;
}

static uint32_t tuple_address(PyObject *address, char *out, size_t size)
{
	PyObject *host = PyTuple_GetItem(address, 0), *port = PyTuple_GetItem(address, 1);
	const char *text =
	        host && PyUnicode_Check(host) ? PyUnicode_AsUTF8AndSize(host, NULL) : NULL;
	long number = port && PyLong_Check(port) ? PyLong_AsLong(port) : 0;

	PyErr_Clear();
	if (!text)
		return 0;
	snprintf(out, size, strchr(text, ':') ? "[%s]:%ld" : "%s:%ld", text, number);
	return inet_facts(text, number);
}

uint32_t mw_address(PyObject *socket, PyObject *address, char *out, size_t size)
{
	PyObject *peer = NULL;
	uint32_t facts = 0;
	const char *text = NULL;

	out[0] = '\0';
	if ((!address || address == Py_None) && socket)
		address = peer = PyObject_CallMethod(socket, "getpeername", NULL);
	if (address && PyTuple_Check(address) && PyTuple_Size(address) >= 2) {
		facts = tuple_address(address, out, size);
	} else if (address && PyUnicode_Check(address)) {
		text = PyUnicode_AsUTF8AndSize(address, NULL);
	} else if (address && PyBytes_Check(address)) {
		text = PyBytes_AsString(address);
	}
	if (text) {
		facts = MW_FACT_UNIX;
		snprintf(out, size, "%s%s", *text ? "" : "@", *text ? text : text + 1);
	}
	Py_XDECREF(peer);
	PyErr_Clear();
	return facts;
}
