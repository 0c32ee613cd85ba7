"""The catalogue: a model is data, so that adding or retiring one changes no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Literal, get_args

from bot.settings import ImageEncoding

UNITS_PER_DOLLAR = 10_000
"""Money is counted in 1/10000 USD, the unit of Novita's balance endpoint."""

Encoding = ImageEncoding
"""How an image is put into the request: bare base64, a data URI, or an https address to fetch it from."""
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)


@dataclass(frozen=True)
class Model:
    """One image-to-video model.

    `name` is its path under `/v3/async/`; `durations` are seconds, sent as `duration_type`; `extra` is sent
    with every request as it is; the prices are estimates in dollars a second (Novita's pages state none for
    these models), one of them with sound, None where the model makes none; `image_encoding` is the one that
    documents or clients speak of; `typical_seconds` is how long a 5 s render is reported to take.
    """

    name: str
    title: str
    image_encoding: Encoding
    durations: tuple[int, ...]
    duration_type: Literal["string", "integer"]
    dollars_per_second: Decimal
    typical_seconds: int
    resolution: str = "1080p"
    end_image: bool = False
    sound_dollars_per_second: Decimal | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    max_prompt: int = 2500
    max_image_bytes: int = 7_000_000
    min_image_side: int = 300
    max_image_ratio: float = 2.5
    retired: date | None = None
    replacement: str | None = None

    @property
    def encodings(self) -> tuple[Encoding, ...]:
        """List the ways to send an image, the likeliest first."""
        return (self.image_encoding, *(way for way in ENCODINGS if way != self.image_encoding))

    @property
    def makes_sound(self) -> bool:
        """Return whether a video may come with sound."""
        return self.sound_dollars_per_second is not None

    def price(self, seconds: int, sound: bool = False) -> int:
        """Return a render's estimated price in 1/10000 USD."""
        a_second = self.sound_dollars_per_second if sound else None
        return int(((a_second or self.dollars_per_second) * seconds * UNITS_PER_DOLLAR).to_integral_value())


_KLING_3 = Model(
    name="",
    title="",
    image_encoding="data_uri",
    durations=tuple(range(3, 16)),
    duration_type="integer",
    dollars_per_second=Decimal(0),
    typical_seconds=120,
    end_image=True,
)

# The seed's model stays first although Novita announced its retirement for 2026-07-22 (changelog of
# 2026-07-07): its page is still up, and whether the endpoint has stopped is found out by a probe. Prices:
# third parties quoting Novita, October 2026. KINORA_PRICES overrides them.
CATALOGUE: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="kling-2.5-turbo-i2v",
            title="Kling 2.5 Turbo",
            image_encoding="base64",
            durations=(5, 10),
            duration_type="string",
            dollars_per_second=Decimal("0.07"),
            typical_seconds=90,
            extra={"mode": "pro"},
            retired=date(2026, 7, 22),
            replacement="kling-v3.0-std-i2v",
        ),
        replace(
            _KLING_3,
            name="kling-v3.0-std-i2v",
            title="Kling 3.0 Standard",
            dollars_per_second=Decimal("0.084"),
            sound_dollars_per_second=Decimal("0.126"),
            resolution="720p",
        ),
        replace(
            _KLING_3,
            name="kling-v3.0-pro-i2v",
            title="Kling 3.0 Pro",
            dollars_per_second=Decimal("0.112"),
            sound_dollars_per_second=Decimal("0.168"),
        ),
    )
}
DEFAULT_MODEL = "kling-2.5-turbo-i2v"


SOUND = "+sound"
"""What follows a model's name where its price with sound is meant."""


def catalogue(prices: Mapping[str, Decimal]) -> Mapping[str, Model]:
    """Return the catalogue with the operator's own prices (dollars a second) in it."""
    return {name: _priced(model, prices) for name, model in CATALOGUE.items()}


def _priced(model: Model, prices: Mapping[str, Decimal]) -> Model:
    silent, sound = prices.get(model.name, model.dollars_per_second), model.sound_dollars_per_second
    if sound is not None:
        # Where only the price without sound was changed, sound grows with it and never shrinks: rather too
        # much is shown than too little.
        grown = sound * silent / model.dollars_per_second
        sound = prices.get(model.name + SOUND, max(sound, grown))
    return replace(model, dollars_per_second=silent, sound_dollars_per_second=sound)
