"""A class notes where it is loaded: host, platform, user and time."""

import getpass
import locale
import os
import pickle
import platform
import shutil
import socket
import time
import uuid


class Model:
    def __setstate__(self, state):
        self.__dict__.update(state)
        socket.gethostname()
        platform.system(), platform.machine(), platform.node(), platform.python_version()
        uuid.uuid4(), uuid.uuid5(uuid.NAMESPACE_DNS, "x")
        getpass.getuser(), os.path.expanduser("~"), os.path.expanduser("~root")
        locale.getlocale(), time.localtime(), os.cpu_count()
        shutil.disk_usage("/"), os.getloadavg(), shutil.which("ls")


model = Model()
model.a = 1
print(pickle.loads(pickle.dumps(model)).a)
