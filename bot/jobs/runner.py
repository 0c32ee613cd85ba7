"""One job from wherever it stands to its end.

Calling `Road.drive` twice, or from two processes, is harmless: the later call owns the row, and the earlier
one's next write is refused. Resuming after a crash is the same call.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from bot.domain import polling as pacing
from bot.domain.job import Cost, Job, Rendering, Sending, Stage, State, Superseded, Ticket, Waiting
from bot.domain.retry import Busy, Patience, Refused, Unreachable
from bot.files.download import FetchError
from bot.files.images import Stills, StillUnreachable
from bot.files.videos import BrokenVideo, Films
from bot.jobs import fencing as fence
from bot.jobs.admission import Turns
from bot.jobs.notifier import Front, Sent
from bot.jobs.submission import Payments, said, warn_operator
from bot.media.values import StillRefused
from bot.novita.client import AnswerLost, NovitaClient
from bot.novita.codec import Kind, Pending, Problem, Repeat, Succeeded, TaskFailed
from bot.novita.models import CATALOGUE, DEFAULT_MODEL, Model
from bot.store.jobs import Ledger

log = logging.getLogger(__name__)
T = TypeVar("T")

BROKEN_TRIES = 3
"""How often a file that is no video is fetched again."""
LATE_TRIES = 5
"""How often a given-up task is asked for when its time has come."""
FRESH_SECONDS = 2.0
"""For how long a render that was just ordered is taken to be in Novita's queue."""
FRESH_TASK_TRIES = 5
"""How often a task may be unknown at first: the submit's answer can be ahead of Novita's own books."""


