"""The file that the victim loads: a stream, and the bytes around it."""
import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from attacks import stream as pickles
from attacks.scene import names

MODULE = "planted"  # what an import from the model's own directory runs


# Carriers: the bytes around a stream. Each returns the file's bytes, and where in what the alert
# names (the file, its member, or what it unpacks to) the stream is.

def pack_plain(stream):
    return stream, 0


def pack_zip(stream):
    path = tempfile.TemporaryFile()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", stream)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    path.seek(0)
    data = path.read()
    return data, 0


def pack_legacy(stream):
    header = b"".join(pickle.dumps(part, 2) for part in (
        0x1950a86a20f9469cfc6c, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {
            "short": 2, "int": 4, "long": 4}}))
    return header + stream + pickle.dumps([], 2), len(header)


def pack_numpy(stream):
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + "\n"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + stream
    return data, len(data) - len(stream)


def packed_by(compress):
    return lambda stream: (compress(stream), 0)


def pack_tar(stream):
    """What torch wrote before version 0.1.10: the third of its pickles is the model."""
    out = io.BytesIO()
    parts = {"sys_info": pickle.dumps({}, 2), "storages": pickle.dumps(0, 2) + pickle.dumps([], 2),
             "tensors": pickle.dumps(0, 2), "pickle": stream}
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue(), out.getvalue().index(stream)


PACKERS = {"torch_zip": pack_zip, "torch_mmap": pack_zip, "torch_legacy": pack_legacy,
           "torch_safe": pack_zip, "torch_safe_mmap": pack_zip, "torch_safe_bytes": pack_zip,
           "torch_safe_legacy": pack_legacy, "torch_tar": pack_tar, "numpy": pack_numpy, "joblib_zlib": packed_by(zlib.compress),
           "joblib_xz": packed_by(lzma.compress), "gzip": packed_by(gzip.compress),
           "bz2": packed_by(bz2.compress), "lzma": packed_by(lzma.compress)}
SUFFIXES = {"numpy": ".npy", "torch_zip": ".pt", "torch_mmap": ".pt", "torch_legacy": ".pt",
            "torch_safe": ".pt", "torch_safe_mmap": ".pt", "torch_safe_bytes": ".pt",
            "torch_safe_legacy": ".pt", "torch_tar": ".pt", "joblib": ".joblib", "joblib_zlib": ".joblib",
            "joblib_xz": ".joblib"}


@dataclass
class Artifact:
    path: Path
    offsets: set   # any of these is the byte that did it
    certain: bool  # and one of them has to be named, not a range
    calls: list
    classes: set


def stream_of(attack, payload):
    if isinstance(payload, bytes):
        return payload
    stream = pickles.assemble(payload, attack.protocol)
    return pickles.frame(stream) if attack.protocol >= 4 else stream


def plant(payload, scene):
    """The same as the body of a module beside the model, and a payload that imports it."""
    (scene.model / f"{MODULE}.py").write_text(pickles.source(payload))
    return [pickles.call(pickles.get("sys", "path.insert"), 0, str(scene.model)),
            pickles.get(MODULE, "value")]


def make_artifact(attack, place, scene, interpreter):
    """Writes the artifact, and the module that it imports, where the place is an import."""
    payload = eval(attack.payload, names(attack, scene, interpreter))
    inner = pickles.inner(payload) if attack.inner else None
    calls, classes, at = attack.calls, set(attack.classes), attack.at
    if place == "under_import" and inner:
        payload = plant(payload, scene)
    elif place == "under_import":
        payload = plant(payload, scene)
        # Running a module that came with the model is code already; what it does comes after.
        calls, classes, at = [f"{MODULE}.value"], classes | {"code"}, ["fetch -1"]
        attack = replace(attack, protocol=4)  # before it, a name has no dots
    stream = stream_of(attack, payload)
    acting = inner or stream  # the stream whose call it is
    offsets = {pickles.locate(acting, where) for where in at}
    certain = place in ("direct", "old_thread") and not attack.inexact and all(
        pickles.is_certain(acting, offset) for offset in offsets)
    if place == "nested":
        stream = pickles.frame(pickles.assemble(pickles.call("pickle.loads", stream)))
    data, start = PACKERS.get(attack.carrier, pack_plain)(stream)
    if place != "nested" and not inner:
        offsets = {start + offset for offset in offsets}
    path = scene.model / f"checkpoint{SUFFIXES.get(attack.carrier, '.pkl')}"
    path.write_bytes(data)
    return Artifact(path, offsets, certain, calls, classes)
