"""Loads that fail for reasons of their own."""

import io
import pickle


class Fails:
    def __setstate__(self, state):
        raise KeyError("own reason")

    def __getstate__(self):
        return {"x": 1}


streams = [pickle.dumps([1, 2, 3])[:-3], b"", b"\x80\x09.", pickle.dumps(Fails()),
           b"cno_such_module\nx\n.", b"cos\nno_such_name\n."]
for stream in streams:
    for load in (pickle.loads, lambda s: pickle.load(io.BytesIO(s)),
                 lambda s: pickle._Unpickler(io.BytesIO(s)).load()):
        try:
            load(stream)
        except Exception as error:
            print(type(error).__name__, end=" ")
print()
