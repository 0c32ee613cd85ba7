"""The one paid request of a job, and the only place that sends it.

The row says `submitting` before the request leaves, and what came of it after. Where nobody can know what
came of it, a person is asked; nothing here ever sends it again by itself. Only what Novita refused, perhaps
for the encoding of the image, is sent in another while none has worked yet (see `jobs.encodings`): each such
try is a paid request like any other, with a `submitting` of its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bot.domain.job import Charge, Job, State
from bot.errors import (
    AnswerLost,
    CardUnread,
    NotSent,
    OutdatedVersion,
    PermanentError,
    RateLimited,
    TaskTaken,
    TemporaryError,
)
from bot.jobs.encodings import DOUBTED, Encodings, refused_for, with_refusal
from bot.jobs.notifier import Notifier, Operator
from bot.novita.client import ImageFile, NovitaClient
from bot.novita.codec import Kind, Problem, Repeat, Submitted
from bot.novita.models import Encoding, Model
from bot.store.jobs import JobStore

log = logging.getLogger(__name__)

REMEDIES: Mapping[Kind, str] = {
    Kind.KEY: "Novita refuses this key: check NOVITA_API_KEY and the account's rights in Novita's console.",
    Kind.FUNDS: "The Novita account is out of funds, nothing was charged: top it up in Novita's console.",
    Kind.RETIRED: "The model is retired or NOVITA_API_URL is wrong: people can choose {replacement}.",
}
"""What the operator can do, for the problems that are the operator's."""

Outcome = tuple[Job, TemporaryError | None]
"""The job as it stands then, with the trouble if it is back where it was: accepted, and nothing paid."""


