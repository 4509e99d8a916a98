#include "pickle_names.h"

#include <string.h>

/* The common ones of CPython's Lib/_compat_pickle.py. No module that Python 3 has under its old
 * name: from protocol 3 on it would be that one. */
static const struct {
	const char *module, *name, *new_module, *new_name;
} names[] = {
        {"__builtin__", "xrange", "builtins", "range"},
        {"__builtin__", "reduce", "functools", "reduce"},
        {"__builtin__", "intern", "sys", "intern"},
        {"__builtin__", "unichr", "builtins", "chr"},
        {"__builtin__", "unicode", "builtins", "str"},
        {"__builtin__", "long", "builtins", "int"},
        {"itertools", "izip", "builtins", "zip"},
        {"itertools", "imap", "builtins", "map"},
        {"itertools", "ifilter", "builtins", "filter"},
        {"UserDict", "IterableUserDict", "collections", "UserDict"},
        {"urllib", "urlopen", "urllib.request", "urlopen"},
        {"urllib", "urlretrieve", "urllib.request", "urlretrieve"},
        {"urllib2", "urlopen", "urllib.request", "urlopen"},
        {"urllib2", "Request", "urllib.request", "Request"},
};

static const struct {
	const char *module, *new_module;
} modules[] = {
        {"__builtin__", "builtins"},
        {"copy_reg", "copyreg"},
        {"exceptions", "builtins"},
        {"cPickle", "pickle"},
        {"_elementtree", "xml.etree.ElementTree"},
        {"Queue", "queue"},
        {"ConfigParser", "configparser"},
        {"SocketServer", "socketserver"},
        {"commands", "subprocess"},
        {"dummy_thread", "_dummy_thread"},
        {"thread", "_thread"},
        {"repr", "reprlib"},
        {"anydbm", "dbm"},
        {"whichdb", "dbm"},
        {"httplib", "http.client"},
        {"BaseHTTPServer", "http.server"},
        {"CGIHTTPServer", "http.server"},
        {"SimpleHTTPServer", "http.server"},
        {"Cookie", "http.cookies"},
        {"cookielib", "http.cookiejar"},
        {"xmlrpclib", "xmlrpc.client"},
        {"HTMLParser", "html.parser"},
        {"urlparse", "urllib.parse"},
        {"UserDict", "collections"},
        {"UserList", "collections"},
        {"UserString", "collections"},
        {"StringIO", "io"},
        {"cStringIO", "io"},
};

static bool is(struct mw_str s, const char *word)
{
	return s.len == strlen(word) && !memcmp(s.s, word, s.len);
}

static struct mw_str text(const char *word)
{
	return (struct mw_str){word, (uint32_t)strlen(word)};
}

void mw_pickle_modern_name(struct mw_str *module, struct mw_str *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (is(*module, names[i].module) && is(*name, names[i].name)) {
			*module = text(names[i].new_module);
			*name = text(names[i].new_name);
			return;
		}
	}
	for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		if (is(*module, modules[i].module)) {
			*module = text(modules[i].new_module);
			return;
		}
	}
}
