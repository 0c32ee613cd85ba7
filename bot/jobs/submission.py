"""The one paid request of a job, and the only place that sends it.

The row says `submitting` before the request leaves, and what came of it after. Where nobody can know what
came of it, a person is asked; nothing here ever sends it again by itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path

from bot.domain.job import Cost, Job, State
from bot.domain.retry import Busy, Unreachable
from bot.novita.client import AnswerLost, NotSent, NovitaClient
from bot.novita.codec import Kind, Order, Problem, Repeat, Submitted
from bot.novita.models import Model
from bot.store.jobs import Ledger

log = logging.getLogger(__name__)

REMEDIES: Mapping[Kind, str] = {
    Kind.KEY: "Novita refuses this key: check NOVITA_API_KEY and the account's rights in Novita's console.",
    Kind.FUNDS: "The Novita account is out of funds, nothing was charged: top it up in Novita's console.",
    Kind.RETIRED: "The model is retired or NOVITA_API_URL is wrong: people can choose {replacement}.",
}
"""What the operator can do, for the problems that are the operator's."""

Outcome = tuple[Job, Unreachable | None]
"""The job as it stands then, with the hold-up if it is back where it was: accepted, and nothing paid."""


class Payments:
    """Sends paid requests; `under_way` are those whose answer is not written down yet."""

    def __init__(self, ledger: Ledger, novita: NovitaClient) -> None:
        self._ledger = ledger
        self._novita = novita
        self.under_way: set[asyncio.Task[Outcome]] = set()

    async def pay(self, job: Job, model: Model, still: Path) -> Outcome:
        """Submit a job, once; a caller that is cancelled leaves the request to reach its commit."""
        task = asyncio.create_task(self._pay(job, model, still))
        self.under_way.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    def _over(self, task: asyncio.Task[Outcome]) -> None:
        self.under_way.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("a payment ended early (%s); its job is taken up again", type(error).__name__)

    async def _pay(self, job: Job, model: Model, still: Path) -> Outcome:
        order = Order(job.prompt, job.duration, job.negative_prompt, job.cfg_scale)
        form = "png" if still.suffix == ".png" else "jpeg"
        try:
            # Opened before the row says so: a stop may let go of the job, and drop its still, meanwhile.
            with still.open("rb") as file:
                job = await self._ledger.move(job, State.SUBMITTING, submitted_at=time.time())
                answer = await self._novita.submit(model, order, file, form)
        except NotSent as error:
            return await self._not_now(job, Unreachable(str(error)))
        except AnswerLost as error:
            return await self.unconfirmed(job, str(error)), None
        match answer:
            case Submitted(task_id):
                # Logged before it is written down: should the disk fail just now, the id is not lost with it.
                log.info("job %s: paid for, Novita's task is %s", job.id, task_id)
                now = time.time()
                return await self._ledger.move(job, State.RENDERING, task_id=task_id, submitted_at=now), None
            case Problem(kind=Kind.LOAD, repeat=Repeat.LATER):
                return await self._not_now(job, Busy(answer.reason, answer.retry_after))
            case Problem(repeat=Repeat.LATER):
                return await self._not_now(job, Unreachable(answer.reason, answer.retry_after))
            case Problem(repeat=Repeat.ASK):
                return await self.unconfirmed(job, answer.reason), None
            case Problem():
                warn_operator(job, model, answer)
                cost = Cost.UNKNOWN if answer.may_cost else Cost.NOTHING
                return await self._ledger.fail(job, answer.kind, said(answer), cost), None

    async def _not_now(self, job: Job, hold_up: Unreachable) -> Outcome:
        return await self._ledger.move(job, State.ACCEPTED), hold_up

    async def unconfirmed(self, job: Job, reason: str) -> Job:
        """Leave a job to its person: it may or may not have been charged."""
        log.error(
            "job %s: the answer to the paid request was lost (%s). It may have been charged: look for it in "
            "Novita's console before rendering it again.",
            job.id,
            reason,
        )
        return await self._ledger.move(
            job, State.UNCONFIRMED, problem="unconfirmed", reason=reason, cost=Cost.UNKNOWN
        )


def warn_operator(job: Job, model: Model | None, problem: Problem) -> None:
    """Say at ERROR, in one line with a remedy, what only the operator can mend."""
    if remedy := REMEDIES.get(problem.kind):
        replacement = (model.replacement if model else None) or "another model"
        log.error("job %s: %s. %s", job.id, problem.reason, remedy.format(replacement=replacement))


def said(problem: Problem) -> str:
    """Give Novita's name for a problem, and its words."""
    return f"{problem.reason}: {problem.message}" if problem.message else problem.reason
