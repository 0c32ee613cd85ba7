"""The models on offer: what the operator configured, without what Novita does not serve any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.domain.job import Job, State
from bot.domain.request import RenderRequest
from bot.novita.models import Model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Successor:
    """What another model would render in place of one that is gone."""

    model: Model
    request: RenderRequest


class Offer(Mapping[str, Model]):
    """Every model this version knows, by its name, and which of them can be chosen now.

    Those that cannot still have a title and a price, for jobs from before. `names` are the configured ones in
    their order, the default first; `news` is set when a submission told something that others should know.
    """

    def __init__(self, known: Mapping[str, Model], names: Sequence[str] | None = None) -> None:
        self._known = known
        self._names = tuple(known if names is None else names)
        self._gone: frozenset[str] = frozenset()
        self.heard: dict[str, bool] = {}
        self.news = asyncio.Event()

    def __getitem__(self, name: str) -> Model:
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    @property
    def configured(self) -> list[Model]:
        """List what the operator chose, served or not."""
        return [self._known[name] for name in self._names]

    @property
    def choices(self) -> Mapping[str, Model]:
        """Return what can be chosen now, in order."""
        return {name: self._known[name] for name in self._names if name not in self._gone}

    @property
    def default(self) -> Model | None:
        """Return the model of those who name none; None: there is none on offer."""
        return next(iter(self.choices.values()), None)

    def is_gone(self, name: str) -> bool:
        """Return whether a model is known not to be served."""
        return name in self._gone

    def hear(self, job: Job) -> None:
        """Learn from how a job stands after it was submitted whether its model is served."""
        served = job.state is State.RENDERING
        if served or job.outcome.problem == "retired":
            name = job.request.model
            if self.is_gone(name) is served:
                self.heard[name] = served
                self.news.set()
            self.learn(name, served)

    def learn(self, name: str, served: bool) -> None:
        """Take a model from the choices, or bring it back, and log that where it is new."""
        if self.is_gone(name) is not served:
            return
        self._gone = self._gone - {name} if served else self._gone | {name}
        default = self.default
        if served:
            log.info("model %s: Novita serves it again, so it is on offer", name)
        elif default is not None:
            log.warning("model %s: Novita does not serve it any more; the default is %s", name, default.name)
        else:
            log.error("model %s: Novita serves no model on offer; NOVITA_API_URL may be wrong", name)

    def successor(self, job: Job) -> Successor | None:
        """Return what may be rendered in place of a job whose model is gone; None: nothing is on offer.

        The nearest duration is taken, the shorter of two that are as near; sound and the end image are kept
        where the other model has them.
        """
        old = self._known.get(job.request.model)
        choices = self.choices
        model = choices.get((old.replacement if old else None) or "") or self.default
        if model is None or model.name == job.request.model:
            return None
        wanted = job.request.duration
        seconds = min(model.durations, key=lambda n: (abs(n - wanted), n))
        sound = job.request.sound and model.makes_sound
        price = model.price(seconds, sound)
        request = replace(job.request, model=model.name, duration=seconds, sound=sound, price=price)
        return Successor(model, request)
