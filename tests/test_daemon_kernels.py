"""`modelwatch daemon` on other kernels than this machine's, each in a machine that QEMU emulates: it loads what it needs,
tells of attacks or keeps them from happening, and honest programs lose nothing. What loads where is decided by trial, so
it is looked at here."""
import json
import os
import re
import shutil

import pytest

from conftest import ROOT
from kernels import instructions, machine
from kernels.instructions import series
from kernels.programs import of_process

# By which rung each hook is there on the kernels that are known; on others it is not looked at. The first is for all.
SAME = {"entry": "uprobe", "fork": "tp_btf", "exit": "tp_btf", "connect": "cgroup", "send": "cgroup", "bind": "cgroup",
        "socket": "cgroup", "listen": "tp_btf", "signal": "tp_btf", "uring": "tp_btf", "lsm": "lsm"}
# 6.1 has no sched_prepare_exec, and Debian's is built without fprobes: no kprobe.multi.
RUNGS = {"6.1": SAME | {"exec": "fentry", "syscall": "tp_btf"}, "6.12": SAME | {"exec": "tp_btf", "syscall": "kprobe"}}
# All by which the kernel asks a program that refuses: of LSM programs and of those of control groups.
HOOKS = set(re.findall(r'SEC\("\??lsm/(\w+)"\)', (ROOT / "ebpf/lsm.h").read_text())
            + re.findall(r'SEC\("\??(cgroup/\w+)"\)', (ROOT / "ebpf/network.h").read_text()))
# Of the kernel's side.
GUARDED, GUARDED_TOLD = 30, 29  # of kernels/guard.py: of a signal that a file sends nobody tells
LOSSES = ["ring_full", "no_scratch", "map_full", "broken"]
# Seconds, at most, until all know. Outside of a machine that another one emulates they are milliseconds for a command,
# and up to the one at which the daemon looks for the file.
MODES = {"daemon mode observe": 3, "daemon mode deny": 3, "the file is there": 3, "it has gone": 3}
KERNELS = machine.kernels() or [None]


def rungs(status):
    return {hook["name"]: hook["how"] for hook in status["hooks"]}


def problems(said, kernel):
    """Everything that is not as it should be, a text each."""
    by_name = {result["name"]: result for result in said if result["kind"] == "daemon"}
    found = [json.dumps(result) for result in said if result.get("error")]
    if not any(result["kind"] == "end" for result in said):
        found.append("the machine did not come to its end")
    for variant in ("best", "tracepoints"):
        status = by_name.get(variant, {}).get("status")
        if not status:
            found.append(f"{variant}: no status")
            continue
        expected = RUNGS.get(series(kernel.name), {})
        if expected and variant == "tracepoints":
            expected = expected | {"syscall": "tp_btf", "lsm": "off"}
        found += [f"{variant}: {name} is {rungs(status)[name]}, not {how}" for name, how in expected.items()
                  if rungs(status)[name] != how]
        found += [f"{variant}: lost {status['losses'][kind]} by {kind}" for kind in LOSSES if status["losses"][kind]]
    return found


def refusal_problems(said):
    """The same of the calls that the kernel asks programs about: whoever is in no load makes each of them, and it shows;
    of a load each is refused, does not show, and is told."""
    result = next((result for result in said if result["kind"] == "calls"), None)
    if not result or "calls" not in result:
        return ["no system call was looked at"]
    found = [f"{call}: nobody refuses it" for call in result["own"] if call["errno"] or not call["shows"]]
    found += [f"{alert}: no load has done it" for alert in result["ours"]]
    found += [f"{call}: it is not refused" for call in result["calls"] if call["errno"] != "EPERM" or call["shows"]]
    found += [f"{alert}: it is not prevented" for alert in result["others"]]
    asked = {call["asked"] for call in result["calls"]}
    if asked != HOOKS:
        found.append(f"by one list only: {sorted(asked ^ HOOKS)}")
    if not len(result["own"]) == len(result["calls"]) == len(result["prevented"]):  # one alert each
        found.append(f"{len(result['own'])} and {len(result['calls'])} calls, as prevented are told {result['prevented']}")
    return found


def mode_problems(said):
    """What of refusing takes too long to begin or to end; what it took is printed."""
    took = next((result.get("took", {}) for result in said if result["name"] == "seconds"), {})
    print("\nuntil it is refused, or not:", ", ".join(f"{what}: {seconds} s" for what, seconds in took.items()))
    return [f"{what}: {took.get(what)} s" for what, most in MODES.items() if not 0 <= took.get(what, most + 1) <= most]


def programs(said):
    return next((result["programs"] for result in said if result["kind"] == "programs"), {})


def test_instructions_of_this_kernel(daemons):
    """Of what loads here."""
    here = series(os.uname().release)
    if here not in {kernel for _, kernel in instructions.read()}:
        pytest.skip(f"nobody has measured what the programs are on {here}: `make instructions` does")
    found = {name: program._asdict() for name, program in of_process(daemons().pid).items()}
    assert "entry" in found
    grown = instructions.grown(here, found)
    assert not grown, "\n".join(grown)


def guard_problems(said):
    """The same of what nobody may touch who is watched, where the policy allows it. Of memory another error is usual; what
    a program is called for does not fail itself; and the sender of a signal is not asked."""
    result = next((result for result in said if result["kind"] == "guard"), None)
    if not result or "calls" not in result:
        return ["nobody has touched the daemon"]
    errors = {"mem": "EACCES", "sigio": 0, "child: kill": 0, "child: switch": 0}
    found = [f"{call}: it is not refused" for call in result["calls"]
             if call["errno"] != errors.get(call["call"], "EPERM") or call["shows"]]
    if len(result["calls"]) != GUARDED:
        found.append(f"{len(result['calls'])} calls")
    if len(result.get("prevented", [])) != GUARDED_TOLD:
        found.append(f"as prevented are told {result.get('prevented')}; {result['error']}")
    return found


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name if kernel else "none")
def test_kernel(kernel, tmp_path):
    reason = machine.lacking()
    if reason:
        pytest.skip(reason)
    said = machine.boot(kernel, tmp_path)
    console = (tmp_path / "console").read_text(errors="replace")
    counts = {kind: sum(result["kind"] == kind for result in said) for kind in ("attack", "honest")}
    found = problems(said, kernel) + refusal_problems(said) + guard_problems(said) + mode_problems(said)
    found += instructions.grown(series(kernel.name), programs(said))
    assert not found, "\n".join([*found, console[-4000:]])
    assert counts["attack"] >= 35 and counts["honest"] >= 10, counts
    shutil.rmtree(tmp_path)
