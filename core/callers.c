#include "callers.h"

#include <stddef.h>
#include <string.h>

#include "paths.h"

static const struct mw_caller callers[] = {
        {"/torch/serialization.py", "load", "f", "torch.load"},
        {"/torch/package/package_importer.py", "load_pickle", NULL, "torch.package"},
        {"/joblib/numpy_pickle.py", "load", "filename", "joblib.load"},
        {"/numpy/lib/npyio.py", "load", "file", "numpy.load"},
        {"/numpy/lib/_npyio_impl.py", "load", "file", "numpy.load"},
        {"/pandas/io/pickle.py", "read_pickle", "filepath_or_buffer", "pandas.read_pickle"},
        {"/dill/_dill.py", "load", "file", "dill.load"},
        {"/dill/_dill.py", "loads", NULL, "dill.loads"},
        {"/shelve.py", "__getitem__", NULL, "shelve.Shelf"},
        {"/multiprocessing/connection.py", "recv", NULL, "multiprocessing.Connection.recv"},
        {"/multiprocessing/queues.py", "get", NULL, "multiprocessing.Queue.get"},
        {"/multiprocessing/spawn.py", "_main", NULL, "multiprocessing.spawn"},
        {"/loky/backend/queues.py", "get", NULL, "loky.Queue.get"},
};

const struct mw_caller *mw_caller_find(const char *path, const char *function)
{
	for (size_t i = 0; i < sizeof(callers) / sizeof(*callers); i++)
		if (mw_ends_with(path, callers[i].file) && !strcmp(function, callers[i].function))
			return &callers[i];
	return NULL;
}
