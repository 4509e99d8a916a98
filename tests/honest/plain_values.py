"""Builtin values of every kind, in every protocol."""

import datetime
import decimal
import pathlib
import pickle
import uuid
from collections import Counter, OrderedDict, defaultdict

values = [
    {"a": 1, "b": [1, 2.5, None, True]},
    (b"bytes", bytearray(b"x"), {1, 2}, frozenset([3]), 10**40, 1j, range(3), slice(1, 2)),
    OrderedDict(a=1),
    Counter("aab"),
    defaultdict(list, x=[1]),
    datetime.datetime(2020, 1, 1),
    decimal.Decimal("1.5"),
    pathlib.PurePosixPath("/x/y"),
    uuid.UUID(int=7),
]
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    assert pickle.loads(pickle.dumps(values, protocol)) == values
print("ok", len(values))
