"""Nothing is lost between a load and the receivers, whoever is killed or not there: tests/sinks_end_to_end.py, which
`make soak-sinks` runs with 10,000 alerts."""
import os

import pytest

from receivers import RSYSLOGD, drive_program  # noqa: F401
from sinks_end_to_end import FAKETIME, go, hour

ALERTS, SERVER_KILLS, KILLS = 700, 4, 9
pytestmark = pytest.mark.skipif(not os.access(RSYSLOGD, os.X_OK), reason="needs rsyslog: tests/setup.sh")


def test_all_arrive(drive_program, tmp_path):  # noqa: F811
    assert go(tmp_path, ALERTS, SERVER_KILLS, KILLS) == []


@pytest.mark.skipif(not FAKETIME, reason="needs faketime: tests/setup.sh")
def test_those_that_were_down_for_an_hour_get_all(drive_program, tmp_path):  # noqa: F811
    assert hour(tmp_path, 30) == []
