"""What the kernel says of programs that a process has loaded into it."""
import ctypes
import os
import struct
from collections import namedtuple
from pathlib import Path

BPF = 321
PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = 13, 15
INFO = 232  # bytes of struct bpf_prog_info, up to its last field that is asked for
# Name and numbers by their offsets there: what the verifier has looked at, instructions after it, bytes of machine code.
NAME, JITED, TRANSLATED, RUN_TIME, RUN_COUNT, VERIFIED = 64, 16, 20, 192, 200, 216
INSTRUCTION = 8

Program = namedtuple("Program", "verified translated jited run_ns runs")
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    result = libc.syscall(BPF, command, attributes, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return result


def look(number):
    """(name, Program) of the kernel's program of that number."""
    fd = bpf(PROG_GET_FD_BY_ID, ctypes.create_string_buffer(struct.pack("=III", number, 0, 0), 12))
    try:
        info = ctypes.create_string_buffer(INFO)
        bpf(OBJ_GET_INFO_BY_FD, ctypes.create_string_buffer(struct.pack("=IIQ", fd, INFO, ctypes.addressof(info)), 16))
    finally:
        os.close(fd)
    word, long = (lambda at, kind=kind: struct.unpack_from(kind, info.raw, at)[0] for kind in "IQ")
    return info.raw[NAME:NAME + 16].split(b"\0")[0].decode(), Program(
        word(VERIFIED), word(TRANSLATED) // INSTRUCTION, word(JITED), long(RUN_TIME), long(RUN_COUNT))


def of_process(pid):
    """Those that a process has a descriptor of, by the names that the kernel keeps (15 characters)."""
    numbers = set()
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = path.read_text().splitlines()
        except FileNotFoundError:
            continue
        if any(line.startswith("prog_type:") for line in lines):  # a program's own descriptor, and no link's
            numbers |= {int(line.split()[1]) for line in lines if line.startswith("prog_id:")}
    found = [look(number) for number in sorted(numbers)]
    assert len(dict(found)) == len(found), "two programs have one name"
    return dict(found)
