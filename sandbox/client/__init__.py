"""A client of the sandbox: start it, be a person in its Discord, arrange faults, and look at what happened.

    async with sandbox.client.start() as sandbox:
        mia = sandbox.person("mia")
        run = await mia.run("animate", "stills", {"prompt": "waves"}, files={"image": "still.png"})
        await run.wait_acknowledged()
        message = await mia.wait_for_message("stills", lambda m: m.interaction_id == run.id)

Nothing here polls: waiting is done on the sandbox's live events. A wait that is too long ends in a
TimeoutError that says what was waited for.
"""

from __future__ import annotations

from sandbox.client.connection import FileLike, Json, Refused
from sandbox.client.people import Interaction, Person
from sandbox.client.sandbox import Sandbox, start
from sandbox.client.seen import Attachment, Channel, Message

__all__ = [
    "Attachment",
    "Channel",
    "FileLike",
    "Interaction",
    "Json",
    "Message",
    "Person",
    "Refused",
    "Sandbox",
    "start",
]
