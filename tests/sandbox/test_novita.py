"""The Novita stand-in over HTTP: what it accepts and refuses, what it charges, and the films it makes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import itertools
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest
import yarl
from aiohttp import web
from PIL import Image, ImageChops, ImageDraw, ImageStat

from sandbox.house import House
from sandbox.novita.errors import STATUS
from sandbox.novita.models import MODELS
from sandbox.novita.render import film_size
from tests.support.servers import serving

SEED_MODEL = "kling-2.5-turbo-i2v"
ROOT = Path(__file__).resolve().parents[2]
# Quick for tests: small films, and tasks that end as soon as their film is there.
QUICK = {"queue_seconds": 0, "render_seconds": 0, "video_height": 120, "video_fps": 12}


def opened(film: bytes) -> Any:
    """Open a video."""
    return av.open(io.BytesIO(film))


def picture(width: int = 480, height: int = 320, kind: str = "PNG", mode: str = "RGB") -> bytes:
    """Return an image with large shapes in strong colours, so that a film can be compared with it."""
    image = Image.new("RGB", (width, height), (30, 60, 110))
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.1, height * 0.1, width * 0.5, height * 0.7), fill=(240, 180, 40))
    draw.rectangle((width * 0.6, height * 0.4, width * 0.9, height * 0.9), fill=(200, 40, 60))
    file = io.BytesIO()
    image.convert(mode).save(file, kind)
    return file.getvalue()


IMAGE = picture()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def data_uri(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64_of(data)}"


def body(**changes: Any) -> dict[str, Any]:
    """Return a good submit for the seed model with `changes`; None removes a field."""
    fields = {"image": base64_of(IMAGE), "prompt": "The sun rises slowly", **changes}
    return {name: value for name, value in fields.items() if value is not None}


def body_v3(**changes: Any) -> dict[str, Any]:
    return body(**{"image": data_uri(IMAGE), **changes})


@dataclass
class Answer:
    """What came back: the JSON body too, when it is JSON."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        return str(self.json["reason"])


class Customer:
    """A client of the stand-in with the right key, and of its control site."""

    def __init__(self, house: House, session: aiohttp.ClientSession) -> None:
        self.house = house
        self.session = session

    async def call(self, method: str, url: str, **options: Any) -> Answer:
        address = yarl.URL(url, encoded="params" not in options)  # a signed one as it is
        async with self.session.request(method, address, **options) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def api(self, method: str, path: str, key: str | None = None, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.house.key}" if key is None else key}
        return await self.call(
            method,
            self.house.novita_api_url + path,
            headers={**headers, **options.pop("headers", {})},
            **options,
        )

    async def control(self, method: str, path: str, json: Any = None) -> Any:
        answer = await self.call(method, self.house.control_url + path, json=json)
        assert answer.status == 200, answer.body
        return answer.json

    async def settings(self, **changes: Any) -> dict[str, Any]:
        return await self.control("PATCH", "/novita/settings", changes)  # type: ignore[no-any-return]

    async def forward(self, seconds: float) -> None:
        await self.control("POST", "/novita/clock", {"forward": seconds})

    async def submit(self, fields: Any = None, model: str = SEED_MODEL) -> Answer:
        # A file object, since aiohttp warns of large bodies that are given whole.
        data = io.BytesIO(json.dumps(body() if fields is None else fields).encode())
        headers = {"Content-Type": "application/json"}
        return await self.api("POST", f"/v3/async/{model}", data=data, headers=headers)

    async def order(self, fields: Any = None, model: str = SEED_MODEL) -> str:
        answer = await self.submit(fields, model)
        assert answer.status == 200, answer.body
        assert list(answer.json) == ["task_id"]
        return str(answer.json["task_id"])

    async def result(self, task_id: str) -> Any:
        answer = await self.api("GET", "/v3/async/task-result", params={"task_id": task_id})
        assert answer.status == 200, answer.body
        return answer.json

    async def until(self, task_id: str, status: str) -> Any:
        while (result := await self.result(task_id))["task"]["status"] != status:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return result

    async def film(self, task_id: str) -> bytes:
        result = await self.until(task_id, "TASK_STATUS_SUCCEED")
        answer = await self.call("GET", result["videos"][0]["video_url"])
        assert answer.status == 200, answer.body
        return answer.body

    async def task(self, task_id: str) -> Any:
        return await self.control("GET", f"/novita/tasks/{task_id}")

    async def payments(self) -> list[Any]:
        return (await self.control("GET", "/novita/payments"))["payments"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
async def novita_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    house = House(data_dir=tmp_path_factory.mktemp("novita"))
    await house.start()
    yield house
    await house.stop()


@pytest.fixture
async def customer(novita_house: House) -> AsyncIterator[Customer]:
    async with aiohttp.ClientSession() as session:
        customer = Customer(novita_house, session)
        await customer.control("POST", "/reset")
        await customer.settings(**QUICK)
        yield customer


def boxes(film: bytes) -> Iterator[str]:
    """Yield the names of an MP4's top-level boxes."""
    at = 0
    while at < len(film):
        size = int.from_bytes(film[at : at + 4], "big")
        assert size >= 8
        yield film[at + 4 : at + 8].decode()
        at += size
    assert at == len(film)


def difference(frame: Image.Image, still: bytes) -> float:
    """Return the mean difference of a frame from a still, 0 … 255."""
    with Image.open(io.BytesIO(still)) as image:
        expected = image.convert("RGB").resize(frame.size)
    return sum(ImageStat.Stat(ImageChops.difference(frame, expected)).mean) / 3


# --- the film -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "fields", "seconds", "size"),
    [
        (SEED_MODEL, body(), 5, (180, 120)),
        (SEED_MODEL, body(image=base64_of(picture(360, 540, "JPEG")), duration="10"), 10, (120, 180)),
        ("kling-v3.0-std-i2v", body_v3(duration=3), 3, (180, 120)),
        ("kling-v3.0-pro-i2v", body_v3(image=data_uri(picture(400, 400, "JPEG"), "jpeg")), 5, (120, 120)),
        ("kling-v2.1-i2v-master", body_v3(guidance_scale=0.7), 5, (180, 120)),
    ],
)
async def test_a_film_is_made_from_the_still(
    customer: Customer, model: str, fields: dict[str, Any], seconds: int, size: tuple[int, int]
) -> None:
    film = await customer.film(await customer.order(fields, model))
    assert list(boxes(film)) == ["ftyp", "moov", "free", "mdat"]  # faststart: moov comes before mdat
    with opened(film) as container:
        (stream,) = container.streams  # silent
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == size
        assert stream.average_rate == 12
        frames = [frame.to_image() for frame in container.decode(stream)]
    assert len(frames) == seconds * 12
    still = base64.b64decode(fields["image"].rpartition(",")[2])
    assert difference(frames[0], still) < 4
    assert difference(frames[-1], still) > 2 * difference(frames[0], still)  # the camera has moved


