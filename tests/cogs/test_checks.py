"""What `/animate` takes, rule by rule: whatever the model would refuse is refused before anything is paid."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.domain.request import MAX_SOURCE_BYTES
from bot.errors import Refusal
from bot.novita.models import CATALOGUE, DEFAULT_MODEL
from bot.ui.i18n import texts
from bot.ui.replies import refusal_embed
from cogs.animate import _checks as checks

MODEL = CATALOGUE[DEFAULT_MODEL]
PLAIN: dict[str, Any] = {
    "model": MODEL,
    "prompt": "a cat yawns",
    "duration": 5,
    "negative_prompt": "",
    "cfg_scale": 0.5,
}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"prompt": ""}, "empty"),
        ({"prompt": "\u200b \u2066"}, "empty"),  # nothing of it can be seen
        ({"prompt": "x" * (MODEL.max_prompt + 1)}, "prompt has"),
        ({"negative_prompt": "x" * (MODEL.max_prompt + 1)}, "negative prompt has"),
        ({"cfg_scale": -0.01}, "cfg_scale"),
        ({"cfg_scale": 1.01}, "cfg_scale"),
        ({"cfg_scale": math.nan}, "cfg_scale"),
        ({"cfg_scale": math.inf}, "cfg_scale"),
        ({"duration": 6}, "cannot make"),
        ({"duration": 0}, "cannot make"),
    ],
)
def test_what_the_model_does_not_take_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(Refusal, match=says) as caught:
        checks.request(**PLAIN | changes)
    assert caught.value.money  # so that it says that nothing was charged


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"prompt": "x" * MODEL.max_prompt, "negative_prompt": "x" * MODEL.max_prompt},
        {"cfg_scale": 0.0},
        {"cfg_scale": 1.0},
        {"duration": 10},
    ],
)
def test_what_the_model_takes_is_taken_as_it_is(changes: dict[str, Any]) -> None:
    asked = PLAIN | changes
    request = checks.request(**asked)
    assert vars(request) == asked | {
        "model": MODEL.name,
        "price": MODEL.price(asked["duration"]),
        "sound": False,
    }


def test_a_model_that_is_not_on_offer_is_refused() -> None:
    assert checks.model(CATALOGUE, DEFAULT_MODEL) is MODEL
    with pytest.raises(Refusal, match="no model"):
        checks.model(CATALOGUE, "kling-1")


@pytest.mark.parametrize(("size", "taken"), [(0, False), (1, True), (MAX_SOURCE_BYTES, True)])
def test_an_attachment_is_looked_at_before_it_is_downloaded(size: int, taken: bool) -> None:
    def look(size: int) -> None:
        checks.attachment(cast(Any, SimpleNamespace(size=size)))

    if taken:
        look(size)
    else:
        with pytest.raises(Refusal):
            look(size)
    with pytest.raises(Refusal):
        look(MAX_SOURCE_BYTES + 1)


def test_sound_has_its_price() -> None:
    model = CATALOGUE["kling-v3.0-std-i2v"]
    asked = checks.request(model, "A boat", 5, "", 0.5, sound=True)
    assert (asked.sound, asked.price) == (True, 6300)


def test_what_a_model_has_not_is_refused_with_those_that_have_it() -> None:
    for end_image, sound in ((True, False), (False, True)):
        with pytest.raises(Refusal) as refused:
            checks.features(CATALOGUE, MODEL, end_image=end_image, sound=sound)
        assert "Kling 3.0 Standard" in (refusal_embed(refused.value, texts()).description or "")
    checks.features(CATALOGUE, CATALOGUE["kling-v3.0-pro-i2v"], end_image=True, sound=True)


def test_without_a_model_on_offer_nothing_is_charged() -> None:
    with pytest.raises(Refusal, match="none of the models") as refused:
        checks.model({})
    assert refused.value.money
