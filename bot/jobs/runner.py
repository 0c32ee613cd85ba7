"""One job from wherever it stands to its end.

Calling `JobRunner.run` twice, or from two processes, is harmless: the later call owns the row, and the
earlier one's next write is refused. Resuming after a crash is the same call.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.domain import places, polling
from bot.domain.job import NOWHERE, Charge, Job, QueueLease, Rendering, Sending, State, Waiting
from bot.domain.retry import RetryBudget, backoff
from bot.errors import (
    BrokenVideo,
    DownloadError,
    ImageRejected,
    ImageUnprepared,
    ImageUnreachable,
    LeaseLost,
    MalformedMessage,
    OutdatedVersion,
    PermanentError,
    RateLimited,
    TemporaryError,
    UnseenMessage,
)
from bot.files.images import Images
from bot.files.videos import Videos
from bot.jobs import fencing
from bot.jobs.admission import Admission
from bot.jobs.job_images import JobImages
from bot.jobs.notifier import Notifier, Operator, PostedVideo
from bot.jobs.offer import Offer
from bot.jobs.polls import Polls, Unknown
from bot.jobs.retries import Retries, Side
from bot.jobs.submission import Submission
from bot.novita.client import NovitaClient
from bot.novita.codec import Pending, Succeeded, TaskFailed
from bot.novita.models import CATALOGUE, DEFAULT_MODEL, Model
from bot.store.jobs import JobStore

log = logging.getLogger(__name__)

BROKEN_TRIES = 3
"""How often a file that is no video is fetched again."""
DEAD_LINK = frozenset({403, 404, 410})
"""What a link answers that has expired, or never led to anything."""
FRESH_SECONDS = 2.0
"""For how long a render that was just ordered is taken to be in Novita's queue."""
FRESH_TASK_TRIES = 5
"""How often a task may be unknown at first: the submit's answer can be ahead of Novita's own books."""


@dataclass(frozen=True)
class RunnerConfig:
    """What the operator chose; `poll_seconds` between polls at first, `render_timeout` in seconds."""

    models: Offer
    poll_seconds: float
    render_timeout: float