def test_a_film_is_of_the_1080p_class_in_the_shape_of_the_still() -> None:
    sizes = [(1920, 1080), (1000, 1000), (900, 1600), (4000, 3000), (2500, 1000), (301, 457), (300, 300)]
    films = [film_size(width, height, 1080) for width, height in sizes]
    assert films == [
        (1920, 1080),
        (1080, 1080),
        (1080, 1920),
        (1440, 1080),
        (1920, 768),
        (1080, 1640),
        (1080, 1080),
    ]


async def test_the_camera_moves_without_jerks(customer: Customer) -> None:
    film = await customer.film(await customer.order())
    with opened(film) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    steps = [sum(ImageStat.Stat(ImageChops.difference(a, b)).mean) for a, b in itertools.pairwise(frames)]
    middle = steps[len(steps) // 2]
    assert steps[0] < middle / 3  # eased at both ends
    assert steps[-1] < middle / 3


@pytest.mark.parametrize(
    ("variant", "codec", "pix_fmt", "order"),
    [
        ("hevc", "hevc", "yuv420p", ["ftyp", "moov", "free", "mdat"]),
        ("mpeg4", "mpeg4", "yuv420p", ["ftyp", "moov", "free", "mdat"]),
        ("moov_at_end", "h264", "yuv420p", ["ftyp", "free", "mdat", "moov"]),
        ("odd_pixels", "h264", "yuv444p", ["ftyp", "moov", "free", "mdat"]),
    ],
)
async def test_films_can_be_of_other_kinds(
    customer: Customer, variant: str, codec: str, pix_fmt: str, order: list[str]
) -> None:
    await customer.settings(video_variant=variant)
    film = await customer.film(await customer.order())
    assert list(boxes(film)) == order
    with opened(film) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == (codec, pix_fmt)


async def test_films_can_be_no_films(customer: Customer) -> None:
    await customer.settings(video_variant="html")
    result = await customer.until(await customer.order(), "TASK_STATUS_SUCCEED")
    answer = await customer.call("GET", result["videos"][0]["video_url"])
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.body.startswith(b"<!DOCTYPE html>")
    await customer.settings(video_variant="corrupt")
    film = await customer.film(await customer.order())
    assert film[4:8] == b"ftyp"
    with pytest.raises(av.FFmpegError):
        av.open(io.BytesIO(film))


async def test_a_film_can_be_padded_to_any_size_and_still_plays(customer: Customer) -> None:
    await customer.settings(video_bytes=3_000_001)
    film = await customer.film(await customer.order())
    assert len(film) == 3_000_001
    assert list(boxes(film)) == ["ftyp", "moov", "free", "mdat", "free"]
    with opened(film) as container:
        assert len(list(container.decode(video=0))) == 60


async def test_a_transparent_png_is_put_on_black(customer: Customer) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (400, 400), (255, 255, 255, 0)).save(file, "PNG")
    film = await customer.film(await customer.order(body(image=base64_of(file.getvalue()))))
    with opened(film) as container:
        assert max(ImageStat.Stat(next(container.decode(video=0)).to_image()).mean) < 3


