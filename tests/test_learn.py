"""`modelwatch run --learn`: a policy that honest runs propose, and no wider than they were."""
import os
import subprocess
import sys

import pytest

from conftest import PROGRAM
from test_allow import model
from test_policy import LOAD, home  # noqa: F401 (fixture)

PYTHON = sys.executable


def run(*options, job):
    return subprocess.run([PROGRAM, "run", *options, "--", *map(str, job)], capture_output=True,
                          text=True, timeout=60)


def job(artifact):
    return [PYTHON, "-c", LOAD, artifact]


def test_what_is_learnt_passes_and_nothing_else(tmp_path, home):
    artifact = model(tmp_path / "m.pkl", (os.system, f"touch {tmp_path}/effect"), (os.mkdir, f"{tmp_path}/made"))
    learn = f"--learn={tmp_path}/proposal"
    done = run(learn, "--quiet", job=job(artifact))
    assert done.returncode == 0 and "loaded" in done.stdout
    assert done.stderr == f"modelwatch: {tmp_path}/proposal/policy.yaml proposes 4 rules: review each before you use it\n"
    (tmp_path / "effect").unlink()
    (tmp_path / "made").rmdir()
    again = run(learn, "--quiet", job=job(artifact))
    assert "proposes 4 rules" in again.stderr  # the same ones: two by the shell, which are in scope when it is let go on
    (tmp_path / "effect").unlink()
    (tmp_path / "made").rmdir()
    policy = f"--policy={tmp_path}/proposal/policy.yaml"
    assert subprocess.run([PROGRAM, "policy", "check", policy.removeprefix("--policy=")]).returncode == 0
    done = run(policy, job=job(artifact))
    assert done.stderr == "" and (tmp_path / "effect").exists() and (tmp_path / "made").exists()
    (tmp_path / "effect").unlink()
    model(artifact, (os.system, f"touch {tmp_path}/effect"), (os.rmdir, f"{tmp_path}/made"))
    done = run(policy, job=job(artifact))
    assert "UnsafeLoadError" in done.stdout and not (tmp_path / "effect").exists()


def test_names_that_differ_between_runs(tmp_path, home):
    """One stream that writes to another file in each run."""
    code = (f"import os, pickle\nclass Open:\n def __reduce__(self): return os.open, (OUT, 65)\n"
            f"name = b'{tmp_path}/out-%05d.txt' % (os.getpid() % 100000)\n"
            f"OUT = b'{tmp_path}/out-00000.txt'\n"
            f"artifact = {str(tmp_path / 'm.pkl')!r}\n"
            f"open(artifact, 'wb').write(pickle.dumps(Open()).replace(OUT, name))\n"
            f"pickle.load(open(artifact, 'rb'))\n")
    learn = f"--learn={tmp_path}/proposal"
    for _ in range(3):
        run(learn, "--quiet", job=[PYTHON, "-c", code])
    text = (tmp_path / "proposal" / "policy.yaml").read_text()
    # Other bytes, other digests: no rule can stand for both.
    assert text.count("  - name: ") == 3 and "*" not in text.split("rules:\n")[1]


def test_one_part_of_a_path_is_generalised(tmp_path, home):
    artifact = model(tmp_path / "m.pkl", (open, "out.txt", "w"))
    learn = f"--learn={tmp_path}/proposal"
    load = "import os, sys; os.chdir(sys.argv[2]); " + LOAD.strip().split("\n")[0] + "\n" + LOAD
    for number in (1, 2, 3):
        (tmp_path / f"job{number}").mkdir()
        run(learn, "--quiet", job=[PYTHON, "-c", load, artifact, tmp_path / f"job{number}"])
    text = (tmp_path / "proposal" / "policy.yaml").read_text()
    assert text.count("  - name: ") == 1 and f'path: ["{tmp_path}/job*/out.txt"]' in text
    (tmp_path / "job4").mkdir()
    (tmp_path / "other").mkdir()
    policy = f"--policy={tmp_path}/proposal/policy.yaml"
    done = run(policy, job=[PYTHON, "-c", load, artifact, tmp_path / "job4"])
    assert done.stderr == "" and (tmp_path / "job4" / "out.txt").exists()
    done = run(policy, job=[PYTHON, "-c", load, artifact, tmp_path / "other"])
    assert "UnsafeLoadError" in done.stdout and not (tmp_path / "other" / "out.txt").exists()


def test_letters_beyond_ascii_stay_whole(tmp_path, home):
    """A star never stands within an escape of one."""
    artifact = model(tmp_path / "m.pkl", (open, "out.txt", "w"), (os.system, "true 'a\nb'"))
    learn = f"--learn={tmp_path}/proposal"
    load = "import os, sys; os.chdir(sys.argv[2]); " + LOAD.strip().split("\n")[0] + "\n" + LOAD
    for name in ("\u00e8", "\u00e9", "\U0001f600", "\U0001f601", "a b", "a c"):
        (tmp_path / name).mkdir()
        run(learn, "--quiet", job=[PYTHON, "-c", load, artifact, tmp_path / name])
    rules = tmp_path / "proposal" / "policy.yaml"
    assert subprocess.run([PROGRAM, "policy", "check", rules]).returncode == 0
    text = rules.read_text()
    assert text.count("  - name: ") == 6 and "*" not in text.split("rules:\n")[1].replace("# ", "")
    assert "# No rule (a rule cannot ask for a line's end" in text


def test_where_nothing_is_stopped_nothing_is_proposed(tmp_path, home):
    done = run(f"--learn={tmp_path}/proposal", job=["true"])
    assert "proposes no rule" in done.stderr
    assert run(f"--policy={tmp_path}/proposal/policy.yaml", job=["true"]).returncode == 0


def test_what_no_rule_fits_is_told(tmp_path, home):
    artifact = model(tmp_path / "m.pkl", (os.system, "true 'Authorization: Bearer abcdefghijklmnop1234567890'"))
    done = run(f"--learn={tmp_path}/proposal", "--quiet", job=job(artifact))
    assert "no narrow rule fits" in done.stderr
    text = (tmp_path / "proposal" / "policy.yaml").read_text()
    assert "# No rule (the alert does not hold what was redacted" in text and "abcdefghijklmnop" not in text


@pytest.mark.parametrize("options", [["--mode=deny"], ["--alerts=x"]])
def test_what_does_not_go_together(options, tmp_path):
    done = run(f"--learn={tmp_path}/p", *options, job=["true"])
    assert done.returncode == 125 and "--learn stops nothing" in done.stderr
    assert run("--learn=/nonexistent/x", job=["true"]).returncode == 125
