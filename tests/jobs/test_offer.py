"""The models on offer: what takes one away, what brings it back, and what is rendered instead, once."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bot.domain.job import Charge, State, rendered_instead
from bot.errors import AnswerLost, LeaseLost
from bot.jobs.model_watch import ModelWatch
from bot.jobs.offer import Offer
from bot.novita.codec import Kind, Probed, Problem, Repeat
from bot.novita.models import CATALOGUE, Model
from tests.support.jobs import Store, a_job
from tests.support.memory import Remembered
from tests.support.notifier import FakeOperator
from tests.support.world import World

OLD, STANDARD, PRO = "kling-2.5-turbo-i2v", "kling-v3.0-std-i2v", "kling-v3.0-pro-i2v"
RETIRED = Problem(Kind.RETIRED, Repeat.NO, "route not found", 404)


class Memory(Remembered):
    """What all processes remember, in memory."""

    async def claim(self, key: str, text: str) -> bool:
        new = self.texts.get(key, "").partition(" ")[0] != text
        self.texts[key] = f"{text} 0"
        return new

    async def alone(self, name: str, work: Callable[[], Awaitable[None]], *, wait: bool = True) -> None:
        await work()


class Prober:
    """Novita as a probe finds it: what a path answers, ALIVE if nothing is said."""

    def __init__(self) -> None:
        self.answers: dict[str, Probed | AnswerLost] = {}
        self.asked: list[str] = []

    async def probe(self, model: Model) -> Probed:
        self.asked.append(model.name)
        answer = self.answers.get(model.name, Probed.ALIVE)
        if isinstance(answer, AnswerLost):
            raise answer
        return answer


class Process:
    """One process's offer and its watch."""

    def __init__(self, memory: Memory, prober: Prober, probe_round: int = 1) -> None:
        self.offer, self.operator = Offer(CATALOGUE), FakeOperator()
        self.watch = ModelWatch(self.offer, prober, memory, self.operator, probe_round=probe_round)


async def test_a_gone_model_leaves_the_choices_of_every_process_and_comes_back() -> None:
    memory, prober = Memory(), Prober()
    one, other = Process(memory, prober), Process(memory, prober)
    prober.answers[OLD] = Probed.GONE
    await one.watch.probe(0)
    await other.watch.look()
    for process in (one, other):
        assert list(process.offer.choices) == [STANDARD, PRO]
        assert process.offer.default is CATALOGUE[STANDARD]
    await other.watch.probe(0)
    assert (one.operator.alerts, other.operator.alerts) == ([f"model_gone {OLD}"], [])
    prober.answers.clear()
    await other.watch.probe(0)
    await one.watch.look()
    assert one.offer.default is CATALOGUE[OLD]


@pytest.mark.parametrize("answer", [Probed.UNCLEAR, AnswerLost("TimeoutError")])
async def test_what_says_nothing_changes_nothing(answer: Probed | AnswerLost) -> None:
    prober = Prober()
    process = Process(Memory(), prober)
    process.offer.learn(STANDARD, served=False)
    prober.answers |= {OLD: answer, STANDARD: answer}
    await process.watch.probe(0)
    assert list(process.offer.choices) == [OLD, PRO]
    assert process.operator.alerts == []


async def test_a_task_ends_probing_until_the_operator_says_otherwise() -> None:
    memory, prober = Memory(), Prober()
    prober.answers[OLD] = Probed.TASK
    process = Process(memory, prober)
    for _ in range(2):
        await process.watch.probe(0)
    await Process(memory, prober).watch.probe(0)
    assert prober.asked == [OLD]
    assert process.operator.alerts == ["probe"]
    prober.answers.clear()
    await Process(memory, prober, probe_round=2).watch.probe(0)
    assert prober.asked == [OLD, OLD, STANDARD, PRO]


@pytest.mark.parametrize("moment", [1_000_000.0, 1_000_000.7])
async def test_processes_that_start_together_probe_once(
    monkeypatch: pytest.MonkeyPatch, moment: float
) -> None:
    monkeypatch.setattr(time, "time", lambda: moment)
    memory, prober = Memory(), Prober()
    for _ in range(3):
        await Process(memory, prober).watch.probe(60)
    assert len(prober.asked) == 3


