"""The tables, as the statements of the ledger see them; `migrations` makes them."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
jobs = sa.Table(
    "jobs",
    metadata,
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
    sa.Column("queued_at", sa.Double),
    sa.Column("turn_at", sa.Double),
    sa.Column("turn_round", sa.Integer),
    sa.Column("turn_lap", sa.Integer),
)
sa.Index("jobs_open", jobs.c.told, jobs.c.created_at)
sa.Index("jobs_asker", jobs.c.asker_id, jobs.c.created_at)
sa.Index("jobs_state", jobs.c.state)
sa.Index("jobs_turn", jobs.c.turn_at)
sa.Index("jobs_check", jobs.c.check_at)

# What the processes tell each other, by key.
shared = sa.Table(
    "shared",
    metadata,
    sa.Column("key", sa.String(100), primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
# Procrastinate's own table, as far as the ledger looks at it.
queue = sa.table(
    "procrastinate_jobs", sa.column("id"), sa.column("worker_id"), sa.column("status"), sa.column("args")
)
