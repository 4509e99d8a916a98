"""A class that starts a thread when it is loaded, which imports what it needs."""
import pickle
import threading


class A:
    def __init__(self):
        self.x = 1

    def __setstate__(self, s):
        self.__dict__.update(s)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


def work():
    import csv
    import decimal
    import email.message
    import sqlite3
    import xml.dom.minidom

    print(decimal.Decimal(1) + 1, csv.__name__, sqlite3.sqlite_version_info > (1,))


print(vars(pickle.loads(pickle.dumps(A()))))
