"""What came of a soak: the sandbox's own records held against the rows of the database."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.client import Json, Sandbox
from tests.soak.plan import (
    AFTERMATH,
    BALANCE,
    PEOPLE,
)
from tests.soak.records import Seen
from tests.soak.run import Soak


@dataclass
class Evidence:
    """Everything the verdict is found from: the ledger's rows, and what the sandbox saw from outside."""

    rows: list[Json]
    payments: list[Json]
    tasks: dict[str, Json]
    spent: int
    """What left Novita's balance, in 1/10000 USD."""
    messages: dict[str, list[Json]]
    """The bot's messages, by the job they are about."""
    sha256: dict[str, str]
    """Of each delivered file, by its message's id."""
    wire: list[Seen]
    kills: list[float]


async def gather(soak: Soak) -> Evidence:
    """Collect the evidence."""
    sandbox = soak.sandbox
    messages: dict[str, list[Json]] = defaultdict(list)
    digests = {}
    for message in await _bots_messages(sandbox):
        if job := _job_of(message):
            messages[job].append(message)
        for attachment in message["attachments"]:
            if attachment["filename"].endswith(".mp4"):
                digests[message["id"]] = hashlib.sha256(await sandbox.download(attachment["url"])).hexdigest()
    return Evidence(
        rows=soak.rows.read("SELECT * FROM jobs ORDER BY created_at"),
        payments=await sandbox.novita.payments(),
        tasks={task["id"]: task for task in await sandbox.novita.tasks()},
        spent=BALANCE - (await sandbox.novita.settings())["balance"],
        messages=dict(messages),
        sha256=digests,
        wire=soak.recorder.wire,
        kills=soak.happened.kills,
    )


async def _bots_messages(sandbox: Sandbox) -> list[Json]:
    found: dict[str, Json] = {}
    for name in PEOPLE:
        for place in await sandbox.person(name).places():
            # The owner sees all of the server; of everybody else only the DM is left to read.
            if name == "olivia" or place.data["type"] == _DM:
                path = f"/discord/people/{name}/channels/{place.id}/messages"
                for message in (await sandbox.get(path, limit=1_000_000))["messages"]:
                    found[message["id"]] = message
    return [message for message in found.values() if message["author"].get("bot")]


_DM = 1


def _job_of(message: Json) -> str | None:
    names = [attachment["filename"] for attachment in message["attachments"]]
    footers = [(embed.get("footer") or {}).get("text", "") for embed in message["embeds"]]
    for text in (*names, *footers):
        if match := re.search(r"(?:^kinora-|^still-|^job )([2-9a-z]{12})\b", text):
            return match[1]
    return None


@dataclass(frozen=True)
class Violation:
    """Something that must never be: of what sort, of which job (None: of the whole), in a sentence."""

    sort: str
    job: str | None
    sentence: str


TITLES = {"delivered": "Done", "failed": "Failed", "unconfirmed": "Unconfirmed", "cancelled": "Cancelled"}


def check(evidence: Evidence) -> list[Violation]:
    """Hold every job, every payment and the money as a whole against the invariants."""
    by_prompt: dict[str, list[Json]] = defaultdict(list)
    for row in evidence.rows:
        by_prompt[row["prompt"]].append(row)
    paid: dict[str, list[Json]] = defaultdict(list)
    for payment in evidence.payments:
        paid[payment["prompt"]].append(payment)
    found = [
        Violation("lost", None, f"{prompt!r} was paid, and no job knows of it")
        for prompt in paid
        if prompt not in by_prompt
    ]
    for prompt, rows in by_prompt.items():
        if len(rows) > 1:
            found.append(Violation("doubled", rows[0]["id"], f"{prompt!r} became {len(rows)} jobs"))
    excuses = _Excuses(evidence)
    for row in evidence.rows:
        payments, said = paid[row["prompt"]], evidence.messages.get(row["id"], [])
        problems = [
            *_about_money(row, payments),
            *_about_the_end(row, payments, evidence.tasks, excuses),
            *_about_the_video(row, payments, said, evidence),
            *_about_the_card(row, said),
        ]
        found += [Violation(sort, row["id"], sentence) for sort, sentence in problems]
    return found + _about_all_the_money(evidence)


Problems = Iterable[tuple[str, str]]


def _about_money(row: Json, payments: list[Json]) -> Problems:
    """Each job is paid at most once, and what it says it cost is so."""
    if len(payments) > 1:
        yield "doubled", f"it was paid {len(payments)} times"
    if row["cost"] == "paid" and not payments:
        yield "money", "it says it was paid, and it was not"
    if row["cost"] == "nothing" and payments:
        yield "money", "it says it cost nothing, and it was paid"
    if any(payment["price"] != row["price"] for payment in payments):
        yield "money", f"its price is {row['price']}, and {payments[0]['price']} was taken"
    if row["task_id"] and [row["task_id"]] != [payment["task_id"] for payment in payments]:
        yield "money", f"its task {row['task_id']} is not the one that was paid"


