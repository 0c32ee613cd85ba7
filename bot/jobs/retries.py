"""Waiting for another side that is away: how long, what people see meanwhile, and who is woken early."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from typing import TypeVar

from bot.domain.job import Job, Stage
from bot.domain.retry import RetryBudget
from bot.errors import AccessRefused, TemporaryError
from bot.jobs.notifier import Notifier, Operator

log = logging.getLogger(__name__)
T = TypeVar("T")

WOKEN_A_SECOND = 20
"""How many of those who are woken at once try again in a second."""


class Side(StrEnum):
    """Whom a job waits for."""

    DISCORD = "discord"
    NOVITA = "novita"


REFUSED = {Side.DISCORD: "token", Side.NOVITA: "key"}
"""What of the operator's a side refuses (see `Operator.alert`)."""


class Retries:
    """Repeats what is free and safe to repeat, for all jobs of this process.

    What is paid is never given up for want of patience: it slows down, and is woken when the side that it
    waits for has answered any other job.
    """

    def __init__(self, notifier: Notifier, operator: Operator) -> None:
        self._notifier = notifier
        self._operator = operator
        self._asleep: defaultdict[Side, set[asyncio.Event]] = defaultdict(set)

    async def repeat(
        self,
        job: Job,
        action: Callable[[], Awaitable[T]],
        stage: Callable[..., Stage] | None,
        *,
        lasting: bool | None = None,
    ) -> T:
        """Have Discord do something, however often it takes; the card says that it is waited for.

        Raises `TemporaryError` when patience ends, which it does not for a `lasting` step, by default one of
        a job that is paid.
        """
        budget = RetryBudget(lasting=job.paid if lasting is None else lasting)
        while True:
            try:
                done = await action()
            except TemporaryError as error:
                trouble = error
                if not budget.allows(trouble):
                    raise
                if stage is not None:
                    self._notifier.update_card(job, stage(because="discord_away"))
            else:
                self.answered(Side.DISCORD)
                return done
            await self.rest(job, Side.DISCORD, budget, trouble)

    def answered(self, side: Side) -> None:
        """Wake all who wait for a side: it has answered somebody."""
        for woken in self._asleep[side]:
            woken.set()

    async def rest(self, job: Job, side: Side, budget: RetryBudget, trouble: TemporaryError) -> None:
        """Wait until it is time for the next try, or, where tries are rare, until the side has answered."""
        seconds = self._say(job, side, budget, trouble)
        if not budget.slow:
            await asyncio.sleep(seconds)
            return
        woken, asleep = asyncio.Event(), self._asleep[side]
        asleep.add(woken)
        try:
            await asyncio.sleep(budget.least())
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), seconds - budget.least())
            if woken.is_set():
                budget.woken()
                await asyncio.sleep(random.random() * len(asleep) / WOKEN_A_SECOND)  # noqa: S311
        finally:
            asleep.discard(woken)

    def _say(self, job: Job, side: Side, budget: RetryBudget, trouble: TemporaryError) -> float:
        """Return how many seconds to wait, and leave it to nobody to guess why."""
        refused = isinstance(trouble, AccessRefused)
        if refused:
            self._operator.alert(REFUSED[side])
        # Once at ERROR for each step, and once more for each of the rare tries.
        level = logging.ERROR if refused and (budget.tries == 0 or budget.slow) else logging.INFO
        seconds = budget.delay(trouble)
        if budget.slow:
            log.log(level, "job %s: waiting, %.0f minutes at most: %s", job.id, seconds / 60, trouble)
        else:
            log.log(level, "job %s: waiting: %s", job.id, trouble)
        return seconds