async def test_many_tasks_of_one_still_share_one_film(customer: Customer) -> None:
    tasks = [await customer.order() for _ in range(20)]
    films = await asyncio.gather(*(customer.film(task) for task in tasks))
    assert len(set(films)) == 1
    shown = await customer.task(tasks[7])
    assert shown["video"] == {"bytes": len(films[0]), "sha256": hashlib.sha256(films[0]).hexdigest()}
    assert await customer.control("GET", f"/novita/tasks/{tasks[7]}/sha256") == shown["video"]
    video = await customer.call("GET", f"{customer.house.control_url}/novita/tasks/{tasks[7]}/video")
    assert video.body == films[0]


# --- results ------------------------------------------------------------------------------------------------


async def test_the_answers_have_the_documented_shape(customer: Customer) -> None:
    await customer.settings(queue_seconds=100, render_seconds=100)
    task_id = await customer.order()
    queued = await customer.result(task_id)
    assert 0 < queued["task"].pop("eta") <= 200
    submitted = str(int((await customer.task(task_id))["submitted_at"] * 1000))
    debug = {"request_info": "", "execute_time_ms": "", "complete_time_ms": "", "submit_time_ms": submitted}
    assert queued == {
        "task": {
            "task_id": task_id,
            "status": "TASK_STATUS_QUEUED",
            "reason": "",
            "task_type": "IMG_TO_VIDEO",
            "progress_percent": 0,
        },
        "extra": {"seed": "", "enable_nsfw_detection": False, "debug_info": debug},
        "images": [],
        "videos": [],
        "audios": [],
    }
    await customer.forward(100)
    assert 0 < (await customer.until(task_id, "TASK_STATUS_PROCESSING"))["task"]["eta"] <= 100
    await customer.forward(50)
    processing = (await customer.result(task_id))["task"]
    assert 0 < processing["eta"] <= 50
    assert 50 <= processing["progress_percent"] < 100
    await customer.forward(50)
    done = await customer.until(task_id, "TASK_STATUS_SUCCEED")
    assert (done["task"]["progress_percent"], done["task"]["eta"]) == (100, 0)
    (video,) = done["videos"]
    assert (video["video_url_ttl"], video["video_type"]) == ("3600", "mp4")
    assert video["video_url"].startswith(f"{customer.house.novita_api_url}/files/{task_id}/")
    shown = await customer.task(task_id)
    assert shown["submitted_at"] <= shown["started_at"] - 99
    assert shown["started_at"] <= shown["ended_at"] - 99


async def test_lean_answers_leave_out_what_newer_examples_omit(customer: Customer) -> None:
    await customer.settings(shape="lean")
    done = await customer.until(await customer.order(), "TASK_STATUS_SUCCEED")
    assert set(done) == {"task", "videos"}
    assert done["task"]["progress_percent"] == 0


async def test_the_first_polls_can_answer_another_status(customer: Customer) -> None:
    await customer.settings(status_override="TASK_STATUS_UNKNOWN", status_override_polls=2)
    task_id = await customer.order()
    first = [(await customer.result(task_id))["task"]["status"] for _ in range(2)]
    assert first == ["TASK_STATUS_UNKNOWN"] * 2
    await customer.until(task_id, "TASK_STATUS_SUCCEED")
    assert (await customer.task(task_id))["polls"] >= 3


async def test_a_failing_render_says_why_and_has_no_video(customer: Customer) -> None:
    task_id = await customer.order(body(prompt="please fail-sandbox-render now"))
    failed = await customer.until(task_id, "TASK_STATUS_FAILED")
    assert failed["task"]["reason"] != ""
    assert failed["videos"] == []
    assert len(await customer.payments()) == 1


async def test_tasks_queue_for_the_slots_in_order(customer: Customer) -> None:
    await customer.settings(concurrency=1, render_seconds=100)
    tasks = [await customer.order() for _ in range(3)]
    await customer.until(tasks[0], "TASK_STATUS_PROCESSING")

    async def statuses() -> list[str]:
        return [
            (await customer.result(task))["task"]["status"].removeprefix("TASK_STATUS_") for task in tasks
        ]

    assert await statuses() == ["PROCESSING", "QUEUED", "QUEUED"]
    await customer.forward(100)
    await customer.until(tasks[1], "TASK_STATUS_PROCESSING")
    assert await statuses() == ["SUCCEED", "PROCESSING", "QUEUED"]
    await customer.settings(concurrency=None)
    await customer.until(tasks[2], "TASK_STATUS_PROCESSING")
    await customer.settings(render_seconds=0)  # a change acts on what is under way
    assert (await asyncio.gather(*(customer.film(task) for task in tasks)))[2]