class Road:
    """The steps of a job, in their order, and the parts they need; all the waiting is in here."""

    def __init__(
        self,
        ledger: Ledger,
        payments: Payments,
        novita: NovitaClient,
        front: Front,
        stills: Stills,
        films: Films,
        turns: Turns,
        models: Mapping[str, Model],
        *,
        poll_seconds: float,
        render_timeout: float,
    ) -> None:
        self.ledger = ledger
        self.payments = payments
        self.novita = novita
        self.front = front
        self.stills = stills
        self.films = films
        self.turns = turns
        self.models = models
        self.poll_seconds = poll_seconds
        self.render_timeout = render_timeout
        self._polled = 0

    async def drive(self, job_id: str, ticket: Ticket | None = None) -> None:
        """Take a job from wherever it stands to its end, and tell people how it ended."""
        try:
            job = await self.ledger.claim(job_id, ticket)
            fence.set_run(job)
            while (step := self._next(job)) is not None:
                job = await step(job)
        except Superseded:
            log.info("job %s: another run has it", job_id)
        finally:
            self.turns.nudge()
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
            return await self.ledger.fail(job, "model_unknown", job.model)
        try:
            job = await self._place(job, model)
            job = await self._turn(job)
            still = await self._patiently(job, lambda: self._still(job, model), Waiting)
            return await self._pay(job, model, still)
        except StillRefused as error:
            return await self.ledger.fail(job, "still_refused", error.rule)
        except (Refused, Unreachable, StillUnreachable) as error:
            return await self.ledger.fail(job, "not_started", str(error))

    async def _place(self, job: Job, model: Model) -> Job:
        """Make sure the card stands with its still, and the thread, whatever an earlier run got done."""
        if job.card_id is None or job.target_id is None:
            place = partial(self.front.place, job, lambda: self._still(job, model))
            placed = await self._patiently(job, place, None)
            # What opened the first card is of no more use, and not ours to keep.
            job = await self.ledger.note(
                job,
                card_id=placed.card_id,
                target_id=placed.target_id,
                token=None,
                source_url=None,
                queued_at=time.time(),
            )
        self.front.show(job, Waiting())
        return job

    async def _turn(self, job: Job) -> Job:
        """Wait in line, unless this job's turn has come in an earlier run."""
        if job.turn_at is not None:
            return job
        if job.queued_at is None:
            job = await self.ledger.note(job, queued_at=time.time())

        def moved(position: int, paused: bool) -> None:
            self.front.show(job, Waiting(position, because="busy" if paused else ""))

        await self.turns.wait(job.id, moved)
        return job

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

    async def _pay(self, job: Job, model: Model, still: Path) -> Job:
        """Order the render, and again only where it is certain that nothing was bought."""
        patience = Patience()
        while True:
            job, hold_up = await self.payments.pay(job, model, still)
            if hold_up is None:
                return job
            if not patience.bears(hold_up):
                return await self.ledger.fail(job, "novita_away", str(hold_up))
            delay = patience.delay(hold_up)
            if isinstance(hold_up, Busy):
                # The limit is the account's: nobody else need try meanwhile, and this job gets in line again.
                await self.turns.pause(delay)
                job = await self.ledger.note(job, turn_at=None)
                self.front.show(job, Waiting(because="busy"))
                job = await self._turn(job)
            else:
                self.front.show(job, Waiting(because="novita_away"))
                await asyncio.sleep(delay)

    # --- submitting: found so after a crash -----------------------------------------------------------------

    async def _found_submitting(self, job: Job) -> Job:
        """Nobody knows whether the request arrived, so it is never sent again by itself."""
        return await self.payments.unconfirmed(job, "interrupted")

    # --- rendering: paid, and Novita has it -----------------------------------------------------------------

    async def _rendering(self, job: Job) -> Job:
        self._polled += 1
        try:
            return await self._poll_to_its_end(job)
        finally:
            self._polled -= 1

    async def _poll_to_its_end(self, job: Job) -> Job:
        model = self.models.get(job.model, CATALOGUE[DEFAULT_MODEL])
        started = job.submitted_at or job.created_at
        expected = pacing.expected_at(started, model.typical_seconds, job.duration)
        misses, patience = 0, Patience(bound=None)
        if time.time() - started < FRESH_SECONDS:  # else the card tells more than that, or will after a poll
            self.front.show(job, Rendering(expected, queued=True))
        # Soon, also for what was found long under way; yet a thousand found at once are spread out.
        delay = pacing.next_poll(0.0, self.poll_seconds, self._polled)
        while True:
            await asyncio.sleep(delay)
            elapsed = time.time() - started
            delay = pacing.next_poll(elapsed, self.poll_seconds, self._polled)
            match await self._poll(job):
                case Succeeded() as video:
                    return await self._is_rendered(job, video)
                case TaskFailed(message):
                    # Whether Novita charges a task that failed is not documented.
                    return await self.ledger.fail(job, "task_failed", message, Cost.UNKNOWN)
                case Problem(kind=Kind.PROVIDER, repeat=Repeat.NO) as problem:
                    return await self.ledger.fail(job, "task_failed", said(problem), Cost.UNKNOWN)
                case Problem(kind=Kind.NO_TASK) if (misses := misses + 1) > FRESH_TASK_TRIES:
                    return await self.ledger.fail(job, "task_lost", "TASK_NOT_FOUND", Cost.UNKNOWN)
                case Pending() as pending:
                    misses, patience = 0, Patience(bound=None)
                    expected = pacing.revised(expected, pending.eta, time.time())
                    self.front.show(job, Rendering(expected, queued=not pending.started))
                case Problem() as problem:
                    delay = patience.delay(Unreachable(problem.reason, problem.retry_after))
                    warn_operator(job, model, problem)
                case AnswerLost() as error:
                    delay = patience.delay(Unreachable(str(error)))
                    self.front.show(job, Rendering(expected, because="novita_away"))
            # After the poll, so that a job found long past its time is asked for at least once.
            if elapsed > self.render_timeout:
                minutes = f"{self.render_timeout / 60:g} minutes"
                later = time.time() + self.render_timeout
                return await self.ledger.fail(job, "deadline", minutes, Cost.UNKNOWN, check_at=later)

    async def _poll(self, job: Job) -> Pending | Succeeded | TaskFailed | Problem | AnswerLost:
        try:
            answer = await self.novita.result(job.task_id or "")
        except AnswerLost as error:
            return error
        if isinstance(answer, Pending) and answer.unknown_status:
            log.warning("job %s: Novita says %s; waiting on", job.id, answer.unknown_status)
        return answer

    async def _is_rendered(self, job: Job, video: Succeeded) -> Job:
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
        self.turns.nudge()  # Novita is done with it, so the next may render
        self.front.show(job, Sending())
        while True:
            try:
                sent = await self._bring(job)
            except FetchError as error:
                return await self.ledger.fail(job, "video_gone", str(error), Cost.PAID)
            except Unreachable as error:
                return await self.ledger.fail(job, "undelivered", str(error), Cost.PAID)
            except Refused as error:
                log.info("job %s: its place does not take the video: %s", job.id, error)
                target = await self._patiently(job, partial(self.front.elsewhere, job), Sending)
                if target is None:
                    return await self.ledger.fail(job, "undelivered", str(error), Cost.PAID)
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
        job = await self._fetch(job)
        deliver = partial(self.front.deliver, job, self.films.path(job.id))
        return await self._patiently(job, deliver, Sending)

    async def _fetch(self, job: Job) -> Job:
        """Have the video on disk, with a fresh link when the first has died; raises `FetchError` at last."""
        patience, broken = Patience(), 0
        while True:
            try:
                await self.films.fetch(job.id, job.video_url or "")
                return job
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
        self.turns.nudge()
        with suppress(Refused, Unreachable):
            await self._patiently(job, partial(self.front.tell, job), None)
        return await self.ledger.note(job, told=True)

    async def _look_again(self, job: Job) -> Job:
        """Ask once more, later, for a task that was given up, before it is called lost."""
        await asyncio.sleep(max(0.0, (job.check_at or 0) - time.time()))
        for attempt in range(1, LATE_TRIES + 1):
            match await self._poll(job):
                case Succeeded() as video:
                    return await self._is_rendered(job, video)
                case AnswerLost() | Problem(kind=Kind.PROVIDER | Kind.LOAD):
                    await asyncio.sleep(pacing.backoff(attempt))
                case _:
                    break
        return await self.ledger.note(job, check_at=None, problem="lost", told=False)

    # --- waiting --------------------------------------------------------------------------------------------

    async def _patiently(
        self, job: Job, action: Callable[[], Awaitable[T]], stage: Callable[..., Stage] | None
    ) -> T:
        """Repeat what is free and safe to repeat while the other side is away; the card says so."""
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
