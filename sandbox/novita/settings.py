"""What can be set about the Novita stand-in while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args, get_type_hints

from sandbox.novita.films import VARIANTS
from sandbox.novita.models import RETIRED

SHAPES = ("full", "lean")


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
    """Models whose path answers 404 API_NOT_FOUND."""
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
        return {**asdict(self), "retired": list(self.retired)}

    def patched(self, changes: Mapping[str, Any]) -> Settings:
        """Return a copy with `changes` made; ValueError with a sentence when one is impossible."""
        known = {field.name for field in fields(self)}
        if unknown := sorted(set(changes) - known):
            raise ValueError(
                f"There is no setting {', '.join(unknown)}; there are {', '.join(sorted(known))}."
            )
        return replace(self, **{name: _checked(name, value) for name, value in changes.items()})


_SMALLEST = {"video_fps": 1, "video_height": 64, "concurrency": 1}
_CHOICES = {"shape": SHAPES, "video_variant": VARIANTS}


def _checked(name: str, value: Any) -> Any:
    wanted = get_type_hints(Settings)[name]
    types = tuple(t for t in get_args(wanted) or (wanted,) if isinstance(t, type))
    if name == "retired":
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("retired must be a list of model names.")
        return tuple(value)
    if float in types and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) not in types:
        wanted_names = " or ".join("null" if t is type(None) else t.__name__ for t in types)
        raise ValueError(f"{name} must be {wanted_names}, not {value!r}.")
    if isinstance(value, int | float) and not isinstance(value, bool) and value < _SMALLEST.get(name, 0):
        raise ValueError(f"{name} must be at least {_SMALLEST.get(name, 0)}.")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"{name} must be one of {', '.join(_CHOICES[name])}.")
    return value
