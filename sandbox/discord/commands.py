"""Application commands: what may be registered, and how it is echoed.

https://docs.discord.com/developers/interactions/application-commands
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.discord.errors import ApiError
from sandbox.discord.forms import Form
from sandbox.discord.models import Json

Path = tuple[str | int, ...]

CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, SUBCOMMAND_GROUP, STRING, INTEGER, BOOLEAN, USER = 1, 2, 3, 4, 5, 6
CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = 7, 8, 9, 10, 11

# Discord's own expression, with \p{L}\p{N} as Python's \w; combining Devanagari and Thai marks are left out.
NAME = re.compile(r"^[-_'\w]{1,32}$")
LOCALES = frozenset(
    {
        *(
            "id",
            "da",
            "de",
            "en-GB",
            "en-US",
            "es-ES",
            "es-419",
            "fr",
            "hr",
            "it",
            "lt",
            "hu",
            "nl",
            "no",
            "pl",
        ),
        *("pt-BR", "ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja"),
        *("zh-TW", "ko", "ar", "he"),
    }
)
MAX_BY_TYPE = {CHAT_INPUT: 100, USER_MENU: 15, MESSAGE_MENU: 15}


@dataclass
class Command:
    """A registered command; `guild_id` is None for a global one, `body` is what was registered."""

    id: int
    version: int
    guild_id: int | None
    body: Json = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The command's name."""
        return str(self.body["name"])

    @property
    def type(self) -> int:
        """1 slash, 2 user menu, 3 message menu."""
        return int(self.body.get("type") or CHAT_INPUT)


