"""An installed class that unpacks itself into a temporary file."""

import pickle
import tempfile

stream = pickle.dumps(("spool", b"x" * 10))
name, data = pickle.loads(stream)
with tempfile.NamedTemporaryFile() as file:
    file.write(data)
print(name, len(data))
