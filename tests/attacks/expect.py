"""What must be so after an attack on a watched victim."""
import json


def check_alert(result, alert):
    assert alert["mode"] == result.mode
    assert alert["verdict"] == result.mode, describe(alert)
    assert alert["outcome"] == ("prevented" if result.mode == "deny" else "observed")
    if result.attack.sensor:
        assert alert["sensor"] == result.attack.sensor and alert["evasion"], describe(alert)
    check_effect(result, alert)


def check_effect(result, alert):
    """What was done, by what of which artifact."""
    artifact, load = result.artifact, alert["load"]
    assert alert["effect"]["class"] in artifact.classes, describe(alert)
    if result.attack.path:
        assert load["artifact"]["path"] == str(artifact.path), describe(alert)
    check_call(artifact, load)
    check_offset(artifact, load)


def check_call(artifact, load):
    """The call as the stream names it, or with its arguments shown behind the name."""
    if artifact.calls:
        name = (load["call"] or "").split("(")[0]
        assert name in artifact.calls, f"call is {load['call']!r}, not {artifact.calls}"


def check_offset(artifact, load):
    offset, span = load.get("offset"), load.get("offset_range")
    if not artifact.offsets:
        return
    expected = sorted(artifact.offsets)
    if offset is not None:
        assert offset in artifact.offsets, f"offset is {offset}, not {expected}"
        return
    assert span, f"neither offset nor offset_range; the byte is {expected}"
    assert not artifact.certain, f"a range {span}, but only {expected} can have done it"
    assert any(span[0] <= at <= span[1] for at in expected), f"range {span} is without {expected}"


def classes_after(alerts):
    return [alert["effect"]["class"] for alert in alerts[1:]]


def check_then(result):
    """What the attack did after its first effect, by whatever it started."""
    found = classes_after(result.alerts)
    for name in result.attack.then:
        assert name in found, f"no alert of class {name} after the first, only {found}"


def describe(alert):
    return f"{alert.get('title')} ({json.dumps(alert['effect'])}; {alert['load']})"


def check(result):
    """Raises AssertionError unless modelwatch did all that it promises about this attack."""
    titles = [alert.get("title") for alert in result.alerts]
    assert result.alerts, f"no alert; load ended {result.words}, status {result.status}"
    check_alert(result, result.alerts[0])
    if result.mode == "deny":
        assert not result.happened, "it happened"
        assert set(result.words) == {"unsafe"}, f"load ended {result.words}, {result.status}"
        assert result.alerts[0]["id"] in result.output, f"the error does not say why: {result.output}"
        assert len(result.alerts) == result.attack.alerts, f"{len(titles)} alerts: {titles}"
    else:
        assert result.happened or result.attack.marker == "none", "it did not happen"
        check_then(result)
        if result.attack.one_effect and result.place == "direct":
            assert len(result.alerts) == 1, f"{len(titles)} alerts: {titles}"


def check_told(result, mode):
    """The same of `modelwatch daemon` in that mode, which has watched a victim without the shim."""
    assert result.happened or result.attack.marker == "none", f"it did not happen: {result.errors}"
    assert result.alerts, f"no alert; load ended {result.words}, status {result.status}"
    for alert in result.alerts:
        assert (alert["mode"], alert["verdict"]) == (mode, mode), describe(alert)
        assert (alert["sensor"], alert["seen_by"], alert["evasion"]) == ("kernel", ["kernel"], False)
        assert alert["outcome"] == "observed" and alert["reporter"] is None
    check_effect(result, result.alerts[0])
    check_then(result)


def check_prevented(result):
    """The daemon has kept it from happening: what it was for is not there, and it says so."""
    assert not result.happened, f"it happened; alerts {[describe(alert) for alert in result.alerts]}"
    assert result.alerts, f"no alert; load ended {result.words}, status {result.status}"
    first = result.alerts[0]
    assert (first["mode"], first["verdict"], first["outcome"]) == ("deny", "deny", "prevented"), describe(first)
    assert first["sensor"] == "kernel"
    check_effect(result, first)


def check_requested(result):
    """The kernel could not keep it from happening: what was asked for is said, and what has come of it."""
    assert result.happened, f"it did not happen: {result.errors}"
    first = result.alerts[0]
    assert (first["mode"], first["requested"], first["verdict"]) == ("deny", "deny", "alert"), describe(first)
    assert first["outcome"] == "observed"
    check_effect(result, first)


def check_untold(result):
    """The rule by which the kernel shows nothing of it still holds."""
    assert result.happened or result.attack.marker == "none", f"it did not happen: {result.errors}"
    assert not result.alerts, f"it is told now: {[describe(alert) for alert in result.alerts]}"
