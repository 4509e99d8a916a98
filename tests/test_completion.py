"""modelwatch completion in the real shells, and that tables, --help and manual pages agree."""
import functools
import os
import pty
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD = Path(os.environ.get("MODELWATCH_BUILD", ROOT / "build"))
PROGRAM = os.environ.get("MODELWATCH", str(BUILD / "modelwatch"))
SHELLS = ("bash", "zsh", "fish")

# Prints each candidate into $CANDIDATES, on top of what compadd does.
ZSH_SETUP = r"""
autoload -Uz compinit
compinit -u -D
source $SCRIPT
zstyle ':completion:*' list-prompt ''
unsetopt auto_menu list_beep
compadd()
{
	local -a hits
	if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
		builtin compadd -A hits "$@"
		print -rl -- $hits >>$CANDIDATES
	fi
	builtin compadd "$@"
}
finish() { : >$CANDIDATES.done }
complete_and_finish() { comppostfuncs=(finish); zle complete-word; finish }
zle -C complete-word complete-word _main_complete
zle -N complete_and_finish
bindkey '^I' complete_and_finish
"""


def modelwatch(*args):
    return subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)


@functools.lru_cache(None)
def help_of(command):
    done = modelwatch(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def section(command, title):
    """The first words of the rows under a title of --help."""
    found = re.search(rf"^{title}:\n((?:  .*\n)+)", help_of(command), re.M)
    return re.findall(r"^  (\S.*?)(?:  .*)?$", found[1], re.M) if found else []


def below(command):
    return section(command, "Commands")


def options(command):
    """name -> placeholder of the value, or None; without --help, which is everywhere."""
    rows = [row for row in section(command, "Options") if row != "-h, --help"]
    return {row.partition("=")[0]: row.partition("=")[2] or None for row in rows}


def tree(command=()):
    yield command
    for word in below(command):
        yield from tree((*command, word))


def identify(command):
    return " ".join(("modelwatch", *command))


COMMANDS = list(tree())
every_command = pytest.mark.parametrize("command", COMMANDS, ids=identify)
every_shell = pytest.mark.parametrize("shell", SHELLS)


@pytest.fixture
def script(tmp_path):
    def write(shell):
        if not shutil.which(shell):
            pytest.skip(f"no {shell} on this machine")
        path = tmp_path / f"modelwatch.{shell}"
        path.write_text(modelwatch("completion", shell).stdout)
        return path
    return write


@pytest.fixture
def place(tmp_path):
    """A folder with something to complete, where the shells are started."""
    folder = tmp_path / "place"
    (folder / "directory").mkdir(parents=True)
    (folder / "data.yaml").write_text("")
    (folder / "with blank").write_text("")
    return folder


def bash_words(line):
    """As readline breaks a line: = is a word, the last word may be empty."""
    words = []
    for word in line.split(" "):
        words += [piece for piece in re.split("(=)", word) if piece] or [""]
    return words


def ask_bash(path, line, place):
    words = bash_words(line)
    code = (f"{{ source {path}; COMP_WORDS=({shlex.join(words)}); "
            f"COMP_CWORD={len(words) - 1} COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}; "
            "_modelwatch modelwatch; }; printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "--norc", "-c", code], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, cwd=place, timeout=60)
    assert done.stderr == ""
    return {candidate for candidate in done.stdout.split("\n") if candidate}


def ask_fish(path, line, place):
    home = path.parent
    done = subprocess.run(["fish", "--no-config", "-c", f"source {path}; complete -C "
                           + shlex.quote(line)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, cwd=place, timeout=60, env={**os.environ, "HOME": str(home)})
    assert done.stderr == ""
    return {candidate.split("\t")[0] for candidate in done.stdout.splitlines()}


def ask_zsh(path, line, place):
    """Types the line into a zsh on a terminal and presses the tabulator."""
    setup, candidates = path.with_name("setup.zsh"), path.with_name("candidates")
    setup.write_text(ZSH_SETUP)
    done = Path(f"{candidates}.done")
    for old in (candidates, done):
        old.unlink(missing_ok=True)
    child, terminal = pty.fork()
    if not child:
        os.chdir(place)
        os.execvpe("zsh", ["zsh", "-f", "-i"], {
            **os.environ, "CANDIDATES": str(candidates), "SCRIPT": str(path), "TERM": "dumb",
            "HOME": str(path.parent), "PS1": ""})
    try:
        os.write(terminal, f" source {setup}; : >{done}\n".encode())
        wait_for(done, terminal)
        done.unlink()
        os.write(terminal, f"{line}\t".encode())
        wait_for(done, terminal)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)
    return set(candidates.read_text().splitlines()) - {""} if candidates.exists() else set()


def wait_for(path, terminal):
    os.set_blocking(terminal, False)
    end = time.monotonic() + 40
    while not path.exists():
        assert time.monotonic() < end, "zsh gives no answer"
        time.sleep(0.05)
        try:  # what nobody reads would hold it up
            os.read(terminal, 65536)
        except BlockingIOError:
            pass


@pytest.fixture
def ask(script, place):
    def candidates(shell, line):
        found = {"bash": ask_bash, "zsh": ask_zsh, "fish": ask_fish}[shell](
            script(shell), line, place)
        # fish and bash put before a value what stands before it; bash marks what wants one.
        return {re.sub(r"^--[a-z-]+=(?=.)", "", word).rstrip("=/") for word in found}
    return candidates


@every_shell
def test_script_is_well_formed(shell, script):
    done = subprocess.run([shell, "-n", script(shell)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@every_shell
@every_command
def test_commands_and_options(shell, command, ask):
    line = " ".join(("modelwatch", *command, ""))
    if below(command):
        assert ask(shell, line) - {"-h", "--help"} - set(options(command)) == set(below(command))
    assert ask(shell, line + "--") == set(options(command)) | {"--help"}


@every_shell
@pytest.mark.parametrize("line, expected", [
    ("modelwatch ru", {"run"}),
    ("modelwatch run --mode=", {"observe", "alert", "deny", "kill"}),
    ("modelwatch run --mode=d", {"deny"}),
    ("modelwatch run --quiet --mode ", {"observe", "alert", "deny", "kill"}),
    ("modelwatch run --mode=kill --format ", {"text", "json"}),
    ("modelwatch run --mode deny --flo", {"--floor"}),
    ("modelwatch run --policy=da", {"data.yaml"}),
    ("modelwatch run --policy da", {"data.yaml"}),
    ("modelwatch run --policy=x --mode=k", {"kill"}),
    ("modelwatch report di", {"directory"}),
    ("modelwatch report --json da", {"data.yaml"}),
    ("modelwatch report with", {"with blank"}),
    ("modelwatch completion ", {"bash", "zsh", "fish"}),
    ("modelwatch doctor x", set()),
    ("modelwatch nonsense x", set()),
])
def test_candidates(shell, line, expected, ask):
    found = ask(shell, line)
    assert {word.replace("\\", "") for word in found} == expected


@every_shell
@pytest.mark.parametrize("prefix", ["", "--mode=deny ", "--policy x ", "-- "])
def test_run_completes_the_command(shell, prefix, ask):
    """First its name, then its own words: for one that nobody knows files, and none of ours."""
    assert "mkfifo" in ask(shell, f"modelwatch run {prefix}mkfif")
    assert "data.yaml" in ask(shell, f"modelwatch run {prefix}no-such-program da")
    assert not ask(shell, f"modelwatch run {prefix}no-such-program --mo")


def test_bash_uses_the_commands_own_function(script, place):
    path = script("bash")
    path.write_text(path.read_text() + "_theirs() { COMPREPLY=(\"$1/$2/$3/$COMP_CWORD\"); }\n"
                    "complete -F _theirs theirs\n")
    assert ask_bash(path, "modelwatch run --quiet theirs one tw", place) == {"theirs/tw/one/2"}


def test_zsh_and_fish_use_the_commands_own_completion(script, place):
    path = script("fish")
    path.write_text(path.read_text() + "complete -c theirs -f -a 'one two'\n")
    assert ask_fish(path, "modelwatch run --quiet theirs tw", place) == {"two"}
    path = script("zsh")
    path.write_text(path.read_text() + "_theirs() { compadd one two }\ncompdef _theirs theirs\n")
    assert ask_zsh(path, "modelwatch run --quiet theirs tw", place) == {"two"}


@pytest.mark.parametrize("args", [[], ["tcsh"], ["bash", "zsh"], ["--nonsense"]])
def test_usage_errors(args):
    done = modelwatch("completion", *args)
    assert (done.returncode, done.stdout) == (125, "")
    assert re.fullmatch(r"modelwatch: .+\n", done.stderr)


def test_output_that_cannot_be_written():
    for args in (["completion", "bash"], ["--help"], ["run", "--help"], ["--version"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([PROGRAM, *args], stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 125


# The manual pages

def page(command):
    """A command has a page, or a part of the page of the command above it."""
    for words in (command, command[:-1]):
        if own_page(words):
            return own_page(words).read_text()
    raise AssertionError(f"no page for {identify(command)}")


def documented(text):
    """name -> placeholder of each option that has an item in a page."""
    items = "\n".join(re.findall(r"^\.It (Fl .*)$", text, re.M))
    found = re.findall(r"Fl -([a-z-]+)(?: Ns = Ns Ar (\S+))?", items)
    return {f"--{name}": value or None for name, value in found}


def own_page(command):
    """In section 1 or, for who has to be root, 8."""
    paths = (ROOT / "docs/man").glob("-".join(("modelwatch", *command)) + ".[18]")
    return next(paths, None)


def same(of_help, of_page):
    """Placeholders: --help writes KEY=VALUE, the page Ar key Ns = Ns Ar value."""
    return of_page == {name: value and value.lower().split("=")[0]
                       for name, value in of_help.items()}


@pytest.mark.parametrize("command", [c for c in COMMANDS if own_page(c)], ids=identify)
def test_manual_page_has_every_option_and_no_other(command):
    mine = dict(options(command))
    for word in below(command):
        if not own_page((*command, word)):
            mine.update(options((*command, word)))
    text = page(command)
    items = documented(text)
    if not command:
        items = {f"--{name}": None for name in re.findall(r"Fl -(\w+)", text) if name != "help"}
    assert same(mine, items)
    synopsis = text[text.index(".Sh SYNOPSIS"):text.index(".Sh DESCRIPTION")]
    assert set(re.findall(r"Fl -([a-z][a-z-]*)", synopsis)) - {"help"} == {o[2:] for o in mine}


@every_command
def test_manual_page_has_every_command_and_no_other(command):
    text = page(command)
    if below(command):
        listed = re.search(r"^\.Sh DESCRIPTION\n.*?^\.Bl(.*?)^\.El", text, re.M | re.S)[1]
        assert re.findall(r"^\.It (?:Cm|Ic|Nm) (\w+)", listed, re.M) == below(command)


@every_command
def test_help_fits_the_terminal(command):
    assert all(len(line) <= 80 for line in help_of(command).splitlines())


def test_every_page_belongs_to_a_command():
    names = {"-".join(("modelwatch", *command)) for command in COMMANDS}
    assert {path.stem for path in (ROOT / "docs/man").glob("modelwatch*.[18]")} <= names


def test_install_and_uninstall(tmp_path):
    make = ["make", "-s", f"O={BUILD}", "PREFIX=/usr", f"DESTDIR={tmp_path}"]
    subprocess.run([*make, "install"], cwd=ROOT, check=True, timeout=300)
    for shell, path in (("bash", "bash-completion/completions/modelwatch"),
                        ("zsh", "zsh/site-functions/_modelwatch"),
                        ("fish", "fish/vendor_completions.d/modelwatch.fish")):
        installed = tmp_path / "usr/share" / path
        assert installed.read_text() == modelwatch("completion", shell).stdout
        assert installed.stat().st_mode & 0o777 == 0o644
    subprocess.run([*make, "uninstall"], cwd=ROOT, check=True, timeout=300)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
