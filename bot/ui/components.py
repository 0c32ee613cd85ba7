"""The buttons under Kinora's messages: one class each, with its label, who may press it, and what it does.

To add one: a class here, its sentences, and nothing else. A button holds its job's id only and reads
everything else when it is pressed, so it works for as long as its message exists, after any restart.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Protocol, Self, cast

import discord
from discord.ui import Button, DynamicItem

from bot.domain.job import ID_LENGTH, Job, State, may_render_instead
from bot.errors import LeaseLost, Refusal
from bot.jobs.offer import Successor
from bot.jobs.service import JobService
from bot.ui import replies, sentences
from bot.ui.i18n import N_, Texts, texts

PREFIX = "kinora"
_JOB = rf"(?P<job>[0-9a-z]{{{ID_LENGTH}}})"

BUTTONS: list[type[JobButton]] = []
"""Every kind of button, in the order in which they stand under a message."""


class Guard(Protocol):
    """The command tree's error policy, as far as buttons and forms need it."""

    async def guard(
        self, interaction: discord.Interaction[Any], action: Callable[[], Awaitable[None]]
    ) -> None:
        """Run an action so that whatever it raises ends in a visible answer."""


class Client(Protocol):
    """What buttons and forms use of the client that received them."""

    jobs: JobService
    tree: Guard


def client_of(interaction: discord.Interaction[Any]) -> Client:
    """Return the client that received an interaction."""
    return cast(Client, interaction.client)


class JobButton(DynamicItem[Button[discord.ui.View]], template=rf"{PREFIX}:never"):
    """A button of one job; its custom id is `kinora:ACTION:JOB`, and never changes."""

    action: ClassVar[str]
    pattern: ClassVar[re.Pattern[str]]
    style: ClassVar[discord.ButtonStyle] = discord.ButtonStyle.secondary
    on_card: ClassVar[bool] = False
    """Whether it also stands under the card."""

    def __init_subclass__(cls, *, action: str = "") -> None:
        template = f"{PREFIX}:{action}:{_JOB}"
        super().__init_subclass__(template=template)
        cls.pattern = re.compile(template)
        if action:  # else a base of others
            cls.action = action
            BUTTONS.append(cls)

    def __init__(self, job_id: str, label: str = "…") -> None:
        super().__init__(Button(custom_id=f"{PREFIX}:{self.action}:{job_id}", label=label, style=self.style))
        self.job_id = job_id
        self.shown = label

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read the job's id off the button, and what stands on it."""
        return cls(match["job"], getattr(item, "label", None) or "…")

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do what the button is for, under the one error policy."""
        await client_of(interaction).tree.guard(interaction, lambda: self._pressed(interaction))

    async def _pressed(self, interaction: discord.Interaction[Any]) -> None:
        jobs = client_of(interaction).jobs
        job = await jobs.find(self.job_id)
        if job is None:
            raise Refusal(N_("Kinora does not know this job any more."), title=N_("Not found"))
        self.check(interaction, job)
        await self.press(interaction, job, jobs)

    @classmethod
    def is_for(cls, job: Job, successor: Successor | None) -> bool:
        """Return whether the button stands under the message that brings a job's video or tells its end.

        The video's message is made while its job is still `rendered`. `successor` is what another model may
        render instead.
        """
        raise NotImplementedError

    @classmethod
    def label(cls, job: Job, texts: Texts, successor: Successor | None) -> str:
        """Return what stands on the button (Discord: 80 characters)."""
        raise NotImplementedError

    def check(self, interaction: discord.Interaction[Any], job: Job) -> None:
        """Raise `Refusal` for who may not press it, or when it is too late."""
        raise NotImplementedError

    async def press(self, interaction: discord.Interaction[Any], job: Job, jobs: JobService) -> None:
        """Do what the button is for; the interaction has not been answered yet."""
        raise NotImplementedError


def buttons_for(job: Job, texts: Texts, successor: Successor | None = None) -> discord.ui.View | None:
    """Return the buttons of a job; who answers them is found by their custom id, also after a restart."""
    return _view(BUTTONS, job, texts, successor)


def card_buttons(job: Job, texts: Texts, successor: Successor | None = None) -> discord.ui.View | None:
    """Return the buttons under the card of a job that has ended."""
    return _view([kind for kind in BUTTONS if kind.on_card], job, texts, successor)


def _view(
    kinds: list[type[JobButton]], job: Job, texts: Texts, successor: Successor | None
) -> discord.ui.View | None:
    kinds = [kind for kind in kinds if kind.is_for(job, successor)]
    if not kinds:
        return None
    view = discord.ui.View(timeout=None)
    for kind in kinds:
        view.add_item(kind(job.id, kind.label(job, texts, successor)))
    view.stop()  # so that discord.py does not keep it and answer in our place
    return view


async def answer_unknown(interaction: discord.Interaction[Any]) -> None:
    """Answer a button that looks like Kinora's and is of no kind it knows; discord.py would stay silent."""
    data: Mapping[str, Any] = interaction.data or {}
    custom_id = str(data.get("custom_id") or "")
    pressed = interaction.type is discord.InteractionType.component
    if not pressed or not custom_id.startswith(f"{PREFIX}:"):
        return
    if not any(kind.pattern.fullmatch(custom_id) for kind in BUTTONS):
        await client_of(interaction).tree.guard(interaction, _refuse_unknown)


