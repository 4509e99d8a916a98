/* The Python stack: which frames lie inside the load, and what they prove about the cause. Frames
 * prove something only by the identity of their code objects: file and function names can be forged
 * by compile(). */
#include <string.h>

#include "../core/paths.h"
#include "ext.h"

#define CODES 1024 /* power of two */

/* Open-addressed sets of code objects, which are kept alive. */
struct codes {
	PyCodeObject *at[CODES];
	uint32_t count;
};

static struct codes machinery; /* the import system's own functions */
static struct codes unpickler; /* the pure-Python unpickler's own methods */
static struct codes
        extension; /* the loader of extension modules: no module body is Python's there */
static PyCodeObject *find_and_load, *with_frames_removed;
static PyObject *gcd_import;

static bool contains(const struct codes *set, PyCodeObject *code)
{
	for (uintptr_t i = (uintptr_t)code >> 4;; i++) {
		PyCodeObject *at = set->at[i % CODES];

		if (!at || at == code)
			return at != NULL;
	}
}

static void add(struct codes *set, PyCodeObject *code)
{
	uintptr_t i = (uintptr_t)code >> 4;

	if (set->count >= CODES / 2 || contains(set, code))
		return;
	while (set->at[i % CODES])
		i++;
	Py_INCREF((PyObject *)code);
	set->at[i % CODES] = code;
	set->count++;
}

/* The code of a function, method or wrapper around one; new reference or NULL, no error set. */
static PyObject *code_of(PyObject *object)
{
	PyObject *inner = PyObject_GetAttrString(object, "__func__"), *code;

	if (!inner) {
		PyErr_Clear();
		inner = object;
		Py_INCREF(inner);
	}
	code = PyObject_GetAttrString(inner, "__code__");
	Py_DECREF(inner);
	PyErr_Clear();
	return code;
}

static void add_function(struct codes *set, PyObject *object)
{
	PyObject *code = code_of(object);

	if (code)
		add(set, (PyCodeObject *)code);
	Py_XDECREF(code);
}

static void add_members(struct codes *set, PyObject *owner, bool deep)
{
	PyObject *dict = PyObject_GetAttrString(owner, "__dict__");
	PyObject *items = dict ? PyMapping_Values(dict) : NULL;

	for (Py_ssize_t i = 0; items && i < PyList_Size(items); i++) {
		PyObject *item = PyList_GetItem(items, i);

		if (deep && PyType_Check(item))
			add_members(set, item, false);
		else
			add_function(set, item);
	}
	Py_XDECREF(items);
	Py_XDECREF(dict);
	PyErr_Clear();
}

void mw_stack_add_machinery(PyObject *type)
{
	add_members(&unpickler, type, false);
}

static PyCodeObject *function_code(PyObject *module, const char *name)
{
	PyObject *function = PyObject_GetAttrString(module, name);
	PyObject *code = function ? code_of(function) : NULL;

	Py_XDECREF(function);
	return (PyCodeObject *)code;
}

static void add_class(struct codes *set, PyObject *module, const char *name)
{
	PyObject *class = module ? PyObject_GetAttrString(module, name) : NULL;

	if (class)
		add_members(set, class, false);
	Py_XDECREF(class);
	PyErr_Clear();
}

int mw_stack_init(void)
{
	PyObject *modules = PyImport_GetModuleDict();
	PyObject *core = PyDict_GetItemString(modules, "_frozen_importlib");
	PyObject *files = PyDict_GetItemString(modules, "_frozen_importlib_external");

	if (!core || !files)
		return -1;
	add_members(&machinery, core, true);
	add_members(&machinery, files, true);
	add_class(&extension, files, "ExtensionFileLoader");
	add_class(&machinery, PyDict_GetItemString(modules, "zipimport"), "zipimporter");
	find_and_load = function_code(core, "_find_and_load");
	with_frames_removed = function_code(core, "_call_with_frames_removed");
	gcd_import = PyObject_GetAttrString(core, "_gcd_import");
	return find_and_load && with_frames_removed && gcd_import ? 0 : -1;
}

/* The frames hold their code, and the stack holds the frames: dropping our references at once
 * leaves borrowed pointers that are good until Python code runs again. */
static bool take(PyFrameObject *frame, struct mw_frame *ret)
{
	ret->frame = frame;
	ret->code = PyFrame_GetCode(frame);
	Py_DECREF((PyObject *)ret->code);
	return true;
}