def check_command(form: Form, path: Path, body: Json) -> None:
    """Check one command."""
    kind = body.get("type") or CHAT_INPUT
    if not form.one_of((*path, "type"), kind, (CHAT_INPUT, USER_MENU, MESSAGE_MENU)):
        return
    if kind == CHAT_INPUT:
        _check_name(form, path, body)
        form.string((*path, "description"), body.get("description"), low=1, high=100, required=True)
        _check_localizations(form, (*path, "description_localizations"), body, 100)
        _check_options(form, path, body, depth=0)
        if _size(body) > 8000:
            form.wrong(path, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")
    else:
        form.string((*path, "name"), body.get("name"), low=1, high=32, required=True)
        if body.get("description"):
            form.wrong(
                (*path, "description"),
                "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_INVALID",
                "Context menu commands cannot have description",
            )
        if body.get("options"):
            form.wrong(
                (*path, "options"),
                "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS_INVALID",
                "Context menu commands cannot have options",
            )
    _check_places(form, path, body)


def _check_places(form: Form, path: Path, body: Json) -> None:
    for key, allowed in (("contexts", (0, 1, 2)), ("integration_types", (0, 1))):
        values = body.get(key)
        if values is None:
            continue
        if not isinstance(values, list) or not values:
            form.wrong((*path, key), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 3 in length.")
            continue
        for index, value in enumerate(values):
            form.one_of((*path, key, index), value, allowed)
        if len(set(map(str, values))) != len(values):
            form.wrong((*path, key), "SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains the value")
    permissions = body.get("default_member_permissions")
    if permissions is not None and not str(permissions).isdigit():
        form.wrong(
            (*path, "default_member_permissions"),
            "NUMBER_TYPE_COERCE",
            f'Value "{permissions}" is not permission.',
        )


def _check_name(form: Form, path: Path, body: Json) -> None:
    name = body.get("name")
    form.string((*path, "name"), name, low=1, high=32, required=True)
    names = [((*path, "name"), name)]
    _check_localizations(form, (*path, "name_localizations"), body, 32)
    names += [
        ((*path, "name_localizations", locale), value)
        for locale, value in _localized(None, path, body.get("name_localizations")).items()
    ]
    for where, value in names:
        if not isinstance(value, str) or not 1 <= len(value) <= 32:
            continue
        if not NAME.match(value) or value != value.lower():
            form.wrong(
                where,
                "APPLICATION_COMMAND_INVALID_NAME",
                "Command name is invalid: 1-32 lower-case letters, digits, - or _.",
            )


def _check_localizations(form: Form, path: Path, body: Json, high: int) -> None:
    for locale, value in _localized(form, path, body.get(str(path[-1]))).items():
        if locale not in LOCALES:
            form.wrong((*path, locale), "APPLICATION_COMMANDS_INVALID_LOCALE", "Invalid locale key.")
        form.string((*path, locale), value, low=1, high=high, required=True)


def _localized(form: Form | None, path: Path, given: Any) -> Json:
    if form is not None:
        form.model(path, given)
    return given if isinstance(given, dict) else {}


def _check_options(form: Form, path: Path, owner: Json, *, depth: int) -> None:
    options = list(form.items((*path, "options"), owner.get("options"), high=25))
    names: set[str] = set()
    optional_seen = False
    nested = {o.get("type") in (SUBCOMMAND, SUBCOMMAND_GROUP) for _, o in options}
    if len(nested) > 1:
        form.wrong(
            (*path, "options"),
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-command and sub-command group option types are mutually exclusive to all other types",
        )
    for here, option in options:
        if str(option.get("name")) in names:
            form.wrong(
                (*here, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Option name is already used"
            )
        names.add(str(option.get("name")))
        if option.get("required"):
            if optional_seen:
                form.wrong(
                    here,
                    "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                    "Required options must be placed before non-required options",
                )
        else:
            optional_seen = True
        _check_option(form, here, option, depth=depth)


def _check_option(form: Form, path: Path, option: Json, *, depth: int) -> None:
    kind = option.get("type")
    if not form.one_of((*path, "type"), kind, tuple(range(1, 12))):
        return
    _check_name(form, path, option)
    form.string((*path, "description"), option.get("description"), low=1, high=100, required=True)
    _check_localizations(form, (*path, "description_localizations"), option, 100)
    if kind in (SUBCOMMAND, SUBCOMMAND_GROUP):
        if depth >= 2 or (depth == 1 and kind == SUBCOMMAND_GROUP):
            form.wrong(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-commands nest too deeply")
        _check_options(form, path, option, depth=depth + 1)
        return
    form.boolean((*path, "required"), option.get("required"))
    if kind == STRING:
        form.integer((*path, "min_length"), option.get("min_length"), low=0, high=6000)
        form.integer((*path, "max_length"), option.get("max_length"), low=1, high=6000)
    _check_choices(form, path, option)


def _check_choices(form: Form, path: Path, option: Json) -> None:
    kind = option["type"]
    choices = option.get("choices")
    if choices and (kind not in (STRING, INTEGER, NUMBER) or option.get("autocomplete")):
        form.wrong(
            (*path, "choices"),
            "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID",
            "This option cannot have choices",
        )
        return
    check_choices(form, (*path, "choices"), choices, kind)


def check_choices(form: Form, path: Path, choices: Any, kind: int) -> None:
    """Check the choices of an option, registered or given as an autocomplete result."""
    names: set[str] = set()
    for here, choice in form.items(path, choices, high=25):
        form.string((*here, "name"), choice.get("name"), low=1, high=100, required=True)
        if str(choice.get("name")) in names:
            form.wrong(
                here, "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS", "Option name already exists"
            )
        names.add(str(choice.get("name")))
        value = choice.get("value")
        if kind == STRING:
            form.string((*here, "value"), value, low=1, high=100, required=True)
        elif isinstance(value, bool) or not isinstance(value, int if kind == INTEGER else int | float):
            form.wrong((*here, "value"), "NUMBER_TYPE_COERCE", f'Value "{value}" is not a number.')


def _size(body: Json) -> int:
    """Count the characters of names, descriptions and choices, of which a command may have 8000."""

    def longest(owner: Json, key: str) -> int:
        localized = _localized(None, (), owner.get(f"{key}_localizations"))
        texts = [owner.get(key) or "", *localized.values()]
        return max((len(t) for t in texts if isinstance(t, str)), default=0)

    total = longest(body, "name") + longest(body, "description")
    for choice in _objects(body.get("choices")):
        total += longest(choice, "name") + len(str(choice.get("value", "")))
    return total + sum(_size(option) for option in _objects(body.get("options")))


def _objects(given: Any) -> list[Json]:
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []


def check_all(bodies: Any) -> list[Json]:
    """Check a bulk overwrite; 50035 with the command's index as the first key."""
    form = Form()
    if not isinstance(bodies, list):
        form.wrong((), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        form.finish()
    seen: set[str] = set()
    for index, body in enumerate(bodies):
        if not isinstance(body, dict):
            form.wrong((index,), "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
            continue
        check_command(form, (index,), body)
        key = f"{body.get('type') or CHAT_INPUT}:{body.get('name')}"
        if key in seen:
            form.wrong(
                (index, "name"),
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            )
        seen.add(key)
    form.finish()
    for kind, most in MAX_BY_TYPE.items():
        if sum((b.get("type") or CHAT_INPUT) == kind for b in bodies) > most:
            raise ApiError(30032)
    return [dict(body) for body in bodies]


def show(command: Command, application_id: int, *, localizations: bool) -> Json:
    """Build the ApplicationCommandResponse."""
    body = command.body
    shown: Json = {
        "id": str(command.id),
        "application_id": str(application_id),
        "version": str(command.version),
        "default_member_permissions": _text(body.get("default_member_permissions")),
        "type": command.type,
        "name": command.name,
        "description": body.get("description") or "",
        "dm_permission": body.get("dm_permission", True),
        "contexts": body.get("contexts"),
        "integration_types": body.get("integration_types") or [0],
        "nsfw": bool(body.get("nsfw")),
    }
    if command.guild_id is not None:
        shown["guild_id"] = str(command.guild_id)
    if body.get("options"):
        shown["options"] = [_show_option(o, localizations=localizations) for o in body["options"]]
    if localizations:
        for key in ("name_localizations", "description_localizations"):
            shown[key] = body.get(key)
    return shown


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _show_option(option: Json, *, localizations: bool) -> Json:
    shown = {k: v for k, v in option.items() if v is not None}
    if not shown.get("required"):
        shown.pop("required", None)
    for key in ("options", "choices"):
        if shown.get(key):
            shown[key] = [_show_option(o, localizations=localizations) for o in shown[key]]
        elif not (key == "options" and shown.get("type") in (SUBCOMMAND, SUBCOMMAND_GROUP)):
            shown.pop(key, None)
    if not localizations:
        shown.pop("name_localizations", None)
        shown.pop("description_localizations", None)
    return shown