async def _refuse_unknown() -> None:
    raise Refusal(N_("This button is not of this version of Kinora."), title=N_("Not found"))


def is_button_of(custom_id: str, job_id: str) -> bool:
    """Return whether a component is a job's, of this version or another, by its custom id."""
    return custom_id.startswith(f"{PREFIX}:") and custom_id.endswith(f":{job_id}")


def _only_its_requester(interaction: discord.Interaction[Any], job: Job) -> None:
    if job.requester.user_id != interaction.user.id:
        raise Refusal(
            N_("Only {person} can decide this: it is their render."),
            title=N_("Not yours to decide"),
            person=f"<@{job.requester.user_id}>",
        )


# --- an unconfirmed job: only its requester decides, once ---------------------------------------------------


class _Decision(JobButton):
    """What the two buttons under an unconfirmed job have in common."""

    again: ClassVar[bool]

    @classmethod
    def is_for(cls, job: Job, successor: Successor | None) -> bool:
        return job.state is State.UNCONFIRMED

    def check(self, interaction: discord.Interaction[Any], job: Job) -> None:
        _only_its_requester(interaction, job)
        if job.state is not State.UNCONFIRMED:
            raise Refusal(
                N_("This is decided already."),
                N_("The card tells how the job stands."),
                title=N_("Too late"),
            )

    async def press(self, interaction: discord.Interaction[Any], job: Job, jobs: JobService) -> None:
        await replies.acknowledge_press(interaction)
        try:
            press = replies.record(interaction, "component")
            new = await jobs.decide(job, press, again=self.again)
        except LeaseLost:
            raise Refusal(N_("This was decided a moment ago."), title=N_("Too late")) from None
        embed = replies.note(self._decided(job, new, texts(job.destination.guild_locale)))
        await replies.replace_buttons(interaction, embed)

    def _decided(self, job: Job, new: Job | None, texts: Texts) -> str:
        if new is None:
            return f"{texts.text(sentences.LET_GO)} {sentences.charged(job, texts)}"
        return texts.text(
            N_("Rendered again, as job {job} for about {price}."),
            job=new.id,
            price=texts.money(new.request.price),
        )


class RenderAgain(_Decision, action="again"):
    """Render the same once more, as a new job."""

    again = True

    @classmethod
    def label(cls, job: Job, texts: Texts, successor: Successor | None) -> str:
        price = texts.money(job.request.price)
        return texts.text(N_("Render again (may cost a second time: {price})"), price=price)


class LetGo(_Decision, action="letgo"):
    """Leave it at that."""

    again = False

    @classmethod
    def label(cls, job: Job, texts: Texts, successor: Successor | None) -> str:
        return texts.text(N_("Let it go"))


# --- a model that is gone: its requester renders with another one, once -------------------------------------


class RenderInstead(JobButton, action="instead"):
    """Render the same with the model that is on offer instead, as a new job."""

    style = discord.ButtonStyle.primary
    on_card = True

    @classmethod
    def is_for(cls, job: Job, successor: Successor | None) -> bool:
        return successor is not None and may_render_instead(job)

    @classmethod
    def label(cls, job: Job, texts: Texts, successor: Successor | None) -> str:
        assert successor is not None  # noqa: S101  # `is_for` says so
        price = texts.money(successor.request.price)
        return texts.text(N_("Render with {model} · {price}"), model=successor.model.title, price=price)

    def check(self, interaction: discord.Interaction[Any], job: Job) -> None:
        _only_its_requester(interaction, job)
        if not may_render_instead(job):
            raise Refusal(
                N_("This was rendered anew already, as job {job}."),
                N_("Its card tells how it stands."),
                title=N_("Too late"),
                job=job.outcome.again_as or job.id,
            )

    async def press(self, interaction: discord.Interaction[Any], job: Job, jobs: JobService) -> None:
        successor, public = jobs.models.successor(job), texts(job.destination.guild_locale)
        if successor is None:
            raise Refusal(
                N_("Novita serves no model that Kinora offers just now."),
                N_("Please try again later."),
                money=True,
            )
        if self.shown != self.label(job, public, successor):  # nobody pays what was not on the button
            changed = texts(str(interaction.locale)).text(
                N_("What is on offer has changed since. **Nothing was charged.** This is how it stands now:")
            )
            view = buttons_for(job, public, successor)
            await replies.answer_privately(interaction, replies.note(changed), view)
            return
        await replies.acknowledge_press(interaction)
        try:
            new = await jobs.render_instead(job, successor, replies.record(interaction, "component"))
        except LeaseLost:
            raise Refusal(N_("This was decided a moment ago."), title=N_("Too late")) from None
        if interaction.message is not None and interaction.message.id == job.destination.card_id:
            return  # the card tells it by itself, and what stands on it is newer than what was pressed
        said = public.text(
            N_("Rendered with {model} instead, as job {job} for about {price}."),
            model=successor.model.title,
            job=new.id,
            price=public.money(new.request.price),
        )
        await replies.replace_buttons(interaction, replies.note(said))