static PyFrameObject *back(PyFrameObject *frame)
{
	PyFrameObject *outer = PyFrame_GetBack(frame);

	Py_XDECREF((PyObject *)outer);
	return outer;
}

void mw_walk(const struct mw_load *load, struct mw_walk *ret)
{
	ret->count = 0;
	ret->base = load ? load->frame : NULL;
	for (PyFrameObject *frame = PyEval_GetFrame(); frame && (void *)frame != ret->base;
	     frame = back(frame)) {
		if (ret->count == MW_INSIDE) {
			ret->whole = false;
			return;
		}
		take(frame, &ret->inside[ret->count++]);
	}
	ret->whole = true;
}

bool mw_in_unpickler(void)
{
	PyFrameObject *frame = PyEval_GetFrame();
	struct mw_frame f;

	return frame && take(frame, &f) && contains(&unpickler, f.code);
}

bool mw_is_running(const struct mw_walk *walk, const void *frame)
{
	for (uint32_t i = 0; i < walk->count; i++)
		if (walk->inside[i].frame == frame)
			return true;
	return false;
}

const char *mw_code_text(PyCodeObject *code, const char *attribute)
{
	PyObject *text = PyObject_GetAttrString((PyObject *)code, attribute);
	const char *utf8 =
	        text && PyUnicode_Check(text) ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;

	PyErr_Clear();
	Py_XDECREF(text);
	return utf8 ? utf8 : "?";
}

PyObject *mw_local(PyFrameObject *frame, const char *name)
{
	PyObject *locals = PyObject_GetAttrString((PyObject *)frame, "f_locals");
	PyObject *value = locals ? PyMapping_GetItemString(locals, name) : NULL;

	Py_XDECREF(locals);
	PyErr_Clear();
	return value;
}

uint32_t mw_stack(const struct mw_load *load, struct mw_pyframe out[static MW_WIRE_FRAMES],
                  uint32_t *inside)
{
	uint32_t n = 0;

	*inside = load ? 0 : MW_WIRE_FRAMES;
	for (PyFrameObject *frame = PyEval_GetFrame(); frame && n < MW_WIRE_FRAMES;
	     frame = back(frame)) {
		struct mw_frame f;

		take(frame, &f);
		out[n].function.s = mw_code_text(f.code, "co_name");
		out[n].file.s = mw_code_text(f.code, "co_filename");
		out[n].function.len = (uint32_t)strlen(out[n].function.s);
		out[n].file.len = (uint32_t)strlen(out[n].file.s);
		out[n].line = (uint32_t)PyFrame_GetLineNumber(frame);
		if (load && (void *)frame == load->frame)
			*inside = n;
		n++;
	}
	if (*inside > n)
		*inside = n;
	return n;
}

/* The first argument of a method's frame: borrowed from the frame, or NULL. */
static PyObject *self_of(const struct mw_frame *f)
{
	PyObject *names = PyObject_GetAttrString((PyObject *)f->code, "co_varnames");
	PyObject *name = names && PyTuple_Check(names) && PyTuple_Size(names) > 0
	                         ? PyTuple_GetItem(names, 0)
	                         : NULL;
	const char *utf8 = name ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
	PyObject *self = utf8 ? mw_local(f->frame, utf8) : NULL;

	Py_XDECREF(names);
	Py_XDECREF(self);
	PyErr_Clear();
	return self;
}

static bool is_file_method(const char *name)
{
	static const char *const methods[] = {"read", "readinto", "readline",  "seek",
	                                      "tell", "peek",     "readinto1", "read1"};

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (!strcmp(methods[i], name))
			return true;
	return false;
}

/* The find_class of a subclass, which calls its parent's. */
static bool is_find_class(const struct mw_load *load, const struct mw_frame *f)
{
	return load->unpickler && !strcmp(mw_code_text(f->code, "co_name"), "find_class") &&
	       self_of(f) == load->unpickler;
}

/* The loader's own work: reading the load's own file, and the hooks that the program itself gave to
 * its unpickler. */
