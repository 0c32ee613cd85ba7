"""`bot.media.pool`: real processes, with real bytes, and everything that can befall them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.errors import CannotFit, ImageRejected, MediaPoolError, NotAVideo
from bot.media.pool import MediaPool
from bot.media.values import ImageLimits, PreparedImage
from tests.support import images, videos

LIMITS = ImageLimits()


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[MediaPool]:
    before = children()
    pool = MediaPool()
    yield pool
    await pool.close()
    assert children() <= before


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return videos.write(tmp_path_factory.mktemp("films") / "long.mp4", seconds=20)


def children() -> set[int]:
    """Return this process's children, the dead but uncollected ones too."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(entry.name))
    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # it is another process's to change
            await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def image_of(pool: MediaPool, tmp_path: Path, name: str = "jpeg", timeout: float = 20) -> PreparedImage:
    return await pool.prepare_image(images.file(name), tmp_path / name, LIMITS, timeout=timeout)


async def test_an_image_comes_back_whole(pool: MediaPool, tmp_path: Path) -> None:
    image = await image_of(pool, tmp_path, "heic_transparent")
    assert image == PreparedImage(
        path=tmp_path / "heic_transparent.jpg",
        format="jpeg",
        width=640,
        height=480,
        bytes=(tmp_path / "heic_transparent.jpg").stat().st_size,
        changes=("converted_from:heif", "flattened"),
    )


async def test_a_refusal_comes_back_whole(pool: MediaPool, tmp_path: Path) -> None:
    with pytest.raises(ImageRejected) as caught:
        await image_of(pool, tmp_path, "jpeg_299x1000")
    assert caught.value.rule == "too_small"
    assert caught.value.actual == {"width": 299, "height": 1000, "limit": 300}


async def test_nothing_runs_until_it_is_needed_and_then_it_stays(pool: MediaPool, tmp_path: Path) -> None:
    assert pool.pids == []
    await image_of(pool, tmp_path)
    first = pool.pids
    with contextlib.suppress(ImageRejected):
        await image_of(pool, tmp_path, "empty")
    await image_of(pool, tmp_path, "png")
    assert pool.pids == first
    assert len(first) == 1


async def test_paths_may_be_relative(
    pool: MediaPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").write_bytes(images.data("png"))
    monkeypatch.chdir(tmp_path)
    image = await pool.prepare_image(Path("here"), Path("there"), LIMITS)
    assert image.path == tmp_path / "there.png"


async def test_many_at_once_each_get_their_own(tmp_path: Path) -> None:
    pool = MediaPool(processes=2)
    names = ["jpeg", "png", "gif", "webp", "bmp", "heic", "avif", "png_palette"]
    made = await asyncio.gather(*(image_of(pool, tmp_path, name) for name in names))
    assert [image.path.stem for image in made] == names
    assert len(pool.pids) == 2
    await pool.close()


async def test_a_hang_is_a_refusal_and_costs_one_process(pool: MediaPool, tmp_path: Path) -> None:
    await image_of(pool, tmp_path)
    (pid,) = pool.pids
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ImageRejected) as caught:
        await image_of(pool, tmp_path, timeout=0.2)
    assert (caught.value.rule, caught.value.actual) == ("too_hard", {"seconds": 0.2})
    await until(lambda: is_gone(pid))
    assert await image_of(pool, tmp_path)


@pytest.mark.parametrize(("end", "rule"), [(signal.SIGSEGV, "corrupt"), (signal.SIGKILL, "too_hard")])
async def test_a_crash_is_a_refusal_and_costs_one_process(
    pool: MediaPool, tmp_path: Path, end: Any, rule: str
) -> None:
    await image_of(pool, tmp_path)
    (pid,) = pool.pids
    os.kill(pid, signal.SIGSTOP)  # so that it certainly dies in the middle of the next one
    asking = asyncio.create_task(image_of(pool, tmp_path))
    await asyncio.sleep(0)
    os.kill(pid, end)
    with contextlib.suppress(ProcessLookupError):  # SIGKILL waits for nothing
        os.kill(pid, signal.SIGCONT)
    with pytest.raises(ImageRejected) as caught:
        await asking
    assert caught.value.rule == rule
    assert await image_of(pool, tmp_path)


