"""The manual page of sinks and the table of keys say the same."""

import re
import subprocess

import pytest

from conftest import PROGRAM, ROOT

PAGE = (ROOT / "docs" / "man" / "modelwatch-sinks.5").read_text()
EXAMPLES = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", PAGE, re.M | re.S)


def test_every_key_is_there():
    table = (ROOT / "courier" / "sink_config.c").read_text()
    keys = set(re.findall(r'\.name = "(\w+)",\s*\.kind', table))
    assert len(keys) > 40
    named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"^\.(?:It |)Cm (.*)", PAGE, re.M))))
    assert not keys - named


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: " ".join(re.findall(r"type: (\w+)", text)))
def test_an_example_is_accepted(example, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("version: 1\n" + example)
    done = subprocess.run([PROGRAM, "policy", "check", path], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr + done.stdout


def test_every_type_has_an_example():
    types = re.search(r"It Cm type\n(.*?)\.It", PAGE, re.S).group(1)
    types = set(re.findall(r"\b(?!Cm|or)[a-z]+\b", types))
    assert len(types) == 8
    assert types <= set(re.findall(r"type: (\w+)", "".join(EXAMPLES)))
