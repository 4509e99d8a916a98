"""A process that stands still in known stacks, and its stacks as the walker sees them."""
import contextlib
import json
import pathlib
import subprocess
import time

SCENE = pathlib.Path(__file__).with_name("scene.py")
START = f"exec(compile(open({str(SCENE)!r}).read(), 'scene.py', 'exec'))"
FRAMES = 96  # MW_K_FRAMES
READ, WRITE = 0, 1  # numbers of the system calls that they stand in


def stands(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/syscall") as file:
        return file.read().split()[0] in (str(READ), str(WRITE))


@contextlib.contextmanager
def scene(argv):
    """Starts the scene and waits until all of it stands still. Gives its process and what it says of itself."""
    process = subprocess.Popen([*argv, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        said = json.loads(process.stdout.readline())
        end = time.monotonic() + 30
        while not all(stands(process.pid, thread["tid"]) for thread in said["threads"]):
            assert time.monotonic() < end, "the scene does not come to a stand"
            time.sleep(0.01)
        yield process, said
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def walk(program, pid, said):
    """Lines of what `walk stacks` prints of it."""
    arguments = [pid, said["version"], said["runtime"], said["file"], said["base"],
                 *(thread["id"] for thread in said["threads"])]
    run = subprocess.run([program, "stacks", *map(str, arguments)], capture_output=True, check=True)
    return run.stdout.decode(errors="replace").splitlines()


def cut(text, ascii_max=511, wide_max=64):
    """A name as far as the walker takes it."""
    return text[:ascii_max] if text.isascii() else text[:wide_max]


def expected(thread):
    """What the walker should print of a thread, going by what Python said."""
    frames = [f"{cut(name)}\t{cut(file)}\t{line}{'+' if cut(name) != name or cut(file) != file else ''}"
              for name, file, line in thread["frames"][:FRAMES]]
    return frames + ["cut"] * (len(thread["frames"]) > FRAMES)


def seen(lines):
    """The stacks by thread, out of what walk() returned."""
    stacks = {}
    for line in lines:
        if line.startswith("offsets "):
            break
        if line.startswith("thread "):
            stack = stacks.setdefault(int(line.split()[1]), [])
        else:
            stack.append(line)
    return stacks
