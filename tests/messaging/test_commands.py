from __future__ import annotations

import copy
from typing import Any

import pytest

from bot.messaging.commands import same_commands

OURS: dict[str, Any] = {
    "name": "animate",
    "description": "Make a video of an image",
    "type": 1,
    "nsfw": False,
    "dm_permission": True,
    "default_member_permissions": None,
    "contexts": [0, 1],
    "integration_types": [0],
    "options": [
        {"type": 11, "name": "image", "description": "The image", "required": True},
        {
            "type": 3,
            "name": "model",
            "description": "The model",
            "required": False,
            "choices": [{"name": "Kling 2.5", "value": "a"}, {"name": "Kling 3.0", "value": "b"}],
        },
        {
            "type": 4,
            "name": "duration",
            "description": "Its length",
            "required": False,
            "autocomplete": True,
            "min_value": 3,
            "max_value": 15,
        },
        {"type": 3, "name": "prompt", "description": "What happens", "required": False, "max_length": 2500},
    ],
}


def theirs() -> dict[str, Any]:
    """Say `OURS` as Discord does: with more, with less, and in another order."""
    command = copy.deepcopy(OURS)
    command |= {"id": "7", "application_id": "8", "version": "9", "contexts": [1, 0], "dm_permission": False}
    command |= {"name_localizations": None, "description_localizations": None, "handler": None}
    del command["nsfw"]
    for option in command["options"]:
        option |= {"name_localizations": {}, "autocomplete": option.get("autocomplete", False)}
        if not option["required"]:
            del option["required"]
    command["options"][2]["min_value"] = 3.0
    return command


def test_what_discord_says_otherwise_is_the_same() -> None:
    assert same_commands([theirs()], [OURS])


def test_what_is_left_to_discord_is_its_choice() -> None:
    ours = OURS | {"contexts": None, "integration_types": None}
    assert same_commands([theirs() | {"contexts": None, "dm_permission": True}], [ours])
    assert same_commands([theirs() | {"integration_types": [0, 1], "dm_permission": True}], [ours])


def test_commands_have_no_order() -> None:
    other = {"name": "show", "description": "Show a job"}
    assert same_commands([other, theirs()], [OURS, other])


CHANGES = {
    "description": lambda c: c.update(description="Something else"),
    "translation": lambda c: c.update(description_localizations={"de": "Etwas"}),
    "context": lambda c: c.update(contexts=[0]),
    "installs": lambda c: c.update(integration_types=[0, 1]),
    "rights": lambda c: c.update(default_member_permissions="8"),
    "nsfw": lambda c: c.update(nsfw=True),
    "option gone": lambda c: c["options"].pop(),
    "options elsewhere": lambda c: c["options"].insert(1, c["options"].pop()),
    "option's type": lambda c: c["options"][3].update(type=4),
    "required": lambda c: c["options"][1].update(required=True),
    "minimum": lambda c: c["options"][2].update(min_value=5),
    "maximum gone": lambda c: c["options"][2].pop("max_value"),
    "autocomplete": lambda c: c["options"][2].update(autocomplete=False),
    "choice": lambda c: c["options"][1]["choices"][1].update(value="c"),
    "choice gone": lambda c: c["options"][1]["choices"].pop(),
    "option's translation": lambda c: c["options"][0].update(name_localizations={"de": "bild"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_anything_is_seen(change: str) -> None:
    changed = theirs()
    CHANGES[change](changed)
    assert not same_commands([changed], [OURS])


@pytest.mark.parametrize("answer", [None, "<html>", {}, [], [None], [{}], [{"name": "show"}]])
def test_another_set_is_another(answer: object) -> None:
    assert not same_commands(answer, [OURS])
