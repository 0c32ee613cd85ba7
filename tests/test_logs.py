"""What is printed: one line where a library has a page, and never a secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from bot import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Put back what `set_up` changes for the whole process."""
    names = ("bot", "cogs", "psycopg", "discord", "discord.gateway", "discord.http", "discord.webhook")
    root, levels = logging.getLogger(), {name: logging.getLogger(name).level for name in names}
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def fail(logger: str, words: str) -> None:
    """Log an error with its traceback."""
    try:
        raise ConnectionError("password=hunter2")
    except ConnectionError:
        logging.getLogger(logger).exception(words)


def test_the_queue_says_in_one_line_that_the_database_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("INFO", [])
    fail("procrastinate.utils", "listener error: ConnectorException\n    Database error.\n    ")
    logging.getLogger("psycopg.pool").warning("error connecting in 'pool-1'")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("WARNING procrastinate.utils: listener error: ConnectorException Database error.")


def test_no_words_from_outside_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("INFO", [])
    words = "no\n2026-11-24 20:00:00,000 ERROR   bot.app: forged\r\x1b[31m\x00\u2028\x85red"
    logging.getLogger("bot.jobs").warning("job %s failed: %s", "abc", words)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("failed: no 2026-11-24 20:00:00,000 ERROR bot.app: forged [31m red")


def test_a_traceback_of_our_own_is_printed_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("INFO", ["hunter2"])
    fail("bot.engines.postgres", "job abc stopped")
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert "password=<secret>" in printed


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        (
            "POST https://discord.com/api/v10/webhooks/123/aW50ZXJhY3Rpb246MTIzNDU2Nzg5/messages/@original",
            "POST https://discord.com/api/v10/webhooks/123/<token>/messages/@original",
        ),
        (
            "/interactions/123/aW50ZXJhY3Rpb246MTIzNDU2Nzg5/callback",
            "/interactions/123/<token>/callback",
        ),
        (
            "/webhooks/123/a.token-of-some-other-kind/messages",
            "/webhooks/123/<token>/messages",
        ),
        ("GET https://cdn.example/a.png?ex=1&hm=2 said no", "GET https://cdn.example/a.png?<query> said no"),
        ("{'Authorization': 'Bearer sk_abc-1.2'}", "{'Authorization': 'Bearer <secret>'}"),
        ("Authorization: Bot MTIz.abc-d", "Authorization: Bot <secret>"),
        ('{"id": "1", "token": "abc-def", "type": 2}', '{"id": "1", "token": "<token>", "type": 2}'),
        ("{'token': 'abc-def', 'type': 2}", "{'token': '<token>', 'type': 2}"),
        ("token aW50ZXJhY3Rpb246MTIzNDU2Nzg5 is old", "token <token> is old"),
        ("postgresql://kinora:s3cret@db/kinora", "postgresql://kinora:<secret>@db/kinora"),
        ("the key hunter2-and-more", "the key <secret>"),
    ],
)
def test_what_opens_something_is_not_printed(
    capsys: pytest.CaptureFixture[str], said: str, printed: str
) -> None:
    logs.set_up("INFO", ["hunter2", "hunter2-and-more"])  # one is the beginning of the other
    logging.getLogger("bot.app").warning("%s", said)
    assert capsys.readouterr().err.rstrip().endswith(f": {printed}")


def test_no_error_from_outside_forges_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("INFO", [])
    try:
        raise ValueError(
            "no\n2026-11-24 20:00:00,000 ERROR   bot.app: forged\r\x1b[31mred\u2028also\x85and\u202eback"
        )
    except ValueError as error:
        error.add_note("2026-11-24 20:00:00,000 ERROR   bot.app: noted")
        logging.getLogger("bot.jobs").exception("job abc failed", stack_info=True)
    first, *rest = capsys.readouterr().err.rstrip("\n").split("\n")
    assert first.endswith("bot.jobs: job abc failed")
    assert all(line.startswith("    ") for line in rest)
    assert "      File " in "\n".join(rest)  # it reads like a traceback still
    assert not set("\r\x1b\u2028\x85\u202e") & set("".join(rest))


def test_what_turns_text_round_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("INFO", [])
    logging.getLogger("bot.jobs").warning("the file %s", "cod\u202egnp.exe\u200b\u2066")
    assert capsys.readouterr().err.rstrip().endswith("the file codgnp.exe")


def test_at_debug_no_payload_is_printed_and_the_connection_is(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("DEBUG", [])
    logging.getLogger("discord.gateway").debug(
        "For Shard ID %s: WebSocket Event: %s", 0, {"content": "A boat"}
    )
    logging.getLogger("discord.http").debug("PATCH /x with %s has returned 200", '{"content": "A boat"}')
    logging.getLogger("discord.webhook.async_").debug("Webhook ID 1 has received %s", "A boat")
    logging.getLogger("discord.gateway").info("Shard ID %s has successfully RESUMED session", 0)
    logging.getLogger("discord.client").debug("Dispatching event %s", "interaction")
    said = [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()]
    assert said == ["Shard ID 0 has successfully RESUMED session", "Dispatching event interaction"]
