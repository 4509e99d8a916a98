"""What is refused stays refused when the daemon is killed, and while one follows another; and it is taken away whole. What
goes over IP can be refused on any kernel, so that is what these attacks do; kernels/guest.py has the rest."""
import collections
import random
import re
import socket
import time

import pytest

from conftest import PROGRAM
from daemon import PATIENCE, START, Victim, until
from pinned import ATTACK, BARE, LEAVES, SLOW, Coming, Place, changed, hierarchy, job, lacking, programs_of, programs_there

KILLS = 20
LONGEST = 5000  # ms that a refused connection may take on a busy machine; one that hangs takes for ever


@pytest.fixture
def place(tmp_path):
    reason = lacking()
    if reason:
        pytest.skip(reason)
    with Place(tmp_path) as there:
        yield there


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server.getsockname()[1]


def layout(place):
    """As the name of the newest folder has it."""
    return place.pinned()[-1].split("-")[1]


def losses(daemon):
    found = collections.Counter()
    for record in daemon.records():
        if record["schema"].startswith("modelwatch.loss/"):
            found[record["kind"]] += record["count"]
    return found


def told(daemon, pid):
    """How many connections of the process alerts say were prevented, with those that they stand for."""
    alerts = [alert for alert in daemon.alerts_of(Victim(daemon.directory / "none", pid=pid))
              if alert["effect"]["class"] == "connect"]
    assert {alert["outcome"] for alert in alerts} <= {"prevented"}
    return len(alerts)


def refused_all(counts):
    assert set(counts) == {"refused", "longest"} and counts["longest"] < LONGEST, counts
    return counts["refused"]


def test_it_outlives_daemons_that_are_killed_at_any_time(place, port):
    """Also while they start: nothing that the job does goes through, nothing hangs, all is told."""
    began = time.monotonic()
    daemon = Coming(place).start()
    takes = time.monotonic() - began
    with job(place.group, ATTACK, port) as attack:
        attack.says("refused")
        for _ in range(KILLS):
            daemon.kill()
            daemon.launch()
            time.sleep(random.uniform(0, 1.2 * takes))
        daemon.kill()
        assert place.pinned()
        daemon.start()
        number = refused_all(attack.count())
        daemon.settle()
        assert len(place.pinned()) == 1
        assert told(daemon, attack.process.pid) + losses(daemon)["unattended"] >= number
    assert daemon.stop() == 0
    assert place.pinned() == []


def test_a_load_that_is_open_is_known_to_the_next_one(place, port):
    """Whether the daemon before was killed, was told to leave, or goes on until the next one has come."""
    daemon = Coming(place).start()
    for end in (daemon.kill, daemon.leave):
        with job(place.group, SLOW, port) as slow:
            slow.says("begins")
            daemon.settle()
            end()
            daemon.start()
            assert len(place.pinned()) == 1
            assert slow.end() == "refused"
            assert daemon.wait_for(Victim(place.directory / "none", pid=slow.process.pid))
    daemon.stop()


def test_another_version_takes_over(place, port, tmp_path):
    daemon = Coming(place).start()
    version = daemon.status()["version"]
    newer = changed(PROGRAM, tmp_path / "newer", {version: version[:-1] + "9"})
    before = layout(place)
    other = changed(newer, tmp_path / "other", {before: "0123456789ab"})
    with job(place.group, ATTACK, port) as attack:
        attack.says("refused")
        for program in (newer, other):
            daemon.leave()
            daemon.program = program
            daemon.start()
            assert daemon.status()["version"] == version[:-1] + "9"
        assert sorted(name.split("-")[1] for name in place.pinned()) == sorted([before, "0123456789ab"])
        until(lambda: len(place.pinned()) == 1, PATIENCE, "what has other maps stays", daemon)
        refused_all(attack.count())
    daemon.stop()


def test_what_was_refused_by_programs_of_another_kind_is_told_as_lost(place, port, tmp_path):
    daemon = Coming(place).start()
    other = changed(PROGRAM, tmp_path / "other", {layout(place): "0123456789ab"})
    daemon.kill()
    with job(place.group, ATTACK, port) as attack:
        attack.says("refused")
        time.sleep(0.2)
        refused_all(attack.count())
    daemon.program, daemon.mode = other, "observe"
    daemon.start()
    until(lambda: losses(daemon)["unattended"], PATIENCE, "it is not told", daemon)
    daemon.stop()


