"""One job from wherever it stands to its end.

Calling `Road.drive` twice, or from two processes, is harmless: the later call owns the row, and the earlier
one's next write is refused. Resuming after a crash is the same call.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bot.fetch import Fetcher, FetchError
from bot.films import Films
from bot.jobs import pacing
from bot.jobs.job import Cost, How, Job, Rendering, Sending, Stage, State, Superseded, Waiting
from bot.jobs.ledger import Ledger
from bot.media.values import StillRefused
from bot.novita.client import AnswerLost, NotSent, NovitaClient
from bot.novita.codec import Kind, Order, Pending, Problem, Repeat, Submitted, Succeeded, TaskFailed
from bot.novita.models import Model
from bot.stills import Stills, StillUnreachable

log = logging.getLogger(__name__)
T = TypeVar("T")

MAX_VIDEO_BYTES = 512 * 2**20
VIDEO_SECONDS = 900.0
PATIENCE = 3600.0
"""How long, in seconds, a step is tried while the other side is away."""
BROKEN_TRIES = 3
"""How often a file that is no video is fetched again."""
WRITE_TRIES = 6
"""How often what a paid request brought is written down, over about half a minute."""
LATE_TRIES = 5
"""How often a given-up task is asked for when its time has come."""
FRESH_TASK_TRIES = 5
"""How often a task may be unknown at first: the submit's answer can be ahead of Novita's own books."""


class Unreachable(Exception):
    """The other side did not answer, or answered that it is unwell: the same request may help later."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BrokenVideo(FetchError):
    """Novita's file arrived whole, more than once, and is no video."""


class Busy(Unreachable):
    """Novita's rate limit: nothing is wrong, it is only not our turn."""


class Refused(Exception):
    """Discord refuses for good; `detour` names why: the place is "gone", "locked" or "forbidden"."""

    def __init__(self, message: str, detour: str = "forbidden") -> None:
        super().__init__(message)
        self.detour = detour


REMEDIES: Mapping[Kind, str] = {
    Kind.KEY: "Novita refuses this key: check NOVITA_API_KEY and the account's rights in Novita's console.",
    Kind.FUNDS: "The Novita account is out of funds, nothing was charged: top it up in Novita's console.",
    Kind.RETIRED: "The model is retired or NOVITA_API_URL is wrong: people can choose {replacement}.",
}
"""What the operator can do, for the problems that are the operator's."""


@dataclass(frozen=True)
class Placed:
    """Where the card stands and where the video goes; the thread may still be missing (`target_id` None)."""

    card_id: int
    target_id: int | None


@dataclass(frozen=True)
class Sent:
    """The delivered message."""

    channel_id: int
    message_id: int
    how: How


class Front(Protocol):
    """What the road needs of Discord; `bot.delivery` is the real one.

    All but `show` raise `Unreachable` or `Refused`, and may be repeated: each finds what an earlier try left
    behind.
    """

    async def place(self, job: Job, still: Callable[[], Awaitable[Path]]) -> Placed:
        """Make the card stand and its thread exist; `still` is asked for only if the card has none yet."""

    async def still_url(self, channel_id: int, card_id: int) -> str:
        """Sign a fresh address for the still that a card carries."""

    def show(self, job: Job, stage: Stage) -> None:
        """Bring the card up to date, soon, if anything on it changed."""

    async def delivered(self, job: Job) -> Sent | None:
        """Find the video that an earlier run posted."""

    async def deliver(self, job: Job, video: Path) -> Sent:
        """Post the video, once: attached, or fitted, or as a link."""

    async def elsewhere(self, job: Job) -> int | None:
        """Name the next place for a video that its target does not take, None when there is none left."""

    async def tell(self, job: Job) -> None:
        """Show on the card how the job ended, and say so to the asker unless the video itself did."""


