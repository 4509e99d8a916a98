"""Scripted models, which `torch::jit::Unpickler` reads: `modelwatch daemon` tells of what their own code does in the load.
`modelwatch run` has no sensor in libtorch, so this is no attack of tests/attacks/."""
import subprocess
import zipfile

import pytest

from attacks import stream
from daemon import PARENT, PATIENCE, Victim
from interpreters import MAIN

CODE = """class Written(Module):
  __parameters__ = []
  __buffers__ = []
  def __getstate__(self: __torch__.Written) -> str:
    return ""
  def __setstate__(self: __torch__.Written,
    state: str) -> NoneType:
    torch.save(state, state)
    return None
"""
WAYS = {
    "path": ("torch.jit.load", "torch.jit.load(path)"),
    "bytes": ("torch.jit.load", "torch.jit.load(io.BytesIO(file.read()))"),
    "script_module": ("torch.jit.load", "torch._C.import_ir_module(torch._C.CompilationUnit(), path, None, {}, False)"),
    "torch_load": ("torch.load", "torch.load(path, weights_only=False)"),
    "thread": ("torch.jit.load", "[t := threading.Thread(target=torch.jit.load, args=[path]), t.start(), t.join()]"),
}
VICTIM = """
import io, sys, threading
torch = __import__("torch")
path = sys.argv[1]
with open(path, "rb") as file:
    {}
"""


def write_model(path, marker):
    payload = stream.assemble(stream.build(stream.new("__torch__.Written"), str(marker)), 2)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", payload)
        archive.writestr("model/code/__torch__.py", CODE)
        archive.writestr("model/constants.pkl", stream.assemble((), 2))
        archive.writestr("model/version", "3\n")
    return stream.locate(payload, "call -1")


@pytest.mark.parametrize("way", WAYS)
def test_setstate(way, host_daemon, tmp_path):
    pytest.importorskip("torch")
    entry, statement = WAYS[way]
    path, marker = tmp_path / "model.pt", tmp_path / "marker"
    offset = write_model(path, marker)
    since = host_daemon.mark()
    process = subprocess.Popen([*PARENT, *MAIN.argv, "-W", "ignore", "-c", VICTIM.format(statement), path])
    assert process.wait(PATIENCE) == 0 and marker.exists()
    alerts = host_daemon.wait_for(Victim(tmp_path, pid=process.pid), since)
    assert len(alerts) == 1, [alert["title"] for alert in alerts]
    effect, load = alerts[0]["effect"], alerts[0]["load"]
    assert (effect["class"], effect["detail"]["path"]) == ("write", str(marker))
    assert (alerts[0]["outcome"], load["entry"], load["artifact"]["path"]) == ("observed", entry, str(path))
    assert load["call"] in ("__torch__.Written", "__torch__.Written().__setstate__")
    span = load["offset_range"] or [load["offset"]] * 2
    assert span[0] <= offset <= span[1], f"{span} is without {offset}"
