"""A real containerd with its plugin for Kubernetes, in a mount namespace and directories of its own, and what kubelet
would say to it: pods on the host's network, whose containers are made of an image that is packed here and the host's
/usr."""
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from daemon import ALONE, START, until

PROGRAMS = ["containerd", "containerd-shim-runc-v2", "ctr", "runc", "curl", "cc", "unshare"]
PAUSE, TRAINER = "docker.io/local/pause:1", "docker.io/local/trainer:2.1"
SERVICE = "http://localhost/runtime.v1.RuntimeService/"
PAUSE_C = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"
CONFIG = """
version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{0}/containerd.sock"
[ttrpc]
  address = "{0}/ttrpc.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{1}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_cgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{0}/cni/bin"
    conf_dir = "{0}/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
"""
GROUPS = "/sys/fs/cgroup"
POD, CONTAINER, NODE = 0, 1, 2  # whose namespace


def lacking():
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if os.getuid() or missing:
        return f"needs root and {', '.join(missing or PROGRAMS)}"
    return None


def varint(number):
    low, number = number & 0x7f, number >> 7
    return bytes([low | 0x80]) + varint(number) if number else bytes([low])


def field(number, value):
    """Of a message of Protocol Buffers: a number, or what has a length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def entries(number, values):
    return b"".join(field(number, field(1, key) + field(2, value)) for key, value in values.items())


def first_text(message):
    """The first field of a message, which is a string."""
    assert message[0] == 1 << 3 | 2 and message[1] < 0x80, message
    return message[2:2 + message[1]].decode()


def add(archive, name, content, kind=tarfile.REGTYPE, link=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size = kind, 0o755, link, len(content)
    archive.addfile(entry, io.BytesIO(content))


def pack(fill):
    """A tar archive, as bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        fill(archive)
    return packed.getvalue()


def image(name, fill):
    """As `docker save` writes one of a single layer."""
    layer = pack(fill)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/pause"]}, "rootfs": {
        "type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}}).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()

    def fill_image(archive):
        add(archive, config_name, config)
        add(archive, "layer.tar", layer)
        add(archive, "manifest.json", manifest)
    return pack(fill_image)


def fill_trainer(archive):
    for directory in "usr", "tmp", "data":
        add(archive, directory, b"", tarfile.DIRTYPE)
    for name in "bin", "lib", "lib64":
        add(archive, name, b"", tarfile.SYMTYPE, f"usr/{name}")


def remove_group(path):
    """Kubelet would have made it, and those around it; what others have in these stays."""
    for base in [GROUPS, *Path(GROUPS).iterdir()]:
        for group in [path, *Path(path).parents][:-1]:
            with contextlib.suppress(OSError):
                os.rmdir(f"{base}{group}")


class Containerd:
    def __init__(self, directory):
        self.directory, self.socket = Path(directory), f"{directory}/containerd.sock"
        self.log, self.pods, self.groups = self.directory / "log", [], []

    def __enter__(self):
        config = self.directory / "config.toml"
        config.write_text(CONFIG.format(self.directory, PAUSE))
        command = ["unshare", "--mount", "sh", "-c", ALONE, "sh", "containerd", "--config", config]
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            until(self.answers, START, "containerd does not answer", self)
            self.fetch_images()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            for pod in self.pods:
                self.call("StopPodSandbox", field(1, pod))
                self.call("RemovePodSandbox", field(1, pod))
        finally:
            self.process.terminate()
            self.process.wait(START)
            for group in self.groups:
                remove_group(group)

    def said(self):
        return self.log.read_text(errors="replace")

    def answers(self):
        done = subprocess.run(["ctr", "-a", self.socket, "version"], capture_output=True)
        return done.returncode == 0 and os.path.exists(self.socket)

    def fetch_images(self):
        pause, source = self.directory / "pause", self.directory / "pause.c"
        source.write_text(PAUSE_C)
        subprocess.run(["cc", "-static", "-o", pause, source], check=True)
        images = image(PAUSE, lambda archive: add(archive, "pause", pause.read_bytes())), image(TRAINER, fill_trainer)
        for packed in images:
            subprocess.run(["ctr", "-a", self.socket, "-n", "k8s.io", "images", "import", "--snapshotter", "native", "-"],
                           input=packed, check=True, capture_output=True)

    def call(self, method, message):
        """One call of the Container Runtime Interface; the message that comes back."""
        trailers = self.directory / "trailers"
        done = subprocess.run(
            ["curl", "-sS", "--http2-prior-knowledge", "--unix-socket", self.socket, "--data-binary", "@-", "-D", trailers,
             "-H", "content-type: application/grpc", "-H", "te: trailers", SERVICE + method],
            input=b"\0" + len(message).to_bytes(4, "big") + message, capture_output=True, timeout=60)
        assert done.returncode == 0 and "grpc-status: 0" in trailers.read_text(), done.stderr + trailers.read_bytes()
        return done.stdout[5:]

    def pod(self, name, namespace, uid, group, labels):
        """A sandbox on the host's network, with a namespace of its own for processes. Its number, and what it was
        asked for by."""
        self.groups.append(group)
        spaces = field(1, field(1, NODE) + field(2, CONTAINER))
        config = b"".join([
            field(1, field(1, name) + field(2, uid) + field(3, namespace)), field(3, str(self.directory / "logs")),
            entries(6, labels), field(8, field(1, group) + field(2, spaces))])
        pod = first_text(self.call("RunPodSandbox", field(1, config)))
        self.pods.append(pod)
        return pod, config

    def container(self, pod, name, command, labels, mounts=()):
        """Starts it and returns its ID. The host's /usr is in it, and `mounts`, from one path to the other."""
        sandbox, sandbox_config = pod
        config = b"".join([
            field(1, field(1, name)), field(2, field(1, TRAINER)), *(field(3, word) for word in command),
            *(field(7, field(1, there) + field(2, str(here)) + field(3, there == "/usr"))
              for here, there in [("/usr", "/usr"), *mounts]),
            entries(9, labels), field(11, f"{name}.log")])
        made = self.call("CreateContainer", field(1, sandbox) + field(2, config) + field(3, sandbox_config))
        container = first_text(made)
        self.call("StartContainer", field(1, container))
        return container

    def first_process(self, container):
        return int((self.directory / "state/io.containerd.runtime.v2.task/k8s.io" / container / "init.pid").read_text())
