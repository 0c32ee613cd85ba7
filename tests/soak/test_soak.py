"""The soak's short version, by the same code; and proof that its checker is awake."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak.__main__ import Report, soak
from tests.soak.checks import Evidence, check
from tests.soak.plan import Happened, Plan
from tests.soak.records import Seen


@pytest.mark.timeout(300)  # half a minute on two free cores
async def test_nothing_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    report = await soak(Plan(jobs=30, kills=3, seed=5), tmp_path)
    assert report.good, f"{report.summary()}\n{report.details()}"
    assert len(report.evidence.rows) >= 30
    assert (len(report.happened.kills), len(report.happened.stops)) == (3, 1)
    assert report.outcomes()["delivered"] >= 15
    assert any(exchange.fault for exchange in report.evidence.wire)


# --- the checker --------------------------------------------------------------------------------------------

JOB, TASK, PROMPT = "abcdefgh2345", "11111111-2222-3333-4444-555555555555", "A boat"
SUBMITTED = Seen(2.0, "novita", "POST", "/v3/async/kling", 200, None, "", frozenset({PROMPT}))


def delivered() -> Evidence:
    """One job, as it should be."""
    row = {
        "id": JOB,
        "state": "delivered",
        "told": 1,
        "cost": "paid",
        "price": 3500,
        "prompt": PROMPT,
        "task_id": TASK,
        "channel_id": 10,
        "card_id": 1,
        "target_id": 1,
        "problem": "",
        "reason": "",
        "created_at": 1.0,
        "ended_at": 9.0,
    }
    footer = {"text": f"job {JOB} · task {TASK}"}
    still, video = [{"filename": f"still-{JOB}.png"}], [{"filename": f"kinora-{JOB}.mp4"}]
    card = {"id": "1", "content": "", "attachments": still, "embeds": [{"title": "Done", "footer": footer}]}
    message = {"id": "2", "content": "", "attachments": video, "embeds": [{"footer": footer}]}
    return Evidence(
        rows=[row],
        payments=[{"prompt": PROMPT, "task_id": TASK, "price": 3500}],
        tasks={TASK: {"id": TASK, "video": {"sha256": "f00d"}}},
        spent=3500,
        messages={JOB: [card, message]},
        sha256={"2": "f00d"},
        wire=[SUBMITTED],
        kills=[],
    )


def unconfirmed(evidence: Evidence, reason: str) -> None:
    """Let the job be unconfirmed, with all that belongs to it."""
    evidence.rows[0] |= {"state": "unconfirmed", "cost": "unknown", "task_id": None, "reason": reason}
    card, message = evidence.messages[JOB]
    card["embeds"][0]["title"] = message["embeds"][0]["title"] = "Unconfirmed"
    message["attachments"] = []


def test_a_job_as_it_should_be_breaks_nothing() -> None:
    assert check(delivered()) == []


BREAKS: dict[str, tuple[Callable[[Evidence], object], str]] = {
    "paid twice": (lambda e: e.payments.append(e.payments[0]), "doubled"),
    "paid for nobody": (lambda e: e.payments.append({**e.payments[0], "prompt": "Another"}), "lost"),
    "two jobs of one command": (lambda e: e.rows.append({**e.rows[0], "id": "bbbbbbbb2345"}), "doubled"),
    "posted twice": (lambda e: e.messages[JOB].append({**e.messages[JOB][1], "id": "3"}), "doubled"),
    "never posted": (lambda e: e.messages[JOB].pop(), "lost"),
    "another's video": (lambda e: e.sha256.update({"2": "beef"}), "lost"),
    "still moving": (lambda e: e.rows[0].update(state="rendered"), "lost"),
    "ended untold": (lambda e: e.rows[0].update(told=0), "lost"),
    "paid and failed": (lambda e: e.rows[0].update(state="failed", problem="undelivered"), "lost"),
    "says it was free": (lambda e: e.rows[0].update(cost="nothing"), "money"),
    "says it was paid": (lambda e: e.payments.clear(), "money"),
    "another price": (lambda e: e.rows[0].update(price=1), "money"),
    "money gone": (lambda e: setattr(e, "spent", 7000), "money"),
    "a card that lags": (lambda e: e.messages[JOB][0]["embeds"][0].update(title="Sending"), "card"),
    "a second card": (lambda e: e.messages[JOB].append(e.messages[JOB][0]), "doubled"),
    "no card": (lambda e: e.messages[JOB].pop(0), "lost"),
    "unconfirmed for no reason": (lambda e: unconfirmed(e, "interrupted"), "lost"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_checker_sees(name: str) -> None:
    evidence = copy.deepcopy(delivered())
    break_it, sort = BREAKS[name]
    break_it(evidence)
    assert sort in [violation.sort for violation in check(evidence)]


EXCUSES: dict[str, tuple[str, Callable[[Evidence], object]]] = {
    "a kill after the submit": ("interrupted", lambda e: e.kills.append(2.5)),
    "a lost answer": (
        "ServerDisconnectedError",
        lambda e: e.wire.append(Seen(2, "novita", "POST", "/", None, "drop_after", "", frozenset({PROMPT}))),
    ),
    "an upload that broke off": (
        "ClientOSError",
        lambda e: e.wire.append(Seen(2, "novita", "POST", "/", None, "reset_upload", "", frozenset())),
    ),
}


@pytest.mark.parametrize("name", EXCUSES)
def test_unconfirmed_is_fair_after(name: str) -> None:
    evidence = copy.deepcopy(delivered())
    reason, excuse = EXCUSES[name]
    unconfirmed(evidence, reason)
    excuse(evidence)
    assert check(evidence) == []


def test_a_broken_run_tells_the_whole_story() -> None:
    evidence = delivered()
    evidence.payments.append(evidence.payments[0])
    report = Report(Plan(), evidence, Happened(), check(evidence), [], 60.0)
    assert not report.good
    assert "doubled           1" in report.summary()
    assert f"job {JOB}" in report.details()
    assert "novita POST /v3/async/kling → 200" in report.details()
