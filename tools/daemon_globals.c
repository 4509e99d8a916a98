/* What the globals that a load has fetched say: only names are known here, so what is not known to
 * be harmless counts as called. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "../core/rebuilders.h"
#include "daemon_matter.h"
#include "daemon_names.h"

/* Modules that make code, run source that they are given, reach any other function, or are the
 * import system. */
static const char *const makers[] = {
        "IPython",
        "_ast",
        "_frozen_importlib",
        "_frozen_importlib_external",
        "_imp",
        "_operator",
        "_pickle",
        "ast",
        "imp",
        "importlib",
        "inspect",
        "jinja2",
        "llvmlite",
        "mako",
        "marshal",
        "nt",
        "numba",
        "numexpr",
        "numpy.f2py",
        "numpy.testing",
        "operator",
        "os",
        "pandas.core.computation",
        "pandas.eval",
        "patsy",
        "pickle",
        "pkg_resources",
        "pkgutil",
        "posix",
        "setuptools",
        "sympy",
        "sys",
        "torch._dynamo",
        "torch._inductor",
        "torch.fx",
        "torch.package",
        "torch.utils.cpp_extension",
        "types",
        "typing",
        "zipimport",
};

/* There and in builtins, what is data. Everything else of these can reach code. */
static const char *const values[] = {
        "__builtin__ bool",      "__builtin__ dict",       "__builtin__ float",
        "__builtin__ int",       "__builtin__ long",       "__builtin__ str",
        "__builtin__ tuple",     "__builtin__ unicode",    "builtins Ellipsis",
        "builtins bool",         "builtins bytes",         "builtins dict",
        "builtins float",        "builtins int",           "builtins memoryview",
        "builtins str",          "builtins tuple",         "inspect Parameter",
        "inspect Signature",     "inspect _ParameterKind", "operator itemgetter",
        "os PathLike",           "os stat_result",         "pickle PickleBuffer",
        "types GenericAlias",    "types MappingProxyType", "types NoneType",
        "types SimpleNamespace", "types UnionType",        "typing Any",
        "typing Optional",       "typing Union",
};

/* Whose classes call what they are given, or change what others see. */
static const char *const wrappers[] = {"functools", "operator",   "types",
                                       "_operator", "_functools", "itertools",
                                       "weakref",   "unittest",   "test"};

#define IN(module, list) mw_in_modules(module, list, sizeof(list) / sizeof(*(list)))

static bool is_builtins(const char *module)
{
	return !strcmp(module, "builtins") || !strcmp(module, "__builtin__");
}

static bool is_value(const char *key)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		if (!strcmp(key, values[i]))
			return true;
	return false;
}

/* Every part of it is spelt as a class is: Net, _Net, Outer.Inner. */
static bool is_class_name(const char *name)
{
	for (;; name++) {
		name += strspn(name, "_");
		if (!isupper((unsigned char)*name))
			return false;
		name = strchr(name, '.');
		if (!name)
			return true;
	}
}

/* Classes of the builtins are exceptions, but for those that are written like functions. */
static bool reaches_code(const char *module, const char *name, enum mw_global kind)
{
	bool is_class = is_class_name(name);

	return kind > MW_OTHER || kind == MW_REBUILDS || IN(module, makers) ||
	       (!is_class && (is_builtins(module) || strchr(name, '.')));
}

static void look_at(const char *module, const char *name, struct mw_daemon_globals *ret)
{
	char key[MW_GLOBAL_KEY], spelt[MW_K_GLOBAL];
	enum mw_global kind =
	        mw_global_key(module, name, key) ? mw_global_listed(module, key) : MW_OTHER;

	snprintf(spelt, sizeof(spelt), "%s %s", module, name);
	if (kind == MW_PLAIN || is_value(spelt))
		return;
	ret->makes_code |= reaches_code(module, name, kind);
	ret->called |= kind != MW_OTHER || !is_class_name(name) || IN(module, makers) ||
	               IN(module, wrappers);
}

/* What was cut, could not be read, or is not ASCII may be anything. */
static bool is_cut(const char *module, const char *name)
{
	return !*module || !*name || strlen(module) >= MW_K_GLOBAL - MW_K_GLOBAL_NAME - 1 ||
	       strlen(name) >= MW_K_GLOBAL_NAME - 1 || strchr(module, '?') || strchr(name, '?');
}

void mw_daemon_take_globals(struct mw_daemon_matter *m)
{
	const struct mw_k_effect *k = m->k;
	uint64_t fetched = 0;

	for (uint32_t i = 0; i < m->depth; i++)
		fetched += m->open[i]->globals;
	/* Those that were not kept may have been any. */
	m->globals.called = m->globals.makes_code = k->globals_cut || fetched > k->global_count;
	for (uint32_t i = 0; i < k->global_count; i++) {
		char text[MW_K_GLOBAL];
		char *space;

		memcpy(text, k->global[i], sizeof(text));
		space = strchr(text, ' ');
		if (space)
			*space = '\0';
		if (space && !is_cut(text, space + 1))
			look_at(text, space + 1, &m->globals);
		else
			m->globals.called = m->globals.makes_code = true;
	}
}

bool mw_daemon_fetched(const struct mw_daemon_matter *m, const char *name)
{
	for (uint32_t i = 0; i < m->k->global_count; i++) {
		const char *text = m->k->global[i];
		size_t len = strlen(text), n = strlen(name);

		if (len > n && !strcmp(text + len - n, name) &&
		    (text[len - n - 1] == ' ' || text[len - n - 1] == '.'))
			return true;
	}
	return false;
}

struct naming {
	mw_daemon_name *tell;
	void *context;
};

static void tell_listed(void *context, const char *key, enum mw_global kind)
{
	const struct naming *naming = context;

	naming->tell(naming->context, key,
	             kind == MW_PLAIN ? 0 : MW_K_FETCHED_CALL | MW_K_FETCHED_MAKER);
}

/* Later ones do not take the place of earlier ones. */
void mw_daemon_names(mw_daemon_name *tell, void *context)
{
	struct naming naming = {tell, context};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		tell(context, values[i], 0);
	mw_global_each(tell_listed, &naming);
	for (size_t i = 0; i < sizeof(makers) / sizeof(*makers); i++)
		tell(context, makers[i], MW_K_FETCHED_CALL | MW_K_FETCHED_MAKER);
	for (size_t i = 0; i < sizeof(wrappers) / sizeof(*wrappers); i++)
		tell(context, wrappers[i], MW_K_FETCHED_CALL);
}
