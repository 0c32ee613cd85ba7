"""What a Discord client does before it sends anything: the commands it offers, what it lets one enter.

A mistake is a ValueError with the sentence a person would see; a command not offered is a LookupError.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sandbox.discord import commands, components, present
from sandbox.discord.cdn import Cdn
from sandbox.discord.commands import Command
from sandbox.discord.models import Channel, Guild, Interaction, Json, Message, User
from sandbox.discord.permissions import P, can_see
from sandbox.discord.uploads import Body, adopt
from sandbox.discord.world import World

IN_GUILD, IN_BOT_DM = 0, 1


def find_user(world: World, text: str) -> User:
    """Find someone by name or id."""
    for user in world.users.values():
        if text in (user.username, str(user.id)):
            return user
    raise LookupError(f"There is nobody called {text!r}.")


def may_use_here(world: World, channel: Channel, person: User) -> None:
    """Insist that a person could run a command in a channel at all."""
    if not can_see(world, channel, person):
        raise LookupError(f"{person.username} cannot see this channel.")
    if not channel.holds_messages:
        raise ValueError("Nothing can be written in this channel itself.")
    bits = world.permissions(channel, person)
    if not bits & P.USE_APPLICATION_COMMANDS:
        raise ValueError(f"{person.username} may not use application commands here.")
    if channel.thread is not None and channel.thread.locked and not bits & P.MANAGE_THREADS:
        raise ValueError("This thread is locked.")
    sending = P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES
    if not bits & sending:
        raise ValueError(f"{person.username} may not write here.")


def offered(world: World, channel: Channel, person: User) -> list[Command]:
    """List the commands that a client offers a person in a channel; a guild's own come first."""
    guild = world.guild_of(channel)
    if guild is not None and world.bot.id not in guild.members and not guild.commands_only:
        return []
    found = [c for c in world.commands.values() if _offered(world, c, guild, channel, person)]
    return sorted(found, key=lambda c: c.guild_id is None)


def _offered(world: World, command: Command, guild: Guild | None, channel: Channel, person: User) -> bool:
    body = command.body
    if command.guild_id is not None and (guild is None or command.guild_id != guild.id):
        return False
    if 0 not in (body.get("integration_types") or [0]):
        return False
    contexts = body.get("contexts")
    if command.guild_id is None and contexts is not None:
        if (IN_GUILD if guild else IN_BOT_DM) not in contexts:
            return False
    elif guild is None and body.get("dm_permission") is False:
        return False
    needed = body.get("default_member_permissions")
    if guild is None or needed is None:
        return True
    bits = world.permissions(channel, person)
    return bool(bits & P.ADMINISTRATOR) if int(needed) == 0 else bits & int(needed) == int(needed)


def find_command(world: World, channel: Channel, person: User, name: str, kind: int) -> Command:
    """Find a command that a person is offered, by its name or its name in their language."""
    may_use_here(world, channel, person)
    for command in offered(world, channel, person):
        if command.type == kind and name in _names(command.body, person):
            return command
    raise LookupError(f"There is no command {name!r} for {person.username} here.")


def _names(owner: Json, person: User) -> tuple[str, ...]:
    localized = (owner.get("name_localizations") or {}).get(person.locale)
    return (owner["name"], localized) if localized else (owner["name"],)


