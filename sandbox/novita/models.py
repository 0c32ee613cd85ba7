"""What each model's endpoint accepts and what a render costs: data, as Novita documents it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Encoding = Literal["base64", "data_uri", "url"]
"""How an image may come: bare base64, a data URI, or an address to fetch it from."""
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)


@dataclass(frozen=True)
class Model:
    """One row of Novita's table: the rules of `POST /v3/async/{name}`."""

    name: str
    encoding: Encoding
    """The documented one; the setting `encodings` says what is accepted."""
    durations: tuple[str, ...] | tuple[int, ...]
    """All allowed durations in seconds, in the JSON type that this model wants."""
    price_per_second: int
    """In 1/10000 USD, the unit of all of Novita's amounts."""
    guidance: str = "cfg_scale"
    """The name of the field, 0 … 1, that says how closely to follow the prompt."""
    modes: tuple[str, ...] = ()
    generation: int = 2
    """Kling's own interface of generation 2 refuses `guidance`: see the setting `refuse_cfg_scale`."""
    end_image: bool = False
    sound_price_per_second: int | None = None
    """The price with `sound`; None: the model has no such field."""
    sound_default: bool = False

    def price(self, seconds: int, sound: bool) -> int:
        """Return what a render costs, in 1/10000 USD."""
        per_second = self.sound_price_per_second if sound else None
        return (per_second or self.price_per_second) * seconds


_ALL = (
    # https://novita.ai/docs/api-reference/model-apis-kling-2.5-turbo-i2v
    Model("kling-2.5-turbo-i2v", "base64", ("5", "10"), 700, modes=("pro",)),
    # https://novita.ai/docs/api-reference/model-apis-kling-v3.0-std-i2v (and -pro-)
    Model(
        "kling-v3.0-std-i2v",
        "data_uri",
        tuple(range(3, 16)),
        840,
        generation=3,
        end_image=True,
        sound_price_per_second=1260,
    ),
    Model(
        "kling-v3.0-pro-i2v",
        "data_uri",
        tuple(range(3, 16)),
        1120,
        generation=3,
        end_image=True,
        sound_price_per_second=1680,
    ),
    # The prices of these two are guesses: they are not in the documentation at hand.
    Model("kling-v2.1-i2v-master", "data_uri", ("5", "10"), 2800, guidance="guidance_scale"),
    Model(
        "kling-v2.6-pro-i2v",
        "data_uri",
        (5, 10),
        700,
        sound_price_per_second=1400,
        sound_default=True,
    ),
)

MODELS: dict[str, Model] = {model.name: model for model in _ALL}

# Paths that Novita has switched off by its own changelog. The seed's model is announced there too, but is
# still served: whether the real endpoint has stopped is unknown.
RETIRED = ("kling-v2.6-pro-i2v", "wan2.6-i2v")
