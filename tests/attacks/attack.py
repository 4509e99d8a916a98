"""The files that hold the attacks. tests/README.md describes them."""
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLASSES = {"exec", "connect", "send", "listen", "write", "map", "read", "tamper",
           "code"}
NATIVE = "rawcall"  # attacks/native/: a module and a program
# Why `modelwatch daemon`, without the shim, says nothing about an attack.
UNSEEN = {
    "inside": "no system call: what is made, fetched or changed is in the process's own memory",
    "fails": "its system call fails, and what has not happened is no effect of this kind",
    "itself": "changes nothing but the process itself, by a call that is not looked at",
    "later": "acts after the load, or in a thread that was there before it: nothing ties it to the load",
    "local": "the name is in this machine's own list: nobody is asked",
    "birth": "starts a task that does nothing; what it did would be seen",
    "unheard": "nothing tells that a load has begun: the unpickler is one that says nothing of what it does",
    "shim": "is about the shim, which is not there",
}
PLACES = ["direct", "under_import", "old_thread", "nested"]


@dataclass
class Attack:
    """One file of this directory, with the defaults filled in."""
    name: str
    doc: str
    payload: str
    classes: list
    calls: list = field(default_factory=list)
    at: list = field(default_factory=lambda: ["call -1"])
    marker: str = "file"
    carrier: str = "pickle"
    places: list = field(default_factory=lambda: list(PLACES))
    needs: list = field(default_factory=list)
    files: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    before: str = ""
    after: str = ""
    probe: str = ""
    protocol: int = 4
    python: list = field(default_factory=lambda: ["3.9", "3.99"])
    path: bool = True
    one_effect: bool = False
    inner: bool = False
    alerts: int = 1
    sensor: str = ""
    then: list = field(default_factory=list)
    inexact: bool = False  # a range around the byte will do
    kernel: dict = field(default_factory=dict)  # what differs where only the kernel is asked

    @property
    def packages(self):
        """What it needs of `needs` that is not built here."""
        return [name for name in self.needs if name != NATIVE]

    @property
    def is_native(self):
        return NATIVE in self.needs

    @property
    def unseen(self):
        """The reason, of UNSEEN, why the kernel shows nothing of it; or None."""
        return self.kernel.get("unseen")

    def as_kernel_sees(self):
        """The same attack, with what the daemon has to say about it."""
        differs = {key: value for key, value in self.kernel.items() if key != "unseen"}
        return replace(self, inexact="at" in differs, **differs)

    def runs_on(self, version):
        first, last = (tuple(map(int, v.split("."))) for v in self.python)
        return first <= version <= last


def as_lists(table):
    for key, name in (("class", "classes"), ("call", "calls"), ("at", "at")):
        if key in table:
            value = table.pop(key)
            table[name] = value if isinstance(value, list) else [value]
    return table


def read(path):
    table = as_lists(tomllib.loads(path.read_text()))
    table["kernel"] = as_lists(table.get("kernel", {}))
    attack = Attack(name=path.stem, **table)
    assert set(attack.kernel) <= {"classes", "calls", "at", "then", "path", "unseen"}
    assert set(attack.classes + attack.kernel.get("classes", [])) <= CLASSES
    assert attack.marker in ("file", "connection", "none")
    assert set(attack.places) <= set(PLACES) and set(attack.then) <= CLASSES
    assert attack.unseen is None or attack.unseen in UNSEEN
    return attack


def read_all():
    return [read(path) for path in sorted(HERE.glob("*.toml"))]
