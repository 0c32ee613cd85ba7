"""How a model takes images: nobody documents it, so it is found out, once, by what Novita refuses.

Raw base64, a data URI and an https address are tried in turn until one has worked for the model. From then on
it is the only one, for all processes: a refusal is about the image then, and not about how it was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from bot.domain.job import Job
from bot.novita.models import ENCODINGS, Encoding, Model

DOUBTED = frozenset({"INVALID_IMAGE_FORMAT", "INVALID_REQUEST_BODY"})
"""The reasons of Novita's that may be about the encoding."""
REFUSED = "encodings_refused"
"""The option of a job that lists the encodings refused for it, each with Novita's words, in their order."""


class Memory(Protocol):
    """What all processes remember, by name; see `Coordination`."""

    async def recall(self, key: str) -> str:
        """Return what was remembered under a key; empty: nothing."""

    async def remember(self, key: str, text: str) -> None:
        """Remember something for every process, and for the next start."""


class Encodings:
    """Which encoding is next for a model; `chosen` are the operator's, each the only one for its model."""

    def __init__(self, memory: Memory, chosen: Mapping[str, Encoding]) -> None:
        self._memory = memory
        self._chosen = chosen

    async def next(self, model: Model, refused: Collection[Encoding]) -> Encoding | None:
        """Return the encoding to send an image in, when some were refused for it; None: none is left."""
        only = self._chosen.get(model.name) or await self._worked(model)
        ways = (only,) if only else model.encodings
        return next((way for way in ways if way not in refused), None)

    async def worked(self, model: Model, encoding: Encoding) -> None:
        """Remember, for every process, that Novita took an image so."""
        if await self._worked(model) != encoding:
            await self._memory.remember(_key(model), encoding)

    async def _worked(self, model: Model) -> Encoding | None:
        found = await self._memory.recall(_key(model))
        return next((way for way in ENCODINGS if way == found), None)


def refused_for(job: Job) -> dict[Encoding, str]:
    """Return the encodings that Novita refused for a job, in their order, with its words."""
    return dict(job.options.get(REFUSED, ()))


def with_refusal(job: Job, encoding: Encoding, words: str) -> dict[str, object]:
    """Return the options of a job for which one more encoding was refused."""
    return {**job.options, REFUSED: [*refused_for(job).items(), (encoding, words)]}


def _key(model: Model) -> str:
    return f"encoding {model.name}"
