"""What a process keeps to itself, and what one that reads strangers' bytes cannot do."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import platform
import stat
import sys
from pathlib import Path

import pytest

from bot import hardening
from bot.media.pool import MediaPool
from bot.media.values import ImageLimits
from tests.support import REPOSITORY, images

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own means")
# Whoever has root's capabilities reads everything: without them, uid 0 is a user like any other.
_WITHOUT_CAPABILITIES = (
    "from bot import hardening as h\nimport os, socket, ctypes, subprocess\nh._drop_capabilities()\n"
)
_READ_MY_PARENT = """
child = os.fork()
if child == 0:
    for name in ("environ", "mem"):
        try:
            open(f"/proc/{os.getppid()}/{name}", "rb")
            print(name, "open")
        except OSError:
            print(name, "shut")
    os._exit(0)
os.waitpid(child, 0)
"""


async def run(script: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", script, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().splitlines()


@ON_LINUX
async def test_a_child_of_the_same_user_cannot_read_the_bot() -> None:
    as_it_is = await run(_WITHOUT_CAPABILITIES + _READ_MY_PARENT)
    assert "environ open" in as_it_is
    kept = await run(_WITHOUT_CAPABILITIES + "h.keep_to_itself()" + _READ_MY_PARENT)
    assert kept == ["environ shut", "mem shut"]


@ON_LINUX
async def test_a_process_that_is_shut_in_reaches_nothing() -> None:
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("the numbers of this machine's calls are not known")
    said = await run(
        "import ctypes, socket, subprocess, threading\nfrom bot import hardening\n"
        "go, done = threading.Event(), threading.Event()\n"
        "def attempt(name, action):\n"
        "    try: action()\n"
        "    except OSError as error: print(name, error.errno)\n"
        "    else: print(name, 'worked')\n"
        "def other(): go.wait(); attempt('thread', socket.socket); done.set()\n"
        "threading.Thread(target=other).start()\n"
        "print(hardening.shut_in())\n"
        "attempt('socket', lambda: socket.create_connection(('127.0.0.1', 9)))\n"
        "attempt('program', lambda: subprocess.run(['true']))\n"
        "go.set(); done.wait()\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print('dumpable', libc.prctl(3, 0, 0, 0, 0), 'no new privileges', libc.prctl(39, 0, 0, 0, 0))\n"
        "print('io_uring', libc.syscall(425, 8, None), ctypes.get_errno())\n"
    )
    assert said == [
        "[]",
        "socket 13",
        "program 13",
        "thread 13",
        "dumpable 0 no new privileges 1",
        "io_uring -1 13",
    ]


async def test_a_system_that_refuses_is_told_of_once_and_decodes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.media.pool._noted", [])
    (tmp_path / "sitecustomize.py").write_text("import platform\nplatform.machine = lambda: 'vax'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("bot.media.pool._SHARE", 1)
    pool = MediaPool()
    for name in ("png", "gif"):  # a process each
        await pool.prepare_image(images.file(name), tmp_path / name, ImageLimits())
    await pool.close()
    (line,) = [record.getMessage() for record in caplog.records if record.name == "bot.media.pool"]
    assert line == "decoders: not shut in all round, this system refused: sockets and programs"


@ON_LINUX
async def test_a_decoder_has_its_pipes_and_nothing_else_of_the_bots(tmp_path: Path) -> None:
    secret = os.open(tmp_path / "secret", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(secret, True)
    pool = MediaPool()
    await pool.prepare_image(images.file("png"), tmp_path / "image", ImageLimits())
    try:
        ends = [os.readlink(end) for end in Path(f"/proc/{pool.pids[0]}/fd").iterdir()]
    except PermissionError:
        pytest.skip("a process that is shut in is looked into by root only")
    finally:
        await pool.close()
        os.close(secret)
    assert not any("secret" in end or "socket" in end for end in ends)


def test_what_is_written_from_now_on_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        hardening.keep_to_itself()
        (tmp_path / "file").touch()
        (tmp_path / "folder").mkdir()
    finally:
        os.umask(before)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
    assert modes(tmp_path) == {"file": 0o600, "folder": 0o700}


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


OWN = ("kinora.db", "passing", "alive")


def wide(folder: Path, *names: str) -> None:
    folder.chmod(0o755)
    for name in names:
        (folder / name).touch()
        (folder / name).chmod(0o644)


def test_a_data_folder_with_wider_rights_is_narrowed_and_said_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wide(tmp_path, "kinora.db", "kinora.db-wal", "kinora.db-shm", "kinora.db.lock", "alive")
    hardening.narrow_data_folder(tmp_path, OWN)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert set(modes(tmp_path).values()) == {0o600}
    (record,) = caplog.records
    assert "others could read alive, kinora.db, kinora.db-shm" in record.getMessage()
    caplog.clear()
    hardening.narrow_data_folder(tmp_path, OWN)
    assert caplog.records == []


def test_a_folder_that_others_use_too_is_left_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wide(tmp_path, "kinora.db", "somebody-elses")
    hardening.narrow_data_folder(tmp_path, OWN)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert modes(tmp_path) == {"kinora.db": 0o600, "somebody-elses": 0o644}
    assert "holds other things too" in caplog.text


def test_what_is_not_ours_to_narrow_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    wide(tmp_path, "kinora.db")
    monkeypatch.setattr(Path, "chmod", refused)
    hardening.narrow_database(tmp_path / "kinora.db")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "cannot be changed (Operation not permitted)" in record.getMessage()
