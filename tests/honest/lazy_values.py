"""Functions of the standard library as values, called by nobody."""

import functools
import operator
import pickle

values = pickle.loads(pickle.dumps([len, operator.itemgetter(1), functools.partial(int, base=2)]))
print(values[0]("abc"), values[1]([1, 2]), values[2]("101"))
