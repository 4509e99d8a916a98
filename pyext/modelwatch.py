"""What a program that loads models may want to know of modelwatch.

Importable with or without modelwatch running: under it, `status()` says what is live.
"""


class UnsafeLoadError(Exception):
    """A load was stopped because the model file tried to do more than hold data.

    The one argument is a sentence: what was tried, by which call in which file, and the alert's id.
    """

    __module__ = "modelwatch"


def status():
    """What of modelwatch is live in this interpreter; all False when it does not run."""
    return {"shim": False, "audit": False, "unpickler": "not watched", "version": None}