static bool is_loader(const struct mw_load *load, const struct mw_frame *root)
{
	const char *name = mw_code_text(root->code, "co_name");

	/* The stream chose the file and the hooks of a load that it started itself. */
	if (load->outer &&
	    !mw_is_allowed_file(load, mw_code_text(root->code, "co_filename"), load->imports.since))
		return false;
	if (is_file_method(name))
		return load->file && self_of(root) == load->file;
	if (!strcmp(name, "persistent_load")) {
		PyObject *hook =
		        load->unpickler ? PyObject_GetAttrString(load->unpickler, name) : NULL;
		PyObject *code = hook ? code_of(hook) : NULL;
		bool own = code == (PyObject *)root->code;

		Py_XDECREF(code);
		Py_XDECREF(hook);
		PyErr_Clear();
		return own;
	}
	return is_find_class(load, root);
}

/* Raised by the interpreter when it entered this very frame: the caller is the frame that was
 * running then, and the frame imports the module that was named. */
static bool was_announced(const struct mw_imports *imports, const void *caller,
                          PyFrameObject *frame)
{
	PyObject *name = mw_local(frame, "name");
	uint64_t hash = 0;
	bool found = false;

	if (name && PyUnicode_Check(name))
		hash = mw_name_hash(PyUnicode_AsUTF8AndSize(name, NULL));
	Py_XDECREF(name);
	PyErr_Clear();
	for (uint32_t k = 0; k < imports->count && !found; k++)
		found = imports->at[k].frame == caller && imports->at[k].name == hash;
	return found;
}

/* importlib.import_module() raises no event. What it hands down to import parents with is a
 * function of the import system itself; a forger has to hand down something else to gain anything.
 */
static bool imports_by_itself(PyFrameObject *frame)
{
	PyObject *function = mw_local(frame, "import_");
	bool own = function == gcd_import;

	Py_XDECREF(function);
	return own;
}

/* The frames of the import system that are proved to import: the outermost and the innermost one.
 * False when there is none. */
static bool proved_imports(const struct mw_imports *imports, const struct mw_walk *walk,
                           uint32_t *outer, uint32_t *inner)
{
	bool found = false;

	for (uint32_t i = walk->count; i-- > 0;) {
		const void *caller = i + 1 < walk->count ? walk->inside[i + 1].frame : walk->base;

		if (walk->inside[i].code != find_and_load ||
		    (!was_announced(imports, caller, walk->inside[i].frame) &&
		     !imports_by_itself(walk->inside[i].frame)))
			continue;
		if (!found)
			*outer = i;
		*inner = i;
		found = true;
	}
	return found;
}

static const struct mw_imports *imports_of(const struct mw_thread *thread)
{
	return thread->load ? &thread->load->imports : &thread->imports;
}

/* A code object says what it likes of its file (a bytecode file without its source keeps the name
 * it was compiled under): the loader that runs it knows the path. */
static bool is_loaded_from_its_file(const struct mw_frame *loader, PyCodeObject *body)
{
	PyObject *self = self_of(loader), *path = self ? mw_own_value(self, "path") : NULL;
	PyObject *archive = self && !path ? mw_own_value(self, "archive") : NULL;
	PyObject *known = path ? path : archive;
	const char *text =
	        known && PyUnicode_Check(known) ? PyUnicode_AsUTF8AndSize(known, NULL) : NULL;
	const char *file = mw_code_text(body, "co_filename");
	size_t len = text ? strlen(text) : 0;

	PyErr_Clear();
	return text && !strncmp(file, text, len) && file[len] == (archive ? '/' : '\0');
}

/* The innermost module body that the import system itself runs must be of a file that was there
 * before the load. Bodies further out that are not steer what happens in here, as a call would. */
static bool runs_allowed_body(const struct mw_thread *thread, const struct mw_walk *walk,
                              uint32_t at, uint32_t *facts)
{
	bool found = false;

	for (uint32_t i = 0; i + 2 <= at; i++) {
		if (walk->inside[i + 1].code != with_frames_removed ||
		    !contains(&machinery, walk->inside[i + 2].code) ||
		    contains(&machinery, walk->inside[i].code) ||
		    strcmp(mw_code_text(walk->inside[i].code, "co_name"), "<module>"))
			continue;
		if (contains(&extension, walk->inside[i + 2].code))
			continue;
		if (is_loaded_from_its_file(&walk->inside[i + 2], walk->inside[i].code) &&
		    mw_is_allowed_file(thread->load,
		                       mw_code_text(walk->inside[i].code, "co_filename"),
		                       imports_of(thread)->since))
			found = true;
		else if (found)
			*facts |= MW_FACT_CALLED;
		else
			return false;
	}
	return found;
}

