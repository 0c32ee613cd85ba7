"""What can be set about the Novita stand-in while it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, get_args, get_type_hints

from sandbox.novita.films import VARIANTS
from sandbox.novita.models import ENCODINGS, MODELS, RETIRED, Encoding

SHAPES = ("full", "lean")
RETIRED_FORMS = ("route_not_found", "api_not_found")
REFUSALS = ("INVALID_IMAGE_FORMAT", "INVALID_REQUEST_BODY")
EDGES = ("all", "submit", "result", "balance")
DOCUMENTED: Mapping[str, tuple[Encoding, ...]] = {name: (model.encoding,) for name, model in MODELS.items()}


@dataclass(frozen=True)
class Settings:
    """All settings with the defaults for a person trying the bot; times are in seconds."""

    queue_seconds: float = 1.0
    """How long a task is QUEUED at least."""
    render_seconds: float = 6.0
    """How long it is PROCESSING at least: it never succeeds before its file is there."""
    concurrency: int | None = None
    """How many tasks render at once; the others stay QUEUED in order. None: no limit."""
    requests_per_minute: int | None = None
    """Submits per model in a sliding minute before 429 RATE_LIMIT_EXCEEDED. None: no limit."""
    send_retry_after: bool = False
    """Whether that 429 has a Retry-After header (Novita documents none)."""
    balance: int = 1_000_000
    """In 1/10000 USD; every submit lowers it by its price."""
    retired: tuple[str, ...] = RETIRED
    """Models whose path answers 404."""
    retired_form: str = "route_not_found"
    """"route_not_found": that 404 has this message and no reason; "api_not_found": reason API_NOT_FOUND."""
    encodings: Mapping[str, tuple[Encoding, ...]] = field(default_factory=lambda: DOCUMENTED)
    """How each model takes images. A model that is not named takes them as it is documented."""
    encoding_refusal: str = "INVALID_IMAGE_FORMAT"
    """The reason that an image in any other encoding is refused with: one of `REFUSALS`."""
    refuse_cfg_scale: bool = False
    """Whether the models of generation 2 refuse a request that has `cfg_scale` in it."""
    forbidden_models: tuple[str, ...] = ()
    """Models that the key has no right to: 403 ACCESS_DENY."""
    balance_forbidden: bool = False
    """Whether the key has no right to the balance page: 403 ACCESS_DENY."""
    edge_status: int | None = None
    """The HTTP status of a page that an edge answers in place of Novita. None: no edge does."""
    edge_on: str = "all"
    """Which requests those are: one of `EDGES`; files are served by a storage of their own."""
    illegal_word: str = "forbidden-sandbox-word"
    """A prompt with this word is refused with ILLEGAL_PROMPT."""
    failing_word: str = "fail-sandbox-render"
    """A task whose prompt has this word ends as TASK_STATUS_FAILED."""
    shape: str = "full"
    """"full": results with `extra`, `images`, `audios`, progress and eta; "lean": without, progress 0."""
    status_override: str | None = None
    """A status that the first polls of every task answer in place of the real one."""
    status_override_polls: int = 0
    """How many polls that are."""
    task_retention: float = 604_800.0
    """How long after its end a task and its file are known."""
    video_ttl: float = 3_600.0
    """How long a link lives, rounded up to whole seconds."""
    sign_again: bool = True
    """Whether asking for the result once more gives a fresh link."""
    escaped_links: bool = True
    """Whether links hold `%2F` and `%40`, which their signature covers as they are written."""
    video_bytes: int | None = None
    """Make each MP4 this large with an empty `free` box at its end. None: as it is."""
    video_height: int = 1_080
    """The short side in pixels."""
    video_fps: int = 24
    video_variant: str = "h264"
    """One of `sandbox.novita.films.VARIANTS`."""

    def as_json(self) -> dict[str, Any]:
        """Return all settings as the control site shows them."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    def patched(self, changes: Mapping[str, Any]) -> Settings:
        """Return a copy with `changes` made; ValueError with a sentence when one is impossible."""
        known = {known.name for known in fields(self)}
        if unknown := sorted(set(changes) - known):
            raise ValueError(
                f"There is no setting {', '.join(unknown)}; there are {', '.join(sorted(known))}."
            )
        return replace(self, **{name: _checked(name, value) for name, value in changes.items()})


_SMALLEST = {"video_fps": 1, "video_height": 64, "concurrency": 1, "edge_status": 200}
_LARGEST = {"edge_status": 599}
_CHOICES = {
    "shape": SHAPES,
    "video_variant": VARIANTS,
    "retired_form": RETIRED_FORMS,
    "encoding_refusal": REFUSALS,
    "edge_on": EDGES,
}
_LISTS = ("retired", "forbidden_models")


def _checked(name: str, value: Any) -> Any:
    wanted = get_type_hints(Settings)[name]
    types = tuple(t for t in get_args(wanted) or (wanted,) if isinstance(t, type))
    if name == "encodings":
        return _encodings(value)
    if name in _LISTS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{name} must be a list of model names.")
        return tuple(value)
    if float in types and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) not in types:
        wanted_names = " or ".join("null" if t is type(None) else t.__name__ for t in types)
        raise ValueError(f"{name} must be {wanted_names}, not {value!r}.")
    if isinstance(value, int | float) and not isinstance(value, bool) and value < _SMALLEST.get(name, 0):
        raise ValueError(f"{name} must be at least {_SMALLEST.get(name, 0)}.")
    if name in _LARGEST and value is not None and value > _LARGEST[name]:
        raise ValueError(f"{name} must be at most {_LARGEST[name]}.")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"{name} must be one of {', '.join(_CHOICES[name])}.")
    return value


def _encodings(value: Any) -> Mapping[str, tuple[Encoding, ...]]:
    if not isinstance(value, dict):
        raise ValueError("encodings must be an object of models and lists.")
    for model, ways in value.items():
        if model not in MODELS:
            raise ValueError(f"encodings: there is no model {model}; there are {', '.join(MODELS)}.")
        if not isinstance(ways, list) or not all(way in ENCODINGS for way in ways):
            raise ValueError(f"encodings: {model} must have a list of {', '.join(ENCODINGS)}.")
    return {**DOCUMENTED, **{model: tuple(ways) for model, ways in value.items()}}
