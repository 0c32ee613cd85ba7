"""Posting, editing and deleting messages: one road for the bot, its interactions and the people."""

from __future__ import annotations

import re
import time
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sandbox.discord import components, present
from sandbox.discord.cdn import Cdn
from sandbox.discord.errors import ApiError
from sandbox.discord.forms import Form, check_allowed_mentions, check_embeds
from sandbox.discord.models import (
    FORUM_TYPES,
    Attachment,
    Channel,
    Interaction,
    Json,
    Message,
    MessageFlag,
    MessageType,
    Reference,
    User,
)
from sandbox.discord.permissions import P, can_see
from sandbox.discord.uploads import Body, adopt
from sandbox.discord.world import Event, World

CONTENT_LIMIT = 2000
NITRO_CONTENT_LIMIT = 4000
GUILD_MESSAGES, GUILD_TYPING, DM_MESSAGES, DM_TYPING = 1 << 9, 1 << 11, 1 << 12, 1 << 14
SETTABLE_FLAGS = (
    MessageFlag.SUPPRESS_EMBEDS
    | MessageFlag.EPHEMERAL
    | MessageFlag.SUPPRESS_NOTIFICATIONS
    | MessageFlag.IS_COMPONENTS_V2
)
PING_ALL: Json = {"parse": ["users", "roles", "everyone"], "replied_user": True}
_USER, _ROLE, _EVERYONE = re.compile(r"<@!?(\d+)>"), re.compile(r"<@&(\d+)>"), re.compile(r"@(everyone|here)")


@dataclass
class Draft:
    """What a request asks to be posted or changed, checked."""

    payload: Json
    body: Body

    def get(self, key: str) -> Any:
        """Read a field; None when it is absent or null."""
        return self.payload.get(key)

    @property
    def flags(self) -> int:
        """The flags asked for, as far as they can be asked for."""
        return int(self.get("flags") or 0) & SETTABLE_FLAGS