static bool is_machinery_only(const struct mw_walk *walk, uint32_t from)
{
	for (uint32_t i = 0; i <= from; i++)
		if (!contains(&machinery, walk->inside[i].code))
			return false;
	return true;
}

static enum mw_cause import_cause(const struct mw_thread *thread, const struct mw_walk *walk,
                                  uint32_t outer, uint32_t inner, const char *target,
                                  uint32_t *facts)
{
	bool in_machinery = contains(&machinery, walk->inside[0].code);

	if (in_machinery && target && mw_is_bytecode_path(target))
		*facts |= MW_FACT_PYC;
	if (is_machinery_only(walk, inner))
		return MW_BY_MACHINERY;
	return runs_allowed_body(thread, walk, outer, facts) ? MW_BY_IMPORT : MW_BY_CALL;
}

/* Known makers of functions: what they compile is a template of their own, filled with names. */
bool mw_is_rebuilder(const struct mw_walk *walk)
{
	static const struct {
		const char *file, *function;
	} makers[] = {{"/collections/__init__.py", "namedtuple"},
	              {"/dataclasses.py", "_create_fn"},
	              {"/dataclasses.py", "_add_slots"},
	              {"/dataclasses.py", "add_fns_to_class"}, /* 3.13 */
	              {"/ast.py", "parse"}, /* makes a tree, which nobody can run */
	              {"/torch/fx/graph_module.py", NULL},
	              {"/torch/fx/_lazy_graph_module.py", NULL},
	              {"/cloudpickle/cloudpickle.py", NULL},
	              {"/dill/_dill.py", NULL}};

	for (size_t i = 0; walk->count && i < sizeof(makers) / sizeof(*makers); i++) {
		PyCodeObject *code = walk->inside[0].code;
		const char *file = mw_code_text(code, "co_filename");

		if (mw_ends_with(file, makers[i].file) && mw_shim->trusted(file) &&
		    (!makers[i].function ||
		     !strcmp(mw_code_text(code, "co_name"), makers[i].function)))
			return true;
	}
	return false;
}

static bool is_setstate(const struct mw_frame *root)
{
	return !strcmp(mw_code_text(root->code, "co_name"), "__setstate__");
}

enum mw_cause mw_cause(const struct mw_thread *thread, const struct mw_walk *walk,
                       const char *target, uint32_t *facts)
{
	const struct mw_load *load = thread->load;
	uint32_t own = walk->count; /* frames other than the unpickler's */
	const struct mw_frame *root;
	uint32_t outer = 0, inner = 0;

	while (own && contains(&unpickler, walk->inside[own - 1].code))
		own--;
	if (!walk->whole)
		return MW_BY_UNKNOWN;
	if (!own)
		return MW_BY_CALL;
	root = &walk->inside[own - 1];
	/* BUILD runs no global, so the last one has been called, or stands where this will call it.
	 */
	if (is_setstate(root) && load && load->pending)
		*facts |= MW_FACT_CALLED;
	if (proved_imports(imports_of(thread), walk, &outer, &inner))
		return import_cause(thread, walk, outer, inner, target, facts);
	if (load && is_loader(load, root))
		return MW_BY_LOADER;
	if (is_setstate(root) && mw_shim->trusted(mw_code_text(root->code, "co_filename")))
		*facts |= MW_FACT_SETSTATE;
	return MW_BY_CALL;
}

bool mw_imports_global(const struct mw_load *load, const struct mw_walk *walk)
{
	const struct mw_frame *root;
	uint32_t own = walk->count;

	while (own && (contains(&unpickler, walk->inside[own - 1].code) ||
	               is_find_class(load, &walk->inside[own - 1])))
		own--;
	if (!own)
		return false;
	root = &walk->inside[own - 1];
	return root->code == find_and_load &&
	       was_announced(&load->imports,
	                     own < walk->count ? walk->inside[own].frame : walk->base, root->frame);
}

/* The standard library's wrappers do what they are told: their caller is who acts. */
static bool is_wrapper(const char *file)
{
	return mw_ends_with(file, "/signal.py") || mw_ends_with(file, "/weakref.py");
}

bool mw_by_installed_code(const struct mw_walk *walk)
{
	for (uint32_t i = 0; i < walk->count; i++) {
		const char *file = mw_code_text(walk->inside[i].code, "co_filename");

		if (!is_wrapper(file))
			return mw_shim->trusted(file);
	}
	return false;
}
