"""The jobs table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(25), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("run", sa.String(40), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("asker_id", sa.BigInteger, nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("channel_id", sa.BigInteger, nullable=False),
        sa.Column("wants_thread", sa.Boolean, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("negative_prompt", sa.Text, nullable=False),
        sa.Column("cfg_scale", sa.Double, nullable=False),
        sa.Column("duration", sa.Integer, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("still_done", sa.Text, nullable=False),
        sa.Column("token", sa.Text),
        sa.Column("source_url", sa.Text),
        sa.Column("card_id", sa.BigInteger),
        sa.Column("target_id", sa.BigInteger),
        sa.Column("submitted_at", sa.Double),
        sa.Column("task_id", sa.Text),
        sa.Column("video_url", sa.Text),
        sa.Column("video_expires_at", sa.Double),
        sa.Column("video_message_id", sa.BigInteger),
        sa.Column("how", sa.String(16), nullable=False),
        sa.Column("parent_id", sa.BigInteger),
        sa.Column("upload_limit", sa.BigInteger, nullable=False),
        sa.Column("detour", sa.String(32), nullable=False),
        sa.Column("origin_channel_id", sa.BigInteger),
        sa.Column("origin_card_id", sa.BigInteger),
        sa.Column("again_as", sa.String(25), nullable=False),
        sa.Column("check_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("problem", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("cost", sa.String(16), nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
    )
    op.create_index("jobs_open", "jobs", ["told", "created_at"])
    op.create_index("jobs_asker", "jobs", ["asker_id", "created_at"])
