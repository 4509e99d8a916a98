"""Classes that read files of their own, settings and what the machine says while they are loaded."""

import json
import locale
import os
import pathlib
import pickle
import pwd
import ssl
import tempfile

os.chdir(tempfile.mkdtemp())
pathlib.Path("vocabulary.json").write_text(json.dumps(["a", "b"]))
os.symlink("vocabulary.json", "link.json")
os.mkfifo("pipe")


class Tokenizer:
    def __getstate__(self):
        return {"path": "link.json"}

    def __setstate__(self, state):
        self.words = json.loads(pathlib.Path(state["path"]).read_text())
        directory = os.open(".", os.O_RDONLY)
        fd = os.open("vocabulary.json", os.O_RDONLY, dir_fd=directory)
        self.size = len(os.read(fd, 100))
        os.close(fd)
        os.close(directory)
        reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
        writer = os.open("/proc/self/fd/%d" % reader, os.O_RDONLY | os.O_NONBLOCK)
        os.close(reader)
        os.close(writer)


class Machine:
    def __getstate__(self):
        return {"x": 1}

    def __setstate__(self, state):
        for name in ("/proc/self/maps", "/proc/self/status", "/proc/meminfo", "/etc/passwd",
                     "/dev/null", "/dev/urandom", "/proc/self/fd/0"):
            with open(name, "rb") as file:
                file.read(10)
        for name in ("~/.ssh/known_hosts", "~/.ssh/config", "~/.aws/config",
                     "~/.config/matplotlib/matplotlibrc", "~/.config/wandb/settings"):
            try:
                open(os.path.expanduser(name)).close()
            except OSError:
                pass
        pwd.getpwuid(0)
        ssl.create_default_context()
        locale.getlocale()


loaded = pickle.loads(pickle.dumps([Tokenizer(), Machine()]))
print(loaded[0].words, loaded[0].size, type(loaded[1]).__name__)
