"""`FakeNotifier`: Discord as the jobs see it, in memory."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.domain import places
from bot.domain.job import DeliveryMethod, Job, Stage, State
from bot.errors import PermanentError, TemporaryError, UnseenMessage
from bot.jobs.notifier import PostedCard, PostedVideo, Reply
from tests.support.journal import Journal

Kind = Literal["card", "video", "verdict", "reply"]


@dataclass(frozen=True)
class Posted:
    """One message: `says` is which end a verdict tells of, `file` what is attached, `end` the end image."""

    id: int
    channel_id: int
    kind: Kind
    job_id: str
    says: str = ""
    file: bytes = b""
    end: bytes = b""


class FakeNotifier:
    """A double of `Publisher` that keeps its promises: posts once, finds what it did before, knows places.

    It outlives the runs and the processes of a test, as Discord does. `messages` is all that stands; every
    method can be made to fail, before it does anything (`fail`) or after (`lose_answer`), and every place can
    be closed (`close`). `stages` are the cards' stages in order, `shown` each card's last look,
    `refusals` the closed places that were tried, `opened_dms` whose DMs were asked for; the history of
    `unreadable` places shows nothing.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.messages: list[Posted] = []
        self.stages: list[tuple[str, Stage]] = []
        self.shown: dict[str, State] = {}
        self.method = DeliveryMethod.ATTACHED
        self.without_threads: set[int] = set()
        self.dead_tokens: set[str] = set()
        self.closed_dms: set[int] = set()
        self.opened_dms: list[int] = []
        self.refusals: list[int] = []
        self.unreadable: set[int] = set()
        self._ids = itertools.count(2**60 + 1_000)
        self._signatures = itertools.count(1)
        self._closed: dict[int, PermanentError | TemporaryError] = {}
        self._failures: dict[str, deque[PermanentError | TemporaryError]] = defaultdict(deque)
        self._lost: Counter[str] = Counter()
        self._replies: dict[str, int] = {}
        self._dms: dict[int, int] = {}

    # --- what a test arranges

    def fail(self, method: str, error: PermanentError | TemporaryError, times: int = 1) -> None:
        """Have the next calls of a method raise, before they do anything."""
        assert callable(getattr(FakeNotifier, method))
        self._failures[method].extend([error] * times)

    def mend(self, method: str) -> None:
        """Undo `fail`."""
        self._failures[method].clear()

    def lose_answer(self, method: str, times: int = 1) -> None:
        """Have the next calls of a method do all they do, and then raise `TemporaryError`."""
        assert callable(getattr(FakeNotifier, method))
        self._lost[method] += times

    def close(self, place_id: int, error: PermanentError | TemporaryError | None = None) -> None:
        """Have a place take no message any more; what stands there cannot be read either."""
        self._closed[place_id] = error or PermanentError("this place is gone", "gone")

    def reopen(self, place_id: int) -> None:
        """Undo `close`."""
        del self._closed[place_id]

    def delete(self, message_id: int) -> None:
        """Have somebody delete a message."""
        self.messages = [message for message in self.messages if message.id != message_id]

    # --- what a test looks at

    def of(self, job_id: str, kind: Kind) -> list[Posted]:
        """List the messages of a kind that a job has."""
        return [message for message in self.messages if (message.job_id, message.kind) == (job_id, kind)]

    def stages_of(self, job_id: str) -> list[Stage]:
        """List the stages that a job's card went through."""
        return [stage for whose, stage in self.stages if whose == job_id]

    def dm(self, user_id: int) -> int:
        """Return the id of the direct messages with somebody."""
        return self._dms.setdefault(user_id, next(self._ids))

    # --- what it is a double of

    async def post_card(self, job: Job, images: Callable[[], Awaitable[Sequence[Path]]]) -> PostedCard:
        """Make the card stand and its thread exist; `images` are asked for only if the card has none yet."""
        async with self._step("post_card"):
            there = job.destination
            card_id = there.card_id
            if card_id is None:
                card_id = await self._make_card(job, *(image.read_bytes() for image in await images()))
            threads = there.wants_thread and there.channel_id not in self.without_threads
            return PostedCard(card_id, card_id if threads else there.channel_id)

    async def _make_card(self, job: Job, file: bytes, end: bytes = b"") -> int:
        token, channel_id = job.requester.reply_token, job.destination.channel_id
        if token is not None and token not in self.dead_tokens:
            # An edit: repeating it changes nothing.
            message_id = self._replies.setdefault(token, next(self._ids))
            self.messages = [message for message in self.messages if message.id != message_id]
            self.messages.append(Posted(message_id, channel_id, "card", job.id, file=file, end=end))
        else:
            found = self._find(channel_id, job, "card")
            message_id = (found or self._post(channel_id, job, "card", file=file, end=end)).id
        await self.journal.note("card")
        return message_id

    async def image_url(self, channel_id: int, message_id: int, *, end: bool = False) -> str:
        """Sign a fresh address for the image that a card carries."""
        async with self._step("image_url"):
            card = self._read(channel_id, message_id)
            if end and card is not None and not card.end:
                card = None
            signed = self._sign(card, "the card's image was removed")
            return f"{signed}&name=end" if end else signed

    def update_card(self, job: Job, stage: Stage) -> None:
        """Remember the stage."""
        self.stages.append((job.id, stage))

    async def find_video(self, job: Job) -> PostedVideo | None:
        """Find the video that an earlier run posted, in the place that the job's row names."""
        async with self._step("find_video"):
            place_id = job.destination.place_id
            if place_id in self.unreadable and places.begun(job):
                raise UnseenMessage("the history cannot be read")
            return self._brought(self._find(place_id, job, "video"))

    async def deliver(self, job: Job, video: Path) -> PostedVideo:
        """Post the video, once."""
        async with self._step("deliver"):
            place_id = job.destination.place_id
            found = self._find(place_id, job, "video")
            posted = found or self._post(place_id, job, "video", file=video.read_bytes())
            return PostedVideo(posted.channel_id, posted.id, self.method)

    async def fallback(self, job: Job) -> int | None:
        """Name the next place: the channel, the thread's channel, the requester's DM; None: none is left."""
        async with self._step("fallback"):
            return self._fallback(job)

    def _fallback(self, job: Job, refused: Collection[int] = ()) -> int | None:
        for place_id in places.left(job, refused):
            return place_id
        user_id = job.requester.user_id
        if not places.may_go_direct(job) or user_id in self.closed_dms:
            return None
        self.opened_dms.append(user_id)
        known = {*places.tried(job), *refused, job.destination.place_id}
        return None if self.dm(user_id) in known else self.dm(user_id)

    async def notify(self, job: Job) -> None:
        """Show on the card how the job ended, and say so to the requester unless the video itself did."""
        async with self._step("notify"):
            shown = job.destination.card_id is not None and job.destination.channel_id not in self._closed
            if shown:
                self.shown[job.id] = job.state
            if job.state in (State.FAILED, State.UNCONFIRMED):
                with suppress(PermanentError) if shown else nullcontext():
                    self._tell(job)
                await self.journal.note("verdict")

    def _tell(self, job: Job) -> None:
        says = job.outcome.problem or job.state
        refused: set[int] = set()
        place_id: int | None = job.destination.place_id
        if place_id in places.tried(job):
            place_id = self._fallback(job)
        while place_id is not None:
            try:
                if self._find(place_id, job, "verdict", says) is None:
                    self._post(place_id, job, "verdict", says=says)
                return
            except PermanentError:
                refused.add(place_id)
                place_id = self._fallback(job, refused)
        raise PermanentError("no place takes it")

    async def video_url(self, job: Job) -> str | None:
        """Sign a fresh address for the video in the message that brought it; None when it is not there."""
        async with self._step("video_url"):
            target, message_id = job.destination.target_id, job.outcome.video_message_id
            if target is None or message_id is None:
                return None
            try:
                return self._sign(self._read(target, message_id), "no file")
            except PermanentError:
                return None

    async def redeliver(self, job: Job, video: Path, reply: Reply) -> None:
        """Fill in a reply with the video; an edit, so it cannot come twice."""
        async with self._step("redeliver"):
            if reply.token in self.dead_tokens:
                raise PermanentError("the reply's token has died")
            message_id = self._replies.setdefault(reply.token, next(self._ids))
            self.messages = [message for message in self.messages if message.id != message_id]
            self.messages.append(Posted(message_id, 0, "reply", job.id, file=video.read_bytes()))

    # --- parts

    @asynccontextmanager
    async def _step(self, method: str) -> AsyncIterator[None]:
        async with self.journal.step(method):
            if self._failures[method]:
                raise self._failures[method].popleft()
            yield
            if self._lost[method]:
                self._lost[method] -= 1
                raise TemporaryError("Discord's answer was lost")

    def _post(
        self, place_id: int, job: Job, kind: Kind, *, says: str = "", file: bytes = b"", end: bytes = b""
    ) -> Posted:
        if place_id in self._closed:
            self.refusals.append(place_id)
            raise self._closed[place_id]
        posted = Posted(next(self._ids), place_id, kind, job.id, says, file, end)
        self.messages.append(posted)
        return posted

    def _find(self, place_id: int, job: Job, kind: Kind, says: str = "") -> Posted | None:
        """Look for an earlier message; in a closed place there is none, and posting there says why."""
        if isinstance(trouble := self._closed.get(place_id), TemporaryError):
            raise trouble
        if trouble is not None:
            return None
        if place_id in self.unreadable:
            return None
        found = (message for message in self.of(job.id, kind) if message.channel_id == place_id)
        return next((message for message in found if message.says == says), None)

    def _brought(self, posted: Posted | None) -> PostedVideo | None:
        return PostedVideo(posted.channel_id, posted.id, self.method) if posted else None

    def _read(self, place_id: int, message_id: int) -> Posted | None:
        if place_id in self._closed:
            raise self._closed[place_id]
        found = (message for message in self.messages if message.id == message_id)
        return next((message for message in found if message.channel_id == place_id), None)

    def _sign(self, posted: Posted | None, otherwise: str) -> str:
        if posted is None or not posted.file:
            raise PermanentError(otherwise)
        return f"https://cdn.invalid/{posted.id}?signature={next(self._signatures)}"


class FakeOperator:
    """Remembers what it was alerted to."""

    def __init__(self) -> None:
        self.alerts: list[str] = []

    def alert(self, kind: str, model: str = "") -> None:
        """Take note."""
        self.alerts.append(f"{kind} {model}".strip())
