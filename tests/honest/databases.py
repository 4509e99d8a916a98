"""shelve, and values in a database."""

import os
import pickle
import shelve
import sqlite3
import tempfile

os.chdir(tempfile.mkdtemp())
with shelve.open("shelf") as shelf:
    shelf["x"] = {"y": (1, 2)}
with shelve.open("shelf") as shelf:
    print(shelf["x"])
db = sqlite3.connect("db")
db.execute("create table t (v blob)")
db.execute("insert into t values (?)", (pickle.dumps([1, 2]),))
print(pickle.loads(db.execute("select v from t").fetchone()[0]))
