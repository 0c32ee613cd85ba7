"""The owner is told of each kind of trouble once a day, by one of all processes."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import discord
import pytest

from bot.messaging import alerts
from bot.messaging.alerts import OwnerAlerts
from bot.store.coordination import Coordination
from bot.ui.sentences import ALERTS
from tests.support.discord_wire import refused
from tests.support.jobs import Store

OWNER, FOUNDER = 11, 12


class Account:
    """As much of a client as an alert needs: whom it wrote to, and what; `trouble` is raised instead."""

    def __init__(self, team: int | None = None) -> None:
        self.sent: list[tuple[int, str]] = []
        self.nonces: set[str] = set()
        self.trouble: list[Exception] = []
        self.http = SimpleNamespace(start_private_message=self._open)
        self._team = team and SimpleNamespace(owner_id=team)

    async def application_info(self) -> Any:
        return SimpleNamespace(owner=SimpleNamespace(id=OWNER), team=self._team)

    async def _open(self, user_id: int) -> dict[str, str]:
        return {"id": str(user_id)}

    def get_partial_messageable(self, channel_id: int) -> Any:
        async def send(content: str, **options: Any) -> None:
            assert len(options["nonce"]) <= 25
            if self.trouble:
                raise self.trouble.pop(0)
            self.nonces.add(options["nonce"])
            self.sent.append((channel_id, content))

        return SimpleNamespace(send=send)


def process(account: Account, store: Store) -> OwnerAlerts:
    return OwnerAlerts(cast(discord.Client, account), Coordination(store.database))


async def settled(*processes: OwnerAlerts) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(*(task for one in processes for task in one._tasks))


async def test_of_many_processes_one_tells_the_owner(store: Store) -> None:
    account = Account()
    processes = [process(account, store) for _ in range(4)]
    for one in processes * 3:
        one.alert("key")
    await settled(*processes)
    assert account.sent == [(OWNER, ALERTS["key"])]
    processes[0].alert("token")  # another kind
    await settled(*processes)
    assert account.sent[1:] == [(OWNER, ALERTS["token"])]


async def test_two_models_that_go_on_one_day_are_two_alerts(store: Store) -> None:
    account = Account()
    one, other = process(account, store), process(account, store)
    for alerts_of in (one, other, one):
        for model in ("kling-a", "kling-b"):
            alerts_of.alert("model_gone", model)
    await settled(one, other)
    assert sorted(said.partition(" any more")[0] for _, said in account.sent) == [
        f"Novita does not serve the model {model}" for model in ("kling-a", "kling-b")
    ]
    assert len(account.nonces) == 2


async def test_a_teams_owner_is_told(store: Store) -> None:
    account = Account(team=FOUNDER)
    one = process(account, store)
    one.alert("key")
    await settled(one)
    assert [user_id for user_id, _ in account.sent] == [FOUNDER]


async def test_the_next_day_it_is_told_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account()
    for _ in range(2):
        one = process(account, store)
        one.alert("key")
        await settled(one)
    assert len(account.sent) == 1
    await Coordination(store.database).remember("alert key", "2026-01-01 abcd")  # a day that is past
    one.alert("key")  # not so soon after the last
    monkeypatch.setattr(alerts, "AGAIN_SECONDS", 0.0)
    one.alert("key")
    await settled(one)
    assert len(account.sent) == 2


@pytest.mark.parametrize(
    ("trouble", "level"),
    [
        (refused(403, 50007), logging.WARNING),
        (refused(401, 0), logging.WARNING),
        (aiohttp.ServerDisconnectedError(), logging.WARNING),
        (ZeroDivisionError(), logging.ERROR),
    ],
    ids=repr,
)
async def test_an_alert_that_fails_is_only_logged_and_left_to_be_tried_again(
    store: Store, caplog: pytest.LogCaptureFixture, trouble: Exception, level: int
) -> None:
    account = Account()
    account.trouble.append(trouble)
    first, second = process(account, store), process(account, store)
    first.alert("token")
    await settled(first)
    assert [record.levelno for record in caplog.records if "could not be told" in record.message] == [level]
    first.alert("token")  # not at once
    await settled(first)
    assert account.sent == []
    second.alert("token")
    await settled(second)
    assert len(account.sent) == 1


async def test_a_stop_waits_for_no_alert(store: Store) -> None:
    account = Account()
    one = process(account, store)
    one.alert("key")
    await one.close()
    assert not one._tasks
