"""The whole road once, held against Discord's own OpenAPI document, request by request."""

from __future__ import annotations

import pytest

from sandbox.client import Person, Sandbox
from tests.e2e.conftest import OPENAPI
from tests.support.kinora import Kinora
from tests.support.steps import animate, card_says, video_in


async def test_the_wire_is_held_against_discords_own_document(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    if not OPENAPI.is_file():
        pytest.skip(
            f"Discord's OpenAPI document is not at {OPENAPI.name}: set KINORA_OPENAPI to check the wire"
        )
    card = await animate(mia, "stills")
    await video_in(mia, card.id)
    await card_says(mia, card, "Done")
    seen = await sandbox.wire(side="discord")
    assert len(seen) >= 8
    assert [problem for exchange in seen for problem in exchange["problems"]] == []
    # The checker is awake: a request that the document does not know is a problem.
    async with sandbox._http.get(f"{sandbox.environment['discord_api_url']}/no/such/route") as answer:
        assert answer.status >= 400
    (stray,) = [e for e in await sandbox.wire(side="discord") if e["path"].endswith("/no/such/route")]
    assert stray["problems"]
    await sandbox.reset()
