"""`bot.media.video`: real files of many sorts, probed, put into a new container and fitted."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import av
import pytest

from bot.errors import CannotFit, NotAVideo
from bot.media import video
from tests.support import images, videos

# Each sort: how to make it, and what keeps it from playing inline.
SORTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "as it should be": ({"movflags": "faststart"}, ()),
    "with sound": ({"movflags": "faststart", "sound": "aac"}, ()),
    "index at the end": ({}, ("moov_at_end",)),
    "fragmented": ({"movflags": "frag_keyframe+empty_moov"}, ("fragmented",)),
    "quicktime": ({"container": "mov", "movflags": "faststart"}, ("container:mov",)),
    "matroska": ({"container": "matroska"}, ("container:matroska",)),
    "transport stream": ({"container": "mpegts"}, ("container:mpegts",)),
    "hevc": (
        {"codec": "libx265", "movflags": "faststart", "options": {"x265-params": "log-level=none"}},
        ("codec:hevc",),
    ),
    "mpeg4": ({"codec": "mpeg4", "movflags": "faststart"}, ("codec:mpeg4",)),
    "av1": (
        {"codec": "libsvtav1", "movflags": "faststart", "options": {"preset": "12"}, "seconds": 1},
        ("codec:av1",),
    ),
    "vp8 and vorbis's heir": (
        {"codec": "libvpx", "container": "webm", "sound": "libopus"},
        ("container:matroska", "codec:vp8", "audio:opus"),
    ),
    "full colour": ({"pix_fmt": "yuv444p", "movflags": "faststart"}, ("pix_fmt:yuv444p",)),
    "ten bits": ({"pix_fmt": "yuv420p10le", "movflags": "faststart"}, ("pix_fmt:yuv420p10le",)),
    "odd": ({"size": (321, 241), "pix_fmt": "yuv444p"}, ("moov_at_end", "pix_fmt:yuv444p", "odd_size")),
    "avi": ({"codec": "mpeg4", "container": "avi"}, ("container:avi", "codec:mpeg4")),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: Any) -> Any:
    directory = tmp_path_factory.mktemp("films")

    def make(sort: str) -> Path:
        path: Path = directory / sort.replace(" ", "-")
        return path if path.exists() else videos.write(path, **SORTS[sort][0])

    return make


@pytest.mark.parametrize("sort", SORTS)
def test_probe(sort: Any, made: Any) -> None:
    path = made(sort)
    found = video.probe(path)
    asked, obstacles = SORTS[sort]
    assert found.obstacles == obstacles
    assert found.plays_inline == (not obstacles)
    assert (found.width, found.height) == asked.get("size", (320, 240))
    assert found.seconds == pytest.approx(asked.get("seconds", 2), abs=0.1)
    assert found.fps == 24
    assert found.has_audio == ("sound" in asked)
    assert found.bytes == path.stat().st_size
    assert json.loads(json.dumps({**vars(found), "path": ""}))


@pytest.mark.parametrize("name", ["text", "html", "random_bytes", "zeros", "empty", "svg", "archive"])
def test_what_is_no_video(name: str) -> None:
    with pytest.raises(NotAVideo):
        video.probe(images.file(name))


def test_a_song_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=48_000)
        output.mux(stream.encode(videos.tone(0)))
        output.mux(stream.encode(None))
    with pytest.raises(NotAVideo, match="no pictures"):
        video.probe(tmp_path / "song.m4a")


def test_a_playlist_opens_nothing_else(made: Any, tmp_path: Path) -> None:
    playlist = tmp_path / "list.mp4"
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{made('transport stream')}\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(NotAVideo):
        video.probe(playlist)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_half_a_download_is_never_a_crash(share: Any, made: Any, tmp_path: Path) -> None:
    for sort in ("as it should be", "index at the end", "matroska"):
        half = tmp_path / "half"
        half.write_bytes(images.cut(made(sort).read_bytes(), share))
        for work in (
            lambda: video.probe(half),  # noqa: B023
            lambda: video.remux(half, tmp_path / "remuxed.mp4"),  # noqa: B023
            lambda: video.fit(half, tmp_path / "fitted.mp4", 50_000),  # noqa: B023
        ):
            with contextlib.suppress(NotAVideo):
                work()


@pytest.mark.parametrize(
    "sort", ["index at the end", "fragmented", "quicktime", "matroska", "transport stream"]
)
def test_a_new_container_is_enough(sort: Any, made: Any, tmp_path: Path) -> None:
    source = made(sort)
    assert video.probe(source).needs_only_remux
    remuxed = video.remux(source, tmp_path / "remuxed.mp4")
    assert remuxed.plays_inline
    assert remuxed.faststart
    assert videos.psnr(source, remuxed.path) > 80  # the very same pictures


def test_sound_comes_along_into_a_new_container(tmp_path: Path) -> None:
    source = videos.write(tmp_path / "source", container="matroska", sound="aac")
    assert video.remux(source, tmp_path / "remuxed.mp4").audio == "aac"


@pytest.mark.parametrize(
    "sort", ["hevc", "mpeg4", "av1", "vp8 and vorbis's heir", "full colour", "ten bits", "odd", "avi"]
)
def test_a_new_encoding_plays_inline(sort: Any, made: Any, tmp_path: Path) -> None:
    source = made(sort)
    before = video.probe(source)
    assert not before.needs_only_remux
    fitted = video.fit(source, tmp_path / "fitted.mp4", 10**6)
    assert fitted.plays_inline
    assert fitted.bytes <= 10**6
    assert (fitted.width, fitted.height) == (before.width // 2 * 2, before.height // 2 * 2)
    assert fitted.seconds == pytest.approx(before.seconds, abs=0.1)
    assert fitted.has_audio == before.has_audio
    assert videos.psnr(source, fitted.path) > 30


@pytest.mark.parametrize("share", [0.7, 0.4, 0.2])
def test_it_fits_and_uses_what_it_may(share: Any, tmp_path: Path) -> None:
    source = videos.write(tmp_path / "source.mp4", size=(480, 270), seconds=3, bits=6_000_000, sound="aac")
    max_bytes = int(source.stat().st_size * share)
    fitted = video.fit(source, tmp_path / "fitted.mp4", max_bytes)
    assert 0.9 * max_bytes <= fitted.bytes <= max_bytes
    assert fitted.plays_inline
    assert fitted.has_audio
    assert (fitted.width, fitted.height) == (480, 270)
    assert videos.psnr(source, fitted.path) > 34
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fitted.mp4", "source.mp4"]


def test_too_few_bits_make_it_smaller(tmp_path: Path) -> None:
    source = videos.write(tmp_path / "source.mp4", size=(640, 360), seconds=2, bits=8_000_000)
    fitted = video.fit(source, tmp_path / "fitted.mp4", 20_000)
    assert fitted.bytes <= 20_000
    assert 120 <= fitted.height < 360
    assert fitted.width / fitted.height == pytest.approx(640 / 360, abs=0.05)


def test_what_can_never_fit(tmp_path: Path) -> None:
    source = videos.write(tmp_path / "source.mp4")
    with pytest.raises(CannotFit) as caught:
        video.fit(source, tmp_path / "fitted.mp4", 1000)
    assert caught.value.smallest > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]


def test_a_tall_film_of_a_phone_stays_upright(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    with av.open(str(source), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.set_display_rotation(90)
        for picture in videos.pictures(320, 240, 12):
            output.mux(stream.encode(av.VideoFrame.from_image(picture)))
        output.mux(stream.encode(None))
    fitted = video.fit(source, tmp_path / "fitted.mp4", 10**6)
    with av.open(str(fitted.path)) as container:
        assert next(container.decode(video=0)).rotation == 90
