"""Whatever Discord's OpenAPI document allows, and much that it does not, gets an answer: never a 500."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sandbox import client
from sandbox.client import Sandbox
from sandbox.discord import Discord
from sandbox.faults import Faults
from sandbox.journal import Journal
from tests.clients.conftest import OPENAPI
from tests.clients.programs import Json, python_of_the_clients
from tests.sandbox.conftest import GatewayClient

pytestmark = pytest.mark.clients

SEED = "1"
# Everything else would have nothing left to act upon.
DESTROYS = {"delete_channel"}
# Messages and commands are too manifold to go through case by case: some of what is possible is drawn.
DRAWN = re.compile("^(bulk_set|create|execute|update)_")
CASES_DRAWN = "5"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox that checks nothing against the document: what is thrown at it is wrong on purpose."""
    async with client.start("--data", str(tmp_path / "data")) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def document() -> Json:
    if not OPENAPI.is_file():
        pytest.skip(f"Discord's OpenAPI document is not at {OPENAPI.name} (KINORA_OPENAPI names it)")
    parsed: Json = json.loads(OPENAPI.read_bytes())
    return parsed


def implemented(document: Json, folder: Path) -> set[str]:
    """Return the document's operations that the stand-in has a route for."""
    journal = Journal()
    app = Discord(token="", data_dir=folder, journal=journal, faults=Faults()).app()
    routes = {
        (route.method, nameless(route.resource.canonical.removeprefix("/api/v10")))
        for route in app.router.routes()
        if route.resource is not None
    }
    return {
        operation["operationId"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if (method.upper(), nameless(path)) in routes
    }


def nameless(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)


async def furnish(sandbox: Sandbox) -> dict[str, str]:
    """Make one of everything; its ids, so that what is thrown goes beyond "unknown"."""
    await sandbox.discord.settings(rate_limits=False)
    state = await sandbox.discord.state()
    [guild] = state["guilds"]
    channels = {channel["name"]: channel["id"] for channel in guild["channels"]}
    application: str = state["application_id"]
    api, token = sandbox.environment["discord_api_url"], sandbox.environment["discord_token"]
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bot {token}"}, raise_for_status=True
    ) as session:

        async def make(path: str, **body: object) -> str:
            async with session.post(api + path, json=body) as answer:
                return str((await answer.json())["id"])

        message = await make(f"/channels/{channels['stills']}/messages", content="A boat")
        command = await make(f"/applications/{application}/commands", name="boat", description="A boat")
        interaction = await acknowledged(sandbox, session, "boat")
    return {
        "channel_id": channels["stills"],
        "message_id": message,
        "command_id": command,
        "guild_id": guild["id"],
        "application_id": application,
        "webhook_id": application,
        "webhook_token": interaction["token"],
        "interaction_id": interaction["id"],
        "interaction_token": interaction["token"],
        "user_id": guild["members"][0]["user"]["id"],
    }


async def acknowledged(sandbox: Sandbox, session: aiohttp.ClientSession, command: str) -> Json:
    """Let a person run a command, and answer it as a bot does; what the gateway brought."""
    api = sandbox.environment["discord_api_url"]
    async with session.get(f"{api}/gateway") as answer:
        url = (await answer.json())["url"]
    async with session.ws_connect(f"{url}?v=10&encoding=json") as socket:
        gateway = GatewayClient(socket, None)
        await gateway.identify(sandbox.environment["discord_token"])
        await sandbox.person("mia").run(command, "stills")
        interaction = await gateway.until("INTERACTION_CREATE")
    callback = f"{api}/interactions/{interaction['id']}/{interaction['token']}/callback"
    async with session.post(callback, json={"type": 4, "data": {"content": "A boat"}}):
        return interaction


@pytest.mark.timeout(240)
@pytest.mark.parametrize("phase", ["coverage", "fuzzing"])
async def test_nothing_allowed_or_not_is_a_server_error(
    sandbox: Sandbox, document: Json, tmp_path: Path, phase: str
) -> None:
    python = python_of_the_clients("schemathesis")
    chosen = {
        name
        for name in implemented(document, tmp_path / "discord") - DESTROYS
        if bool(DRAWN.match(name)) == (phase == "fuzzing")
    }
    assert len(chosen) > 10
    ids = await furnish(sandbox)
    config = tmp_path / "schemathesis.toml"
    config.write_text(
        "[parameters]\n" + "".join(f'"path.{name}" = {json.dumps(value)}\n' for name, value in ids.items())
    )
    started = (await sandbox.wire())[-1]["id"]
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", "schemathesis.cli", "--config-file", str(config), "run", str(OPENAPI)),
        *("--url", sandbox.environment["discord_api_url"]),
        *("--header", f"Authorization: Bot {sandbox.environment['discord_token']}"),
        *("--checks", "not_a_server_error", "--phases", phase, "--seed", SEED),
        *("--max-examples", CASES_DRAWN, "--no-shrink", "--suppress-health-check", "all"),
        *("--generation-database", "none", "--warnings", "off", "--no-color"),
        *(flag for name in sorted(chosen) for flag in ("--include-operation-id", name)),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    report = (await process.communicate())[0].decode()
    assert process.returncode == 0, report
    assert f"{len(chosen)} passed" in report, report
    thrown = await sandbox.wire(started, side="discord")
    failures = [e for e in thrown if (e["status"] or 0) >= 500 or "sandbox failed" in str(e["problems"])]
    assert failures == []
