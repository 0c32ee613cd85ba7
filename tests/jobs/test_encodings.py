"""How an image is sent: found out by what Novita refuses, once for each model, and remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.job import Charge, State, Waiting
from bot.errors import AnswerLost, NotSent, PermanentError, TemporaryError
from bot.jobs.encodings import Encodings, refused_for
from bot.jobs.submission import Submission
from bot.novita.codec import Kind, Problem, Repeat
from bot.novita.models import CATALOGUE, Encoding
from bot.store.coordination import Coordination
from tests.support.memory import Remembered
from tests.support.novita import SubmitAnswer
from tests.support.world import World

MODEL = CATALOGUE["kling-2.5-turbo-i2v"]
IN_TURN: list[Encoding] = ["base64", "data_uri", "url"]


def refusal(words: str, reason: str = "INVALID_IMAGE_FORMAT") -> Problem:
    """Make Novita's refusal of an encoding, or of an image."""
    return Problem(Kind.INPUT, Repeat.NO, reason, 400, words)


def requests(world: World) -> list[str]:
    """List what the row said before each paid request that arrived, and after."""
    kept = (
        "row: submitting",
        "row: accepted",
        "row: rendering",
        "row: failed",
        "row: unconfirmed",
        "arrived",
    )
    return [entry.removeprefix("row: ") for entry in world.journal.done if entry in kept]


# --- which is next ------------------------------------------------------------------------------------------


async def test_until_one_has_worked_they_come_in_the_models_order() -> None:
    encodings = Encodings(Remembered(), {})
    for model in CATALOGUE.values():
        tried: list[Encoding] = []
        while (way := await encodings.next(model, tried)) is not None:
            tried.append(way)
        assert tuple(tried) == model.encodings
        assert tried[0] == model.image_encoding


async def test_once_one_has_worked_it_is_the_only_one_for_its_model_and_for_every_process() -> None:
    memory = Remembered()
    await Encodings(memory, {}).worked(MODEL, "url")
    others = Encodings(memory, {})
    assert await others.next(MODEL, ()) == "url"
    assert await others.next(MODEL, ["url"]) is None
    assert await others.next(MODEL, ["base64"]) == "url"
    assert await others.next(CATALOGUE["kling-v3.0-pro-i2v"], ()) == "data_uri"


async def test_the_operators_choice_is_the_only_one_whatever_has_worked() -> None:
    memory = Remembered()
    await Encodings(memory, {}).worked(MODEL, "url")
    encodings = Encodings(memory, {MODEL.name: "data_uri"})
    assert await encodings.next(MODEL, ()) == "data_uri"
    assert await encodings.next(MODEL, ["data_uri"]) is None


async def test_what_only_a_newer_version_knows_is_as_good_as_nothing() -> None:
    memory = Remembered()
    await Encodings(memory, {}).worked(MODEL, "url")
    memory.texts = dict.fromkeys(memory.texts, "pigeon")
    assert await Encodings(memory, {}).next(MODEL, ()) == "base64"


# --- what is sent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refused", [1, 2])
@pytest.mark.parametrize("reason", ["INVALID_IMAGE_FORMAT", "INVALID_REQUEST_BODY"])
async def test_the_others_are_tried_each_with_a_submitting_of_its_own(
    world: World, refused: int, reason: str
) -> None:
    world.novita.on_submit.extend([refusal("no", reason)] * refused)
    job = await world.run(await world.accept())
    assert job.state is State.DELIVERED
    assert world.novita.encodings == IN_TURN[: refused + 1]
    assert requests(world) == ["submitting", "arrived", "accepted"] * refused + [
        "submitting",
        "arrived",
        "rendering",
    ]
    if refused == 2:
        (card,) = world.notifier.of(job.id, "card")
        assert world.novita.images[-1].startswith(b"https://cdn.invalid/%d?" % card.id)


async def test_the_one_that_worked_is_remembered_and_a_refusal_is_the_persons_from_then_on(
    world: World,
) -> None:
    world.novita.on_submit.append(refusal("no"))
    await world.run(await world.accept(reply_token="one"))
    world.encodings = Encodings(Coordination(world.store.database), {})  # a process that starts afresh
    world.novita.on_submit.append(refusal("your image"))
    job = await world.run(await world.accept(reply_token="two"))
    assert world.novita.encodings == ["base64", "data_uri", "data_uri"]
    assert (job.state, job.outcome.problem) == (State.FAILED, "input")
    assert job.outcome.reason == "INVALID_IMAGE_FORMAT: your image"


async def test_refused_in_all_it_is_told_in_the_first_words(world: World) -> None:
    world.novita.on_submit.extend(
        [refusal("first"), refusal("second", "INVALID_REQUEST_BODY"), refusal("third")]
    )
    job = await world.run(await world.accept())
    assert world.novita.encodings == IN_TURN
    assert (job.state, job.outcome.charge) == (State.FAILED, Charge.NOTHING)
    assert (job.outcome.problem, job.outcome.reason) == ("input", "INVALID_IMAGE_FORMAT: first")