class Submission:
    """Sends paid requests; `under_way` are those whose answer is not written down yet."""

    def __init__(
        self,
        store: JobStore,
        novita: NovitaClient,
        notifier: Notifier,
        operator: Operator,
        encodings: Encodings,
    ) -> None:
        self._store = store
        self._novita = novita
        self._notifier = notifier
        self._operator = operator
        self._encodings = encodings
        self.under_way: set[asyncio.Task[Outcome]] = set()

    async def submit(self, job: Job, model: Model, images: Sequence[Path]) -> Outcome:
        """Submit a job, with its image and its end image, if any, until Novita takes or refuses it.

        A caller that is cancelled leaves the request to reach its commit.
        """
        task = asyncio.create_task(self._submit(job, model, images))
        self.under_way.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    def _over(self, task: asyncio.Task[Outcome]) -> None:
        self.under_way.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("a submission ended early (%s); its job is taken up again", type(error).__name__)

    async def _submit(self, job: Job, model: Model, images: Sequence[Path]) -> Outcome:
        encoding = await self._encodings.next(model, refused_for(job))
        if encoding is None:
            return await self._refused_in_all(job), None
        try:
            addresses = await self._addresses(job) if encoding == "url" else None
        except TemporaryError as error:
            return job, CardUnread(str(error), error.retry_after)
        except PermanentError as error:
            if refused_for(job):
                return await self._refused_in_all(job), None
            return await self._store.fail(job, "not_started", str(error)), None
        return await self._send(job, model, encoding, images, addresses)

    async def _addresses(self, job: Job) -> list[str]:
        """Sign fresh addresses for the images, which the card carries."""
        there = job.destination
        if there.card_id is None:
            raise PermanentError("no card carries the image")
        ends = [False, True] if job.end_source else [False]
        return [await self._notifier.image_url(there.channel_id, there.card_id, end=end) for end in ends]

    async def _send(
        self,
        job: Job,
        model: Model,
        encoding: Encoding,
        images: Sequence[Path],
        addresses: list[str] | None,
    ) -> Outcome:
        try:
            # Opened before the row says so: a stop may let go of the job, and drop its image, meanwhile.
            with ExitStack() as stack:
                content = addresses or _opened(stack, job, images)
                job = await self._store.move(job, State.SUBMITTING, submitted_at=time.time())
                answer = await self._novita.submit(model, job.request, encoding, content)
        except OutdatedVersion as error:
            return job, error
        except NotSent as error:
            return await self._not_now(job, TemporaryError(str(error)))
        except AnswerLost as error:
            return await self.unconfirmed(job, str(error)), None
        match answer:
            case Submitted(task_id):
                # Logged before it is written down: should the disk fail just now, the id is not lost with it.
                log.info("job %s: paid for, Novita's task is %s", job.id, task_id)
                now = time.time()
                try:
                    job = await self._store.move(job, State.RENDERING, task_id=task_id, submitted_at=now)
                except TaskTaken:  # somebody else's answer, so what became of this request nobody knows
                    return await self.unconfirmed(job, "ANOTHER_TASK"), None
                await self._encodings.worked(model, encoding)
                return job, None
            case Problem(kind=Kind.INPUT, reason=reason) if reason in DOUBTED:
                return await self._refused(job, model, encoding, images, answer)
            case Problem(kind=Kind.LOAD, repeat=Repeat.LATER):
                return await self._not_now(job, RateLimited(answer.reason, answer.retry_after))
            case Problem(repeat=Repeat.LATER):
                return await self._not_now(job, TemporaryError(answer.reason, answer.retry_after))
            case Problem(repeat=Repeat.ASK):
                return await self.unconfirmed(job, answer.reason), None
            case Problem():
                warn_operator(job, model, answer)
                if answer.kind is Kind.KEY:
                    self._operator.alert("key")
                charge = Charge.UNKNOWN if answer.may_cost else Charge.NOTHING
                return await self._store.fail(job, answer.kind, said(answer), charge), None

    async def _refused(
        self, job: Job, model: Model, encoding: Encoding, images: Sequence[Path], answer: Problem
    ) -> Outcome:
        """Try the next encoding, if there is one; what was refused is written down, so that none is twice."""
        options = with_refusal(job, encoding, said(answer))
        if await self._encodings.next(model, refused_for(replace(job, options=options))) is None:
            return await self._refused_in_all(replace(job, options=options)), None
        log.warning("job %s: Novita refuses an image as %s (%s)", job.id, encoding, answer.reason)
        job = await self._store.move(job, State.ACCEPTED, options=options)
        return await self._submit(job, model, images)

    async def _refused_in_all(self, job: Job) -> Job:
        """End a job whose image was refused, by the first words: those of the likeliest encoding."""
        refused = refused_for(job)
        if len(refused) > 1:
            log.warning(
                "job %s: refused as %s; KINORA_IMAGE_ENCODINGS can say what its model takes",
                job.id,
                ", ".join(refused),
            )
        return await self._store.fail(job, Kind.INPUT, next(iter(refused.values())))

    async def _not_now(self, job: Job, trouble: TemporaryError) -> Outcome:
        return await self._store.move(job, State.ACCEPTED), trouble

    async def unconfirmed(self, job: Job, reason: str) -> Job:
        """Leave a job to its person: it may or may not have been charged."""
        log.error(
            "job %s: the answer to the paid request was lost (%s). It may have been charged: look for it in "
            "Novita's console before rendering it again.",
            job.id,
            reason,
        )
        return await self._store.move(
            job, State.UNCONFIRMED, problem="unconfirmed", reason=reason, charge=Charge.UNKNOWN
        )


def _opened(stack: ExitStack, job: Job, images: Sequence[Path]) -> list[ImageFile]:
    """Open a job's image, and its end image, if any, until the stack is left."""
    formats = [source.format for source in (job.source, job.end_source) if source is not None]
    return [
        ImageFile(stack.enter_context(image.open("rb")), image_format)
        for image, image_format in zip(images, formats, strict=True)
    ]


def warn_operator(job: Job, model: Model | None, problem: Problem) -> None:
    """Log at ERROR, in one line with a remedy, what only the operator can mend."""
    if remedy := REMEDIES.get(problem.kind):
        replacement = (model.replacement if model else None) or "another model"
        log.error("job %s: %s. %s", job.id, problem.reason, remedy.format(replacement=replacement))


def said(problem: Problem) -> str:
    """Return Novita's name for a problem, and its words."""
    return f"{problem.reason}: {problem.message}" if problem.message else problem.reason
