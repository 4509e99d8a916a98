"""Every attack of tests/attacks/: stopped and explained in deny, let through and told in observe."""

import json
import pathlib
import socket
import sys
import threading

import pytest

from attacks.build import Scene, attacks, dumps, glob
from conftest import run, version_of

VICTIM = str(pathlib.Path(__file__).parent / "attacks" / "load.py")
ATTACKS = attacks()
BY_NAME = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
PLACES = ["old_thread", "nested"]


class Listener:
    """Counts connections to a port of its own on the loopback interface."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.count = 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            peer.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@pytest.fixture
def scene(tmp_path):
    listener = Listener()
    scene = Scene(tmp_path, listener.port)
    scene.listener = listener
    yield scene
    scene.close()
    listener.close()


def happened(attack, scene):
    """Did the attack leave its mark? None when it leaves none."""
    if attack.marker == "file":
        return scene.marker.exists() or scene.marker.is_symlink()
    if attack.marker == "connection":
        return scene.listener.count > 0
    if attack.marker == "tree":
        return not (scene.tmp / "tree").exists()
    return None


def placed(attack, scene, place, stream):
    """The stream as it stands in the artifact."""
    if place == "nested":
        return b"\x80\x04" + glob("pickle", "loads") + b"B" + len(stream).to_bytes(
            4, "little"
        ) + stream + b"\x85R."
    if place == "under_import":
        code = attack.code.format(marker=str(scene.marker), port=scene.port)
        (scene.tmp / "beside_the_model.py").write_text(code + "\n")
        return b"\x80\x04" + glob("importlib", "import_module") + dumps(
            "beside_the_model"
        ) + b"\x85R."
    return stream


def perform(attack, scene, mode, place="direct", python=sys.executable):
    stream = attack.stream(scene)
    artifact = scene.tmp / "model.pkl"
    artifact.write_bytes(placed(attack, scene, place, stream))
    result = run([python, VICTIM, place, str(artifact)], scene.tmp / "alerts", mode)
    return stream, artifact, result


def check_stopped(attack, scene, result, artifact):
    assert happened(attack, scene) is not True
    assert len(result.alerts) == attack.alerts, result.stderr
    chain = json.loads(result.stdout.splitlines()[0])
    assert "modelwatch.UnsafeLoadError" in chain
    for alert in result.alerts:
        assert alert["outcome"] == "prevented" and alert["verdict"] == "deny"
        assert alert["load"]["artifact"]["path"] == str(artifact)
        assert alert["id"] in result.stderr


def check_explained(attack, stream, alert):
    load = alert["load"]
    assert alert["effect"]["class"] == attack.effect
    if not attack.loose_call:
        assert load["call"].split("(")[0] == attack.call.split("(")[0]
    if attack.loose_offset:
        return
    first, last = load.get("offset_range") or (load["offset"], load["offset"])
    assert first <= attack.offset(stream) <= last


@BY_NAME
def test_denied(attack, scene):
    stream, artifact, result = perform(attack, scene, "deny")
    check_stopped(attack, scene, result, artifact)
    check_explained(attack, stream, result.alerts[0])


@BY_NAME
def test_observed(attack, scene):
    _, _, result = perform(attack, scene, "observe")
    assert happened(attack, scene) is not False
    assert result.alerts, result.stderr
    assert all(alert["outcome"] == "observed" for alert in result.alerts)
    assert attack.effect in [alert["effect"]["class"] for alert in result.alerts]


@BY_NAME
@pytest.mark.parametrize("place", PLACES)
def test_denied_from(attack, place, scene):
    _, artifact, result = perform(attack, scene, "deny", place)
    check_stopped(attack, scene, result, artifact)
    assert result.alerts[0]["effect"]["class"] == attack.effect


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.code], ids=lambda attack: attack.name)
def test_denied_under_an_import(attack, scene):
    """A module beside the model, whose body acts while the import system runs it."""
    _, artifact, result = perform(attack, scene, "deny", "under_import")
    check_stopped(attack, scene, result, artifact)
    assert result.alerts[0]["effect"]["class"] == attack.effect


def test_import_of_nothing_is_quiet(scene):
    """The import of a module beside the model is no effect; what its body does is."""
    (scene.tmp / "beside_the_model.py").write_text("x = 1\n")
    artifact = scene.tmp / "model.pkl"
    artifact.write_bytes(
        b"\x80\x04" + glob("importlib", "import_module") + dumps("beside_the_model") + b"\x85R."
    )
    result = run(
        [sys.executable, VICTIM, "under_import", str(artifact)], scene.tmp / "alerts", "deny"
    )
    assert not result.alerts and json.loads(result.stdout) == []


@BY_NAME
def test_matrix(python, attack, scene):
    if not attack.fits(version_of(python)):
        pytest.skip(f"{attack.call} is not in this Python")
    _, artifact, result = perform(attack, scene, "deny", python=python)
    check_stopped(attack, scene, result, artifact)
    assert result.alerts[0]["effect"]["class"] == attack.effect
