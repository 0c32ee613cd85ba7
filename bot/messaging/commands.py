"""Whether Discord has the very commands that this version has: every option, not only the names.

Discord's answers say more than was sent (ids, versions), and leave out or add what is as it is by default; so
both sides are brought to one form first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

DEFAULTS: Mapping[str, Any] = {
    "type": 1,
    "required": False,
    "autocomplete": False,
    "nsfw": False,
    "dm_permission": True,
}
"""How a command or an option is that does not say so; null and empty are as good as not said."""
ONLY_DISCORDS = frozenset(
    {
        *("id", "application_id", "guild_id", "version", "handler", "default_permission"),
        *("name_localized", "description_localized"),
    }
)
UNORDERED = frozenset({"contexts", "integration_types", "channel_types"})

Part = dict[str, Any]


def same_commands(theirs: object, ours: Iterable[Part]) -> bool:
    """Return whether the answer to `GET …/commands` has what would be sent; commands have no order."""
    known = {_key(command): command for command in map(_normal, _objects(theirs))}
    wanted = {_key(command): command for command in map(_normal, ours)}
    return known.keys() == wanted.keys() and all(
        _where_asked(known[key], command) == _where_asked(command, command) for key, command in wanted.items()
    )


def _key(command: Part) -> tuple[object, object]:
    return command.get("type"), command.get("name")


def _where_asked(command: Part, wanted: Part) -> Part:
    """Leave out what Discord chooses where nothing is said; DMs are said twice, and `contexts` counts."""
    without = {"dm_permission"} if "contexts" in wanted else {"contexts"}
    if "integration_types" not in wanted:
        without.add("integration_types")
    return {key: value for key, value in command.items() if key not in without}


def _normal(part: Part) -> Part:
    """Return a command, an option or a choice in the one form."""
    normal: Part = {}
    for key, value in part.items():
        if key in ONLY_DISCORDS or value in (None, "", [], {}) or DEFAULTS.get(key) is value:
            continue
        if key in ("options", "choices"):
            normal[key] = [_normal(item) for item in _objects(value)]
        elif key in UNORDERED and isinstance(value, list):
            normal[key] = sorted(value, key=json.dumps)
        else:
            normal[key] = str(value) if key == "default_member_permissions" else value
    return normal


def _objects(value: object) -> list[Part]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