async def test_one_that_died_in_its_sleep_is_replaced(pool: MediaPool, tmp_path: Path) -> None:
    await image_of(pool, tmp_path)
    (pid,) = pool.pids
    os.kill(pid, signal.SIGKILL)
    # It is gone, and this loop has not heard of it.
    with contextlib.suppress(ChildProcessError):  # asyncio's own thread was the first to hear
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222
    assert await image_of(pool, tmp_path)


async def test_an_abandoned_answer_reaches_nobody_else(pool: MediaPool, tmp_path: Path) -> None:
    await image_of(pool, tmp_path)
    os.kill(pool.pids[0], signal.SIGSTOP)
    asking = asyncio.create_task(image_of(pool, tmp_path, "png"))
    waiting = asyncio.create_task(image_of(pool, tmp_path, "gif"))
    await asyncio.sleep(0)
    asking.cancel()
    assert (await waiting).path.name == "gif.png"
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_it_can_be_abandoned_at_any_time(pool: MediaPool, tmp_path: Path) -> None:
    for steps in range(20):  # also while its process is being started
        asking = asyncio.create_task(image_of(pool, tmp_path))
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
    assert await image_of(pool, tmp_path)


async def test_the_terminals_signals_are_the_bots_business(pool: MediaPool, tmp_path: Path) -> None:
    await image_of(pool, tmp_path)
    (pid,) = pool.pids
    assert os.getsid(pid) != os.getsid(0)
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    await image_of(pool, tmp_path)
    assert pool.pids == [pid]