@pytest.mark.parametrize("task_id", ["", "830d9c90-d53f-4c5a-8009-000000000000"])
async def test_an_unknown_task_is_not_found(customer: Customer, task_id: str) -> None:
    answer = await customer.api("GET", "/v3/async/task-result", params={"task_id": task_id})
    assert (answer.status, answer.reason) == (404, "TASK_NOT_FOUND")
    assert set(answer.json) == {"code", "reason", "message", "metadata"}


async def test_a_task_is_forgotten_after_its_retention(customer: Customer) -> None:
    await customer.settings(task_retention=500)
    task_id = await customer.order()
    done = await customer.until(task_id, "TASK_STATUS_SUCCEED")
    await customer.forward(501)
    answer = await customer.api("GET", "/v3/async/task-result", params={"task_id": task_id})
    assert answer.reason == "TASK_NOT_FOUND"
    assert (await customer.call("GET", done["videos"][0]["video_url"])).status == 404


# --- files --------------------------------------------------------------------------------------------------


async def test_links_expire_and_are_signed_again(customer: Customer) -> None:
    task_id = await customer.order()
    old = (await customer.until(task_id, "TASK_STATUS_SUCCEED"))["videos"][0]["video_url"]
    assert (await customer.call("GET", old)).status == 200
    await customer.forward(3601)
    expired = await customer.call("GET", old)
    assert (expired.status, expired.headers["Content-Type"]) == (403, "application/xml; charset=utf-8")
    assert b"<Code>AccessDenied</Code>" in expired.body
    fresh = (await customer.result(task_id))["videos"][0]["video_url"]
    assert (await customer.call("GET", fresh)).status == 200
    assert (await customer.task(task_id))["downloads"] == 2


async def test_links_need_not_be_signed_again(customer: Customer) -> None:
    await customer.settings(sign_again=False, video_ttl=60)
    task_id = await customer.order()
    (first,) = (await customer.until(task_id, "TASK_STATUS_SUCCEED"))["videos"]
    assert first["video_url_ttl"] == "60"
    await customer.forward(61)
    (again,) = (await customer.result(task_id))["videos"]
    assert again == first
    assert (await customer.call("GET", again["video_url"])).status == 403


@pytest.mark.parametrize("change", [("Signature=", "Signature=0"), ("Expires=", "Expires=9"), ("?", "?x=")])
async def test_a_forged_link_is_refused(customer: Customer, change: tuple[str, str]) -> None:
    done = await customer.until(await customer.order(), "TASK_STATUS_SUCCEED")
    assert (await customer.call("GET", done["videos"][0]["video_url"].replace(*change))).status == 403


async def test_files_have_a_length_and_ranges(customer: Customer) -> None:
    done = await customer.until(await customer.order(), "TASK_STATUS_SUCCEED")
    url = done["videos"][0]["video_url"]
    whole = await customer.call("GET", url)
    assert whole.headers["Content-Length"] == str(len(whole.body))
    assert (whole.headers["Content-Type"], whole.headers["Accept-Ranges"]) == ("video/mp4", "bytes")
    part = await customer.call("GET", url, headers={"Range": "bytes=100-"})
    assert (part.status, part.body) == (206, whole.body[100:])
    head = await customer.call("HEAD", url)
    assert head.headers["Content-Length"] == str(len(whole.body))


# --- money --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "fields", "price"),
    [
        (SEED_MODEL, body(), 3500),
        (SEED_MODEL, body(duration="10"), 7000),
        ("kling-v3.0-std-i2v", body_v3(duration=10), 8400),
        ("kling-v3.0-std-i2v", body_v3(duration=10, sound=True), 12600),
        ("kling-v3.0-pro-i2v", body_v3(), 5600),
        ("kling-v3.0-pro-i2v", body_v3(sound=True), 8400),
    ],
)
async def test_a_submit_costs_its_price_once(
    customer: Customer, model: str, fields: dict[str, Any], price: int
) -> None:
    await customer.settings(render_seconds=1000)
    task_id = await customer.order(fields, model)
    (payment,) = await customer.payments()
    assert payment == {
        "at": (await customer.task(task_id))["submitted_at"],
        "task_id": task_id,
        "model": model,
        "price": price,
        "image_sha256": hashlib.sha256(IMAGE).hexdigest(),
        "prompt": "The sun rises slowly",
        "sound": fields.get("sound", False),
        "end_image_sha256": "",
    }
    balance = (await customer.api("GET", "/openapi/v1/billing/balance/detail")).json
    assert balance["availableBalance"] == str(1_000_000 - price)
    assert all(isinstance(amount, str) for amount in balance.values())
    assert (await customer.api("GET", "/v3/user")).json["credit_balance"] == 1_000_000 - price