class JobRunner:
    """The steps of a job, in their order, and the parts they need; all the waiting is in here."""

    def __init__(
        self,
        store: JobStore,
        novita: NovitaClient,
        notifier: Notifier,
        operator: Operator,
        submission: Submission,
        images: Images,
        videos: Videos,
        admission: Admission,
        config: RunnerConfig,
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._images, self._job_images = images, JobImages(images, notifier)
        self._videos = videos
        self._admission = admission
        self._config = config
        self._submission = submission
        self._operator = operator
        self._retries = Retries(notifier, operator)
        self._polls = Polls(novita, self._retries)
        self._polled, self._outdated = 0, False

    async def drain(self, seconds: float) -> None:
        """Wait some seconds, at most, until the paid requests on their way are answered and written down."""
        if not self._submission.under_way:
            return
        log.info("waiting for %d paid requests to be answered", len(self._submission.under_way))
        _, unanswered = await asyncio.wait(self._submission.under_way, timeout=seconds)
        for request in unanswered:  # found in `submitting` by the next start, which asks a person
            request.cancel()
        await asyncio.gather(*unanswered, return_exceptions=True)

    def forget(self, job_id: str) -> None:
        """Drop what this process holds for a job that is run elsewhere."""
        self._images.drop(job_id)

    async def run(self, job_id: str, lease: QueueLease | None = None) -> None:
        """Take a job from where it stands to its end; raises `OutdatedVersion` if newer ones are to pay."""
        try:
            job = await self._store.claim(job_id, lease)
            fencing.set_job(job)
            while (step := self._next(job)) is not None:
                job = await step(job)
        except LeaseLost:
            log.info("job %s: another run has it", job_id)
        except OutdatedVersion as error:
            # Once at ERROR: it is the same for every job, each time it is tried.
            level, self._outdated = logging.INFO if self._outdated else logging.ERROR, True
            log.log(level, "job %s: this version is too old to pay (%s): upgrade it", job_id, error)
            raise
        finally:
            self._admission.nudge()
            self._images.drop(job_id)
            self._videos.drop(job_id)

    def _next(self, job: Job) -> Callable[[Job], Awaitable[Job]] | None:
        """Return the one step that is next for a job as it stands; None: it is at its end."""
        match job.state:
            case State.ACCEPTED:
                return self._accepted
            case State.SUBMITTING:
                return self._found_submitting
            case State.RENDERING:
                return self._rendering
            case State.RENDERED:
                return self._rendered
        if job.untold:
            return self._notify
        return self._look_again if job.outcome.check_at is not None else None

    # --- accepted: nothing is paid yet ----------------------------------------------------------------------

    async def _accepted(self, job: Job) -> Job:
        name, offer = job.request.model, self._config.models
        model = next((model for model in offer.configured if model.name == name), None)
        if model is None:
            return await self._store.fail(job, "model_unknown", name)
        try:
            job = await self._post_card(job, model)
            if not offer.is_gone(name):  # else it need not wait to be told so
                job = await self._wait_for_turn(job)
            if offer.is_gone(name):
                return await self._store.fail(job, "retired", "known from before")
            if self._outdated:  # found so before: its image need not come for what the payment will refuse
                await self._store.check_version()
            images = await self._retries.repeat(job, lambda: self._job_images.of(job, model), Waiting)
            return await self._submit(job, model, images)
        except OutdatedVersion:
            self._notifier.update_card(job, Waiting(because="outdated"))
            raise
        except ImageRejected as error:
            return await self._store.fail(job, "still_refused", error.rule)
        except ImageUnprepared as error:
            return await self._store.fail(job, "image_unprepared", str(error))
        except (PermanentError, TemporaryError, ImageUnreachable) as error:
            return await self._store.fail(job, "not_started", str(error))

    async def _post_card(self, job: Job, model: Model) -> Job:
        """Make sure the card stands with its image, and the thread, whatever an earlier run got done."""
        if job.destination.card_id is None or job.destination.target_id is None:
            post = partial(self._notifier.post_card, job, lambda: self._job_images.of(job, model))
            posted = await self._retries.repeat(job, post, None)
            # What opened the first card is of no more use, and not ours to keep.
            job = await self._store.update(
                job,
                card_id=posted.card_id,
                target_id=posted.target_id,
                reply_token=None,
                source_url=None,
                options=job.options_with_card,
                queued_at=time.time(),
            )
        self._notifier.update_card(job, Waiting())
        return job

    async def _wait_for_turn(self, job: Job) -> Job:
        """Wait in line, unless this job's turn has come in an earlier run."""
        if job.admission.turn_at is not None:
            return job
        if job.admission.queued_at is None:
            job = await self._store.update(job, queued_at=time.time())

        def moved(position: int, paused: bool) -> None:
            self._notifier.update_card(job, Waiting(position, because="busy" if paused else ""))

        await self._admission.wait(job.id, moved)
        return job

    async def _submit(self, job: Job, model: Model, images: Sequence[Path]) -> Job:
        """Submit the render, and again only where it is certain that nothing was bought."""
        budget = RetryBudget()
        while True:
            job, trouble = await self._submission.submit(job, model, images)
            if trouble is None:
                self._config.models.hear(job)
                self._outdated = False
                if job.state is State.RENDERING:
                    self._retries.answered(Side.NOVITA)
                return job
            if isinstance(trouble, OutdatedVersion):
                raise trouble
            if not budget.allows(trouble):
                return await self._store.fail(job, trouble.problem, str(trouble))
            delay = budget.delay(trouble)
            if isinstance(trouble, RateLimited):
                # The limit is the account's: nobody else need try meanwhile, and this job gets in line again.
                await self._admission.pause(delay)
                job = await self._store.update(job, turn_at=None)
                self._notifier.update_card(job, Waiting(because="busy"))
                job = await self._wait_for_turn(job)
            else:
                self._notifier.update_card(job, Waiting(because=trouble.because))
                await asyncio.sleep(delay)

    # --- submitting: found so after a crash -----------------------------------------------------------------

    async def _found_submitting(self, job: Job) -> Job:
        """Nobody knows whether the request arrived, so it is never sent again by itself."""
        return await self._submission.unconfirmed(job, "interrupted")

    # --- rendering: paid, and Novita has it -----------------------------------------------------------------

    async def _rendering(self, job: Job) -> Job:
        self._polled += 1
        try:
            return await self._poll_to_its_end(job)
        finally:
            self._polled -= 1

    async def _poll_to_its_end(self, job: Job) -> Job:
        model = self._config.models.get(job.request.model, CATALOGUE[DEFAULT_MODEL])
        started = job.task.submitted_at or job.created_at
        # From here on by a clock that nobody sets, for the deadline hangs on it.
        since = time.monotonic() - max(0.0, time.time() - started)
        expected = polling.expected_at(started, model.typical_seconds, job.request.duration)
        misses, budget = 0, RetryBudget(lasting=True)
        if time.monotonic() - since < FRESH_SECONDS:  # else the card tells more, or will after a poll
            self._notifier.update_card(job, Rendering(expected, queued=True))
        # Soon, also for what was found long under way; yet a thousand found at once are spread out.
        delay = polling.next_poll(0.0, self._config.poll_seconds, self._polled)
        while True:
            await asyncio.sleep(delay)
            elapsed = time.monotonic() - since
            delay = polling.next_poll(elapsed, self._config.poll_seconds, self._polled)
            match await self._polls.ask(job):
                case Succeeded() as video:
                    return await self._is_rendered(job, video)
                case TaskFailed(message) as end:
                    # Whether Novita charges a task that failed is not documented.
                    return await self._store.fail(job, end.problem, message, Charge.UNKNOWN)
                case Unknown() if (misses := misses + 1) > FRESH_TASK_TRIES:
                    return await self._store.fail(job, "task_lost", "TASK_NOT_FOUND", Charge.UNKNOWN)
                case Unknown():
                    delay = backoff(misses)
                case Pending() if elapsed > self._config.render_timeout:  # only Novita says that it is late
                    minutes = f"{self._config.render_timeout / 60:g} minutes"
                    later = time.time() + self._config.render_timeout
                    return await self._store.fail(job, "deadline", minutes, Charge.UNKNOWN, check_at=later)
                case Pending() as pending:
                    misses, budget = 0, RetryBudget(lasting=True)
                    expected = polling.revised(expected, pending.eta, time.time())
                    self._notifier.update_card(job, Rendering(expected, queued=not pending.started))
                case TemporaryError() as trouble:
                    self._notifier.update_card(job, Rendering(expected, because="novita_away"))
                    await self._retries.rest(job, Side.NOVITA, budget, trouble)
                    delay = 0.0

    async def _is_rendered(self, job: Job, video: Succeeded) -> Job:
        return await self._store.move(
            job,
            State.RENDERED,
            video_url=video.video_url,
            video_expires_at=time.time() + video.ttl,
            charge=Charge.PAID,
            problem="",
            reason="",
            notified=False,
            check_at=None,
        )

    # --- rendered: the video is ours to fetch and to bring --------------------------------------------------

    async def _rendered(self, job: Job) -> Job:
        self._admission.nudge()  # Novita is done with it, so the next may render
        self._notifier.update_card(job, Sending())
        while True:
            try:
                sent = await self._bring(job)
            except DownloadError as error:
                return await self._store.fail(job, "video_gone", str(error), Charge.PAID)
            except MalformedMessage as error:
                self._operator.alert("message")
                return await self._store.fail(job, "undelivered", str(error), Charge.PAID)
            except UnseenMessage as error:
                return await self._store.fail(job, "unseen", str(error), Charge.PAID)
            except PermanentError as error:
                log.info("job %s: its place does not take the video: %s", job.id, error)
                learned: dict[str, object] = {"options": places.after_refusal(job)}
                target = await self._retries.repeat(job, partial(self._notifier.fallback, job), Sending)
                if target is None:
                    return await self._store.fail(job, "undelivered", str(error), Charge.PAID, **learned)
                learned |= {"target_id": target, "fallback_reason": error.fallback_reason}
                # Written before anything is posted there, so that after a crash it is looked for there.
                job = await self._store.update(job, **learned)
            else:
                return await self._store.move(
                    job,
                    State.DELIVERED,
                    video_message_id=sent.message_id,
                    target_id=sent.channel_id,
                    delivery_method=sent.method,
                )

    async def _bring(self, job: Job) -> PostedVideo:
        """Fetch the video and post it, unless an earlier run posted it and died before writing that down."""
        earlier = await self._retries.repeat(job, partial(self._notifier.find_video, job), Sending)
        if earlier is not None:
            return earlier
        job = await self._fetch(job)
        if not places.begun(job):  # written first, so that a later run knows that something may be there
            job = await self._store.update(job, options=places.before_posting(job))
        deliver = partial(self._notifier.deliver, job, self._videos.path(job.id))
        return await self._retries.repeat(job, deliver, Sending)

    async def _fetch(self, job: Job) -> Job:
        """Have the video on disk, with a fresh link when the first has died; raises `DownloadError`."""
        budget, broken, misses, signed = RetryBudget(lasting=True), 0, 0, False
        while True:
            try:
                await self._videos.fetch(job.id, job.task.video_url or "")
                return job
            except DownloadError as error:
                failure = error
                broken += isinstance(error, BrokenVideo)
                # Each link that Novita signed for an hour was dead: there is nothing behind them.
                dead = signed and budget.slow and error.status in DEAD_LINK
                if error.final or dead or broken > BROKEN_TRIES:
                    raise
            self._notifier.update_card(job, Sending(because="novita_away"))
            trouble = TemporaryError(str(failure), failure.retry_after)
            await self._retries.rest(job, Side.NOVITA, budget, trouble)
            # Whether asking again signs afresh is not documented; it costs nothing.
            match await self._polls.ask(job):
                case Succeeded() as video:
                    signed = True
                    expires = time.time() + video.ttl
                    job = await self._store.update(job, video_url=video.video_url, video_expires_at=expires)
                case TaskFailed() | Unknown() if (misses := misses + 1) > FRESH_TASK_TRIES:
                    raise failure

    # --- ended ----------------------------------------------------------------------------------------------

    async def _notify(self, job: Job) -> Job:
        """Tell people how it ended, however long that takes: nobody else would."""
        self._admission.nudge()
        try:
            await self._retries.repeat(job, partial(self._notifier.notify, job), None, lasting=True)
        except PermanentError as error:
            log.warning("job %s: nobody can be told of its end: %s", job.id, error)
            return await self._store.update(job, fallback_reason=NOWHERE)
        return await self._store.update(job, notified=True)

    async def _look_again(self, job: Job) -> Job:
        """Ask once more, later, for a task that was given up; it is called lost only when Novita says so."""
        seconds = (job.outcome.check_at or 0) - time.time()
        await asyncio.sleep(max(0.0, min(seconds, self._config.render_timeout)))
        budget = RetryBudget(lasting=True)
        while True:
            match await self._polls.ask(job):
                case Succeeded() as video:
                    return await self._is_rendered(job, video)
                case TemporaryError() as trouble:
                    await self._retries.rest(job, Side.NOVITA, budget, trouble)
                case _:
                    return await self._store.update(job, check_at=None, problem="lost", notified=False)
