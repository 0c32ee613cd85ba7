"""`make demo` and `make demo-headless` as a visitor runs them: processes of their own, all as it ships."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import av
import pytest
from PIL import Image

from demo import contract
from demo.headless import PICTURE, main
from tests.support import REPOSITORY
from tests.support.steps import an_image

SANDBOX = {
    "discord_token": "x.y.z",
    "novita_api_key": "sk_x",
    "discord_api_url": "http://127.0.0.1:1/api/v10",
    "novita_api_url": "http://127.0.0.1:1",
}


def start(program: str, *arguments: str | Path, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", program, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def headless(*arguments: str | Path, **environ: str) -> subprocess.Popen[str]:
    return start("demo.headless", "--quick", *arguments, **environ)


def run(*arguments: str | Path, **environ: str) -> tuple[int, str]:
    with headless(*arguments, **environ) as process:
        said, _ = process.communicate(timeout=60)
    return process.returncode, said


def assert_plays(path: Path, shape: float) -> None:
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
        assert film.streams.video[0].codec_context.name == "h264"
    assert len(frames) > 100
    assert frames[0].width / frames[0].height == pytest.approx(shape, rel=0.02)


def test_the_picture_that_ships_becomes_a_video_paid_once(tmp_path: Path) -> None:
    status, said = run("--out", tmp_path / "new" / "out")
    assert status == 0, said
    (video,) = (tmp_path / "new" / "out").glob("*.mp4")
    with Image.open(PICTURE) as picture:
        assert_plays(video, picture.width / picture.height)
    for words in (
        "acknowledged after",
        "card: Waiting",
        "thread opened",
        "paid $0.35",
        "rendered",
        "card: Done",
    ):
        assert words in said
    assert f"pinging mia: {video.name}" in said
    assert str(video) in said
    assert "byte for byte what Novita rendered" in said
    assert "1 payment, $0.35" in said
    assert not re.search(r"<t:|\*\*|\x1b|Traceback|WARNING", said)


def test_a_picture_and_a_prompt_of_ones_own_on_a_terminal_that_knows_ascii_only(tmp_path: Path) -> None:
    picture = tmp_path / "höchst eigen.png"
    picture.write_bytes(an_image(400, 600))
    # The settings of a real bot must not reach the demo's.
    environ = {"PYTHONIOENCODING": "ascii", "DISCORD_TOKEN": "<real>", "DATABASE_URL": "nonsense"}
    status, said = run("--image", picture, "--prompt", "Das Schiff fährt", "--out", tmp_path, **environ)
    assert status == 0, said
    (video,) = tmp_path.glob("*.mp4")
    assert_plays(video, 400 / 600)
    assert "thread opened: Das Schiff f?hrt" in said


def test_a_picture_that_the_bot_refuses_ends_with_its_private_answer(tmp_path: Path) -> None:
    picture = tmp_path / "small.png"
    picture.write_bytes(an_image(64, 64))
    status, said = run("--image", picture, "--out", tmp_path)
    assert status == 1
    assert "The image is 64 × 64 pixels; each side needs at least 300." in said
    assert "Nothing was charged." in said
    assert "paid $" not in said
    assert not list(tmp_path.glob("*.mp4"))


def test_a_missing_picture_gets_one_sentence() -> None:
    assert run("--image", "nowhere.png") == (2, "There is no file nowhere.png.\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--image", "tests"], "tests is a folder; IMAGE must be a picture's file."),
        (["--image", os.devnull], f"{os.devnull} is not an ordinary file."),
        (["--out", "README.md"], "The video cannot be put in README.md: File exists."),
    ],
)
def test_other_arguments_that_cannot_be_used_get_one_too(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{sentence}\n"


# --- the page -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_screen_the_address_is_printed_and_the_page_served_until_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    nowhere = dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"), "")
    with start("demo", "--port", "0", TMPDIR=str(tmp_path), **nowhere) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/app/", process.stdout.readline())
        assert found
        with urlopen(found[0]) as page:  # noqa: S310 (the address is the sandbox's)
            assert b"Kinora" in page.read()
        if number is signal.SIGINT:  # the other one comes while the bot is still starting
            assert "The bot is online." in process.stdout.readline()
        family = list(descendants(process.pid))
        assert family
        process.send_signal(number)
        assert process.wait(30) == 0
        assert process.stdout.read() == ""
    wait_gone(family)
    assert list(tmp_path.iterdir()) == []


def test_with_a_screen_the_page_is_opened(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}.new && mv {seen}.new {seen}\n')
    browser.chmod(0o755)
    with start("demo", "--port", "0", DISPLAY=":0", CI="", BROWSER=str(browser)) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        while not seen.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert seen.read_text() == f"{address}\n"


# --- the end ------------------------------------------------------------------------------------------------


def descendants(parent: int) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ppid = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if ppid == parent:
            yield int(folder.name)
            yield from descendants(int(folder.name))


def wait_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 30
    while any(running(pid) for pid in pids):
        assert time.monotonic() < deadline, f"left running: {pids}"
        time.sleep(0.05)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_stopped_in_the_middle_it_leaves_nothing_running(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with headless("--out", tmp_path, TMPDIR=str(tmp_path)) as process:
        assert process.stdout is not None
        assert any("submitted and queued" in line for line in process.stdout)
        family = list(descendants(process.pid))
        assert len(family) >= 2  # the bot, and the process that renders
        process.send_signal(number)
        assert process.wait(30) == status
    wait_gone(family)
    if number is not signal.SIGKILL:
        assert not list(tmp_path.glob("kinora-demo-*"))


# --- what the demo knows of the bot -------------------------------------------------------------------------


async def test_the_contract_names_columns_that_the_bots_database_has(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, *contract.COMMAND, "migrate"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **contract.environment(SANDBOX)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await made.communicate()
    assert made.returncode == 0, said
    jobs = contract.read_jobs(tmp_path)
    names = [column["name"] for column in jobs["columns"]]
    assert names[: len(contract.FIRST_COLUMNS)] == list(contract.FIRST_COLUMNS)
    assert set(contract.SECRET_COLUMNS) <= set(names)
    assert {column["kind"] for column in jobs["columns"]} == {"state", "price", "time", "text"}
    assert jobs["rows"] == []


def test_secrets_of_a_job_are_not_shown_and_the_newest_comes_first(tmp_path: Path) -> None:
    path = tmp_path / contract.DATABASE
    assert contract.read_jobs(tmp_path)["columns"] == []
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        assert contract.read_jobs(tmp_path)["rows"] == []  # the table is yet to come
        database.execute("CREATE TABLE jobs (token, price, created_at, id)")
        database.executemany(
            "INSERT INTO jobs VALUES (?, ?, ?, ?)", [("secret", 3, 1.0, "a"), (None, 4, 2.0, "b")]
        )
        database.commit()
    jobs = contract.read_jobs(tmp_path)
    assert [column["name"] for column in jobs["columns"]] == ["id", "created_at", "price", "token"]
    assert jobs["rows"] == [["b", 2.0, 4, None], ["a", 1.0, 3, "<hidden>"]]
