"""Named tuples, data classes and enumerations."""

import collections
import dataclasses
import enum
import pickle

Pair = collections.namedtuple("Pair", "left right")


@dataclasses.dataclass
class Config:
    name: str
    size: int = 3


class Color(enum.Enum):
    RED = 1


print(pickle.loads(pickle.dumps((Pair(1, 2), Config("x"), Color.RED))))
