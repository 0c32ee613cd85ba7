"""Read the environment into one frozen, typed `Settings`, reporting every mistake at once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeVar, get_args
from urllib.parse import unquote, urlsplit

from bot.errors import SettingsError

T = TypeVar("T")
ImageEncoding = Literal["base64", "data_uri", "url"]
"""How an image is put into the request to Novita."""

DISCORD_API_URL = "https://discord.com/api/v10"
SECRETS = ("DISCORD_TOKEN", "NOVITA_API_KEY", "DATABASE_URL")
"""The variables that may also be given as `…_FILE`, the path of a file that holds the value."""
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
PLACEHOLDERS = re.compile(r"your[-_ ].*|change[-_ ]?me|paste[-_ ].*|<.*>|x{3,}|…|\.\.\.", re.IGNORECASE)


@dataclass(frozen=True)
class Shards:
    """The shards of one process: the first and the last, of how many in all."""

    first: int
    last: int
    count: int

    @property
    def ids(self) -> list[int]:
        """List this process's shards."""
        return list(range(self.first, self.last + 1))

    def __str__(self) -> str:
        first_to_last = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{first_to_last}/{self.count}"


@dataclass(frozen=True)
class Settings:
    """What the operator chose; see the README's table for each variable."""

    discord_token: str = field(repr=False)
    novita_api_key: str = field(repr=False)
    novita_api_url: str = "https://api.novita.ai"
    discord_api_url: str = DISCORD_API_URL
    discord_cdn_hosts: frozenset[str] = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
    database_url: str = field(default="sqlite:///data/kinora.db", repr=False)
    data_dir: Path = Path("data")
    log_level: str = "INFO"
    max_renders: int = 20
    novita_rpm: int = 20
    shards: Shards = Shards(0, 0, 1)
    poll_seconds: float = 3.0
    render_timeout: float = 1800.0
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    image_encodings: Mapping[str, ImageEncoding] = field(default_factory=dict)
    models: tuple[str, ...] = ("kling-2.5-turbo-i2v", "kling-v3.0-std-i2v", "kling-v3.0-pro-i2v")
    probe_round: int = 1

    @property
    def discord_is_stand_in(self) -> bool:
        """Return whether the bot speaks to something other than Discord itself."""
        return self.discord_api_url != DISCORD_API_URL

    @property
    def secrets(self) -> tuple[str, ...]:
        """List what must never be printed."""
        password = urlsplit(self.database_url).password
        plain = unquote(password) if password else None
        return tuple(s for s in (self.discord_token, self.novita_api_key, password, plain) if s)

    @property
    def database_is_shared(self) -> bool:
        """Return whether other processes may use the database too."""
        return not self.database_url.startswith("sqlite:")


def load(
    env_file: Path | None = Path(".env"),
    environ: Mapping[str, str] | None = None,
    *,
    models: Collection[str] | None = None,
) -> Settings:
    """Read settings from the environment and `.env`; the environment wins.

    `models` are the names that may be configured; None: all.
    Raises `SettingsError` with one sentence for each variable at fault.
    """
    given = _from_file(env_file) if env_file is not None and env_file.is_file() else {}
    given.update(os.environ if environ is None else environ)
    reader = _Reader(given)
    settings = Settings(
        discord_token=reader.secret("DISCORD_TOKEN", "the bot's token from the Discord developer portal"),
        novita_api_key=reader.secret("NOVITA_API_KEY", "an API key from Novita's console (sk_…)"),
        novita_api_url=reader.read("NOVITA_API_URL", _base_url, Settings.novita_api_url),
        discord_api_url=reader.read("DISCORD_API_URL", _base_url, DISCORD_API_URL),
        discord_cdn_hosts=reader.read("KINORA_DISCORD_CDN_HOSTS", _hosts, Settings.discord_cdn_hosts),
        database_url=reader.read("DATABASE_URL", _database_url, "sqlite:///data/kinora.db"),
        data_dir=reader.read("KINORA_DATA_DIR", Path, Settings.data_dir),
        log_level=reader.read("KINORA_LOG_LEVEL", _log_level, Settings.log_level),
        max_renders=reader.read("KINORA_MAX_RENDERS", _whole(1, 100_000), Settings.max_renders),
        novita_rpm=reader.read("KINORA_NOVITA_RPM", _whole(1, 1_000_000), Settings.novita_rpm),
        shards=reader.read("KINORA_SHARDS", _shards, Settings.shards),
        poll_seconds=reader.read("KINORA_POLL_SECONDS", _number(0.05, 60), Settings.poll_seconds),
        render_timeout=60
        * reader.read("KINORA_RENDER_TIMEOUT_MINUTES", _number(0.01, 24 * 60), Settings.render_timeout / 60),
        prices=reader.read("KINORA_PRICES", _prices, {}),
        image_encodings=reader.read("KINORA_IMAGE_ENCODINGS", _image_encodings(models), {}),
        models=reader.read("KINORA_MODELS", _models(models), Settings.models),
        probe_round=reader.read("KINORA_PROBE_ROUND", _whole(0, 1_000_000), Settings.probe_round),
    )
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return settings


