"""Turns to render, shared by every process; and what the processes tell each other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("queued_at", sa.Double))
    op.add_column("jobs", sa.Column("turn_at", sa.Double))
    op.add_column("jobs", sa.Column("turn_round", sa.Integer))
    op.add_column("jobs", sa.Column("turn_lap", sa.Integer))
    op.create_index("jobs_state", "jobs", ["state"])
    op.create_index("jobs_turn", "jobs", ["turn_at"])
    op.create_index("jobs_check", "jobs", ["check_at"])
    op.create_table(
        "shared",
        sa.Column("key", sa.String(100), primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
