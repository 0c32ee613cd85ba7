"""What a process keeps to itself: its memory, its files, and its reach when it reads strangers' bytes.

The bot's memory and environment hold the token and the key. On Linux the kernel lets any process of the same
user read them unless told otherwise; elsewhere these calls do nothing, and say so.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import platform
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger(__name__)

_SIBLINGS = ("", "-wal", "-shm", "-journal", ".lock")

# prctl(2), capset(2), seccomp(2)
_SET_DUMPABLE, _SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION = 0x20080522
_DAC_OVERRIDE_AND_SEARCH = 0b110  # root's right to open files, which the bot's own folders may take
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_SYSCALL, _ARCHITECTURE = 0, 4  # where they stand in `struct seccomp_data`
_X32 = 0x40000000  # x86-64's second table of the same calls
# A decoder opens no socket (io_uring can open one, too), starts no program, and looks into no other process.
_REFUSED = {
    "x86_64": {
        "audit": 0xC000003E,
        "seccomp": 317,
        "socket": 41,
        "ptrace": 101,
        "execve": 59,
        "execveat": 322,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "io_uring_setup": 425,
        "pidfd_getfd": 438,
    },
    "aarch64": {
        "audit": 0xC00000B7,
        "seccomp": 277,
        "socket": 198,
        "ptrace": 117,
        "execve": 221,
        "execveat": 281,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "io_uring_setup": 425,
        "pidfd_getfd": 438,
    },
}


def keep_to_itself() -> None:
    """Make what this process writes, and its memory, its own: new files are 0600, and nobody reads /proc."""
    os.umask(0o077)
    if sys.platform == "linux":
        _prctl(_SET_DUMPABLE, 0)


def shut_in() -> list[str]:
    """Shut in a process that reads strangers' bytes, all of its threads; return what the system refused.

    It gets no rights that it has not, cannot be looked into, looks into no other process, opens no socket and
    starts no program.
    """
    if sys.platform != "linux":
        return [f"nothing of it on {sys.platform}"]
    steps = {
        "no new privileges": lambda: _prctl(_SET_NO_NEW_PRIVS, 1),
        "memory": lambda: _prctl(_SET_DUMPABLE, 0),
        "capabilities": _drop_capabilities,
        "sockets and programs": _refuse_calls,
    }
    return [name for name, step in steps.items() if not step()]


def _prctl(option: int, value: int) -> bool:
    rest = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    return bool(ctypes.CDLL(None).prctl(option, *rest) == 0)


def _drop_capabilities() -> bool:
    """Give up what root may do, but for opening files: with it, root reads any process."""
    libc = ctypes.CDLL(None)
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    had = ctypes.create_string_buffer(24)
    if libc.capget(header, had) != 0:
        return False
    effective, permitted, *_ = struct.unpack("6I", had.raw)
    kept = _DAC_OVERRIDE_AND_SEARCH
    return bool(libc.capset(header, struct.pack("6I", effective & kept, permitted & kept, 0, 0, 0, 0)) == 0)


def _refuse_calls() -> bool:
    """Have the kernel refuse what a decoder never needs (seccomp); takes no rights, in containers either."""
    calls = dict(_REFUSED.get(platform.machine(), {}))
    if not calls:
        return False
    architecture, seccomp = calls.pop("audit"), calls.pop("seccomp")
    to_the_end = len(calls) + 1
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_IF_EQUAL, architecture, otherwise=to_the_end + 2),
        _step(_LOAD, _SYSCALL),
        _step(_IF_AT_LEAST, _X32, then=to_the_end),
    ]
    steps += [_step(_IF_EQUAL, call, then=to_the_end - 1 - n) for n, call in enumerate(calls.values())]
    steps += [_step(_RETURN, _ALLOW), _step(_RETURN, _REFUSE)]
    code = ctypes.create_string_buffer(b"".join(steps))
    program = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None)
    answer = libc.syscall(
        ctypes.c_long(seccomp), ctypes.c_ulong(_SET_MODE_FILTER), ctypes.c_ulong(_ALL_THREADS), program
    )
    return bool(answer == 0)


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, then, otherwise, value)


# --- files --------------------------------------------------------------------------------------------------


def narrow_database(file: Path) -> None:
    """Take from everybody else the right to read a SQLite file and what stands beside it."""
    _narrow([file.with_name(file.name + suffix) for suffix in _SIBLINGS])


def narrow_data_folder(folder: Path, own: tuple[str, ...]) -> None:
    """Take from everybody else the right to read the data folder, if nothing but Kinora's is in it.

    `own` are the beginnings of the names of Kinora's files. A folder with other things in it, such as /tmp or
    somebody's home, stays as it is, which is said; Kinora's files in it are their owner's alone all the same.
    """
    inside = list(folder.iterdir())
    ours = [path for path in inside if path.name.startswith(own)]
    if len(ours) == len(inside):
        ours.append(folder)
    elif folder.stat().st_mode & 0o077:
        log.warning("data: %s holds other things too, so who may look into it stays as it is", folder)
    _narrow(ours)


def _narrow(paths: Iterable[Path]) -> None:
    narrowed = []
    for path in paths:
        try:
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode) and mode & 0o077:
                path.chmod(0o700 if stat.S_ISDIR(mode) else 0o600)
                narrowed.append(path.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning("data: others may read %s, and that cannot be changed (%s)", path, error.strerror)
    if narrowed:
        log.warning("data: others could read %s; now only their owner can", ", ".join(sorted(narrowed)))
