"""How Novita words the errors that a fault asks for."""

from __future__ import annotations

from aiohttp import web

from sandbox.faults import Fault
from sandbox.novita.errors import response_for


def answer(fault: Fault) -> web.Response:
    """Return the fault's error or rate limit as Novita's JSON."""
    if fault.kind != "rate_limit":
        return response_for(fault.status, fault.reason, fault.message)
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    return response_for(429, fault.reason, fault.message, headers)
