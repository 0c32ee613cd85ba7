"""A form that is sent off always ends in a visible answer, also when the bot was restarted meanwhile."""

from __future__ import annotations

from sandbox.client import Person, Sandbox
from tests.support.kinora import ON_SQLITE, NewKinora

pytestmark = ON_SQLITE  # none of this depends on where jobs are kept


async def test_a_form_is_answered_also_after_a_restart(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person
) -> None:
    kinora = await new_kinora().start(module="tests.support.with_form")
    for restarts, says in ((False, "You said boat."), (True, "restarted after this form was opened")):
        opened = await mia.run("form", "Lounge")
        await opened.wait_modal()
        if restarts:
            await kinora.kill()
            await kinora.start(module="tests.support.with_form")
        answer = await (await opened.submit({"word": "boat"})).wait_response()
        assert answer.ephemeral
        assert says in answer.text
        assert "Nothing was charged" not in answer.text
