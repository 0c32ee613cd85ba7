"""What answers, with the wrong thing: a status, a body or a page that should not be, on every paid road.

As in `test_faults`, a request's experiments are one test, each in a sandbox of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.reliability.page import settle
from tests.reliability.test_faults import PAY, REQUESTS, Fault, Json, _job, at_once
from tests.reliability.worlds import World, Worlds

HTML: Json = {"kind": "answer", "body": "<html>Access denied</html>", "content_type": "text/html"}
POLL, POST, LOOK = "poll", "post the video", "look for an earlier video"


def novita(reason: str, status: int) -> Json:
    """Word a refusal as Novita does, given although the request was carried out."""
    body = {"code": status, "reason": reason, "message": "no", "metadata": {}}
    return {"kind": "answer_after", "status": status, "body": json.dumps(body)}


def discord(code: int, status: int) -> Json:
    """Word a refusal as Discord does."""
    return {"kind": "answer", "status": status, "body": json.dumps({"code": code, "message": "no"})}


UNSURE, DONE = "Unconfirmed", "Done"
ANOTHER = '{"task": {"task_id": "another", "status": "TASK_STATUS_FAILED", "reason": "not ours"}}'
ANSWERS: dict[str, dict[str, tuple[Json, str]]] = {
    PAY: {
        **{
            f"500 {reason}, though the task was made": (novita(reason, 500), UNSURE)
            for reason in ("BILLING_FAILED", "RATE_LIMIT_EXCEEDED", "GET_RESULT_FAILED", "TASK_NOT_FOUND")
        },
        "503 SERVICE_NOT_AVAILABLE": ({"kind": "error", "reason": "SERVICE_NOT_AVAILABLE"}, DONE),
        **{
            f"{status}, though the task was made": ({"kind": "answer_after", "status": status}, UNSURE)
            for status in (408, 409, 499)
        },
        "200 without an id": ({"kind": "answer_after", "body": "[]"}, UNSURE),
        **{f"an HTML page, {status}": (HTML | {"status": status}, DONE) for status in (401, 403, 404, 429)},
    },
    POLL: {
        **{f"an HTML page, {status}": (HTML | {"status": status}, DONE) for status in (200, 401, 403, 404)},
        "404 API_NOT_FOUND": (novita("API_NOT_FOUND", 404), DONE),
        "another task's end": ({"kind": "answer", "body": ANOTHER}, DONE),
        "half an emoji for a status": ({"kind": "answer", "body": r'{"task": {"status": "\ud83c"}}'}, DONE),
    },
    **{
        request: {
            **{
                f"an HTML page, {status}": (HTML | {"status": status}, DONE)
                for status in (400, 403, 404, 405)
            },
            "403, code 40333": (discord(40333, 403), DONE),
            "403, code 0": (discord(0, 403), DONE),
            "404, code 0": (discord(0, 404), DONE),
        }
        for request in (POST, LOOK)
    },
}
TIMES = 3


@dataclass(frozen=True)
class Wrong(Fault):
    """One experiment: a request is answered wrongly, three times in a row if it is asked again."""

    @property
    def key(self) -> tuple[str, ...]:
        """Name it, as on the page."""
        return self.request, self.kind

    @property
    def arranged(self) -> Json:
        """Say it in the sandbox's words."""
        return {**REQUESTS[self.request], **ANSWERS[self.request][self.kind][0], "times": self.times}


WRONG = [Wrong(request, kind, TIMES) for request in ANSWERS for kind in ANSWERS[request]]
KEYS = [wrong.key for wrong in WRONG]


@pytest.mark.parametrize("request_", ANSWERS)
async def test_a_wrong_answer_costs_nobody_anything(worlds: Worlds, request_: str) -> None:
    await at_once(worlds, [wrong for wrong in WRONG if wrong.request == request_], _meet)


async def _meet(world: World, wrong: Wrong) -> None:
    outcome = await _job(world, wrong, world.prompt())
    card = ANSWERS[wrong.request][wrong.kind][1]
    assert outcome.card == card
    assert (outcome.paid, outcome.videos, outcome.told) == (1, card == DONE, card != DONE)
    (arranged,) = await world.sandbox.faults.list()
    met = arranged["hits"]
    assert met == (1 if card != DONE else TIMES)
    (await world.resident()).check()
    settle("wrong", wrong.key, met, outcome.paid, outcome.videos, outcome.told, outcome.card)
