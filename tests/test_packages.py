"""The packages in a root of its own: this machine's, with all that is written to it in memory. What a package
leaves there is then simply what has been written."""
import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import PROGRAM, ROOT
from daemon import common
from daemon import lacking as lacking_daemon

BUILD = Path(PROGRAM).resolve().parent
NEXT = "9.0.0"
NAME = "modelwatch"
CONFIG, ALERTS, SPOOL = "etc/modelwatch/modelwatch.yaml", "var/log/modelwatch", "var/lib/modelwatch"
ENABLED = "etc/systemd/system/multi-user.target.wants/modelwatch.service"
# No mount of the machine's is in it, /run least of all: no service manager is asked there.
OVERLAY = r"""
set -e
mount -t tmpfs none "$0"
mkdir "$0/above" "$0/work" "$0/root"
mount -t overlay -o "lowerdir=/,upperdir=$0/above,workdir=$0/work" none "$0/root"
mount -t proc none "$0/root/proc"
mount -t sysfs none "$0/root/sys"
mount -t bpf none "$0/root/sys/fs/bpf"
mount -t tmpfs none "$0/root/run"
mount -t tmpfs none "$0/root/tmp"
mount --bind /dev "$0/root/dev"
echo ready
exec sleep infinity
"""


def lacking():
    missing = [name for name in ["dpkg-buildpackage", "dh", "unshare", "nsenter"] if not shutil.which(name)]
    return f"needs root and {', '.join(missing or ['dpkg'])}" if os.getuid() or missing else None


pytestmark = pytest.mark.skipif(bool(lacking()), reason=str(lacking()))


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """What the programs that are tested here are packaged to: the package, and a later version of it."""
    place = common(tmp_path_factory) / "packages"
    place.mkdir(exist_ok=True)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / f"{NAME}_{NEXT}.deb").exists():
            build(place)
    return built(place), place / f"{NAME}_{NEXT}.deb"


def build(place):
    done = subprocess.run([ROOT / "packaging/deb.sh", BUILD, place], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    make_later(built(place), place)


def built(place):
    package, = place.glob(f"{NAME}_[!{NEXT[0]}]*.deb")
    return package


def make_later(package, place):
    """It has other defaults, a file more and one less."""
    tree, made = place / "later", place / f"{NAME}_{NEXT}.deb"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN/control"
    version = f"Version: {field(package, 'Version')}\n"
    assert version in control.read_text()
    control.write_text(control.read_text().replace(version, f"Version: {NEXT}\n"))
    (tree / CONFIG).write_text((tree / CONFIG).read_text() + "labels: {later: yes}\n")
    (tree / "usr/lib/modelwatch/default-policy.yaml").rename(tree / "usr/lib/modelwatch/later.yaml")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, made], check=True, capture_output=True)


def field(package, name):
    return subprocess.run(["dpkg-deb", "-f", package, name], capture_output=True, text=True, check=True).stdout.strip()


