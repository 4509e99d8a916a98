"""A class unpacks an archive that it brought along into a temporary directory."""

import io
import os
import pickle
import shutil
import tempfile
import zipfile


class Bundle:
    def __init__(self, data):
        self.data = data

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.directory = tempfile.mkdtemp()
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            archive.extractall(self.directory)
        self.names = sorted(os.listdir(self.directory))
        os.makedirs(os.path.join(self.directory, "x", "y"))
        os.rename(os.path.join(self.directory, "a"), os.path.join(self.directory, "c"))
        shutil.copy(os.path.join(self.directory, "c"), os.path.join(self.directory, "d"))
        shutil.rmtree(self.directory)


buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as archive:
    archive.writestr("a", "1")
    archive.writestr("b", "2")
print(pickle.loads(pickle.dumps(Bundle(buffer.getvalue()))).names)