def check(body: Body, *, v2: bool = False, content_limit: int = CONTENT_LIMIT) -> Draft:
    """Check a message's form; 50035. `v2`: the message that is edited has components v2 already."""
    payload = body.payload
    form = Form()
    if not isinstance(payload, dict):
        form.wrong((), "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        form.finish()
    form.string(("content",), payload.get("content"), high=content_limit)
    form.boolean(("tts",), payload.get("tts"))
    form.integer(("flags",), payload.get("flags"), low=0, high=2**31 - 1)
    nonce = payload.get("nonce")
    form.string(("nonce",), str(nonce) if isinstance(nonce, int) else nonce, high=25)
    check_embeds(form, payload.get("embeds"))
    reference = payload.get("message_reference")
    if reference is not None:
        form.model(("message_reference",), reference)
        if isinstance(reference, dict):
            form.snowflake(("message_reference", "message_id"), reference.get("message_id"))
    check_allowed_mentions(form, payload.get("allowed_mentions"))
    flags = payload.get("flags")
    v2 = v2 or bool(isinstance(flags, int) and flags & MessageFlag.IS_COMPONENTS_V2)
    components.check_message_components(form, payload.get("components"), v2=v2)
    if v2:
        for key in ("content", "embeds"):
            if payload.get(key):
                form.wrong(
                    (key,),
                    "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                    f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2",
                )
    _check_attachments(form, payload, body)
    form.finish()
    return Draft(payload, body)


def _check_attachments(form: Form, payload: Json, body: Body) -> None:
    listed = payload.get("attachments")
    for path, item in form.items(("attachments",), listed, high=10):
        form.snowflake((*path, "id"), item.get("id"), required=True)
        form.string((*path, "filename"), item.get("filename"), high=1024)
        form.string((*path, "description"), item.get("description"), high=1024)
        number = str(item.get("id"))
        if len(number) < 15 and number not in body.files:
            form.wrong(
                (*path, "id"),
                "BASE_TYPE_CHOICES",
                f"No file was uploaded for the attachment with id {number}.",
            )
    if len(body.files) > 10:
        form.wrong(("files",), "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")


class Messages:
    """Keeps a world's messages."""

    def __init__(self, world: World, cdn: Cdn) -> None:
        self.world = world
        self.cdn = cdn

    # --- rules of the place

    def check_place(self, channel: Channel, draft: Draft) -> None:
        """Insist that the bot may post this here: its permissions, and the thread's state."""
        world = self.world
        if channel.recipient is not None:
            self._check_dm(channel.recipient)
            return
        if not channel.holds_messages:
            world.require(channel)
            raise ApiError(40058 if channel.type in FORUM_TYPES else 50008)
        world.require(channel, P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES)
        bits = world.permissions(channel)
        if draft.body.files and not bits & P.ATTACH_FILES:
            raise ApiError(50013)
        if draft.get("tts") and not bits & P.SEND_TTS_MESSAGES:
            raise ApiError(50013)
        if draft.get("message_reference") and not bits & P.READ_MESSAGE_HISTORY:
            raise ApiError(160002)
        self.check_thread_open(channel, bits)

    def _check_dm(self, recipient: User) -> None:
        bot = self.world.bot.id
        if not any({bot, recipient.id} <= set(g.members) for g in self.world.guilds.values()):
            raise ApiError(50278)
        if recipient.dm_refusal in (50007, 50278):
            raise ApiError(recipient.dm_refusal)

    def check_thread_open(self, channel: Channel, bits: int) -> None:
        """Refuse posting in a locked thread to those who may not manage threads."""
        thread = channel.thread
        if thread is None or not thread.locked or bits & P.MANAGE_THREADS:
            return
        raise ApiError(50083 if thread.archived else 160005)

    # --- posting

    async def post(
        self,
        channel: Channel,
        author: User,
        draft: Draft,
        *,
        kind: int = MessageType.DEFAULT,
        interaction: Interaction | None = None,
        ephemeral: bool = False,
        reference: Reference | None = None,
        message_id: int | None = None,
    ) -> Message:
        """Make a message of a draft, put it in its channel and tell everyone."""
        world = self.world
        if not says_something(draft, [*draft.body.files]):
            raise ApiError(50006)
        if channel.id not in world.channels:
            raise ApiError(10003)
        reference = reference or self._reference(channel, draft)
        flags = draft.flags & ~MessageFlag.EPHEMERAL
        message = Message(
            message_id or world.snowflake(),
            channel.id,
            author,
            time.time(),
            type=MessageType.REPLY if reference and kind == MessageType.DEFAULT else kind,
            flags=flags | (MessageFlag.EPHEMERAL if ephemeral else 0),
            tts=bool(draft.get("tts")),
            nonce=draft.get("nonce"),
            reference=reference,
            interaction=interaction,
            ephemeral_for=interaction.user.id if ephemeral and interaction else None,
        )
        message.attachments = await self._adopt_all(channel, draft, ephemeral=ephemeral)
        self._fill(message, draft, channel)
        self.add(channel, message)
        return message

    def add(self, channel: Channel, message: Message) -> None:
        """Put a finished message in its channel and tell everyone."""
        message.born = self.world.now()
        self._count(channel, message)
        channel.messages[message.id] = message
        if message.ephemeral_for is None:
            channel.last_message_id = message.id
        self._decide_pings(channel, message)
        self.world.remember_nonce(message)
        self.tell("MESSAGE_CREATE", channel, message)

    def _count(self, channel: Channel, message: Message) -> None:
        thread = channel.thread
        if thread is None or message.ephemeral_for is not None:
            return
        if thread.archived:
            thread.archived, thread.archived_at = False, time.time()
            self.tell_thread("THREAD_UPDATE", channel)
        starter = message.id == channel.id or message.type == MessageType.THREAD_STARTER_MESSAGE
        if not starter:
            message.position = thread.total_message_sent
            thread.message_count += 1
            thread.total_message_sent += 1
        # An interaction may be answered where one was never invited, and that is no invitation.
        if message.interaction is None or can_see(self.world, channel, message.author):
            self.join(channel, [message.author.id])

    def join(self, channel: Channel, user_ids: list[int]) -> None:
        """Add people to a thread."""
        thread = channel.thread
        fresh = [u for u in user_ids if thread is not None and u not in thread.members]
        if thread is None or not fresh:
            return
        thread.members.update(dict.fromkeys(fresh, time.time()))
        data = {
            "id": str(channel.id),
            "guild_id": str(channel.guild_id),
            "member_count": len(thread.members),
            "added_members": [present.thread_member(channel, u) for u in fresh],
        }
        guild = self.world.guild_of(channel)
        self.world.tell(Event("THREAD_MEMBERS_UPDATE", data, 1, guild, channel))

    async def _adopt_all(self, channel: Channel, draft: Draft, *, ephemeral: bool) -> list[Attachment]:
        listed = draft.get("attachments")
        files = draft.body.files
        metas = {str(m["id"]): m for m in listed} if listed is not None else {number: {} for number in files}
        # Attachments of ephemeral messages live under the application, as those of command options do.
        owner = self.world.application_id if ephemeral else channel.id
        taken = [
            await adopt(files.pop(n), self.world, self.cdn, owner, ephemeral=ephemeral, meta=meta)
            for n, meta in metas.items()
            if n in files
        ]
        draft.body.discard()
        return taken

    def _fill(self, message: Message, draft: Draft, channel: Channel) -> None:
        if "content" in draft.payload:
            message.content = (draft.get("content") or "").strip()
        if "embeds" in draft.payload:
            message.embeds = deepcopy(draft.get("embeds") or [])
        if "components" in draft.payload:
            message.components = components.echo(draft.get("components") or [])
        if "allowed_mentions" in draft.payload:
            message.allowed_mentions = draft.get("allowed_mentions")
        self._mention(message, channel)

    def _reference(self, channel: Channel, draft: Draft) -> Reference | None:
        given = draft.get("message_reference")
        if not isinstance(given, dict) or not given.get("message_id"):
            return None
        message_id = int(given["message_id"])
        found = channel.messages.get(message_id)
        if found is None or found.ephemeral_for is not None:
            if given.get("fail_if_not_exists", True):
                form = Form()
                form.wrong(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
                form.finish()
            return None
        return Reference(channel.id, message_id, channel.guild_id)

    # --- mentions

    def _mention(self, message: Message, channel: Channel) -> None:
        """Find whom a message mentions, as far as its `allowed_mentions` lets it."""
        allowed = message.allowed_mentions
        rule = PING_ALL if allowed is None else allowed
        parse = rule.get("parse") or []
        text = "\n".join(
            [message.content, *(c["content"] for c in components.walk(message.components) if c["type"] == 10)]
        )
        users = self._listed(_USER, text, "users" in parse, rule.get("users"))
        message.mentions = [u for u in users if u in self.world.users]
        if message.type == MessageType.REPLY and rule.get("replied_user") and message.reference:
            target = channel.messages.get(message.reference.message_id)
            if target and target.author.id not in message.mentions and not message.interaction:
                message.mentions.append(target.author.id)
        guild = self.world.guild_of(channel)
        if guild is None:
            return
        bits = self.world.permissions(channel, message.author)
        roles = self._listed(_ROLE, text, "roles" in parse, rule.get("roles"))
        message.mention_roles = [
            r for r in roles if r in guild.roles and (guild.roles[r].mentionable or bits & P.MENTION_EVERYONE)
        ]
        may_all = "everyone" in parse and bits & P.MENTION_EVERYONE
        message.mention_everyone = bool(may_all and _EVERYONE.search(text))

    def _listed(self, pattern: re.Pattern[str], text: str, parse: bool, listed: Any) -> list[int]:
        found = dict.fromkeys(int(i) for i in pattern.findall(text))
        allowed = {int(i) for i in listed or []}
        return [i for i in found if parse or i in allowed]

    def _decide_pings(self, channel: Channel, message: Message) -> None:
        """Decide who is really notified: those mentioned who see the message; in a DM, its other end."""
        world = self.world
        if channel.is_thread and message.ephemeral_for is None:
            self._add_mentioned(channel, message)
        if message.flags & MessageFlag.SUPPRESS_NOTIFICATIONS or message.loading:
            return
        if channel.recipient is not None:
            concerned = {channel.recipient.id}
        else:
            guild = world.guild_of(channel)
            members = guild.members.values() if guild else []
            roles = set(message.mention_roles)
            concerned = set(message.mentions) | {
                m.user.id for m in members if message.mention_everyone or roles & set(m.roles)
            }
        concerned.discard(message.author.id)
        people = [world.users[u] for u in sorted(concerned) if not world.users[u].bot]
        seeing = [u for u in people if can_see(world, channel, u) and world.visible(message, u)]
        message.notified = [u.id for u in seeing]

    def _add_mentioned(self, channel: Channel, message: Message) -> None:
        """Add to a thread who is mentioned in it, as far as they see the channel it belongs to."""
        parent = self.world.parent_of(channel)
        users = (self.world.users[u] for u in message.mentions)
        self.join(channel, [u.id for u in users if can_see(self.world, parent, u)])

    # --- changing and deleting

    async def edit(self, channel: Channel, message: Message, draft: Draft) -> Message:
        """Change a message; `attachments`, when given, lists all that stay and all that are new."""
        kept = message.attachments
        listed = draft.get("attachments")
        if listed is not None:
            ids = {str(item["id"]): item for item in listed}
            kept = [a for a in kept if str(a.id) in ids]
            for a in kept:
                a.description = ids[str(a.id)].get("description", a.description)
        if not self._says_something_after(message, draft, kept):
            raise ApiError(50006)
        if channel.thread is not None and channel.thread.archived:
            raise ApiError(50083)
        ephemeral = message.ephemeral_for is not None
        added = await self._adopt_all(channel, draft, ephemeral=ephemeral)
        self._forget([a for a in message.attachments if a not in kept])
        message.attachments = [*kept, *added]
        was_loading = message.loading
        if "flags" in draft.payload:
            keep = message.flags & ~(MessageFlag.SUPPRESS_EMBEDS)
            message.flags = keep | draft.flags & (MessageFlag.SUPPRESS_EMBEDS | MessageFlag.IS_COMPONENTS_V2)
        message.flags &= ~MessageFlag.LOADING
        self._fill(message, draft, channel)
        message.edited_timestamp = time.time()
        if was_loading:
            # The answer to a deferred reply is new to people: it pings, which a later edit never does.
            self._decide_pings(channel, message)
        self.tell("MESSAGE_UPDATE", channel, message)
        return message

    def _says_something_after(self, message: Message, draft: Draft, kept: list[Attachment]) -> bool:
        merged: Json = {
            "content": message.content,
            "embeds": message.embeds,
            "components": message.components,
        } | draft.payload
        return says_something(Draft(merged, draft.body), [*kept, *draft.body.files])

    def delete(self, channel: Channel, message: Message) -> None:
        """Delete a message and its files."""
        channel.messages.pop(message.id, None)
        self._forget(message.attachments)
        if channel.thread is not None and message.position is not None:
            channel.thread.message_count -= 1
        data: Json = {"id": str(message.id), "channel_id": str(channel.id)}
        if channel.guild_id is not None:
            data["guild_id"] = str(channel.guild_id)
        only = self.world.users[message.ephemeral_for] if message.ephemeral_for else None
        intent = DM_MESSAGES if channel.recipient else GUILD_MESSAGES
        guild = self.world.guild_of(channel)
        self.world.tell(Event("MESSAGE_DELETE", data, intent, guild, channel, only=only))

    def forget_files(self, channel: Channel) -> None:
        """Delete the files of a channel that is no more."""
        for message in channel.messages.values():
            self._forget(message.attachments)

    def _forget(self, attachments: list[Attachment]) -> None:
        for gone in attachments:
            self.cdn.files.pop(gone.id, None)
            gone.path.unlink(missing_ok=True)

    # --- telling

    def tell(self, name: str, channel: Channel, message: Message) -> None:
        """Tell of a message, with what gateway events have beyond the REST form."""
        world = self.world
        guild = world.guild_of(channel)
        data = present.message(world, message, nonce=name == "MESSAGE_CREATE")
        data["channel_type"] = int(channel.type)
        if guild is not None:
            data["guild_id"] = str(guild.id)
            if author := guild.members.get(message.author.id):
                data["member"] = present.member(author, with_user=False)
            for mentioned in data["mentions"]:
                if who := guild.members.get(int(mentioned["id"])):
                    mentioned["member"] = present.member(who, with_user=False)
        only = world.users[message.ephemeral_for] if message.ephemeral_for else None
        intent = DM_MESSAGES if channel.recipient else GUILD_MESSAGES
        world.tell(Event(name, data, intent, guild, channel, message, only))

    def tell_thread(self, name: str, channel: Channel, *, newly_created: bool = False) -> None:
        """Tell of a thread's making or change."""
        data = present.thread(self.world, channel, newly_created=newly_created)
        self.world.tell(Event(name, data, 1, self.world.guild_of(channel), channel))

    def typing(self, channel: Channel, user: User) -> None:
        """Tell that someone types."""
        data: Json = {"channel_id": str(channel.id), "user_id": str(user.id), "timestamp": int(time.time())}
        guild = self.world.guild_of(channel)
        if guild is not None:
            data |= {"guild_id": str(guild.id), "member": present.member(guild.members[user.id])}
        intent = DM_TYPING if channel.recipient else GUILD_TYPING
        self.world.tell(Event("TYPING_START", data, intent, guild, channel))


def says_something(draft: Draft, files: list[Any]) -> bool:
    """Tell whether there is anything in a message: text, embeds, components or files."""
    content = draft.get("content")
    said = isinstance(content, str) and content.strip()
    return bool(said or draft.get("embeds") or draft.get("components") or files or draft.get("sticker_ids"))
