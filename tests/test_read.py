"""Secrets: what a load reads of them, by ways that need more than one file of tests/attacks/."""
import os
import sys

import pytest

from conftest import run

LOAD = """
import pickle, sys
class Act:
    def __reduce__(self):
        import builtins, ctypes, io, os, subprocess, time
        return eval(sys.argv[1])
stream = pickle.dumps(Act())
try:
    print(pickle.loads(stream))
except BaseException as error:
    print(type(error).__name__)
"""

# A process of the job turns a link while the load opens it, over and over.
RACE = """
import ctypes, os, pickle, signal, sys
home = os.environ["HOME"]
secret, plain, link = f"{home}/.ssh/id_rsa", f"{home}/plain", f"{home}/link"
libc = ctypes.CDLL(None, use_errno=True)
libc.fopen.restype = ctypes.c_void_p
libc.open.restype = ctypes.c_int
libc.fileno.argtypes = [ctypes.c_void_p]
seen, tried = set(), 0

def turn():
    n = 0
    while True:
        n += 1
        os.symlink(secret if n % 2 else plain, link + ".new")
        os.rename(link + ".new", link)

def read(way):
    global tried
    for i in range(3000):
        tried += 1
        try:
            if way == "open":
                fd = os.open(link, os.O_RDONLY)
            elif way == "libc":
                fd = libc.open(link.encode(), os.O_RDONLY)
            else:
                file = libc.fopen(link.encode(), b"r")
                fd = libc.fileno(file) if file else -1
        except OSError:
            continue
        if fd >= 0:
            seen.add(os.pread(fd, 100, 0))
            os.close(fd)

class Act:
    def __reduce__(self):
        return read, (sys.argv[1],)

os.symlink(plain, link)
child = os.fork()
if not child:
    turn()
try:
    pickle.loads(pickle.dumps(Act()))
except Exception as error:
    print(type(error).__name__)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
print(tried, sorted(seen))
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory with secrets in it, which the policy takes for the user's."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_rsa").write_text("SECRET\n")
    (home / ".netrc").write_text("SECRET\n")
    (home / "plain").write_text("PLAIN\n")
    monkeypatch.setenv("HOME", str(home))
    return home


def load(act, tmp_path, mode="deny", options=()):
    return run([sys.executable, "-c", LOAD, act], tmp_path / "alerts", mode, options=options)


def reads(result):
    return [alert for alert in result.alerts
            if alert["effect"]["class"] == "read" and not alert["update"]]


def paths(result):
    return [alert["effect"]["detail"]["path"] for alert in reads(result)]


def test_the_alert(home, tmp_path):
    (home / "link").symlink_to(".ssh/id_rsa")
    result = load(f"(open, ('{home}/link',))", tmp_path)
    assert result.stdout == "UnsafeLoadError\n"
    alert, = reads(result)
    path = f"{home}/.ssh/id_rsa"
    assert alert["effect"]["detail"]["path"] == path
    assert f" tried to read the secret file {path} (" in alert["title"]
    assert (alert["rule"], alert["severity"], alert["cause"]) == ("secret-read", "critical", "call")
    assert (alert["outcome"], alert["evasion"]) == ("prevented", False)


def test_paths_are_shown(home, tmp_path):
    names = [".aws/credentials", ".cache/huggingface/token", ".kaggle/access_token", ".vault-token",
             ".config/gcloud/application_default_credentials.json", ".git-credentials", ".pgpass",
             ".config/google-chrome/Default/Login Data", ".password-store/bank.gpg"]
    for name in names:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("SECRET")
    code = "\n".join([
        "import pickle", f"names = {names}",
        "def read():", f"    return [open('{home}/' + name).read() for name in names]",
        "pickle.loads(b'c__main__\\nread\\n)R.')"])
    result = run([sys.executable, "-c", code], tmp_path / "alerts", "observe")
    assert paths(result) == [f"{home}/{name}" for name in names]


@pytest.mark.parametrize("name", [
    ".ssh/config", ".ssh/known_hosts", ".ssh/id_rsa.pub", ".aws/config", "plain"])
def test_no_secret(home, tmp_path, name):
    (home / name).parent.mkdir(exist_ok=True)
    (home / name).write_text("PLAIN\n")
    result = load(f"(open, ('{home}/{name}',))", tmp_path)
    assert result.alerts == [] and "TextIOWrapper" in result.stdout


@pytest.mark.parametrize("act", [
    "(open, (HOME + '/.pgpass',))",                     # is not there
    "(os.open, (HOME + '/.ssh/id_rsa', 0o200000))",     # is no directory
    "(os.open, (HOME + '/link', 0o400000))",            # is a link, and none was wanted
    "(os.open, (HOME + '/.ssh/id_rsa', 0o10000000))",   # cannot be read from
    "(os.stat, (HOME + '/.ssh/id_rsa',))",
    "(os.listdir, (HOME + '/.ssh',))",
])
def test_nothing_is_read(home, tmp_path, act):
    (home / "link").symlink_to(".ssh/id_rsa")
    assert load(act.replace("HOME", repr(str(home))), tmp_path).alerts == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_anyway(home, tmp_path):
    (home / ".netrc").chmod(0)
    assert load(f"(open, ('{home}/.netrc',))", tmp_path).alerts == []


@pytest.mark.skipif(not os.access("/etc/shadow", os.R_OK), reason="needs the right to read it")
@pytest.mark.parametrize("act", ["getspnam", "getspent"])
def test_passwords_of_the_machine(home, tmp_path, act):
    before = "import ctypes; act = ctypes.CDLL(None).%s; act.restype = ctypes.c_void_p\n" % act
    arguments = "(b'root',)" if act == "getspnam" else "()"
    code = before + LOAD.replace("eval(sys.argv[1])", f"act, {arguments}").replace(
        "class Act:", "import copyreg; act.__reduce__ = None\nclass Act:")
    code = code.replace("stream = pickle.dumps(Act())", "\n".join([
        "__import__('sys').modules['__main__'].act = act",
        f"stream = b'c__main__\\nact\\n' + pickle.dumps({arguments})[2:-1] + b'R.'"]))
    for mode in ("deny", "observe"):
        result = run([sys.executable, "-c", code], tmp_path / mode, mode)
        assert paths(result) == ["/etc/shadow"], result.stdout


def test_a_program_that_the_load_starts(home, tmp_path):
    result = load(f"(subprocess.check_output, (['cat', '{home}/.ssh/id_rsa'],))", tmp_path,
                  "observe")
    assert "SECRET" in result.stdout
    assert paths(result) == [f"{home}/.ssh/id_rsa"]


def test_no_import_excuses_it(home, tmp_path, monkeypatch):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "curious.py").write_text(
        f"class Kind: pass\nopen('{home}/.netrc').read()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    code = "import pickle; pickle.loads(b'ccurious\\nKind\\n.')"
    result = run([sys.executable, "-c", code], tmp_path / "alerts")
    assert "UnsafeLoadError" in result.stderr
    alert, = reads(result)
    assert (alert["cause"], alert["rule"]) == ("import", "secret-read")


@pytest.mark.parametrize("act", [
    "libc.__open, (PATH, 0)", "libc.setmntent, (PATH, b'r')", "libc._IO_fopen, (PATH, b'a+')",
    "libc.freopen, (PATH, b'r', libc.fopen(b'/dev/null', b'r'))",
    "libc.__open64_2, (PATH, 0)", "libc.open, (PATH, 0x42)"])
def test_other_names_that_libc_has(home, tmp_path, act):
    code = f"""
