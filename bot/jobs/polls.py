"""Asking Novita how a task stands, and telling its word on the task from no word at all."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bot.domain.job import Job
from bot.errors import AccessRefused, AnswerLost, TemporaryError
from bot.jobs.retries import Retries, Side
from bot.jobs.submission import REMEDIES, said
from bot.novita.client import NovitaClient
from bot.novita.codec import Kind, Pending, Problem, Repeat, Succeeded, TaskFailed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unknown:
    """Novita does not know the task: not yet, or not any more."""


Answer = Pending | Succeeded | TaskFailed | Unknown | TemporaryError
"""Novita's word on a task; `TemporaryError` is none, so nothing may be concluded from it but to ask again."""


class Polls:
    """Polls for all jobs of this process; they are free, and may always be repeated."""

    def __init__(self, novita: NovitaClient, retries: Retries) -> None:
        self._novita = novita
        self._retries = retries

    async def ask(self, job: Job) -> Answer:
        """Ask for a job's task, once."""
        try:
            answer = _understood(await self._novita.result(job.task.task_id or ""))
        except AnswerLost as error:
            return TemporaryError(str(error))
        if isinstance(answer, Pending) and answer.unknown_status:
            log.warning("job %s: Novita says %s; waiting on", job.id, answer.unknown_status)
        if not isinstance(answer, TemporaryError):
            self._retries.answered(Side.NOVITA)
        return answer


def _understood(answer: Pending | Succeeded | TaskFailed | Problem) -> Answer:
    match answer:
        case Problem(kind=Kind.NO_TASK):
            return Unknown()
        case Problem(kind=Kind.PROVIDER, repeat=Repeat.NO):
            return TaskFailed(said(answer))
        case Problem(kind=Kind.KEY):
            return AccessRefused(f"{answer.reason}. {REMEDIES[Kind.KEY]}")
        case Problem():
            return TemporaryError(answer.reason, answer.retry_after)
    return answer
