"""Interactions, publications, batches, parents and drafts; whose languages, roles and money a job is of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # An older version beside this one writes rows without these columns: each has a default.
    op.add_column("jobs", sa.Column("batch_id", sa.String(25)))
    op.add_column("jobs", sa.Column("ordinal", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("wallet_id", sa.String(25), nullable=False, server_default="operator"))
    op.add_column("jobs", sa.Column("locale", sa.String(16), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("guild_locale", sa.String(16), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("roles", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("jobs", sa.Column("accepted_at", sa.Double))
    op.add_column("jobs", sa.Column("options", sa.JSON, nullable=False, server_default="{}"))
    op.create_index("jobs_batch", "jobs", ["batch_id"])
    op.create_table(
        "interactions",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("requester_id", sa.BigInteger, nullable=False),
        sa.Column("channel_id", sa.BigInteger),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("job_id", sa.String(25)),
        sa.Column("batch_id", sa.String(25)),
    )
    op.create_index("interactions_seen", "interactions", ["seen_at"])
    op.create_table(
        "publications",
        sa.Column("channel_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("message_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("job_id", sa.String(25)),
        sa.Column("batch_id", sa.String(25)),
        sa.Column("posted_at", sa.Double, nullable=False),
    )
    op.create_index("publications_job", "publications", ["job_id"])
    op.create_index("publications_batch", "publications", ["batch_id"])
    for kind, channel, message, at in (
        ("card", "channel_id", "card_id", "created_at"),
        ("video", "target_id", "video_message_id", "ended_at"),
    ):
        op.execute(
            "INSERT INTO publications (channel_id, message_id, kind, job_id, posted_at) "  # noqa: S608
            f"SELECT {channel}, {message}, '{kind}', id, {at} FROM jobs "
            f"WHERE {message} IS NOT NULL AND {channel} IS NOT NULL AND {at} IS NOT NULL "
            "ON CONFLICT DO NOTHING"
        )
    op.create_table(
        "batches",
        sa.Column("id", sa.String(25), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("requester_id", sa.BigInteger, nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("channel_id", sa.BigInteger, nullable=False),
        sa.Column("wallet_id", sa.String(25), nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("guild_locale", sa.String(16), nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
    )
    op.create_table(
        "job_parents",
        sa.Column("job_id", sa.String(25), primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("parent_id", sa.String(25), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
    )
    op.create_index("job_parents_parent", "job_parents", ["parent_id"])
    op.create_table(
        "drafts",
        sa.Column("id", sa.String(25), primary_key=True),
        sa.Column("requester_id", sa.BigInteger, nullable=False),
        sa.Column("channel_id", sa.BigInteger, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("images", sa.JSON, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("drafts_expiry", "drafts", ["expires_at"])
