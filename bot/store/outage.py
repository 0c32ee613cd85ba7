"""What a database says that is unwell, and whether it is worth waiting for."""

from __future__ import annotations

import re

import sqlalchemy as sa

UNWELL = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError)
"""What SQLAlchemy raises when the database is away, full, locked, shutting down, or gave a sleeper up."""
MENDS_ITSELF = ("08", "53", "57")
"""The classes of PostgreSQL's codes for a connection lost, too many of them, and a server going or coming."""
STARTING = re.compile(
    r"starting up|shutting down|recovery|too many (clients|connections)|remaining connection"
)


def is_away(error: sa.exc.SQLAlchemyError) -> bool:
    """Return whether a server is only away, or refuses: a wrong password does not mend itself.

    A refused connection has no code, and its text is all there is: FATAL is said by a server that is there.
    """
    if not isinstance(error, UNWELL):
        return False
    original = getattr(error, "orig", None) or error
    if code := getattr(original, "sqlstate", None):
        return str(code).startswith(MENDS_ITSELF)
    return "FATAL" not in str(original) or STARTING.search(str(original)) is not None


def said(error: BaseException) -> str:
    """Return a database's own words, in one line, without the statement and its values."""
    original = getattr(error, "orig", None) or error
    return " ".join(str(original).split())[:200] or type(error).__name__