class Scratch:
    def __init__(self, directory):
        self.process = subprocess.Popen(["unshare", "--mount", "sh", "-c", OVERLAY, directory], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        said = self.process.stdout.readline()
        if said != "ready\n":
            self.end()
            pytest.skip(f"no overlay of the root can be mounted here: {said}")
        # What it is called from outside.
        self.root, self.above = (Path(f"/proc/{self.process.pid}/root{directory}/{name}") for name in ("root", "above"))

    def end(self):
        self.process.kill()
        self.process.wait()

    def run(self, *command, status=0):
        done = subprocess.run(["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt", "chroot", self.root, *command],
                              capture_output=True, text=True, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def dpkg(self, *words):
        """The manual's index, which takes long, is left for later."""
        return self.run("dpkg", "--no-triggers", "--force-confold", *words)

    def install(self, package):
        copied = self.root / "tmp" / package.name
        shutil.copy(package, copied)
        self.dpkg("--install", f"/tmp/{package.name}")

    def version(self):
        return self.run("dpkg-query", "-W", "-f", "${Version}", NAME)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def has(self, path):
        return os.path.lexists(self.root / path)

    def written(self):
        """All files and links in it that are not the machine's; not what dpkg keeps for itself."""
        found = (path for path in self.above.rglob("*") if path.is_symlink() or path.is_file())
        names = {str(path.relative_to(self.above)) for path in found}
        return {name for name in names if not name.startswith(("var/lib/dpkg/", "var/log/dpkg.log", "var/cache/ldconfig"))}


@pytest.fixture
def scratch(tmp_path):
    made = Scratch(tmp_path)
    yield made
    made.end()


def leave_evidence(scratch):
    scratch.write(f"{ALERTS}/alerts.jsonl", "{}\n")
    scratch.write(f"{SPOOL}/spool.db", "kept")


def has_evidence(scratch):
    return scratch.has(f"{ALERTS}/alerts.jsonl") and scratch.has(f"{SPOOL}/spool.db")


def leave_refusing(scratch):
    """A daemon that refuses is killed, which leaves that it does."""
    if not lacking_daemon():
        scratch.run("sh", "-c", "modelwatch daemon --mode=deny --alerts=/tmp/alerts && kill -9 $(cat /run/modelwatch/daemon.lock)")
        assert scratch.has("sys/fs/bpf/modelwatch")


def test_its_version_is_the_program_s(packages):
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.split()[-1] == field(packages[0], "Version")


def test_lintian_has_nothing_to_say(packages):
    if not shutil.which("lintian"):
        pytest.skip("needs lintian")
    done = subprocess.run(["lintian", "--allow-root", "--profile=debian", "--fail-on=error,warning", packages[0]],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_installed_it_works_and_watches_without_stopping(packages, scratch):
    scratch.install(packages[0])
    scratch.run("dpkg", "--verify", NAME)
    assert scratch.run("modelwatch", "run", "--floor=off", "sh", "-c", "echo $LD_PRELOAD") \
        == "/usr/lib/modelwatch/libmodelwatch.so\n"
    scratch.run("modelwatch", "daemon", "--validate")
    assert scratch.run("systemctl", "is-enabled", "modelwatch") == "enabled\n"
    assert scratch.has(ENABLED)
    assert "\nmode: observe\n" in (scratch.root / CONFIG).read_text()
    if shutil.which("logrotate"):
        scratch.run("logrotate", "--debug", "/etc/logrotate.d/modelwatch")
    scratch.run("systemd-analyze", "verify", "--man=no", "/lib/systemd/system/modelwatch.service")


def test_a_site_s_preset_has_the_last_word(packages, scratch):
    scratch.write("etc/systemd/system-preset/00-site.preset", "disable modelwatch.service\n")
    scratch.install(packages[0])
    assert not scratch.has(ENABLED)


def test_an_upgrade_and_the_way_back(packages, scratch):
    """Between them nothing that the administrator has said is lost, and no evidence."""
    now, then = packages
    scratch.install(now)
    leave_evidence(scratch)
    own = "mode: alert\n"
    scratch.write(CONFIG, own)
    scratch.write("etc/modelwatch/conf.d/site.yaml", "labels: {site: north}\n")
    scratch.run("systemctl", "disable", "modelwatch")
    for package, version, gone, there in (then, NEXT, "default-policy", "later"), \
                                         (now, field(now, "Version"), "later", "default-policy"):
        scratch.install(package)
        assert scratch.version() == version
        assert (scratch.root / CONFIG).read_text() == own
        assert scratch.has("etc/modelwatch/conf.d/site.yaml") and has_evidence(scratch)
        assert not scratch.has(ENABLED), "it has been enabled again"
        assert scratch.has(f"usr/lib/modelwatch/{there}.yaml") and not scratch.has(f"usr/lib/modelwatch/{gone}.yaml")
        scratch.run("modelwatch", "daemon", "--validate")


def test_an_upgrade_brings_the_defaults_that_nobody_has_changed(packages, scratch):
    for package in packages:
        scratch.install(package)
    assert "later: yes" in (scratch.root / CONFIG).read_text()
    assert scratch.has(ENABLED)


def test_an_upgrade_that_breaks_off_leaves_the_one_before(packages, scratch):
    scratch.install(packages[0])
    before = scratch.written()
    broken = packages[1].read_bytes()
    scratch.write("tmp/broken.deb", "")
    (scratch.root / "tmp/broken.deb").write_bytes(broken[:len(broken) * 2 // 3])
    scratch.run("dpkg", "--no-triggers", "--install", "/tmp/broken.deb", status=1)
    assert scratch.version() == field(packages[0], "Version")
    assert scratch.written() == before
    assert scratch.run("modelwatch", "--version")


def test_removed_it_leaves_what_was_seen_and_said(packages, scratch):
    before = scratch.written()
    scratch.install(packages[0])
    leave_evidence(scratch)
    leave_refusing(scratch)
    scratch.dpkg("--remove", NAME)
    assert not scratch.has("sys/fs/bpf/modelwatch")
    left = scratch.written() - before
    kept = {CONFIG, "etc/logrotate.d/modelwatch", f"{ALERTS}/alerts.jsonl", f"{SPOOL}/spool.db"}
    # systemd's helper of Debian's has notes about the unit.
    assert {path for path in left if not path.startswith("var/lib/systemd/") and path != ENABLED} == kept
    scratch.install(packages[0])
    assert has_evidence(scratch)


def test_purged_it_leaves_nothing(packages, scratch):
    before = scratch.written()
    scratch.install(packages[0])
    leave_evidence(scratch)
    scratch.write(f"{ALERTS}/alerts.jsonl.1.gz", "")
    scratch.dpkg("--purge", NAME)
    assert scratch.written() == before
    for path in "etc/modelwatch", "usr/lib/modelwatch", ALERTS, SPOOL:
        assert not scratch.has(path), path


@pytest.fixture(scope="module")
def rpm(tmp_path_factory):
    if not shutil.which("rpmbuild"):
        pytest.skip("needs rpmbuild")
    place = common(tmp_path_factory) / "rpm"
    place.mkdir(exist_ok=True)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(place.glob("*.rpm")):
            done = subprocess.run([ROOT / "packaging/rpm.sh", BUILD, place], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    package, = place.glob("*.rpm")
    return package


def test_the_rpm_has_what_the_debian_package_has(packages, rpm):
    """But for the places of documentation, and for units."""
    def names(text):
        found = {"/" + line.split()[-1].lstrip("./").removesuffix(".gz") for line in text.splitlines()}
        return {name.rstrip("/") for name in found if name.startswith(("/usr/lib/modelwatch/", "/usr/bin/", "/etc/", "/usr/share/man/"))
                and not name.endswith("/")}
    deb = names(subprocess.run(["dpkg-deb", "-c", packages[0]], capture_output=True, text=True, check=True).stdout)
    files = names(subprocess.run(["rpm", "-qlp", rpm], capture_output=True, text=True, check=True).stdout)
    assert {name for name in deb if not name.startswith("/etc")} <= files
    assert {f"/{CONFIG}", "/etc/logrotate.d/modelwatch"} <= files & deb


def test_the_rpm_comes_and_goes(rpm, scratch):
    before = scratch.written()
    shutil.copy(rpm, scratch.root / "tmp")
    scratch.run("rpm", "--install", "--nodeps", f"/tmp/{rpm.name}")
    scratch.run("rpm", "--verify", "--nodeps", NAME)
    assert scratch.has(ENABLED)
    scratch.run("modelwatch", "daemon", "--validate")
    leave_evidence(scratch)
    leave_refusing(scratch)
    scratch.run("rpm", "--erase", NAME)
    assert not scratch.has("sys/fs/bpf/modelwatch")
    left = {path for path in scratch.written() - before if not re.search(r"(^|/)\.?rpm(db)?/|^usr/lib/sysimage/", path)}
    assert left == {f"{ALERTS}/alerts.jsonl", f"{SPOOL}/spool.db"}


def test_rpmlint_has_nothing_to_say():
    if not shutil.which("rpmlint"):
        pytest.skip("needs rpmlint")
    folder = ROOT / "packaging/rpm"
    done = subprocess.run(["rpmlint", "-c", folder / "rpmlint.toml", folder / "modelwatch.spec"], capture_output=True, text=True)
    assert " 0 errors, 0 warnings" in done.stdout, done.stdout


def test_all_packages_have_one_version(packages, rpm):
    assert field(packages[0], "Version") == subprocess.run(["rpm", "-qp", "--qf", "%{VERSION}", rpm], capture_output=True,
                                                           text=True, check=True).stdout
