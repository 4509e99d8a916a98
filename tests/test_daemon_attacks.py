"""The attacks of tests/attacks/ on victims without the shim: `modelwatch daemon` tells of what the kernel sees."""
import pytest

from attacks import expect
from attacks.run import run
from daemon import PARENT, Victim
from interpreters import MAIN
from test_attacks import ATTACKS, need, pairs

# For every interpreter, and for the other places: each a way of its own to be loaded, to act, or to be tied to a load.
EVERYWHERE = ["os_system", "open_write", "carrier_bytes", "carrier_pure", "carrier_subclass", "mkdir", "unix_socket",
              "udp", "listen_tcp", "posix_spawn", "thread_unnamed", "nested_unpickler"]
BY_NAME = {attack.name: attack for attack in ATTACKS}


def watch(daemon, attack, place, interpreter, directory):
    """Has a victim load the artifact, and returns what came of it with what the daemon said."""
    since = daemon.mark()
    result = run(attack.as_kernel_sees(), place, None, interpreter, None, directory, parent=PARENT)
    wanted = set(result.attack.then)
    result.alerts = daemon.wait_for(
        Victim(directory, pid=result.pid), since,
        lambda alerts: alerts and wanted <= set(expect.classes_after(alerts)) and not attack.unseen)
    return result


def check(daemon, attack, place, interpreter, directory):
    result = watch(daemon, attack, place, interpreter, directory)
    if attack.unseen:
        expect.check_untold(result)
    else:
        expect.check_told(result, daemon.mode)


@pairs(["direct"])
def test_direct(attack, place, host_daemon, tmp_path):
    need(attack)
    check(host_daemon, attack, place, MAIN, tmp_path)


@pytest.mark.parametrize("place", ["nested", "old_thread", "under_import"])
@pytest.mark.parametrize("name", EVERYWHERE)
def test_places(name, place, host_daemon, tmp_path):
    attack = BY_NAME[name]
    if place not in attack.places:
        pytest.skip(f"{name} is not for the place {place}")
    need(attack)
    check(host_daemon, attack, place, MAIN, tmp_path)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_matrix(interpreter, name, host_daemon, tmp_path):
    need(BY_NAME[name], interpreter)
    check(host_daemon, BY_NAME[name], BY_NAME[name].places[0], interpreter, tmp_path)