async def test_none_is_probed_where_the_operator_wants_none() -> None:
    prober = Prober()
    await Process(Memory(), prober, probe_round=0).watch.probe(0)
    assert prober.asked == []


@pytest.mark.parametrize(("wanted", "sound", "price"), [(5, False, 4200), (10, False, 8400), (5, True, 6300)])
def test_the_successor_renders_the_same_at_its_own_price(wanted: int, sound: bool, price: int) -> None:
    offer = Offer(CATALOGUE, [OLD, PRO, STANDARD])
    job = a_job(model=OLD, duration=wanted, prompt="A boat")
    found = offer.successor(replace(job, request=replace(job.request, sound=sound)))
    assert found is not None
    assert (found.model.name, found.request.prompt) == (STANDARD, "A boat")
    assert (found.request.duration, found.request.price) == (wanted, price)


def test_the_nearest_duration_is_taken() -> None:
    found = Offer(CATALOGUE, [OLD]).successor(a_job(model=PRO, duration=8))
    assert found is not None
    assert found.request.duration == 10


def test_without_a_model_on_offer_there_is_no_successor() -> None:
    offer = Offer(CATALOGUE, [OLD])
    offer.learn(OLD, served=False)
    assert offer.successor(a_job(model=PRO)) is None
    assert offer.default is None


async def test_nothing_is_sent_for_a_model_known_to_be_gone(world: World) -> None:
    offer = Offer(CATALOGUE)
    offer.learn(OLD, served=False)
    job = await world.run(await world.accept(model=OLD), world.runner(models=offer))
    assert (job.state, job.outcome.problem, job.outcome.charge) == (State.FAILED, "retired", Charge.NOTHING)
    assert world.novita.prompts == []


async def test_a_refused_path_takes_the_model_from_the_choices(world: World) -> None:
    offer = Offer(CATALOGUE)
    world.novita.on_submit.append(RETIRED)
    job = await world.run(await world.accept(model=OLD), world.runner(models=offer))
    assert job.outcome.problem == "retired"
    assert offer.is_gone(OLD)
    assert offer.heard == {OLD: False}


@pytest.mark.parametrize("other", [PRO, OLD])
async def test_what_is_rendered_instead_keeps_what_its_model_has(world: World, other: str) -> None:
    offer = Offer(CATALOGUE, [other, STANDARD])
    offer.learn(STANDARD, served=False)
    job = await world.standing("accepted", end=True, model=STANDARD)
    job = await world.run(job, world.runner(models=offer))
    found = offer.successor(job)
    assert found is not None
    new = rendered_instead(job, found.request, end_image=found.model.end_image)
    await world.store.render_instead(job.id, new)
    new = await world.run(new, world.runner(models=offer))
    assert (new.state, new.request.model) == (State.DELIVERED, other)
    old_card = f"bytes of https://cdn.invalid/{job.destination.card_id}?".encode()
    assert all(image.startswith(old_card) for image in world.novita.images)
    ends = [image.endswith(b"&name=end") for image in world.novita.images]
    assert ends == ([False, True] if found.model.end_image else [False])
    (card,) = world.notifier.of(new.id, "card")
    assert bool(card.end) is found.model.end_image


async def test_of_two_presses_one_makes_a_job(store: Store) -> None:
    job = await store.claim((await store.accept(a_job())).id)
    job = await store.fail(job, "retired", "route not found")
    first, second = a_job(), a_job()
    await store.render_instead(job.id, first)
    with pytest.raises(LeaseLost):
        await store.render_instead(job.id, second)
    assert await store.get(second.id) is None
    settled = await store.get(job.id)
    assert settled is not None
    assert settled.outcome.again_as == first.id


async def test_only_a_gone_model_is_rendered_instead(store: Store) -> None:
    job = await store.claim((await store.accept(a_job())).id)
    await store.fail(job, "moderation", "no", Charge.UNKNOWN)
    with pytest.raises(LeaseLost):
        await store.render_instead(job.id, a_job())
