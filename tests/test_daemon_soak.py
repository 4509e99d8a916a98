"""Half a minute of everything at once, with no alert: tests/daemon_soak.py, which `make soak-daemon` runs for longer."""
import os

from daemon_soak import soak

SECONDS = float(os.environ.get("MODELWATCH_SOAK_SECONDS", 30))


def test_soak(host_daemon, observing_daemon):
    assert soak(SECONDS, [host_daemon, observing_daemon]) == []
