from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from bot.errors import SettingsError
from bot.novita.models import CATALOGUE, ENCODINGS, catalogue
from bot.settings import DISCORD_API_URL, ImageEncoding, is_loopback, load

GOOD = {"DISCORD_TOKEN": "abc.def.ghi", "NOVITA_API_KEY": "sk_123"}


def test_the_two_required_ones_are_enough() -> None:
    settings = load(None, GOOD)
    assert settings.discord_token == "abc.def.ghi"
    assert settings.discord_api_url == DISCORD_API_URL
    assert not settings.discord_is_stand_in
    assert settings.database_url == "sqlite:///data/kinora.db"


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load(
            None,
            {
                "DISCORD_TOKEN": "your-token-here",
                "NOVITA_API_URL": "api.novita.ai",
                "DISCORD_API_URL": "http://example.com/api",
                "DATABASE_URL": "mysql://x",
                "KINORA_LOG_LEVEL": "chatty",
                "KINORA_MAX_RENDERS": "0",
                "KINORA_POLL_SECONDS": "soon",
                "KINORA_RENDER_TIMEOUT_MINUTES": "nan",
                "KINORA_PRICES": "kling=cheap",
                "KINORA_IMAGE_ENCODINGS": "kling=hex",
                "KINORA_DISCORD_CDN_HOSTS": "https://cdn",
            },
        )
    named = [mistake.split()[0] for mistake in caught.value.mistakes]
    assert named == [
        "DISCORD_TOKEN",
        "NOVITA_API_KEY",
        "NOVITA_API_URL",
        "DISCORD_API_URL",
        "KINORA_DISCORD_CDN_HOSTS",
        "DATABASE_URL",
        "KINORA_LOG_LEVEL",
        "KINORA_MAX_RENDERS",
        "KINORA_POLL_SECONDS",
        "KINORA_RENDER_TIMEOUT_MINUTES",
        "KINORA_PRICES",
        "KINORA_IMAGE_ENCODINGS",
    ]


@pytest.mark.parametrize("value", ["kling", "=url", "kling=", "kling=URL", "a=url,", "a=url, a=base64"])
def test_a_mistake_in_the_encodings_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match="KINORA_IMAGE_ENCODINGS"):
        load(None, {**GOOD, "KINORA_IMAGE_ENCODINGS": value})


def test_encodings_are_chosen_by_model() -> None:
    assert get_args(ImageEncoding) == ENCODINGS
    settings = load(None, {**GOOD, "KINORA_IMAGE_ENCODINGS": "kling-a=base64, kling-b = url,c=data_uri"})
    assert settings.image_encodings == {"kling-a": "base64", "kling-b": "url", "c": "data_uri"}


@pytest.mark.parametrize("value", ["tok en", "tök", "abc\x07", "   "])
def test_a_token_with_a_strange_character_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="DISCORD_TOKEN"):
        load(None, {**GOOD, "DISCORD_TOKEN": value})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("DISCORD_TOKEN=from-file\nNOVITA_API_KEY=sk_file\nKINORA_MAX_RENDERS=7\n")
    settings = load(env, {"DISCORD_TOKEN": "from-environment"})
    assert (settings.discord_token, settings.novita_api_key) == ("from-environment", "sk_file")
    assert settings.max_renders == 7


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    given = {
        "DISCORD_TOKEN": "abc.def.ghi",
        "NOVITA_API_KEY": "sk_123",
        "DATABASE_URL": "postgres://a:pw@h/k",
    }
    for name, value in given.items():
        (tmp_path / name).write_text(f"{value}\n")
    settings = load(None, {f"{name}_FILE": str(tmp_path / name) for name in given})
    assert settings.discord_token == "abc.def.ghi"
    assert settings.novita_api_key == "sk_123"
    assert settings.database_url == "postgresql://a:pw@h/k"
    assert set(settings.secrets) == {"abc.def.ghi", "sk_123", "pw"}


def test_a_file_at_fault_is_named_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"hunter2\xff")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "both").write_text("hunter2")
    with pytest.raises(SettingsError) as caught:
        load(
            None,
            {
                "DISCORD_TOKEN_FILE": str(tmp_path / "bytes"),
                "NOVITA_API_KEY": "sk_hunter2",
                "NOVITA_API_KEY_FILE": str(tmp_path / "both"),
                "DATABASE_URL_FILE": str(tmp_path / "nowhere"),
            },
        )
    assert caught.value.mistakes == [
        "DISCORD_TOKEN_FILE cannot be read (it is not text): check the path and who may read it.",
        "NOVITA_API_KEY and NOVITA_API_KEY_FILE are both set: keep one of them.",
        "DATABASE_URL_FILE cannot be read (No such file or directory): check the path and who may read it.",
    ]
    with pytest.raises(SettingsError, match="DISCORD_TOKEN_FILE names a file with nothing in it"):
        load(None, {"DISCORD_TOKEN_FILE": str(tmp_path / "empty"), "NOVITA_API_KEY": "sk_123"})
    (tmp_path / "empty").write_text("your-token")
    with pytest.raises(SettingsError, match="DISCORD_TOKEN still holds a placeholder"):
        load(None, {"DISCORD_TOKEN_FILE": str(tmp_path / "empty"), "NOVITA_API_KEY": "sk_123"})


