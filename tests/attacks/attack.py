"""The files that hold the attacks. tests/README.md describes them."""
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLASSES = {"exec", "connect", "send", "listen", "write", "map", "read", "tamper",
           "code"}
NATIVE = "rawcall"  # attacks/native/: a module and a program
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

    @property
    def packages(self):
        """What it needs of `needs` that is not built here."""
        return [name for name in self.needs if name != NATIVE]

    @property
    def is_native(self):
        return NATIVE in self.needs

    def runs_on(self, version):
        first, last = (tuple(map(int, v.split("."))) for v in self.python)
        return first <= version <= last


def read(path):
    table = tomllib.loads(path.read_text())
    for key, name in (("class", "classes"), ("call", "calls"), ("at", "at")):
        if key in table:
            value = table.pop(key)
            table[name] = value if isinstance(value, list) else [value]
    attack = Attack(name=path.stem, **table)
    assert set(attack.classes) <= CLASSES and attack.marker in ("file", "connection", "none")
    assert set(attack.places) <= set(PLACES) and set(attack.then) <= CLASSES
    return attack


def read_all():
    return [read(path) for path in sorted(HERE.glob("*.toml"))]
