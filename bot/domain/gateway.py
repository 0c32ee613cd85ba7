"""Discord's gateway, in words: why it closes a connection for good, and how many may still be begun."""

from __future__ import annotations

from dataclasses import dataclass

RESERVE = 20
"""Session starts that a start leaves alone, for shards that are connected and must come back."""
UNKNOWN_RESET = 3600.0

# https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
CLOSE_CODES = {
    4000: "unknown error",
    4001: "unknown opcode",
    4002: "decode error",
    4003: "not authenticated",
    4004: "authentication failed",
    4005: "already authenticated",
    4007: "invalid sequence",
    4008: "rate limited",
    4009: "session timed out",
    4010: "invalid shard",
    4011: "sharding required",
    4012: "invalid API version",
    4013: "invalid intents",
    4014: "disallowed intents",
}
"""What Discord calls its close codes."""
TOKEN, SHARDS, INTENTS = (4004,), (4010, 4011), (4013, 4014)


@dataclass(frozen=True)
class SessionStarts:
    """What `GET /gateway/bot` says: shards recommended, session starts `remaining` of `total`.

    All of them may be had again in `reset_after` seconds. What the answer did not say is 0.
    """

    shards: int
    remaining: int
    total: int
    reset_after: float

    def allow(self, shards: int) -> bool:
        """Return whether a process with this many shards may connect, and leave the reserve alone."""
        return self.total == 0 or self.remaining >= shards + RESERVE


def read_session_starts(answer: object) -> SessionStarts:
    """Understand the answer of `GET /gateway/bot`, whatever came."""
    data = answer if isinstance(answer, dict) else {}
    limit = data.get("session_start_limit")
    limit = limit if isinstance(limit, dict) else {}
    remaining, total = _count(limit.get("remaining")), _count(limit.get("total"))
    after = _count(limit.get("reset_after"))
    return SessionStarts(
        _count(data.get("shards")) or 0,
        remaining or 0,
        total if total and remaining is not None else 0,
        UNKNOWN_RESET if after is None else after / 1000,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def closed_for_good(code: int, shards: str, recommended: int = 0) -> str:
    """Return the operator's sentence for a close code after which nobody may come back as before.

    `shards` is what KINORA_SHARDS says; `recommended` is Discord's number of them, if it is known.
    """
    named = f"close code {code}, {CLOSE_CODES.get(code, 'which Discord does not document')}"
    if code in TOKEN:
        return (
            f"DISCORD_TOKEN is refused by Discord's gateway ({named}): copy it again from the developer "
            "portal, page Bot, “Reset Token”."
        )
    if code in SHARDS:
        advice = "see docs/scaling.md"
        if recommended:
            advice = (
                f"Discord asks for {recommended} in all now, such as KINORA_SHARDS={_all_of(recommended)}"
            )
        return f"KINORA_SHARDS={shards} is refused by Discord's gateway ({named}): {advice}."
    if code in INTENTS:
        return (
            f"the intents are refused by Discord's gateway ({named}). Kinora asks for none that needs "
            "Discord's leave: take back what was changed in bot/client.py, or switch the intent on in the "
            "developer portal, page Bot."
        )
    return f"Discord's gateway closed the connection for good ({named})."


def _all_of(count: int) -> str:
    return f"0-{count - 1}/{count}" if count > 1 else "0/1"