class Road:
    """The steps of a job and the parts they need; all the waiting is in here, none of it blocks."""

    def __init__(
        self,
        ledger: Ledger,
        novita: NovitaClient,
        front: Front,
        stills: Stills,
        videos: Fetcher,
        films: Films,
        turns: pacing.Turns,
        models: Mapping[str, Model],
        *,
        poll_seconds: float,
        render_timeout: float,
    ) -> None:
        self.ledger = ledger
        self.novita = novita
        self.front = front
        self.stills = stills
        self.videos = videos
        self.films = films
        self.turns = turns
        self.models = models
        self.poll_seconds = poll_seconds
        self.render_timeout = render_timeout
        self.paying: set[asyncio.Task[Any]] = set()

    async def drive(self, job_id: str) -> None:
        """Take a job from wherever it stands to its end, and tell people how it ended."""
        try:
            job = await self.ledger.claim(job_id)
            while (step := self._next(job)) is not None:
                job = await step(job)
        except Superseded:
            log.info("job %s: another run has it", job_id)
        finally:
            self.turns.leave(job_id)
            self.stills.drop(job_id)
            self.films.drop(job_id)

    def _next(self, job: Job) -> Callable[[Job], Awaitable[Job]] | None:
        """Name the one step that is next for a job as it stands; None: its road is at its end."""
        match job.state:
            case State.ACCEPTED:
                return self._accepted
            case State.SUBMITTING:
                return self._found_submitting
            case State.RENDERING:
                return self._rendering
            case State.RENDERED:
                return self._rendered
        if not job.told:
            return self._tell
        return self._look_again if job.check_at is not None else None

    # --- accepted: nothing is paid yet ----------------------------------------------------------------------

    async def _accepted(self, job: Job) -> Job:
        model = self.models.get(job.model)
        if model is None:
            return await self._fail(job, "model_unknown", job.model)
        try:
            job = await self._place(job)
            await self.turns.wait(job.id, lambda position: self.front.show(job, Waiting(position)))
            still = await self._patiently(job, lambda: self._still(job, model), Waiting)
        except StillRefused as error:
            return await self._fail(job, "still_refused", error.rule)
        except (Refused, Unreachable, StillUnreachable) as error:
            return await self._fail(job, "not_started", str(error))
        patience = Patience()
        while True:
            job, hold_up = await self._shielded(self._pay(job, model, still))
            if hold_up is None:
                return job
            if not patience.bears(hold_up):
                return await self._fail(job, "novita_away", str(hold_up))
            delay = patience.delay(hold_up)
            if isinstance(hold_up, Busy):
                self.turns.pause(delay)  # the limit is the account's: nobody else need try meanwhile
            self.front.show(job, Waiting(because="busy" if isinstance(hold_up, Busy) else "novita_away"))
            await asyncio.sleep(delay)

    async def _place(self, job: Job) -> Job:
        """Make sure the card stands with its still, and the thread, whatever an earlier run got done."""
        while job.card_id is None or job.target_id is None:
            placed = await self._patiently(job, partial(self._try_place, job), None)
            job = await self.ledger.note(job, card_id=placed.card_id, target_id=placed.target_id)
        if job.token or job.source_url:
            job = await self.ledger.note(job, token=None, source_url=None)
        self.front.show(job, Waiting())
        return job

    async def _try_place(self, job: Job) -> Placed:
        async def still() -> Path:
            return await self._still(job, self.models[job.model])

        return await self.front.place(job, still)

    async def _still(self, job: Job, model: Model) -> Path:
        """Get the still: from this disk, from the card, or, without a card yet, from the command."""
        if held := self.stills.held(job.id):
            return held
        if job.card_id is not None:
            url = await self.front.still_url(job.channel_id, job.card_id)
        elif job.origin_channel_id is not None and job.origin_card_id is not None:
            url = await self.front.still_url(job.origin_channel_id, job.origin_card_id)
        else:
            url = job.source_url or ""
        try:
            return (await self.stills.prepare(job.id, url, model)).path
        except StillUnreachable as error:
            if error.gone:
                raise
            raise Unreachable(str(error)) from None

    async def _pay(self, job: Job, model: Model, still: Path) -> tuple[Job, Unreachable | None]:
        """Send the one paid request. The row says so before the request leaves, and what came of it after.

        Gives the job as it stands then, with the hold-up if it is back where it was: accepted, and nothing
        paid.
        """
        order = Order(job.prompt, job.duration, job.negative_prompt, job.cfg_scale)
        job = await self.ledger.move(job, State.SUBMITTING)
        try:
            answer = await self.novita.submit(
                model, order, still, "png" if still.suffix == ".png" else "jpeg"
            )
        except NotSent as error:
            return await self.ledger.move(job, State.ACCEPTED), Unreachable(str(error))
        except AnswerLost as error:
            return await self._unconfirmed(job, str(error)), None
        match answer:
            case Submitted(task_id):
                # Logged before it is written down: should the disk fail just now, the id is not lost with it.
                log.info("job %s: paid for, Novita's task is %s", job.id, task_id)
                job = await self._write_down(
                    partial(self.ledger.move, job, State.RENDERING, task_id=task_id, submitted_at=time.time())
                )
            case Problem(repeat=Repeat.LATER):
                hold_up = (Busy if answer.kind is Kind.LOAD else Unreachable)(
                    answer.reason, answer.retry_after
                )
                return await self.ledger.move(job, State.ACCEPTED), hold_up
            case Problem(repeat=Repeat.ASK):
                job = await self._unconfirmed(job, answer.reason)
            case Problem():
                self._warn_operator(job, answer)
                cost = Cost.UNKNOWN if answer.may_cost else Cost.NOTHING
                job = await self._fail(job, answer.kind, _reason(answer), cost)
        return job, None

    # --- submitting: found so after a crash -----------------------------------------------------------------

    async def _found_submitting(self, job: Job) -> Job:
        """Nobody knows whether the request arrived, so it is never sent again by itself."""
        return await self._unconfirmed(job, "interrupted")

    async def _unconfirmed(self, job: Job, reason: str) -> Job:
        log.error(
            "job %s: the answer to the paid request was lost (%s). It may have been charged: look for it in "
            "Novita's console before rendering it again.",
            job.id,
            reason,
        )
        return await self.ledger.move(
            job, State.UNCONFIRMED, problem="unconfirmed", reason=reason, cost=Cost.UNKNOWN
        )

    # --- rendering: paid, and Novita has it -----------------------------------------------------------------

    async def _rendering(self, job: Job) -> Job:
        self.turns.take(job.id)
        started = job.submitted_at or job.created_at
        expected = pacing.expected_at(started, self.models[job.model].typical_seconds, job.duration)
        misses, patience = 0, Patience(bound=None)
        self.front.show(job, Rendering(expected, queued=True))
        delay = self.poll_seconds
        while True:
            await asyncio.sleep(delay)
            elapsed = time.time() - started
            delay = pacing.next_poll(elapsed, self.poll_seconds)
            match await self._poll(job):
                case Succeeded() as video:
                    return await self._rendered_at(job, video)
                case TaskFailed(message):
                    # Whether Novita charges a task that failed is not documented.
                    return await self._fail(job, "task_failed", message, Cost.UNKNOWN)
                case Problem(kind=Kind.PROVIDER, repeat=Repeat.NO) as problem:
                    return await self._fail(job, "task_failed", _reason(problem), Cost.UNKNOWN)
                case Problem(kind=Kind.NO_TASK) if (misses := misses + 1) > FRESH_TASK_TRIES:
                    return await self._fail(job, "task_lost", "TASK_NOT_FOUND", Cost.UNKNOWN)
                case Pending() as pending:
                    misses, patience = 0, Patience(bound=None)
                    expected = pacing.revised(expected, pending.eta, time.time())
                    self.front.show(job, Rendering(expected, queued=not pending.started))
                case Problem() as problem:
                    delay = patience.delay(Unreachable(problem.reason, problem.retry_after))
                    self._warn_operator(job, problem)
                case AnswerLost() as error:
                    delay = patience.delay(Unreachable(str(error)))
                    self.front.show(job, Rendering(expected, because="novita_away"))
            # After the poll, so that a job found long past its time is asked for at least once.
            if elapsed > self.render_timeout:
                minutes = f"{self.render_timeout / 60:g} minutes"
                later = time.time() + self.render_timeout
                return await self._fail(job, "deadline", minutes, Cost.UNKNOWN, check_at=later)

    async def _poll(self, job: Job) -> Pending | Succeeded | TaskFailed | Problem | AnswerLost:
        try:
            answer = await self.novita.result(job.task_id or "")
        except AnswerLost as error:
            return error
        if isinstance(answer, Pending) and answer.unknown_status:
            log.warning("job %s: Novita says %s; waiting on", job.id, answer.unknown_status)
        return answer

    async def _rendered_at(self, job: Job, video: Succeeded) -> Job:
        return await self.ledger.move(
            job,
            State.RENDERED,
            video_url=video.video_url,
            video_expires_at=time.time() + video.ttl,
            cost=Cost.PAID,
            problem="",
            reason="",
            told=False,
            check_at=None,
        )

    # --- rendered: the video is ours to fetch and to bring --------------------------------------------------

    async def _rendered(self, job: Job) -> Job:
        self.turns.leave(job.id)  # Novita is done with it, so the next may render
        self.front.show(job, Sending())
        while True:
            try:
                sent = await self._bring(job)
            except FetchError as error:
                return await self._fail(job, "video_gone", str(error), Cost.PAID)
            except Unreachable as error:
                return await self._fail(job, "undelivered", str(error), Cost.PAID)
            except Refused as error:
                log.info("job %s: its place does not take the video: %s", job.id, error)
                target = await self._patiently(job, partial(self.front.elsewhere, job), Sending)
                if target is None:
                    return await self._fail(job, "undelivered", str(error), Cost.PAID)
                # Written before anything is posted there, so that after a crash it is looked for there.
                job = await self.ledger.note(job, target_id=target, detour=error.detour)
            else:
                return await self.ledger.move(
                    job,
                    State.DELIVERED,
                    video_message_id=sent.message_id,
                    target_id=sent.channel_id,
                    how=sent.how,
                )

    async def _bring(self, job: Job) -> Sent:
        """Fetch the video and post it, unless an earlier run posted it and died before writing that down."""
        earlier = await self._patiently(job, partial(self.front.delivered, job), Sending)
        if earlier is not None:
            return earlier
        video = self.films.path(job.id)
        if not video.exists():
            job = await self._download(job, video)
        return await self._patiently(job, partial(self.front.deliver, job, video), Sending)

    async def _download(self, job: Job, video: Path) -> Job:
        """Fetch the video, with a fresh link when the first has died; raises `FetchError` at last."""
        patience, broken = Patience(), 0
        while True:
            try:
                await self.videos.download(
                    job.video_url or "", video, max_bytes=MAX_VIDEO_BYTES, seconds=VIDEO_SECONDS
                )
                if await self.films.is_video(video):
                    return job
                video.unlink()
                raise BrokenVideo("what Novita hands out is no video")
            except FetchError as error:
                hold_up = Unreachable(str(error), error.retry_after)
                broken += isinstance(error, BrokenVideo)
                if broken > BROKEN_TRIES or not patience.bears(hold_up):
                    raise
            self.front.show(job, Sending(because="novita_away"))
            await asyncio.sleep(patience.delay(hold_up))
            # Whether asking again signs afresh is not documented; it costs nothing.
            if isinstance(answer := await self._poll(job), Succeeded):
                expires = time.time() + answer.ttl
                job = await self.ledger.note(job, video_url=answer.video_url, video_expires_at=expires)

    # --- ended ----------------------------------------------------------------------------------------------

    async def _tell(self, job: Job) -> Job:
        self.turns.leave(job.id)
        with suppress(Refused, Unreachable):
            await self._patiently(job, partial(self.front.tell, job), None)
        return await self.ledger.note(job, told=True)

    async def _look_again(self, job: Job) -> Job:
        """Ask once more, later, for a task that was given up, before it is called lost."""
        await asyncio.sleep(max(0.0, (job.check_at or 0) - time.time()))
        for attempt in range(1, LATE_TRIES + 1):
            match await self._poll(job):
                case Succeeded() as video:
                    return await self._rendered_at(job, video)
                case AnswerLost() | Problem(kind=Kind.PROVIDER | Kind.LOAD):
                    await asyncio.sleep(pacing.backoff(attempt))
                case _:
                    break
        return await self.ledger.note(job, check_at=None, problem="lost", told=False)

    async def _fail(
        self, job: Job, problem: str, reason: str, cost: Cost = Cost.NOTHING, **changes: object
    ) -> Job:
        log.warning("job %s failed: %s (%s)", job.id, problem, reason)
        return await self.ledger.move(
            job, State.FAILED, problem=problem, reason=reason[:500], cost=cost, told=False, **changes
        )

    def _warn_operator(self, job: Job, problem: Problem) -> None:
        if remedy := REMEDIES.get(problem.kind):
            replacement = self.models[job.model].replacement or "another model"
            log.error("job %s: %s. %s", job.id, problem.reason, remedy.format(replacement=replacement))

    # --- waiting --------------------------------------------------------------------------------------------

    async def _patiently(
        self, job: Job, action: Callable[[], Awaitable[T]], stage: Callable[..., Stage] | None
    ) -> T:
        """Repeat a step that is free and safe to repeat while the other side is away; the card says so."""
        patience = Patience()
        while True:
            try:
                return await action()
            except Unreachable as hold_up:
                if not patience.bears(hold_up):
                    raise
                log.info("job %s: waiting: %s", job.id, hold_up)
                if stage is not None:
                    self.front.show(job, stage(because="discord_away"))
                delay = patience.delay(hold_up)
            await asyncio.sleep(delay)

    async def _write_down(self, write: Callable[[], Awaitable[Job]]) -> Job:
        """Repeat a write that must not be lost for a database that is unwell: a full disk, a lock."""
        for attempt in range(1, WRITE_TRIES):
            try:
                return await write()
            except Superseded:
                raise
            except Exception as error:
                log.error("the ledger cannot be written (%s); trying again", type(error).__name__)
                await asyncio.sleep(pacing.backoff(attempt))
        return await write()

    async def _shielded(self, step: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(step)
        self.paying.add(task)
        task.add_done_callback(self.paying.discard)
        return await asyncio.shield(task)


class Patience:
    """How long to bear with one trouble: `bound` seconds (None: the caller has its own end)."""

    def __init__(self, bound: float | None = PATIENCE) -> None:
        self._bound = bound
        self._since = time.monotonic()
        self._tries = 0

    def bears(self, hold_up: Unreachable) -> bool:
        """Tell whether to go on; a full queue at Novita is no trouble, only a wait."""
        return (
            isinstance(hold_up, Busy) or self._bound is None or time.monotonic() - self._since < self._bound
        )

    def delay(self, hold_up: Unreachable) -> float:
        """Say how many seconds to wait before the next try."""
        self._tries += 1
        return pacing.backoff(self._tries, hold_up.retry_after)


def _reason(problem: Problem) -> str:
    return f"{problem.reason}: {problem.message}" if problem.message else problem.reason
