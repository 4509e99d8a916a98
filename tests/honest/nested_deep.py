"""Loads nested a hundred deep."""

import pickle

stream = pickle.dumps("core")
for _ in range(100):
    stream = b"\x80\x04\x8c\x07_pickle\x8c\x05loads\x93B" + len(stream).to_bytes(4, "little") + stream + b"\x85R."
print(pickle.loads(stream))