def _from_file(env_file: Path) -> dict[str, str]:
    from dotenv import dotenv_values  # not needed in a container, where `health` is run all the time

    return {name: value for name, value in dotenv_values(env_file).items() if value is not None}


class _Reader:
    """Reads variables one by one and collects the mistakes instead of stopping at the first."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = given
        self.mistakes: list[str] = []

    def _value(self, name: str) -> str:
        """Return a variable's value without blanks around it; one that is secret may stand in a file."""
        value = self.given.get(name, "").strip()
        file = self.given.get(f"{name}_FILE", "").strip() if name in SECRETS else ""
        if not file:
            return value
        if value:
            self.mistakes.append(f"{name} and {name}_FILE are both set: keep one of them.")
            return value
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:  # the words of neither hold what is in the file
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            self.mistakes.append(f"{name}_FILE cannot be read ({why}): check the path and who may read it.")
        else:
            if not value:
                self.mistakes.append(f"{name}_FILE names a file with nothing in it.")
        return value

    def secret(self, name: str, what: str) -> str:
        known = len(self.mistakes)
        value = self._value(name)
        if len(self.mistakes) > known:
            return value
        if not value:
            self.mistakes.append(f"{name} is missing: set it to {what}.")
        elif PLACEHOLDERS.fullmatch(value):
            self.mistakes.append(f"{name} still holds a placeholder: set it to {what}.")
        elif not value.isascii() or any(c.isspace() or not c.isprintable() for c in value):
            self.mistakes.append(f"{name} has a blank or a strange character in it: copy {what} again.")
        return value

    def read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        value = self._value(name)
        if not value:
            return default
        try:
            return parse(value)
        except ValueError as error:
            self.mistakes.append(f"{name} {error}.")
            return default


def is_loopback(url: str) -> bool:
    """Return whether a URL points at this machine itself (localhost, 127.0.0.0/8 or ::1)."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a full address such as https://example.com")
    if parts.scheme == "http" and not is_loopback(value):
        raise ValueError("must use https (http is accepted for this machine itself only)")
    return value.rstrip("/")


def _database_url(value: str) -> str:
    if value.startswith("sqlite:///") and len(value) > len("sqlite:///"):
        return value
    if value.startswith(("postgresql://", "postgres://")):
        return "postgresql" + value[value.index(":") :]
    raise ValueError("must look like sqlite:///data/kinora.db or postgresql://user:password@host/kinora")


def _log_level(value: str) -> str:
    if value.upper() not in LOG_LEVELS:
        raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}")
    return value.upper()


def _hosts(value: str) -> frozenset[str]:
    hosts = frozenset(host.strip().lower() for host in value.split(",") if host.strip())
    if not all(re.fullmatch(r"[a-z0-9.-]+", host) for host in hosts):
        raise ValueError("must be host names separated by commas")
    return hosts


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return number

    return parse


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not value.isdecimal() or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def _shards(value: str) -> Shards:
    """Parse `0-3/8`: shards 0 to 3 of 8; or `2/8` for a single one."""
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?/(\d{1,5})", value.replace(" ", ""))
    if match:
        first, count = int(match[1]), int(match[3])
        last = int(match[2]) if match[2] else first
        if first <= last < count:
            return Shards(first, last, count)
    raise ValueError("must look like 0-3/8: shards 0 to 3 of 8 in all, counted from 0")


def _models(known: Collection[str] | None) -> Callable[[str], tuple[str, ...]]:
    """Parse models' names separated by commas; whether there are such models is the catalogue's to say."""

    def parse(value: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in value.split(","))
        if not all(names) or len(set(names)) < len(names):
            raise ValueError("must be names of models separated by commas, each of them once")
        _check_known(names, known)
        return names

    return parse


def _prices(value: str) -> Mapping[str, Decimal]:
    """Parse `model=dollars a second` pairs separated by commas."""
    prices = {}
    for pair in value.split(","):
        model, _, price = (part.strip() for part in pair.partition("="))
        try:
            prices[model] = Decimal(price)
        except InvalidOperation:
            prices[model] = Decimal(-1)
        if not model or not prices[model].is_finite() or prices[model] < 0:
            raise ValueError("must be pairs such as kling-2.5-turbo-i2v=0.07, in dollars a second")
    return prices


def _image_encodings(known: Collection[str] | None) -> Callable[[str], Mapping[str, ImageEncoding]]:
    """Parse `model=encoding` pairs separated by commas, each model once, and one of the `known`."""

    def parse(value: str) -> Mapping[str, ImageEncoding]:
        chosen: dict[str, ImageEncoding] = {}
        for pair in value.split(","):
            model, _, name = (part.strip() for part in pair.partition("="))
            encoding = next((way for way in get_args(ImageEncoding) if way == name), None)
            if not model or encoding is None:
                raise ValueError(
                    "must be pairs such as kling-2.5-turbo-i2v=base64, with base64, data_uri or url"
                )
            if model in chosen:
                raise ValueError(f"names {model} twice")
            chosen[model] = encoding
        _check_known(chosen, known)
        return chosen

    return parse


def _check_known(names: Collection[str], known: Collection[str] | None) -> None:
    if known is not None and (unknown := [name for name in names if name not in known]):
        raise ValueError(f"names {', '.join(unknown)}: Kinora knows {', '.join(known)}")