import ctypes, pickle
libc = ctypes.CDLL(None)
libc.fopen.restype = libc.freopen.restype = ctypes.c_void_p
libc.freopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
PATH = {str(home / '.netrc').encode()!r}
function, arguments = {act}
def act():
    return function(*arguments)
print(pickle.loads(b'c__main__\\nact\\n)R.'))
"""
    result = run([sys.executable, "-c", code], tmp_path / "alerts")
    assert "UnsafeLoadError" in result.stderr, result.stderr
    result = run([sys.executable, "-c", code], tmp_path / "seen", "observe")
    assert paths(result) == [f"{home}/.netrc"], result.stderr


def test_lists_of_ones_own(home, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nsecrets: ['{home}/plain', '!{home}/.netrc']\n")
    options = [f"--policy={policy}"]
    result = load(f"(open, ('{home}/plain',))", tmp_path, options=options)
    assert paths(result) == [f"{home}/plain"]
    result = load(f"(open, ('{home}/.netrc',))", tmp_path, options=options)
    assert paths(result) == [f"{home}/plain"]  # the first one's: the file is appended to


def test_home_behind_a_link(home, tmp_path, monkeypatch):
    (tmp_path / "me").symlink_to("home")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    result = load(f"(open, ('{tmp_path}/me/.netrc',))", tmp_path)
    assert paths(result) == [f"{home}/.netrc"]


@pytest.mark.parametrize("way", ["open", "libc", "fopen"])
def test_a_link_that_is_turned(home, tmp_path, way):
    result = run([sys.executable, "-c", RACE, way], tmp_path / "alerts")
    assert "SECRET" not in result.stdout
    assert result.stdout == "UnsafeLoadError\n3000 [b'PLAIN\\n']\n", result.stdout
    assert set(paths(result)) == {f"{home}/.ssh/id_rsa"}