def _about_the_end(row: Json, payments: list[Json], tasks: dict[str, Json], excuses: _Excuses) -> Problems:
    """Each job has ended and said so; what was rendered reached people; `unconfirmed` has its reason."""
    if row["state"] not in TITLES:
        yield "lost", f"it is still {row['state']}"
    elif not row["told"]:
        yield "lost", f"it is {row['state']}, and nobody was told"
    if row["state"] == "unconfirmed" and not excuses.has(row):
        yield "lost", f"it is unconfirmed ({row['reason']}), and nothing happened to its submit"
    rendered = [payment for payment in payments if tasks[payment["task_id"]]["video"]]
    if row["state"] in ("failed", "cancelled") and rendered:
        yield "lost", f"its paid video exists, and it {row['state']}: {row['problem']} ({row['reason']})"


def _about_the_video(row: Json, payments: list[Json], said: list[Json], evidence: Evidence) -> Problems:
    """One video for each delivered job, with the bytes that Novita made for it; none for any other."""
    videos = [message for message in said if _is_video(message, row)]
    wanted = 1 if row["state"] == "delivered" else 0
    if len(videos) > wanted:
        yield "doubled", f"{len(videos)} videos stand in Discord where {wanted} should"
    if len(videos) < wanted:
        yield "lost", "it says it was delivered, and there is no video of it"
    for message in videos:
        file = evidence.sha256.get(message["id"])
        made = [evidence.tasks[payment["task_id"]]["video"] for payment in payments]
        if file and file not in [film["sha256"] for film in made if film]:
            yield "lost", "the delivered file is not what Novita made for it"


def _is_video(message: Json, row: Json) -> bool:
    if any(attachment["filename"] == f"kinora-{row['id']}.mp4" for attachment in message["attachments"]):
        return True
    return bool(row["task_id"]) and f"/files/{row['task_id']}/" in message["content"]


def _about_the_card(row: Json, said: list[Json]) -> Problems:
    """One card, which shows the end; beside it one message with the video, or with why there is none."""
    if row["problem"] == "moderation":
        # Its requester alone is told, and that nobody else sees: here only what all may read is looked at.
        if any(message["attachments"] for message in said):
            yield "shown", "content rules refused it, and its image is still there"
        return
    cards = [
        message for message in said if any(a["filename"].startswith("still-") for a in message["attachments"])
    ]
    if len(cards) != 1:
        yield "doubled" if cards else "lost", f"it has {len(cards)} cards"
    for card in cards:
        title = card["embeds"][0].get("title") if card["embeds"] else "nothing"
        if title != TITLES.get(row["state"]):
            yield "card", f"its card says {title}, and it is {row['state']}"
    others = len(said) - len(cards)
    if others != 1:
        yield "doubled" if others else "lost", f"{others} messages tell how it ended"


def _about_all_the_money(evidence: Evidence) -> list[Violation]:
    """Money reserved is money owed.

    What left Novita's balance is at least the prices of the jobs that say they were paid, and at most those
    and the prices of the jobs that say they may have been.
    """
    prices: Counter[str] = Counter()
    for row in evidence.rows:
        prices[row["cost"]] += row["price"]
    found = []
    if evidence.spent != sum(payment["price"] for payment in evidence.payments):
        found.append(Violation("money", None, f"{evidence.spent} left the balance, and the payments differ"))
    if not prices["paid"] <= evidence.spent <= prices["paid"] + prices["unknown"]:
        sentence = f"{evidence.spent} left the balance; paid {prices['paid']}, unknown {prices['unknown']}"
        found.append(Violation("money", None, sentence))
    return found


class _Excuses:
    """Which jobs may be unconfirmed: something really happened to their submit."""

    def __init__(self, evidence: Evidence) -> None:
        submits = [exchange for exchange in evidence.wire if exchange.is_submit]
        self._kills = evidence.kills
        self._own: dict[str, list[Seen]] = defaultdict(list)
        for submit in submits:
            for mark in submit.marks:
                self._own[mark].append(submit)
        left = [row for row in evidence.rows if row["state"] == "unconfirmed" and not self._known(row)]
        self._cut_off = self._shared_out([submit for submit in submits if not submit.marks], left)

    def has(self, row: Json) -> bool:
        """Find a lost answer, a kill while the job was submitting, or a submit that was cut off."""
        return self._known(row) or row["id"] in self._cut_off

    def _known(self, row: Json) -> bool:
        own = self._own[row["prompt"]]
        if row["reason"] != "interrupted":
            return any(submit.ambiguous for submit in own)
        last = max(own, key=lambda submit: submit.at, default=None)
        sent = last.at if last else row["created_at"]
        # A busy sandbox notes late that a dead process's request broke off; an answered one it notes at once.
        aftermath = 4 * AFTERMATH if last and last.status is None else AFTERMATH
        return any(sent - aftermath <= kill <= _end_of(row) for kill in self._kills)

    def _shared_out(self, submits: list[Seen], rows: list[Json]) -> set[str]:
        """A submit whose body never arrived names no job: give each to the first job to end after it."""
        excused: set[str] = set()
        for submit in sorted(submits, key=lambda submit: submit.at):
            able = [
                row
                for row in rows
                if row["id"] not in excused and row["created_at"] <= submit.at <= _end_of(row)
            ]
            if able:
                excused.add(min(able, key=_end_of)["id"])
        return excused


def _end_of(row: Json) -> float:
    return float(row["ended_at"] or time.time())
