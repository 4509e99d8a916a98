"""Nothing is lost between a load and the receivers, whoever is killed: tests/sinks_end_to_end.py, which
`make soak-sinks` runs with 10,000 alerts."""
import os

import pytest

from receivers import RSYSLOGD, drive_program  # noqa: F401
from sinks_end_to_end import go

ALERTS, SERVER_KILLS, KILLS = 1000, 5, 8


@pytest.mark.skipif(not os.access(RSYSLOGD, os.X_OK), reason="needs rsyslog: tests/setup.sh")
def test_all_arrive(drive_program, tmp_path):  # noqa: F811
    assert go(tmp_path, ALERTS, SERVER_KILLS, KILLS) == []
