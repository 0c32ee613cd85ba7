"""`FakeNovita`: a client of Novita's that answers as a test says, and counts what was paid."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from bot.domain.request import RenderRequest
from bot.errors import AnswerLost, NotSent
from bot.novita.client import ImageFile, NovitaClient
from bot.novita.codec import Pending, Problem, Submitted, Succeeded, TaskFailed
from bot.novita.models import Encoding, Model
from tests.support.journal import Journal

SubmitAnswer = Submitted | Problem | NotSent | AnswerLost
ResultAnswer = Pending | Succeeded | TaskFailed | Problem | AnswerLost

VIDEO = Succeeded("https://novita.invalid/video.mp4", 3600.0)


class FakeNovita(NovitaClient):
    """Gives `on_submit` and `on_result` as answers, in order, and then good ones; exceptions are raised.

    A request that arrived is in `prompts`, `encodings` and `images` (their bytes, or their addresses'), also
    if its answer is lost; `asked` are the tasks asked for.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.on_submit: deque[SubmitAnswer] = deque()
        self.on_result: deque[ResultAnswer] = deque()
        self.prompts: list[str] = []
        self.images: list[bytes] = []
        self.encodings: list[Encoding] = []
        self.asked: list[str] = []

    async def close(self) -> None:
        """Nothing is open."""

    async def submit(
        self,
        model: Model,
        request: RenderRequest,
        encoding: Encoding,
        images: Sequence[ImageFile] | Sequence[str],
    ) -> Submitted | Problem:
        """Take the paid request."""
        async with self.journal.step("submit"):
            answer = self.on_submit.popleft() if self.on_submit else None
            if isinstance(answer, NotSent):
                raise answer
            self.prompts.append(request.prompt)
            self.encodings.append(encoding)
            self.images += [i.encode() if isinstance(i, str) else i.content.read() for i in images]
            await self.journal.note("arrived")
            if isinstance(answer, AnswerLost):
                raise answer
            return answer or Submitted(f"task-{len(self.prompts)}")

    async def result(self, task_id: str) -> Pending | Succeeded | TaskFailed | Problem:
        """Tell how a task stands."""
        async with self.journal.step("result"):
            self.asked.append(task_id)
            answer = self.on_result.popleft() if self.on_result else VIDEO
            if isinstance(answer, AnswerLost):
                raise answer
            return answer

    async def balance(self) -> int | Problem:
        """Tell that there is plenty."""
        return 1_000_000
