"""The one error policy, row by row: whatever is raised, wherever, a person gets one answer that they see."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands

from bot.domain.job import State
from bot.errors import DatabaseUnavailable, DuplicateInteraction, LeaseLost, Refusal
from bot.ui import replies
from bot.ui.modals import Form
from tests.support.discord_wire import MIA, FakeJobs, Wire, a_client, refused
from tests.support.jobs import a_job

WRONG = "Something went wrong on Kinora's side."
CHARGED = "Nothing was charged"
LINE = aiohttp.ServerDisconnectedError
ROWS: dict[str, tuple[Callable[[], Exception], str, int]] = {
    "a refusal": (lambda: Refusal("There is no “{what}”.", "Take another.", what="x"), "There is no “x”.", 0),
    "a subclass of a refusal": (lambda: type("Blocked", (Refusal,), {})("Not you."), "Not you.", 0),
    "the database away": (lambda: DatabaseUnavailable(begun=False), "does not answer just now", 0),
    "the database gone while writing": (lambda: DatabaseUnavailable(begun=True), "at this very moment", 0),
    "acted on already": (lambda: DuplicateInteraction("1"), "", 0),
    "forgotten by Discord": (lambda: refused(404, 10062), "", 0),
    "refused by Discord": (lambda: refused(400, 50035), WRONG, 0),
    "a line that broke": (LINE, WRONG, 0),
    "a line that was silent": (TimeoutError, WRONG, 0),
    "a bug": (lambda: RuntimeError("a bug"), WRONG, 1),
    "a full disk": (lambda: OSError(errno.ENOSPC, "No space left on device"), WRONG, 1),
    "a check of a command's": (lambda: app_commands.CheckFailure("no"), WRONG, 1),
}
TABLE = pytest.mark.parametrize(("make", "says", "tracebacks"), ROWS.values(), ids=ROWS.keys())
Door = Callable[[Wire, FakeJobs, Exception], Awaitable[None]]


async def through_a_command(wire: Wire, jobs: FakeJobs, error: Exception) -> None:
    @app_commands.command(description="…")
    async def breaks(interaction: discord.Interaction[Any]) -> None:
        raise error

    wire.client.tree.add_command(breaks)
    await wire.run("breaks")


async def through_a_command_that_is_thinking(wire: Wire, jobs: FakeJobs, error: Exception) -> None:
    @app_commands.command(description="…")
    async def thinks(interaction: discord.Interaction[Any]) -> None:
        await replies.acknowledge(interaction)
        raise error

    wire.client.tree.add_command(thinks)
    await wire.run("thinks")


async def through_the_check(wire: Wire, jobs: FakeJobs, error: Exception) -> None:
    jobs.at_the_door = error
    await wire.client.load_extension("cogs.show")
    await wire.run("show", job="nosuchjob234")


async def through_a_button(wire: Wire, jobs: FakeJobs, error: Exception) -> None:
    jobs.trouble = error
    await wire.client.load_extension("cogs.buttons")
    await wire.press("kinora:letgo:nosuchjob234")


async def through_the_check_of_a_button(wire: Wire, jobs: FakeJobs, error: Exception) -> None:
    jobs.at_the_door = error
    await wire.client.load_extension("cogs.buttons")
    await wire.press("kinora:again:nosuchjob234")


class Breaking(Form):
    def __init__(self, error: Exception, *, thinks: bool) -> None:
        super().__init__(title="A form")
        self.error = error
        self.thinks = thinks

    async def submitted(self, interaction: discord.Interaction[Any]) -> None:
        if self.thinks:
            await replies.acknowledge(interaction)
        raise self.error


async def through_a_form(wire: Wire, jobs: FakeJobs, error: Exception) -> None:
    await wire.submit(Breaking(error, thinks=False))


async def through_a_form_that_is_thinking(wire: Wire, jobs: FakeJobs, error: Exception) -> None:
    await wire.submit(Breaking(error, thinks=True))


DOORS: list[Door] = [
    through_a_command,
    through_a_command_that_is_thinking,
    through_the_check,
    through_a_button,
    through_the_check_of_a_button,
    through_a_form,
    through_a_form_that_is_thinking,
]


@pytest.fixture
def jobs() -> FakeJobs:
    return FakeJobs()


@pytest.fixture
async def wire(jobs: FakeJobs) -> Wire:
    return Wire(a_client(jobs))


@TABLE
@pytest.mark.parametrize("door", DOORS)
async def test_every_error_ends_in_the_answer_of_its_row(
    wire: Wire,
    jobs: FakeJobs,
    caplog: pytest.LogCaptureFixture,
    door: Door,
    make: Callable[[], Exception],
    says: str,
    tracebacks: int,
) -> None:
    await door(wire, jobs, make())
    if says:
        assert len(wire.answers) == 1, wire.answers
        assert says in wire.text
        wire.assert_private()
    else:
        assert wire.followups == []
    assert CHARGED not in wire.text  # nothing here was about money
    assert sum(record.exc_info is not None for record in caplog.records) == tracebacks
    assert jobs.answering_now == 0


@TABLE
async def test_the_same_wrapped_by_discord_py_more_than_once(
    wire: Wire,
    jobs: FakeJobs,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[], Exception],
    says: str,
    tracebacks: int,
) -> None:
    command: Any = app_commands.Command(name="x", description="…", callback=_nothing)
    wrapped = app_commands.CommandInvokeError(command, make())
    await through_a_command(wire, jobs, app_commands.CommandInvokeError(command, wrapped))
    assert says in wire.text
    assert len(wire.answers) == bool(says)
    assert sum(record.exc_info is not None for record in caplog.records) == tracebacks


async def _nothing(interaction: discord.Interaction[Any]) -> None: ...


@pytest.mark.parametrize("options", [{}, {"job": 3.5}])
async def test_a_command_that_discord_knows_in_another_form(wire: Wire, options: dict[str, Any]) -> None:
    await wire.client.load_extension("cogs.show")
    if options:
        await wire.run("an-older-one", **options)
    else:
        await wire.run("show")
    assert "This command has changed" in wire.text
    wire.assert_private()


async def test_nothing_was_charged_is_said_where_money_was_the_topic(wire: Wire) -> None:
    @app_commands.command(description="…", extras={"pays": True})
    async def pays(interaction: discord.Interaction[Any], prompt: str) -> None:
        raise DatabaseUnavailable(begun=False)

    wire.client.tree.add_command(pays)
    await wire.run("pays", prompt="A *boat*")
    assert CHARGED in wire.text
    assert wire.answers[0]["embeds"][0]["fields"][0]["value"] == r"A \*boat\*"


async def test_when_it_may_have_been_taken_nobody_says_that_it_cost_nothing(wire: Wire) -> None:
    @app_commands.command(description="…", extras={"pays": True})
    async def pays(interaction: discord.Interaction[Any]) -> None:
        raise DatabaseUnavailable(begun=True)

    wire.client.tree.add_command(pays)
    await wire.run("pays")
    assert CHARGED not in wire.text


async def test_a_refusal_that_cannot_be_worded_is_answered_all_the_same(
    wire: Wire, jobs: FakeJobs, caplog: pytest.LogCaptureFixture
) -> None:
    for door in (through_a_command, through_a_button, through_a_form):
        wire = Wire(wire.client)
        await door(wire, jobs, Refusal("A sentence with a {hole} in it."))
        assert WRONG in wire.text
        wire.assert_private()
    assert "could not be put into words" in caplog.text


# --- a line that breaks -------------------------------------------------------------------------------------

WHEN = pytest.mark.parametrize("when", ["before", "after"])


@WHEN
@pytest.mark.parametrize("door", DOORS)
async def test_an_answer_whose_line_breaks_once_comes_all_the_same(
    wire: Wire, jobs: FakeJobs, caplog: pytest.LogCaptureFixture, door: Door, when: str
) -> None:
    wire.break_("callback", LINE(), when=when)
    await door(wire, jobs, Refusal("No."))
    assert "No." in wire.text
    assert len(wire.answers) == 1
    wire.assert_private()
    assert "Traceback" not in caplog.text


@WHEN
async def test_thinking_is_taken_away_though_the_line_breaks(wire: Wire, jobs: FakeJobs, when: str) -> None:
    wire.break_("delete", LINE(), when=when)
    await through_a_command_that_is_thinking(wire, jobs, Refusal("No."))
    assert "No." in wire.text
    wire.assert_private()


async def test_a_refusal_is_said_in_public_rather_than_not_at_all(wire: Wire, jobs: FakeJobs) -> None:
    wire.break_("delete", refused(500, 0), refused(500, 0))
    await through_a_command_that_is_thinking(wire, jobs, Refusal("No."))
    assert "No." in wire.text
    assert not any(answer.get("thinking") for answer in wire.answers)


async def test_an_acknowledgement_that_arrived_and_a_line_that_then_stays_broken(
    wire: Wire, jobs: FakeJobs
) -> None:
    wire.break_("callback", LINE(), when="after")
    wire.break_("callback", LINE(), when="before")
    await through_a_command_that_is_thinking(wire, jobs, Refusal("never raised"))
    assert WRONG in wire.text
    wire.assert_private()


FIRST = pytest.mark.parametrize("broken", ["", "before", "after"])
"""How the line breaks at the first answer."""


@FIRST
async def test_a_button_that_was_thinking_is_refused_privately(
    wire: Wire, jobs: FakeJobs, unconfirmed: str, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(replies, "acknowledge_press", replies.acknowledge)  # as a later button may
    monkeypatch.setattr(jobs, "decide", _loses)
    if broken:
        wire.break_("callback", LINE(), when=broken)
    await wire.press(f"kinora:again:{unconfirmed}")
    assert "decided a moment ago" in wire.text
    wire.assert_private()


@FIRST
async def test_a_message_whose_button_opened_a_form_is_never_taken_for_an_answer(
    wire: Wire, broken: str
) -> None:
    class Behind(Form):
        async def submitted(self, interaction: discord.Interaction[Any]) -> None:
            await replies.acknowledge_press(interaction)
            raise Refusal("No.")

    pressed = wire.original = {"pressed": True, "private": False}
    if broken:
        wire.break_("callback", LINE(), when=broken)
    await wire.submit(Behind(title="A form"))
    assert wire.original is pressed
    assert "No." in wire.text
    wire.assert_private()


async def _loses(job: object, press: object, *, again: bool) -> None:
    raise LeaseLost


# --- buttons ----------------------------------------------------------------------------------------------


@pytest.fixture
async def unconfirmed(wire: Wire, jobs: FakeJobs) -> str:
    """A job that its requester has to decide on, and the buttons loaded."""
    job = a_job(requester_id=MIA, state=State.UNCONFIRMED)
    jobs.jobs[job.id] = job
    await wire.client.load_extension("cogs.buttons")
    return job.id


async def test_a_decision_replaces_the_buttons(wire: Wire, jobs: FakeJobs, unconfirmed: str) -> None:
    await wire.press(f"kinora:letgo:{unconfirmed}")
    assert jobs.decided == [(unconfirmed, False)]
    assert wire.original is not None
    assert wire.original["components"] == []
    assert "Let go." in wire.original["embeds"][-1]["description"]
    assert wire.answers == []


@WHEN
@pytest.mark.parametrize("request_", ["callback", "edit"])
async def test_a_press_whose_line_breaks_once_ends_as_any_other(
    wire: Wire, jobs: FakeJobs, unconfirmed: str, when: str, request_: str
) -> None:
    wire.break_(request_, LINE(), when=when)
    await wire.press(f"kinora:letgo:{unconfirmed}")
    assert jobs.decided == [(unconfirmed, False)]
    assert wire.original is not None
    assert wire.original["components"] == []
    assert wire.answers == []


@pytest.mark.parametrize("error", [LINE, lambda: refused(403, 50001), lambda: refused(404, 10008)])
async def test_a_decision_that_cannot_be_shown_is_said_privately_and_not_as_a_failure(
    wire: Wire, jobs: FakeJobs, unconfirmed: str, error: Callable[[], Exception]
) -> None:
    wire.break_("edit", error(), error())
    await wire.press(f"kinora:letgo:{unconfirmed}")
    assert jobs.decided == [(unconfirmed, False)]
    assert "Let go." in wire.text
    assert WRONG not in wire.text
    wire.assert_private()


async def test_a_decision_that_came_too_late_or_is_not_theirs(
    wire: Wire, jobs: FakeJobs, unconfirmed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wire.press(f"kinora:again:{unconfirmed}", user_id=MIA + 1)
    assert "can decide this" in wire.text
    wire.assert_private()
    monkeypatch.setattr(jobs, "decide", _loses)
    wire = Wire(wire.client)
    await wire.press(f"kinora:again:{unconfirmed}")
    assert "decided a moment ago" in wire.text
    wire.assert_private()
    assert wire.original is not None  # the message itself stands
    assert CHARGED not in wire.text


@pytest.mark.parametrize(
    ("custom_id", "says"),
    [
        ("kinora:again:nosuchjob234", "does not know this job"),
        ("kinora:again:short", "not of this version"),
        ("kinora:extend:nosuchjob234", "not of this version"),
        ("kinora:again:nosuchjob234:more", "not of this version"),
        ("kinora:", "not of this version"),
    ],
)
async def test_a_forged_button_or_one_of_another_version_is_answered(
    wire: Wire, unconfirmed: str, custom_id: str, says: str
) -> None:
    await wire.press(custom_id)
    assert says in wire.text
    assert len(wire.answers) == 1
    wire.assert_private()


# --- completions ------------------------------------------------------------------------------------------


@TABLE
async def test_a_completion_offers_nothing_on_any_error(
    wire: Wire,
    jobs: FakeJobs,
    make: Callable[[], Exception],
    says: str,
    tracebacks: int,
) -> None:
    await wire.client.load_extension("cogs.show")
    jobs.trouble = make()
    await wire.complete("show", "job")
    assert wire.choices == []
    assert wire.answers == []


@TABLE
async def test_nor_when_it_is_the_check_that_raises(
    wire: Wire,
    jobs: FakeJobs,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[], Exception],
    says: str,
    tracebacks: int,
) -> None:
    await wire.client.load_extension("cogs.show")
    jobs.at_the_door = make()
    await wire.complete("show", "job")
    assert wire.choices == []
    assert wire.answers == []
    assert sum(record.exc_info is not None for record in caplog.records) == tracebacks


async def test_nor_when_discord_knows_another_form_or_nobody_hears_it(wire: Wire) -> None:
    await wire.complete("an-older-one", "job")
    assert wire.choices == []
    await wire.client.load_extension("cogs.show")
    for errors in ([LINE()], [LINE(), LINE()], [refused(404, 10062), refused(404, 10062)]):
        wire = Wire(wire.client)
        wire.break_("callback", *errors)
        await wire.complete("show", "job")
        assert wire.choices in ([], None)


# --- a form -----------------------------------------------------------------------------------------------


async def test_a_form_that_breaks_before_it_is_read_is_answered_too(wire: Wire) -> None:
    class Unreadable(Form):
        async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
            raise RuntimeError("a bug")

    await wire.submit(Unreadable(title="A form"))
    assert WRONG in wire.text
    wire.assert_private()


async def test_a_form_of_another_process_is_answered_and_one_of_this_only_once(wire: Wire) -> None:
    class Known(Form):
        async def submitted(self, interaction: discord.Interaction[Any]) -> None:
            await replies.answer_privately(interaction, replies.note("Taken."))

    await wire.client.load_extension("cogs.buttons")
    await wire.submit(Known(title="A form"))
    assert wire.text.split() == ["Taken."]
    wire.acknowledged = wire.original = None
    await wire.submit_unknown("of another process")
    assert "restarted after this form was opened" in wire.text
    assert len(wire.answers) == 1
    wire.assert_private()


async def test_everything_is_counted_until_it_is_answered(wire: Wire, jobs: FakeJobs) -> None:
    under_way: list[int] = []
    answer = replies.refuse

    async def counted(*arguments: Any) -> None:
        under_way.append(jobs.answering_now)
        await answer(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replies, "refuse", counted)
        for door in (through_a_command, through_a_button, through_a_form):
            wire = Wire(wire.client)
            await door(wire, jobs, Refusal("No."))
    assert under_way == [1, 1, 1]


async def test_what_outlasts_a_stop_is_said_in_one_line(
    wire: Wire, jobs: FakeJobs, caplog: pytest.LogCaptureFixture
) -> None:
    await wire.client.close()
    await through_a_command(wire, jobs, RuntimeError("Session is closed"))
    assert "was cut off by the stop" in caplog.text
    assert "Traceback" not in caplog.text
    assert wire.answers == []