async def test_an_empty_account_is_refused(customer: Customer) -> None:
    await customer.settings(balance=3500 + 3499)
    await customer.order()
    answer = await customer.submit()
    assert (answer.status, answer.reason) == (400, "BILLING_BALANCE_NOT_ENOUGH")
    assert len(await customer.payments()) == 1


async def test_submits_at_once_do_not_overdraw_the_account(customer: Customer) -> None:
    await customer.settings(balance=3500 * 3)
    answers = await asyncio.gather(*(customer.submit() for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [400] * 5
    assert len(await customer.payments()) == 3


async def test_a_lost_answer_was_charged_and_a_lost_request_was_not(customer: Customer) -> None:
    for kind, paid in (("drop_before", 0), ("drop_after", 1)):
        await customer.control("POST", "/faults", {"side": "novita", "kind": kind, "method": "POST"})
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await customer.submit()
        assert len(await customer.payments()) == paid


# --- refusals -----------------------------------------------------------------------------------------------


def noise_png(size: int) -> bytes:
    pixels = random.Random(1).randbytes(3 * size * size)  # noqa: S311
    file = io.BytesIO()
    Image.frombytes("RGB", (size, size), pixels).save(file, "PNG", compress_level=0)
    return file.getvalue()


INVALID = "INVALID_REQUEST_BODY"
FORMAT = "INVALID_IMAGE_FORMAT"
SIZE = "INVALID_IMAGE_SIZE"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image": None}, INVALID),
        ({"image": ""}, INVALID),
        ({"image": 5}, INVALID),
        ({"prompt": None}, INVALID),
        ({"prompt": ""}, INVALID),
        ({"prompt": ["a"]}, INVALID),
        ({"prompt": "x" * 2501}, INVALID),
        ({"negative_prompt": "x" * 2501}, INVALID),
        ({"negative_prompt": 1}, INVALID),
        ({"duration": 5}, INVALID),
        ({"duration": "7"}, INVALID),
        ({"duration": "5s"}, INVALID),
        ({"cfg_scale": 1.01}, INVALID),
        ({"cfg_scale": -0.1}, INVALID),
        ({"cfg_scale": "0.5"}, INVALID),
        ({"cfg_scale": True}, INVALID),
        ({"mode": "std"}, INVALID),
        ({"prompt": "a forbidden-sandbox-word here"}, "ILLEGAL_PROMPT"),
        ({"image": data_uri(IMAGE)}, FORMAT),
        ({"image": "https://example.org/still.png"}, FORMAT),
        ({"image": "not base64!"}, FORMAT),
        ({"image": base64_of(b"hello")}, FORMAT),
        ({"image": base64_of(IMAGE[: len(IMAGE) // 2])}, FORMAT),
        ({"image": base64_of(picture(kind="WEBP"))}, FORMAT),
        ({"image": base64_of(picture(kind="GIF"))}, FORMAT),
        ({"image": base64_of(picture(299, 400))}, SIZE),
        ({"image": base64_of(picture(400, 299))}, SIZE),
        ({"image": base64_of(picture(300, 751))}, SIZE),
        ({"image": base64_of(picture(751, 300))}, SIZE),
    ],
)
async def test_a_bad_submit_is_refused_and_costs_nothing(
    customer: Customer, changes: dict[str, Any], reason: str
) -> None:
    answer = await customer.submit(body(**changes))
    assert (answer.status, answer.reason) == (STATUS[reason], reason)
    assert set(answer.json) == {"code", "reason", "message", "metadata"}
    assert answer.json["code"] == answer.status
    assert await customer.payments() == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image": base64_of(IMAGE)}, FORMAT),
        ({"image": "data:image/webp;base64," + base64_of(picture(kind="WEBP"))}, FORMAT),
        ({"duration": "5"}, INVALID),
        ({"duration": 5.0}, INVALID),
        ({"duration": 2}, INVALID),
        ({"duration": 16}, INVALID),
        ({"duration": True}, INVALID),
        ({"sound": "yes"}, INVALID),
        ({"cfg_scale": 2}, INVALID),
        ({"end_image": base64_of(IMAGE)}, FORMAT),
        ({"end_image": data_uri(picture(200, 200))}, SIZE),
    ],
)
@pytest.mark.parametrize("model", ["kling-v3.0-std-i2v", "kling-v3.0-pro-i2v"])
async def test_the_newer_models_have_rules_of_their_own(
    customer: Customer, model: str, changes: dict[str, Any], reason: str
) -> None:
    answer = await customer.submit(body_v3(**changes), model)
    assert (answer.status, answer.reason) == (400, reason)


@pytest.mark.parametrize(
    "fields",
    [
        body(prompt="x" * 2500, negative_prompt="y" * 2500, cfg_scale=0, mode="pro", duration="10"),
        body(cfg_scale=1, negative_prompt=""),
        body(image=base64_of(picture(300, 750))),
        body(image=base64_of(picture(750, 300, "JPEG"))),
        body(image=base64_of(picture(kind="JPEG", mode="CMYK"))),
        body(image=base64_of(picture(mode="P"))),
    ],
)
async def test_the_limits_themselves_are_accepted(customer: Customer, fields: dict[str, Any]) -> None:
    await customer.order(fields)


async def test_a_large_image_is_measured_after_decoding(customer: Customer) -> None:
    just_fits, too_large = noise_png(1865), noise_png(1872)
    assert len(just_fits) < 10 * 2**20 < len(too_large)
    await customer.order(body(image=base64_of(just_fits)))
    answer = await customer.submit(body(image=base64_of(too_large)))
    assert (answer.status, answer.reason) == (400, "IMAGE_FILE_EXCEEDS_MAX_SIZE")


async def test_an_enormous_body_is_refused(customer: Customer) -> None:
    headers = {"Content-Type": "application/json"}
    data = io.BytesIO(b"x" * (61 * 2**20))
    answer = await customer.api("POST", f"/v3/async/{SEED_MODEL}", data=data, headers=headers)
    assert answer.reason == "IMAGE_FILE_EXCEEDS_MAX_SIZE"


async def test_a_decompression_bomb_is_refused_before_decoding(customer: Customer) -> None:
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "PNG")
    answer = await customer.submit(body(image=base64_of(file.getvalue())))
    assert answer.reason == "IMAGE_EXCEEDS_MAX_RESOLUTION"


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\xff", "[" * 100_000])
async def test_a_body_that_is_no_object_is_refused(customer: Customer, text: str) -> None:
    answer = await customer.api(
        "POST",
        f"/v3/async/{SEED_MODEL}",
        data=text.encode("latin-1"),
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status, answer.reason) == (400, INVALID)


async def test_the_content_type_must_be_json(customer: Customer) -> None:
    answer = await customer.api(
        "POST", f"/v3/async/{SEED_MODEL}", data=json.dumps(body()), headers={"Content-Type": "text/plain"}
    )
    assert answer.reason == INVALID


async def test_unknown_fields_are_tolerated_and_shown(customer: Customer) -> None:
    task_id = await customer.order(body(seed=5, aspect_ratio="16:9"))
    shown = await customer.task(task_id)
    assert shown["unknown_fields"] == ["aspect_ratio", "seed"]
    assert shown["request"]["seed"] == 5
    assert shown["request"]["image"].endswith(f"<{len(base64_of(IMAGE))} characters>")
    image = {"sha256": hashlib.sha256(IMAGE).hexdigest(), "format": "PNG", "width": 480, "height": 320}
    assert shown["image"] == {**image, "bytes": len(IMAGE), "encoding": "base64"}
    kept = await customer.call("GET", f"{customer.house.control_url}/novita/tasks/{task_id}/image")
    assert kept.body == IMAGE


@pytest.mark.parametrize("path", ["wan2.6-i2v", "kling-v2.6-pro-i2v", "kling-9", "a/b"])
async def test_a_retired_or_unknown_path_is_not_found(customer: Customer, path: str) -> None:
    answer = await customer.submit(model=path)
    assert (answer.status, answer.json) == (404, {"code": 404, "message": "route not found"})
    await customer.settings(retired_form="api_not_found")
    answer = await customer.submit(model=path)
    assert (answer.status, answer.reason) == (404, "API_NOT_FOUND")


async def test_models_can_be_retired_and_brought_back(customer: Customer) -> None:
    await customer.settings(retired=[SEED_MODEL])
    assert (await customer.submit()).status == 404
    await customer.order(body_v3(duration=5), "kling-v2.6-pro-i2v")
    (payment,) = await customer.payments()
    assert payment["price"] == MODELS["kling-v2.6-pro-i2v"].price(5, sound=True)  # its sound is on by default


@pytest.mark.parametrize("way", ["base64", "data_uri", "url"])
async def test_what_a_model_takes_an_image_as_can_be_set(customer: Customer, way: str) -> None:
    async def image(request: web.Request) -> web.Response:
        return web.Response(body=IMAGE) if request.query_string == "ex=1" else web.Response(status=404)

    async with serving({"/still.png": image}) as host:
        customer.house.novita.image_hosts |= {host.removeprefix("http://")}
        address = f"{host}/still.png?ex=1"
        ways = {"base64": base64_of(IMAGE), "data_uri": data_uri(IMAGE), "url": address}
        await customer.settings(encodings={SEED_MODEL: [way]}, encoding_refusal=INVALID)
        task_id = await customer.order(body(image=ways[way]))
        refused = [await customer.submit(body(image=ways[other])) for other in ways if other != way]
        if way == "url":  # it looks: at the bytes, and only where it may
            for astray in (address + "0", "http://example.com/a.png", address.replace("http", "https", 1)):
                assert (await customer.submit(body(image=astray))).reason == "INVALID_IMAGE_FORMAT"
    assert [answer.reason for answer in refused] == [INVALID, INVALID]
    shown = (await customer.task(task_id))["image"]
    assert (shown["encoding"], shown["sha256"]) == (way, hashlib.sha256(IMAGE).hexdigest())
    assert len(await customer.payments()) == 1


async def test_the_end_image_is_seen(customer: Customer) -> None:
    end = picture(360, 300)
    await customer.order(body_v3(end_image=data_uri(end)), "kling-v3.0-std-i2v")
    (payment,) = await customer.payments()
    assert payment["end_image_sha256"] == hashlib.sha256(end).hexdigest()


async def test_the_second_generation_may_refuse_cfg_scale(customer: Customer) -> None:
    await customer.settings(refuse_cfg_scale=True)
    assert (await customer.submit(body(cfg_scale=0.5))).reason == INVALID
    await customer.order(body())
    await customer.order(body_v3(cfg_scale=0.5), "kling-v3.0-std-i2v")


async def test_a_key_may_lack_a_right(customer: Customer) -> None:
    await customer.settings(forbidden_models=[SEED_MODEL], balance_forbidden=True)
    answers = [await customer.submit(), await customer.api("GET", "/openapi/v1/billing/balance/detail")]
    assert [(answer.status, answer.reason) for answer in answers] == [(403, "ACCESS_DENY")] * 2
    await customer.order(body_v3(), "kling-v3.0-std-i2v")


@pytest.mark.parametrize("where", ["submit", "result", "balance", "all"])
async def test_an_edge_may_answer_for_novita(customer: Customer, where: str) -> None:
    await customer.settings(edge_status=403, edge_on=where)
    asked = {
        "submit": await customer.submit(),
        "result": await customer.api("GET", "/v3/async/task-result?task_id=x"),
        "balance": await customer.api("GET", "/openapi/v1/billing/balance/detail"),
    }
    pages = [name for name, answer in asked.items() if answer.body.startswith(b"<html>")]
    assert pages == (list(asked) if where == "all" else [where])
    assert {asked[name].status for name in pages} == {403}


@pytest.mark.parametrize(
    ("key", "status", "reason"),
    [
        ("", 400, "MISSING_API_KEY"),
        ("Bearer ", 400, "MISSING_API_KEY"),
        ("Bearer sk_wrong", 403, "INVALID_API_KEY"),
        ("sk_wrong", 403, "INVALID_API_KEY"),
        ("Bearer sk_wröng", 403, "INVALID_API_KEY"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/v3/async/{SEED_MODEL}"),
        ("GET", "/v3/async/task-result?task_id=x"),
        ("GET", "/v3/user"),
        ("GET", "/openapi/v1/billing/balance/detail"),
    ],
)
async def test_the_key_is_needed_everywhere(
    customer: Customer, method: str, path: str, key: str, status: int, reason: str
) -> None:
    answer = await customer.api(method, path, key=key)
    assert (answer.status, answer.reason) == (status, reason)


async def test_the_key_may_come_bare_as_from_the_official_javascript_client(customer: Customer) -> None:
    assert (await customer.api("GET", "/v3/user", key=customer.house.key)).status == 200


async def test_too_many_submits_in_a_minute_are_refused(customer: Customer) -> None:
    await customer.settings(requests_per_minute=2)
    await customer.order()
    await customer.order()
    answer = await customer.submit()
    assert (answer.status, answer.reason) == (429, "RATE_LIMIT_EXCEEDED")
    assert "Retry-After" not in answer.headers
    await customer.order(body_v3(), "kling-v3.0-std-i2v")  # each model has its own limit
    await customer.settings(send_retry_after=True)
    answer = await customer.submit()
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    await customer.forward(60)
    await customer.order()
    assert len(await customer.payments()) == 4


@pytest.mark.parametrize("reason", sorted(STATUS))
async def test_every_documented_error_can_be_asked_for(customer: Customer, reason: str) -> None:
    await customer.control("POST", "/faults", {"side": "novita", "kind": "error", "reason": reason})
    answer = await customer.submit()
    assert (answer.status, answer.reason) == (STATUS[reason], reason)
    assert await customer.payments() == []


# --- the control site and the process -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": 1},
        {"video_fps": 0},
        {"video_height": "1080"},
        {"balance": 1.5},
        {"balance": True},
        {"render_seconds": -1},
        {"sign_again": 1},
        {"shape": "round"},
        {"video_variant": "vp9"},
        {"retired": "kling"},
        {"retired_form": "gone"},
        {"forbidden_models": [1]},
        {"encodings": ["base64"]},
        {"encodings": {"kling-9": ["base64"]}},
        {"encodings": {SEED_MODEL: "base64"}},
        {"encodings": {SEED_MODEL: ["hex"]}},
        {"encoding_refusal": "TASK_FAILED"},
        {"edge_status": 99},
        {"edge_status": 600},
        {"edge_on": "moon"},
        {"concurrency": 0},
        [],
    ],
)
async def test_an_impossible_setting_is_refused_with_a_sentence(customer: Customer, changes: Any) -> None:
    before = await customer.control("GET", "/novita/settings")
    answer = await customer.call("PATCH", f"{customer.house.control_url}/novita/settings", json=changes)
    assert answer.status == 400
    assert answer.json["error"].endswith(".")
    assert await customer.control("GET", "/novita/settings") == before


async def test_reset_returns_to_a_fresh_account(customer: Customer) -> None:
    await customer.settings(render_seconds=1000, balance=10_000)
    await customer.forward(5000)
    task_id = await customer.order()
    await customer.control("POST", "/faults", {"side": "novita", "kind": "hang"})
    await customer.control("POST", "/reset")
    assert (await customer.control("GET", "/novita/settings"))["balance"] == 1_000_000
    assert (await customer.control("GET", "/novita/tasks")) == {"tasks": []}
    assert await customer.payments() == []
    assert (await customer.control("GET", "/faults")) == {"faults": []}
    answer = await customer.api("GET", "/v3/async/task-result", params={"task_id": task_id})
    assert answer.status == 404


async def test_the_control_site_lists_takes_and_removes_faults(customer: Customer) -> None:
    added = await customer.control("POST", "/faults", {"side": "cdn", "kind": "html", "times": 0})
    assert (await customer.control("GET", "/faults"))["faults"] == [added]
    await customer.control("DELETE", f"/faults/{added['id']}")
    for method, path, fields, status in (
        ("DELETE", f"/faults/{added['id']}", None, 404),
        ("POST", "/faults", {"side": "moon", "kind": "html"}, 400),
        ("POST", "/faults", [], 400),
        ("GET", "/nowhere", None, 404),
        ("PUT", "/faults", None, 405),
        ("GET", "/novita/tasks/unknown", None, 404),
        ("POST", "/novita/clock", {"forward": -1}, 400),
    ):
        answer = await customer.call(method, customer.house.control_url + path, json=fields)
        assert (answer.status, list(answer.json)) == (status, ["error"])


async def test_the_index_names_every_endpoint(customer: Customer) -> None:
    index = await customer.control("GET", "/")
    assert index["novita_api_url"] == customer.house.novita_api_url
    assert {"GET /wire", "POST /reset", "PATCH /novita/settings"} <= set(index["endpoints"])


async def test_the_wire_shows_requests_with_no_secret_and_no_image(customer: Customer) -> None:
    last = (await customer.control("GET", "/wire"))["exchanges"]
    image = base64_of(noise_png(400))
    task_id = await customer.order(body(image=image))
    (exchange,) = (await customer.control("GET", f"/wire?since={last[-1]['id'] if last else 0}"))["exchanges"]
    assert (exchange["side"], exchange["method"], exchange["status"]) == ("novita", "POST", 200)
    assert exchange["request_body"]["image"] == f"<{len(image)} characters>"
    assert exchange["response_body"] == {"task_id": task_id}
    assert customer.house.key not in json.dumps(exchange)


async def test_events_tell_live_what_happens(customer: Customer) -> None:
    async with customer.session.ws_connect(f"{customer.house.control_url}/events") as events:
        await customer.settings(balance=5000)
        task_id = await customer.order()
        seen: list[Any] = []
        while not seen or seen[-1].get("task", {}).get("status") != "TASK_STATUS_SUCCEED":
            seen.append(await events.receive_json())
    kinds = {event["type"] for event in seen}
    assert {"novita_settings", "novita_task", "novita_payment", "exchange"} <= kinds
    statuses = [
        e["task"]["status"] for e in seen if e["type"] == "novita_task" and e["task"]["id"] == task_id
    ]
    assert statuses == ["TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING", "TASK_STATUS_SUCCEED"]


async def test_the_process_says_where_it_is_and_ends_cleanly(tmp_path: Path) -> None:
    ports = ("--discord-port", "0", "--novita-port", "0", "--control-port", "0")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", *ports, "--key", "sk_other", "--data", str(tmp_path / "data")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    where = json.loads(await process.stdout.readline())
    assert set(where) == {
        "discord_api_url",
        "novita_api_url",
        "control_url",
        "discord_token",
        "novita_api_key",
    }
    url = f"{where['novita_api_url']}/v3/async/{SEED_MODEL}"
    headers = {"Authorization": f"Bearer {where['novita_api_key']}"}
    async with aiohttp.ClientSession() as session:
        small = {"video_height": 64, "video_fps": 4}
        assert (await session.patch(f"{where['control_url']}/novita/settings", json=small)).status == 200
        assert (
            await session.post(url, json=body(), headers=headers)
        ).status == 200  # it renders while it ends
        async with session.ws_connect(f"{where['control_url']}/events") as events:
            process.send_signal(signal.SIGTERM)
            await events.receive()
    out, errors = await process.communicate()
    assert (process.returncode, out) == (0, b"")
    assert b"Traceback" not in errors