class Composer:
    """Turns what a person entered into an interaction's `data`."""

    def __init__(self, world: World, cdn: Cdn, channel: Channel, person: User, body: Body) -> None:
        self.world, self.cdn = world, cdn
        self.channel, self.person = channel, person
        self.files = body.files
        self.unchecked = False
        self.resolved: Json = {}

    # --- slash commands

    async def command(self, words: str, values: Json, *, focused: str | None = None) -> tuple[str, Json]:
        """Compose a slash command, or with `focused` (an option's name) a question for its completions."""
        name, *subs = words.removeprefix("/").split()
        command = find_command(self.world, self.channel, self.person, name, commands.CHAT_INPUT)
        owner, path = command.body, [name]
        wrappers: list[Json] = []
        for sub in subs:
            owner = self._sub(owner, sub)
            path.append(owner["name"])
            wrappers.append({"name": owner["name"], "type": owner["type"]})
        if any(
            o["type"] in (commands.SUBCOMMAND, commands.SUBCOMMAND_GROUP) for o in owner.get("options") or []
        ):
            raise ValueError(f"/{' '.join(path)} needs a sub-command.")
        options = await self._options(owner, values, focused)
        for wrapper in reversed(wrappers):
            options = [wrapper | {"options": options}]
        data: Json = {"id": str(command.id), "name": command.name, "type": command.type, "options": options}
        if command.guild_id is not None:
            data["guild_id"] = str(command.guild_id)
        if self.resolved:
            data["resolved"] = self.resolved
        return " ".join(path), data

    def _sub(self, owner: Json, name: str) -> Json:
        for option in owner.get("options") or []:
            is_sub = option["type"] in (commands.SUBCOMMAND, commands.SUBCOMMAND_GROUP)
            if is_sub and name in _names(option, self.person):
                found: Json = option
                return found
        raise LookupError(f"There is no sub-command {name!r}.")

    async def _options(self, owner: Json, values: Json, focused: str | None) -> list[Json]:
        defined: list[Json] = owner.get("options") or []
        given = values | dict.fromkeys(self.files, None)
        for name in given:
            if not any(name in _names(o, self.person) for o in defined):
                raise ValueError(f"This command has no option {name!r}.")
        composed = []
        for option in defined:
            name = next((n for n in _names(option, self.person) if n in given), None)
            if name is None:
                if option.get("required") and focused is None:
                    raise ValueError(f"The option {option['name']!r} is required.")
                continue
            value = given[name]
            if focused is not None:
                composed.append(self._unfinished(option, value, focused))
                continue
            checked = await self._value(option, name, value)
            composed.append({"name": option["name"], "type": option["type"], "value": checked})
        return composed

    def _unfinished(self, option: Json, value: Any, focused: str) -> Json:
        shown: Json = {"name": option["name"], "type": option["type"], "value": value}
        if option["name"] == focused:
            if not option.get("autocomplete"):
                raise ValueError(f"The option {focused!r} has no completions.")
            shown |= {"focused": True, "value": str(value)}
        return shown

    async def _value(self, option: Json, name: str, value: Any) -> Any:
        kind = option["type"]
        if self.unchecked and kind in (commands.STRING, commands.INTEGER, commands.NUMBER):
            return value
        if option.get("choices"):
            return self._choice(option, value)
        if kind == commands.STRING:
            return _text(option, value)
        if kind in (commands.INTEGER, commands.NUMBER):
            return _number(option, value)
        if kind == commands.BOOLEAN:
            if not isinstance(value, bool):
                raise ValueError(f"{option['name']!r} is true or false.")
            return value
        if kind == commands.ATTACHMENT:
            return await self._attachment(option, name)
        return self._thing(kind, option, str(value))

    def _choice(self, option: Json, value: Any) -> Any:
        for choice in option["choices"]:
            if value == choice["value"] or value in _names(choice, self.person):
                return choice["value"]
        raise ValueError(f"{value!r} is no choice of {option['name']!r}.")

    async def _attachment(self, option: Json, name: str) -> str:
        upload = self.files.pop(name, None)
        if upload is None:
            raise ValueError(f"The option {option['name']!r} needs a file.")
        owner = self.world.application_id
        attachment = await adopt(upload, self.world, self.cdn, owner, ephemeral=True)
        shown = present.attachment(self.world, attachment)
        self.resolved.setdefault("attachments", {})[str(attachment.id)] = shown
        return str(attachment.id)

    def _thing(self, kind: int, option: Json, text: str) -> str:
        if kind == commands.CHANNEL:
            return self._resolve_channel(option, text)
        guild = self.world.guild_of(self.channel)
        if kind in (commands.ROLE, commands.MENTIONABLE) and guild is not None:
            for role in guild.roles.values():
                if text in (role.name, str(role.id)):
                    self.resolved.setdefault("roles", {})[str(role.id)] = present.role(role)
                    return str(role.id)
        if kind == commands.ROLE:
            raise ValueError(f"There is no role {text!r}.")
        return self.resolve_user(find_user(self.world, text))

    def resolve_user(self, user: User) -> str:
        """Put someone among the resolved objects; return their id."""
        key, guild = str(user.id), self.world.guild_of(self.channel)
        self.resolved.setdefault("users", {})[key] = present.user(user)
        if guild is not None and user.id in guild.members:
            shown = present.member(guild.members[user.id], with_user=False)
            for unresolved in ("mute", "deaf"):
                shown.pop(unresolved)
            shown["permissions"] = str(self.world.permissions(self.channel, user))
            self.resolved.setdefault("members", {})[key] = shown
        return key

    def _resolve_channel(self, option: Json, text: str) -> str:
        for channel in self.world.channels.values():
            if text.removeprefix("#") not in (channel.name, str(channel.id)):
                continue
            if option.get("channel_types") and channel.type not in option["channel_types"]:
                raise ValueError(f"{option['name']!r} takes another type of channel.")
            shown = present.channel(self.world, channel)
            shown.pop("permission_overwrites", None)
            shown["permissions"] = str(self.world.permissions(channel, self.person))
            self.resolved.setdefault("channels", {})[str(channel.id)] = shown
            return str(channel.id)
        raise ValueError(f"There is no channel {text!r}.")

    # --- context menus

    def menu(self, name: str, target: User | Message) -> tuple[str, Json]:
        """Compose a context-menu command on a user or a message."""
        is_user = isinstance(target, User)
        kind = commands.USER_MENU if is_user else commands.MESSAGE_MENU
        command = find_command(self.world, self.channel, self.person, name, kind)
        if isinstance(target, User):
            self.resolve_user(target)
        else:
            self.resolved["messages"] = {str(target.id): present.message(self.world, target)}
        data: Json = {
            "id": str(command.id),
            "name": command.name,
            "type": kind,
            "target_id": str(target.id),
            "resolved": self.resolved,
        }
        if command.guild_id is not None:
            data["guild_id"] = str(command.guild_id)
        return command.name, data

    # --- components

    def click(self, message: Message, custom_id: str, values: list[str] | None) -> Json:
        """Compose a click on a button, or a choice in a select menu."""
        component = components.find(message.components, custom_id)
        if component is None:
            raise LookupError(f"The message has no component {custom_id!r}.")
        if component.get("disabled"):
            raise ValueError(f"{custom_id!r} is disabled.")
        data: Json = {"component_type": component["type"], "custom_id": custom_id, "id": component["id"]}
        if component["type"] == components.BUTTON:
            return data
        data["values"] = self._selected(component, values or [])
        if self.resolved:
            data["resolved"] = self.resolved
        return data

    def _selected(self, select: Json, values: list[str]) -> list[str]:
        low, high = select.get("min_values", 1), select.get("max_values", 1)
        if not low <= len(values) <= high:
            raise ValueError(f"{select['custom_id']!r} takes {low} to {high} values.")
        if "options" in select:
            known = {o["value"] for o in select["options"]} | {o["label"] for o in select["options"]}
            if wrong := [v for v in values if v not in known]:
                raise ValueError(f"{wrong[0]!r} is no choice of {select['custom_id']!r}.")
            by_label = {o["label"]: o["value"] for o in select["options"]}
            return [by_label.get(v, v) for v in values]
        kinds = {
            components.USER_SELECT: commands.USER,
            components.ROLE_SELECT: commands.ROLE,
            components.MENTIONABLE_SELECT: commands.MENTIONABLE,
            components.CHANNEL_SELECT: commands.CHANNEL,
        }
        option = {"name": select["custom_id"], "channel_types": select.get("channel_types")}
        return [self._thing(kinds[select["type"]], option, value) for value in values]

    # --- modals

    async def modal(self, opened: Interaction, fields: Json) -> Json:
        """Compose the submission of the modal that an interaction was answered with."""
        if opened.modal is None:
            raise LookupError("This interaction was not answered with a modal.")
        inside = components.echo(opened.modal["components"])
        known = {c["custom_id"] for c in components.walk(inside) if c.get("custom_id")}
        named = [*fields, *(_field_of(part, known) for part in self.files)]
        if unknown := [name for name in named if name not in known]:
            raise ValueError(f"The modal has no field {unknown[0]!r}.")
        data: Json = {
            "custom_id": opened.modal["custom_id"],
            "components": [await self._entered(component, fields) for component in inside],
        }
        if self.resolved:
            data["resolved"] = self.resolved
        return data

    async def _entered(self, component: Json, fields: Json) -> Json:
        shown: Json = {"type": component["type"], "id": component["id"]}
        if component["type"] == components.ROW:
            shown["components"] = [await self._entered(c, fields) for c in component["components"]]
        elif component["type"] == components.LABEL:
            shown["component"] = await self._entered(component["component"], fields)
        elif component["type"] != components.TEXT:
            shown["custom_id"] = component["custom_id"]
            shown |= await self._entry(component, fields.get(component["custom_id"]))
        return shown

    async def _entry(self, component: Json, value: Any) -> Json:
        kind, name = component["type"], component["custom_id"]
        required = component.get("required", True)
        if kind == components.TEXT_INPUT:
            text = component.get("value", "") if value is None else value
            if required or text:
                rule = {"name": name, "min_length": component.get("min_length") or (1 if required else 0)}
                _text(rule | {"max_length": component.get("max_length") or 4000}, text)
            return {"value": text}
        if kind == components.FILE_UPLOAD:
            parts = [part for part in self.files if _field_of(part, {name}) == name]
            low, high = component.get("min_values", 1), component.get("max_values", 1)
            if required and not parts:
                raise ValueError(f"{name!r} needs a file.")
            if parts and not low <= len(parts) <= high:
                raise ValueError(f"{name!r} takes {low} to {high} files.")
            return {"values": [await self._attachment({"name": name}, part) for part in parts]}
        if kind == components.CHECKBOX:
            return {"value": bool(component.get("default") if value is None else value)}
        if value is None:
            value = [o["value"] for o in component.get("options") or [] if o.get("default")]
        chosen = value if isinstance(value, list) else [value]
        if not chosen and not required:
            return {"value": None} if kind == components.RADIO_GROUP else {"values": []}
        values = self._selected({"min_values": 1, "max_values": 1} | component, chosen)
        return {"value": values[0]} if kind == components.RADIO_GROUP else {"values": values}


def _field_of(part: str, fields: Collection[str]) -> str:
    """Name the field that an uploaded part belongs to; "still/1" is one more file of "still"."""
    return part if part in fields else re.sub(r"/\d$", "", part)


def _text(option: Json, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{option['name']!r} is a text.")
    low, high = option.get("min_length") or 0, option.get("max_length") or 6000
    if not low <= len(value) <= high:
        raise ValueError(f"{option['name']!r} must be {low} to {high} characters long, not {len(value)}.")
    if not value:
        raise ValueError(f"{option['name']!r} is empty.")
    return value


def _number(option: Json, value: Any) -> int | float:
    whole = option["type"] == commands.INTEGER
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ValueError(f"{option['name']!r} is a {'whole ' if whole else ''}number.")
    low, high = option.get("min_value"), option.get("max_value")
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"{option['name']!r} must be from {low} to {high}.")
    if abs(value) > 2**53:
        raise ValueError(f"{option['name']!r} is too large a number.")
    number: int | float = value
    return number
