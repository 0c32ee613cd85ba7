"""The stand-in for Novita, met by Novita's own clients: PyPI's, npm's and the command line."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sandbox.client import Sandbox
from sandbox.novita.errors import STATUS
from tests.clients.programs import HERE, Json, Program, node_with, python_of_the_clients, running
from tests.support import images

pytestmark = pytest.mark.clients

MODEL = "kling-2.5-turbo-i2v"
IMAGE = base64.b64encode(images.jpeg_of(320, 320)).decode()
PYTHON, COMMAND, JAVASCRIPT = "novita-client", "novita", "novita-sdk"

Call = Callable[..., Awaitable[Json]]


def command_of(name: str) -> list[str]:
    if name == JAVASCRIPT:
        return [node_with("novita-sdk"), str(HERE / "novita_javascript.mjs")]
    if name == COMMAND:
        return [python_of_the_clients("novita_cli"), str(HERE / "novita_command.py")]
    return [python_of_the_clients("novita_client"), str(HERE / "novita_python.py")]


@pytest.fixture(scope="module", params=[PYTHON, COMMAND, JAVASCRIPT])
async def program(request: pytest.FixtureRequest, house: Sandbox) -> AsyncIterator[Program]:
    name: str = request.param
    url = house.environment["novita_api_url"]
    async with running(name, *command_of(name), NOVITA_API_URL=url) as program:
        yield program


@pytest.fixture
def novita(sandbox: Sandbox, program: Program) -> Call:
    """Ask the client something, with the sandbox's key unless another is given."""

    async def ask(call: str, **question: Any) -> Json:
        return await program.ask(call=call, **{"key": sandbox.environment["novita_api_key"], **question})

    return ask


def order(prompt: str = "The boat drifts away", **fields: object) -> Json:
    return {"image": IMAGE, "prompt": prompt, "duration": "5", "cfg_scale": 0.5, "mode": "pro", **fields}


async def test_submits_waits_and_downloads(sandbox: Sandbox, novita: Call) -> None:
    before = (await novita("balance"))["balance"]
    task_id = (await novita("submit", model=MODEL, body=order()))["task_id"]
    film = await novita("film", task_id=task_id)

    assert film["seen"][-1] == "TASK_STATUS_SUCCEED"
    assert film["sha256"] == [(await sandbox.get(f"/novita/tasks/{task_id}/sha256"))["sha256"]]
    [payment] = await sandbox.novita.payments()
    assert payment["task_id"] == task_id
    assert (await novita("balance"))["balance"] == before - payment["price"]


async def test_sees_a_task_wait_and_work(sandbox: Sandbox, novita: Call) -> None:
    await sandbox.novita.settings(queue_seconds=600, render_seconds=600)
    task_id = (await novita("submit", model=MODEL, body=order()))["task_id"]
    assert (await novita("result", task_id=task_id))["status"] == "TASK_STATUS_QUEUED"
    await sandbox.novita.forward(600)
    assert (await novita("result", task_id=task_id))["status"] == "TASK_STATUS_PROCESSING"


async def test_is_told_that_a_task_failed(sandbox: Sandbox, program: Program, novita: Call) -> None:
    word = (await sandbox.novita.settings())["failing_word"]
    task_id = (await novita("submit", model=MODEL, body=order(word)))["task_id"]
    film = await novita("film", task_id=task_id)
    [task] = await sandbox.novita.tasks()
    assert task["reason"]
    if program.name == COMMAND:
        assert film == {"error": f"exit 1: {film['error'].split(': ', 1)[1]}"}
        assert f"Task failed: {task['reason']}" in film["error"]
    else:
        assert film["seen"][-1] == "TASK_STATUS_FAILED"
        assert (film["reason"], film["sha256"]) == (task["reason"], [])


# What goes wrong by itself, each arranged as it comes about: (settings, what is asked, the reason).
TROUBLES: dict[str, tuple[Json, Json, str]] = {
    "wrong key": ({}, {"key": "sk_wrong"}, "INVALID_API_KEY"),
    "no funds": ({"balance": 0}, {}, "BILLING_BALANCE_NOT_ENOUGH"),
    "too many": ({"requests_per_minute": 0}, {}, "RATE_LIMIT_EXCEEDED"),
    "indecent": ({"illegal_word": "boat"}, {}, "ILLEGAL_PROMPT"),
    "retired": ({"retired": [MODEL], "retired_form": "api_not_found"}, {}, "API_NOT_FOUND"),
    "no such model": ({"retired_form": "api_not_found"}, {"model": "no-such-model"}, "API_NOT_FOUND"),
    "no prompt": ({}, {"body": {"image": IMAGE}}, "INVALID_REQUEST_BODY"),
    "no picture": ({}, {"body": order(image="bm90IGEgcGljdHVyZQ==")}, "INVALID_IMAGE_FORMAT"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_meets_trouble(sandbox: Sandbox, novita: Call, trouble: str) -> None:
    settings, question, reason = TROUBLES[trouble]
    if settings:
        await sandbox.novita.settings(**settings)
    answer = await novita("submit", **{"model": MODEL, "body": order(), **question})
    assert_tells(answer, reason)
    assert await sandbox.novita.payments() == []


async def test_meets_every_documented_error(sandbox: Sandbox, novita: Call) -> None:
    for reason in STATUS:
        await sandbox.faults.add("novita", "error", method="POST", reason=reason, times=1)
        assert_tells(await novita("submit", model=MODEL, body=order()), reason)
    assert await sandbox.novita.payments() == []


@pytest.mark.parametrize("call", ["result", "film"])
async def test_asks_for_an_unknown_task(program: Program, novita: Call, call: str) -> None:
    answer = await novita(call, task_id="00000000-0000-4000-8000-000000000000")
    if program.name == PYTHON:  # it tells no more than the status of a refused GET
        assert answer["error"].endswith("Request failed with status 404")
    else:
        assert_tells(answer, "TASK_NOT_FOUND")


async def test_a_link_that_expired_gives_no_film(sandbox: Sandbox, novita: Call) -> None:
    task_id = (await novita("submit", model=MODEL, body=order()))["task_id"]
    [right] = (await novita("film", task_id=task_id))["sha256"]
    await sandbox.novita.settings(sign_again=False)
    await sandbox.novita.forward(3601)
    film = await novita("film", task_id=task_id)
    assert right not in film.get("sha256", [])


def assert_tells(answer: Json, reason: str) -> None:
    """The client reports an error in its own way: the status and the reason are in it."""
    assert set(answer) == {"error"}, answer
    assert reason in answer["error"]
    assert str(STATUS[reason]) in answer["error"]