async def test_a_process_makes_room_after_its_share(
    pool: MediaPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.media.pool._SHARE", 2)
    pids = []
    for _ in range(4):
        await image_of(pool, tmp_path)
        pids += pool.pids
    assert len(set(pids)) == 2


async def test_closing_ends_work_in_hand(tmp_path: Path) -> None:
    before = children()
    pool = MediaPool()
    await image_of(pool, tmp_path)
    os.kill(pool.pids[0], signal.SIGSTOP)
    asking = [asyncio.create_task(image_of(pool, tmp_path)) for _ in range(3)]
    await asyncio.sleep(0)
    await pool.close()
    for task in asking:
        with pytest.raises(MediaPoolError, match="closed"):
            await task
    with pytest.raises(MediaPoolError, match="closed"):
        await image_of(pool, tmp_path)
    assert children() <= before


async def test_a_process_that_cannot_start_is_nobodys_bad_picture(
    pool: MediaPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.media.pool._ROOT", tmp_path)  # there is no `bot` here
    with pytest.raises(MediaPoolError, match="did not start"):
        await image_of(pool, tmp_path)


async def test_the_disk_is_nobodys_bad_picture(pool: MediaPool, tmp_path: Path) -> None:
    with pytest.raises(MediaPoolError, match="FileNotFoundError"):
        await pool.prepare_image(images.file("png"), tmp_path / "no" / "such" / "place", LIMITS)
    assert await image_of(pool, tmp_path)


async def test_decoders_see_no_secrets(
    pool: MediaPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "a token")
    await image_of(pool, tmp_path)
    try:
        environment = Path(f"/proc/{pool.pids[0]}/environ").read_bytes()
    except PermissionError:
        pytest.skip("a process that is shut in is looked into by root only")
    assert b"PATH=" in environment
    assert b"DISCORD_TOKEN" not in environment


async def test_the_bot_itself_loads_no_decoder() -> None:
    script = "import bot.media.pool, sys; sys.exit(bool({'PIL', 'av', 'pillow_heif'} & set(sys.modules)))"
    bot = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=Path(__file__).parents[2])
    assert await bot.wait() == 0


async def test_it_ends_with_the_bot_even_in_the_middle_of_something(tmp_path: Path, long_video: Path) -> None:
    script = (
        "import asyncio\nfrom pathlib import Path\nfrom bot.media.pool import MediaPool\n"
        "async def main():\n"
        "    pool = MediaPool()\n"
        f"    await pool.probe(Path({str(long_video)!r}))\n"
        f"    asyncio.create_task(pool.fit(Path({str(long_video)!r}), "
        f"Path({str(tmp_path / 'out.mp4')!r}), 10**6))\n"
        "    while len(pool.pids) < 2: await asyncio.sleep(0.01)\n"
        "    print(*pool.pids, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert bot.stdout
    pids = [int(pid) for pid in (await bot.stdout.readline()).split()]
    bot.kill()
    await bot.wait()
    await until(lambda: all(has_ended(pid) for pid in pids))


def has_ended(pid: int) -> bool:
    """Tell whether a process is no more, or only waits for whoever has adopted it to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_an_image_does_not_wait_for_a_video(pool: MediaPool, tmp_path: Path, long_video: Path) -> None:
    fitting = asyncio.create_task(pool.fit(long_video, tmp_path / "out.mp4", 10**6))
    await until(lambda: len(pool.pids) == 1)
    os.kill(pool.pids[0], signal.SIGSTOP)
    await image_of(pool, tmp_path)
    assert not fitting.done()
    fitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fitting


async def test_what_yields_gives_its_place_up_and_is_done_afterwards(
    pool: MediaPool, tmp_path: Path, long_video: Path
) -> None:
    again = asyncio.create_task(pool.fit(long_video, tmp_path / "again.mp4", 10**6, yields=True))
    await until(lambda: len(pool.pids) == 1)
    (pid,) = pool.pids
    os.kill(pid, signal.SIGSTOP)  # it would take for ever
    fitted = await pool.fit(long_video, tmp_path / "paid.mp4", 10**6)
    assert fitted.bytes < 10**6
    assert not again.done()
    assert is_gone(pid)
    assert (await again).path == tmp_path / "again.mp4"


async def test_what_yields_is_begun_last(pool: MediaPool, tmp_path: Path, long_video: Path) -> None:
    done: list[str] = []

    async def fit(name: str, *, yields: bool) -> None:
        await pool.fit(long_video, tmp_path / f"{name}.mp4", 10**6, yields=yields)
        done.append(name)

    first = asyncio.create_task(fit("first", yields=False))
    await until(lambda: len(pool.pids) == 1)
    others = [asyncio.create_task(fit(f"again {n}", yields=True)) for n in range(2)]
    await asyncio.sleep(0)
    others.append(asyncio.create_task(fit("paid", yields=False)))
    await asyncio.sleep(0)
    others[0].cancel()  # who gives up waiting leaves no hole
    await asyncio.gather(first, *others, return_exceptions=True)
    assert done == ["first", "paid", "again 1"]


async def test_films(pool: MediaPool, tmp_path: Path) -> None:
    source = tmp_path / "film.mp4"
    videos.write(source)
    video = await pool.probe(source)
    assert (video.path, video.obstacles) == (source, ("moov_at_end",))
    assert (await pool.remux(source, tmp_path / "remuxed.mp4")).plays_inline
    fitted = await pool.fit(source, tmp_path / "fitted.mp4", source.stat().st_size // 2)
    assert fitted.bytes <= source.stat().st_size // 2
    with pytest.raises(NotAVideo):
        await pool.probe(images.file("text"))
    with pytest.raises(CannotFit) as caught:
        await pool.fit(source, tmp_path / "never.mp4", 500)
    assert caught.value.max_bytes == 500 < caught.value.smallest


async def test_a_film_that_takes_too_long(pool: MediaPool, tmp_path: Path, long_video: Path) -> None:
    with pytest.raises(MediaPoolError, match="timeout"):
        await pool.fit(long_video, tmp_path / "out.mp4", 10**6, timeout=0.1)


@pytest.mark.parametrize(
    "kind", ["jpeg", "png", "webp", "gif", "bmp", "heic", "avif", "webp_animated", "png_animated"]
)
async def test_damage_never_gets_further_than_a_refusal(pool: MediaPool, tmp_path: Path, kind: Any) -> None:
    """Flip bytes and cut ends: an image or a refusal comes out, and the process lives on."""
    chance = random.Random(kind)  # noqa: S311
    whole = images.data(kind)
    damaged = tmp_path / "damaged"
    pids = set()
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3, 20))):
            data[chance.randrange(min(len(data), chance.choice((64, 400, 10**9))))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        damaged.write_bytes(data)
        with contextlib.suppress(ImageRejected):
            assert isinstance(await pool.prepare_image(damaged, tmp_path / "image", LIMITS), PreparedImage)
        pids |= set(pool.pids)
    assert len(pids) == 1
