"""Finding out which models Novita serves, once for all processes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from bot.errors import KinoraError, NovitaError
from bot.jobs.notifier import Operator
from bot.jobs.offer import Offer
from bot.novita.codec import Probed
from bot.novita.models import Model

log = logging.getLogger(__name__)

LOOK_SECONDS = 20.0
"""How often a process looks at what the others found out."""
PROBE_SECONDS = 86_400.0
FRESH_SECONDS = 60.0
"""How old another process's probe may be for one that starts to be spared its own."""
LAST, ENDED = "models probed", "model probes ended"
GONE, SERVED = "gone", "served"


class Memory(Protocol):
    """What all processes remember; `bot.store.coordination` is the real one."""

    async def recall(self, key: str) -> str:
        """Return what was remembered under a key; empty: nothing."""

    async def remember(self, key: str, text: str) -> None:
        """Remember something for every process."""

    async def claim(self, key: str, text: str) -> bool:
        """Remember something; return whether it is new."""

    async def alone(self, name: str, work: Callable[[], Awaitable[None]], *, wait: bool = True) -> None:
        """Do what only one process may do at a time; without `wait`, not at all while another does it."""


class Prober(Protocol):
    """What asks Novita; `bot.novita.client` is the real one."""

    async def probe(self, model: Model) -> Probed:
        """Ask whether a model is served; raises `AnswerLost`."""


class ModelWatch:
    """Keeps an `Offer` true: probes at the start and once a day, and shares what was found out.

    `probe_round` is the operator's word after a probe became a paid task, which ends all probing: only a
    higher one begins it again; 0 is never. `shared` tells whether other processes use the memory too.
    """

    def __init__(
        self,
        offer: Offer,
        novita: Prober,
        memory: Memory,
        operator: Operator,
        *,
        probe_round: int = 1,
        shared: bool = False,
    ) -> None:
        self._offer = offer
        self._novita = novita
        self._memory = memory
        self._operator = operator
        self._round = probe_round
        self._fresh = FRESH_SECONDS if shared else 0.0

    async def watch(self) -> None:
        """Look and probe until cancelled; a trouble of the database's is waited out."""
        patience = self._fresh  # at the start; a day from then on
        while True:
            try:
                await self._share()
                await self.look()
                await self._memory.alone("probe models", partial(self.probe, patience), wait=False)
                patience = PROBE_SECONDS
            except KinoraError as error:
                log.warning("models: not looked at (%s); again in a moment", error)
            except Exception:
                log.exception("models: not looked at; again in a moment")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._offer.news.wait(), LOOK_SECONDS)

    async def look(self) -> None:
        """Learn what other processes, and earlier ones, found out."""
        for model in self._offer.configured:
            if found := (await self._memory.recall(_key(model.name))).partition(" ")[0]:
                self._offer.learn(model.name, found != GONE)

    async def probe(self, patience: float) -> None:
        """Probe every configured model, unless that was done less than `patience` seconds ago."""
        ended, last = await self._memory.recall(ENDED), await self._memory.recall(LAST)
        age = time.time() - float(last or 0)
        if self._round <= int(ended or 0) or 0 <= age < patience:
            return
        await self._memory.remember(LAST, str(int(time.time())))  # never a moment that is still to come
        for model in self._offer.configured:
            try:
                found = await self._novita.probe(model)
            except NovitaError:
                continue
            if found is Probed.TASK:
                await self._end(model)
                return
            if found is not Probed.UNCLEAR:
                await self._tell(model.name, found is Probed.ALIVE)

    async def _end(self, model: Model) -> None:
        """Never probe again: what was to cost nothing became a task."""
        await self._memory.remember(ENDED, str(self._round))
        log.error(
            "model %s: Novita made a task of a probe, which may have been charged: look in Novita's console. "
            "Models are not probed any more, until KINORA_PROBE_ROUND is more than %d.",
            model.name,
            self._round,
        )
        self._operator.alert("probe")

    async def _share(self) -> None:
        """Tell the other processes what submissions of this one told."""
        self._offer.news.clear()
        while self._offer.heard:
            name, served = self._offer.heard.popitem()
            try:
                await self._tell(name, served)
            except BaseException:
                self._offer.heard.setdefault(name, served)
                raise

    async def _tell(self, name: str, served: bool) -> None:
        """Learn it, and write it down for all; of all processes, one alerts the owner."""
        self._offer.learn(name, served)
        new = await self._memory.claim(_key(name), SERVED if served else GONE)
        if new and not served:
            self._operator.alert("model_gone", name)


def _key(name: str) -> str:
    return f"model {name}"