@pytest.mark.parametrize(
    ("answer", "state", "problem"),
    [
        (Problem(Kind.MODERATION, Repeat.NO, "ILLEGAL_PROMPT", 400), State.FAILED, "moderation"),
        (Problem(Kind.INPUT, Repeat.NO, "INVALID_IMAGE_SIZE", 400), State.FAILED, "input"),
        (Problem(Kind.FUNDS, Repeat.NO, "NOT_ENOUGH_BALANCE", 403), State.FAILED, "funds"),
        (Problem(Kind.RETIRED, Repeat.NO, "HTTP_404", 404), State.FAILED, "retired"),
        # Its reason says that it is about the image, its status that nobody knows.
        (Problem(Kind.UNCLEAR, Repeat.ASK, "INVALID_IMAGE_FORMAT", 502), State.UNCONFIRMED, "unconfirmed"),
        (AnswerLost("ServerDisconnectedError"), State.UNCONFIRMED, "unconfirmed"),
    ],
)
@pytest.mark.parametrize("refused", [0, 1])
async def test_any_other_answer_ends_the_trying(
    world: World, refused: int, answer: SubmitAnswer, state: State, problem: str
) -> None:
    world.novita.on_submit.extend([refusal("no")] * refused)
    world.novita.on_submit.append(answer)
    job = await world.run(await world.accept())
    assert (job.state, job.outcome.problem) == (state, problem)
    assert world.novita.encodings == IN_TURN[: refused + 1]


async def test_the_operators_choice_is_never_tried_around(world: World) -> None:
    world.encodings = Encodings(Coordination(world.store.database), {MODEL.name: "data_uri"})
    world.novita.on_submit.append(refusal("no"))
    job = await world.run(await world.accept())
    assert world.novita.encodings == ["data_uri"]
    assert (job.state, job.outcome.reason) == (State.FAILED, "INVALID_IMAGE_FORMAT: no")


@pytest.mark.parametrize(
    "between", [Problem(Kind.LOAD, Repeat.LATER, "RATE_LIMIT_EXCEEDED", 429), NotSent("no line")]
)
async def test_what_is_in_between_starts_nothing_afresh(world: World, between: SubmitAnswer) -> None:
    for answer in (refusal("no"), between, refusal("no"), between):
        world.novita.on_submit.append(answer)
    job = await world.run(await world.accept())
    assert job.state is State.DELIVERED
    sent = ["base64", "data_uri", "data_uri", "url", "url"]
    assert world.novita.encodings == (sent if isinstance(between, Problem) else IN_TURN)


async def test_one_that_has_worked_for_another_meanwhile_is_the_last_that_is_tried(world: World) -> None:
    job = await world.accept()
    memory = Coordination(world.store.database)

    class Learning(Encodings):
        async def next(self, model, refused):  # type: ignore[no-untyped-def]
            if refused:
                await Encodings(memory, {}).worked(model, "url")
            return await super().next(model, refused)

    world.encodings = Learning(memory, {})
    world.novita.on_submit.extend([refusal("first"), refusal("second")])
    job = await world.run(job)
    assert world.novita.encodings == ["base64", "url"]
    assert job.outcome.reason == "INVALID_IMAGE_FORMAT: first"


async def test_a_crash_between_two_tries_repeats_none(world: World) -> None:
    job = await world.standing("accepted")
    await world.write(job.id, options={"encodings_refused": [["base64", "INVALID_IMAGE_FORMAT: no"]]})
    job = await world.run(job)
    assert job.state is State.DELIVERED
    assert world.novita.encodings == ["data_uri"]


# --- the card's own address ---------------------------------------------------------------------------------


async def test_an_address_is_waited_for_and_nothing_is_submitted_meanwhile(world: World) -> None:
    world.encodings = Encodings(Coordination(world.store.database), {MODEL.name: "url"})
    world.notifier.fail("image_url", TemporaryError("Discord is away"), times=2)
    job = await world.run(await world.accept())
    assert job.state is State.DELIVERED
    assert requests(world) == ["submitting", "arrived", "rendering"]
    reasons = [stage.because for stage in world.notifier.stages_of(job.id) if isinstance(stage, Waiting)]
    assert "discord_away" in reasons
    assert "novita_away" not in reasons


async def test_an_address_that_never_comes_ends_the_wait_for_it(world: World) -> None:
    world.encodings = Encodings(Coordination(world.store.database), {MODEL.name: "url"})
    world.notifier.fail("image_url", TemporaryError("Discord is away"), times=10_000)
    job = await world.run(await world.accept())
    assert (job.state, job.outcome.problem) == (State.FAILED, "not_started")
    assert world.novita.encodings == []


@pytest.mark.parametrize(("refused", "told"), [(0, "not_started"), (2, "input")])
async def test_a_card_without_its_image_has_no_address(world: World, refused: int, told: str) -> None:
    chosen: dict[str, Encoding] = {} if refused else {MODEL.name: "url"}
    world.encodings = Encodings(Coordination(world.store.database), chosen)
    world.novita.on_submit.extend([refusal("first")] * refused)
    world.notifier.fail("image_url", PermanentError("the card's image was removed"))
    job = await world.run(await world.accept())
    assert (job.state, job.outcome.problem, job.outcome.charge) == (State.FAILED, told, Charge.NOTHING)
    assert world.novita.encodings == IN_TURN[:refused]


@pytest.mark.parametrize("way", IN_TURN)
async def test_the_end_image_goes_the_way_of_the_image(world: World, tmp_path: Path, way: Encoding) -> None:
    pictures = [tmp_path / "start", tmp_path / "end"]
    for picture in pictures:
        picture.write_bytes(picture.name.encode())
    job = await world.standing("accepted", end=True)
    job = await world.store.claim(job.id)
    job, trouble = await _submission(world, way).submit(job, MODEL, pictures)
    assert (job.state, trouble) == (State.RENDERING, None)
    start, end = world.novita.images
    if way == "url":
        assert start.startswith(b"https://cdn.invalid/")
        assert end.endswith(b"&name=end")
    else:
        assert (start, end) == (b"start", b"end")
    assert refused_for(job) == {}


def _submission(world: World, way: Encoding) -> Submission:
    encodings = Encodings(Remembered(), {MODEL.name: way})
    return Submission(world.store, world.novita, world.notifier, world.operator, encodings)
