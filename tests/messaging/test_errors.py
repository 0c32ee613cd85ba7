"""Only the codes of the table speak of a place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import discord
import pytest

from bot.errors import KinoraError, MalformedMessage, PermanentError, TemporaryError, TokenRefused
from bot.messaging.errors import REFUSALS, REPLY_REFUSALS, discord_errors

LISTED = [
    *(10003, 10004, 10008, 20009, 50001, 50007, 50008, 50013, 50083, 50278),
    *(160005, 160006, 200000, 200001, 240000),
]


def meaning(status: int, body: Any, refusals: Any = REFUSALS, **headers: str) -> KinoraError:
    """Sort an answer of Discord's, or of what stands before it: a dict is JSON, a string a page."""
    kind = "application/json" if isinstance(body, dict) else "text/html"
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    response = cast(Any, SimpleNamespace(status=status, reason="", headers={"Content-Type": kind, **names}))
    with pytest.raises(KinoraError) as caught, discord_errors(refusals):
        raise discord.HTTPException(response, body)
    return caught.value


@pytest.mark.parametrize("code", LISTED)
@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_listed_code_is_final_for_the_place(status: int, code: int) -> None:
    error = meaning(status, {"code": code, "message": "no"})
    assert type(error) is PermanentError
    assert error.fallback_reason in ("gone", "locked", "full", "forbidden")


@pytest.mark.parametrize("status", [400, 403, 404, 405, 408, 409, 451, 500, 502, 503])
def test_a_page_is_never_final(status: int) -> None:
    assert type(meaning(status, "<html>blocked</html>")) is TemporaryError


@pytest.mark.parametrize(("status", "code"), [(403, 0), (403, 40333), (404, 0), (404, 12345), (405, 0)])
def test_an_unknown_code_is_never_final(status: int, code: int) -> None:
    assert type(meaning(status, {"code": code, "message": "no"})) is TemporaryError


@pytest.mark.parametrize("code", [50035, 50006, 50109, 0])
def test_a_bad_request_is_our_own_message(code: int) -> None:
    assert type(meaning(400, {"code": code, "message": "no"})) is MalformedMessage


def test_too_fast_is_later() -> None:
    assert type(meaning(400, {"code": 40003, "message": "too fast"})) is TemporaryError


def test_a_listed_code_does_not_count_on_a_bad_day() -> None:
    assert type(meaning(500, {"code": 50013, "message": "no"})) is TemporaryError


def test_a_refused_token_has_a_name_of_its_own_and_a_replys_token_dies() -> None:
    assert type(meaning(401, {"code": 0, "message": "401: Unauthorized"})) is TokenRefused
    assert type(meaning(401, {"code": 50027, "message": "no"})) is TokenRefused
    assert type(meaning(401, {"code": 50027, "message": "no"}, REPLY_REFUSALS)) is PermanentError
    assert type(meaning(404, {"code": 10015, "message": "no"}, REPLY_REFUSALS)) is PermanentError


def test_retry_after_is_heard() -> None:
    error = meaning(429, "<html>banned</html>", Retry_After="30")
    assert isinstance(error, TemporaryError)
    assert error.retry_after == 30.0


def test_a_line_that_breaks_is_temporary() -> None:
    with pytest.raises(TemporaryError), discord_errors():
        raise aiohttp.ClientOSError