@pytest.mark.parametrize("how", ["release", "switch", "mode"])
def test_what_was_left_is_lifted(how, place, port):
    """By the command, by a daemon that must refuse nothing, and by one that is told so; nothing of it is left."""
    daemon = Coming(place).start()
    loaded = programs_of(daemon.pid)
    assert loaded and loaded <= programs_there()
    daemon.kill()
    with job(place.group, ATTACK, port) as attack:
        attack.says("refused")
        if how == "release":
            done = place.release()
            assert (done.returncode, place.pinned()) == (0, []), done.stderr
        elif how == "switch":
            assert place.run("sh", "-c", "mount -t tmpfs none /etc/modelwatch && touch /etc/modelwatch/observe-only").returncode == 0
            daemon.launch()
            until(lambda: not place.pinned(), 1.5, "it is still pinned", daemon)
        else:
            daemon.start()
            assert place.run(PROGRAM, "daemon", "mode", f"--socket={daemon.socket}", "observe").returncode == 0
            assert place.pinned() == []
        until(lambda: not loaded & programs_there(), PATIENCE, "programs are left in the kernel", daemon)
        attack.says("connected")
    if how != "release":
        until(daemon.is_ready, START, "the daemon is not ready", daemon)
        daemon.stop()


def test_nobody_else_is_refused_anything(place, port):
    """Who is in none of the control groups."""
    daemon = Coming(place).start()
    for group, comes in (hierarchy(), "connected"), (place.group, "refused"):
        with job(group, ATTACK, port) as attack:
            attack.says(comes)
            assert set(attack.count()) == {comes, "longest"}
    daemon.stop()


def test_who_leaves_the_group_is_refused_as_before(place, port):
    daemon = Coming(place).start()
    with job(place.group, LEAVES, port) as attack:
        assert attack.end() == "refused refused True"
    daemon.stop()


def test_a_group_that_is_not_there_keeps_it_from_starting(place):
    with pytest.raises(AssertionError, match="nowhere: No such file"):
        Coming(place, refusing="/nowhere").start()


def test_a_daemon_that_runs_is_not_released(place):
    daemon = Coming(place).start()
    done = place.release()
    assert done.returncode == 125 and f"process {daemon.pid}" in done.stderr and place.pinned()
    daemon.stop()


def test_a_storm_ends_what_stays(place, port):
    daemon = Coming(place, storm=20).start()
    with job(place.group, ATTACK, port) as attack:
        attack.says("refused")
        until(lambda: not place.pinned(), PATIENCE, "it is pinned after a storm", daemon)
        daemon.kill()
        attack.says("connected")


@pytest.mark.parametrize("outlives, number, stays", [("nothing", 9, False), ("stop", 15, True)])
def test_how_long_it_stays_is_said(outlives, number, stays, place):
    daemon = Coming(place, refusing=f", outlives: {outlives}").start()
    daemon.signal(number)
    daemon.process.wait(START)
    assert bool(place.pinned()) == stays


def test_without_bpffs_that_is_said(tmp_path):
    if lacking():
        pytest.skip(lacking())
    with Place(tmp_path, BARE) as place:
        daemon = Coming(place).start()
        assert re.search("what is refused ends with the daemon, .*: there is no bpffs at /sys/fs/bpf", daemon.said())
        assert daemon.stop() == 0


def test_folders_of_others_are_not_used(place):
    """Whoever may make it can take away what is in it, and have somebody else's files taken away."""
    kept = place.directory / "kept/1-x/file"
    kept.parent.mkdir(parents=True)
    kept.touch()
    for made in ("mkdir /sys/fs/bpf/modelwatch && chown 1 /sys/fs/bpf/modelwatch",
                 f"rmdir /sys/fs/bpf/modelwatch && ln -s {kept.parent.parent} /sys/fs/bpf/modelwatch"):
        assert place.run("sh", "-c", made).returncode == 0
        daemon = Coming(place).start()
        assert "what is refused ends with the daemon" in daemon.said()
        assert daemon.stop() == 0 and place.release().returncode == 0
        assert kept.exists()
        daemon.log.unlink()