def test_secrets_are_not_shown() -> None:
    settings = load(None, GOOD)
    assert "abc.def.ghi" not in repr(settings)
    assert "sk_123" not in repr(settings)
    assert set(settings.secrets) == {"abc.def.ghi", "sk_123"}


def test_prices_are_dollars_a_second() -> None:
    settings = load(None, {**GOOD, "KINORA_PRICES": "kling-2.5-turbo-i2v=0.08, kling-v3.0-pro-i2v=0.2"})
    assert settings.prices == {"kling-2.5-turbo-i2v": Decimal("0.08"), "kling-v3.0-pro-i2v": Decimal("0.2")}


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:80/x", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("http://127.9.9.9", True),
        ("https://10.0.0.1", False),
        ("https://localhost.example.com", False),
    ],
)
def test_loopback(url: str, here: bool) -> None:
    assert is_loopback(url) is here


def test_a_stand_in_keeps_its_path() -> None:
    settings = load(None, {**GOOD, "DISCORD_API_URL": "http://127.0.0.1:9/api/v10/"})
    assert settings.discord_api_url == "http://127.0.0.1:9/api/v10"
    assert settings.discord_is_stand_in


@pytest.mark.parametrize(
    ("value", "ids", "count"),
    [("0-3/8", [0, 1, 2, 3], 8), ("4-7/8", [4, 5, 6, 7], 8), ("2/8", [2], 8), (" 0 - 0 / 1 ", [0], 1)],
)
def test_shards_of_a_process(value: str, ids: list[int], count: int) -> None:
    shards = load(None, {**GOOD, "KINORA_SHARDS": value}).shards
    assert (shards.ids, shards.count) == (ids, count)


@pytest.mark.parametrize(
    "value", ["8", "0-8/8", "3-1/8", "0-3", "-1/8", "0-3/0", "a-b/c", "0-3/8/2", "1-2-3/8"]
)
def test_shards_that_cannot_be(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {**GOOD, "KINORA_SHARDS": value})
    assert caught.value.mistakes == [
        "KINORA_SHARDS must look like 0-3/8: shards 0 to 3 of 8 in all, counted from 0."
    ]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_server_and_its_password(scheme: str) -> None:
    settings = load(None, {**GOOD, "DATABASE_URL": f"{scheme}://kinora:p%40ss@db/kinora"})
    assert settings.database_url == "postgresql://kinora:p%40ss@db/kinora"
    assert settings.database_is_shared
    assert {"p%40ss", "p@ss"} <= set(settings.secrets)
    assert "p%40ss" not in repr(settings)


@pytest.mark.parametrize(
    "value", ["mysql://kinora:hunter2@db/kinora", "sqlite:///", "kinora.db", "postgresql:kinora"]
)
def test_a_database_that_cannot_be(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {**GOOD, "DATABASE_URL": value})
    assert caught.value.mistakes == [
        "DATABASE_URL must look like sqlite:///data/kinora.db or postgresql://user:password@host/kinora."
    ]


@pytest.mark.parametrize("written", ["a,,b", "a, a", ","])
def test_models_are_named_once_each(written: str) -> None:
    with pytest.raises(SettingsError, match="KINORA_MODELS"):
        load(None, {"DISCORD_TOKEN": "t", "NOVITA_API_KEY": "k", "KINORA_MODELS": written})


def test_an_unknown_model_names_its_variable() -> None:
    environ = {"NOVITA_API_KEY": "k", "KINORA_MODELS": "kling-2.5-turbo-i2v, kling-1"}
    with pytest.raises(SettingsError) as caught:
        load(None, environ, models=CATALOGUE)
    missing, unknown = caught.value.mistakes  # with all the others
    assert missing.startswith("DISCORD_TOKEN")
    assert unknown == f"KINORA_MODELS names kling-1: Kinora knows {', '.join(CATALOGUE)}."


def test_sound_is_never_shown_for_less_than_its_silence_grew() -> None:
    name = "kling-v3.0-std-i2v"
    assert catalogue({name: Decimal("0.168")})[name].sound_dollars_per_second == Decimal("0.252")
    assert catalogue({name: Decimal("0.01")})[name].sound_dollars_per_second == Decimal("0.126")
    assert catalogue({f"{name}+sound": Decimal("0.2")})[name].sound_dollars_per_second == Decimal("0.2")
