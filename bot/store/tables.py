"""The tables, as the statements of the store see them; `migrations` makes them.

Columns are data in the wild and keep the names they were made with; where those say less than the code's own
name, the column has that as its `key`.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(25), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("run", sa.String(40), key="fencing_token", nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("asker_id", sa.BigInteger, key="requester_id", nullable=False),
    sa.Column("guild_id", sa.BigInteger),
    sa.Column("channel_id", sa.BigInteger, nullable=False),
    sa.Column("wants_thread", sa.Boolean, nullable=False),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("negative_prompt", sa.Text, nullable=False),
    sa.Column("cfg_scale", sa.Double, nullable=False),
    sa.Column("duration", sa.Integer, nullable=False),
    sa.Column("price", sa.BigInteger, nullable=False),
    sa.Column("still_done", sa.Text, key="source_image", nullable=False),
    sa.Column("token", sa.Text, key="reply_token"),
    sa.Column("source_url", sa.Text),
    sa.Column("card_id", sa.BigInteger),
    sa.Column("target_id", sa.BigInteger),
    sa.Column("submitted_at", sa.Double),
    sa.Column("task_id", sa.Text),
    sa.Column("video_url", sa.Text),
    sa.Column("video_expires_at", sa.Double),
    sa.Column("video_message_id", sa.BigInteger),
    sa.Column("how", sa.String(16), key="delivery_method", nullable=False),
    sa.Column("parent_id", sa.BigInteger, key="parent_channel_id"),
    sa.Column("upload_limit", sa.BigInteger, nullable=False),
    sa.Column("detour", sa.String(32), key="fallback_reason", nullable=False),
    sa.Column("origin_channel_id", sa.BigInteger, key="source_channel_id"),
    sa.Column("origin_card_id", sa.BigInteger, key="source_message_id"),
    sa.Column("again_as", sa.String(25), nullable=False),
    sa.Column("check_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    sa.Column("problem", sa.String(32), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("cost", sa.String(16), key="charge", nullable=False),
    sa.Column("told", sa.Boolean, key="notified", nullable=False),
    sa.Column("queued_at", sa.Double),
    sa.Column("turn_at", sa.Double),
    sa.Column("turn_round", sa.Integer),
    sa.Column("turn_lap", sa.Integer),
    sa.Column("batch_id", sa.String(25)),
    sa.Column("ordinal", sa.Integer, nullable=False, server_default="0"),
    sa.Column("wallet_id", sa.String(25), nullable=False, server_default="operator"),
    sa.Column("locale", sa.String(16), nullable=False, server_default=""),
    sa.Column("guild_locale", sa.String(16), nullable=False, server_default=""),
    sa.Column("roles", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("accepted_at", sa.Double),
    sa.Column("options", sa.JSON, nullable=False, server_default="{}"),
)
sa.Index("jobs_open", jobs.c.notified, jobs.c.created_at)
sa.Index("jobs_asker", jobs.c.requester_id, jobs.c.created_at)
sa.Index("jobs_state", jobs.c.state)
sa.Index("jobs_turn", jobs.c.turn_at)
sa.Index("jobs_check", jobs.c.check_at)
sa.Index("jobs_batch", jobs.c.batch_id)

# Commands, presses and modals, so that each is acted on once, and one that was only acknowledged is known.
interactions = sa.Table(
    "interactions",
    metadata,
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
sa.Index("interactions_seen", interactions.c.seen_at)

# Whose each of Novita's tasks is: none is ever two jobs'.
tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("task_id", sa.Text, primary_key=True),
    sa.Column("job_id", sa.String(25), nullable=False),
)

# Every message that shows a job or a batch: its card, its video, and what comes.
publications = sa.Table(
    "publications",
    metadata,
    sa.Column("channel_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("message_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("job_id", sa.String(25)),
    sa.Column("batch_id", sa.String(25)),
    sa.Column("posted_at", sa.Double, nullable=False),
)
sa.Index("publications_job", publications.c.job_id)
sa.Index("publications_batch", publications.c.batch_id)

# Many jobs with one card, one price and one approval.
batches = sa.Table(
    "batches",
    metadata,
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

# What a job was made from, in order: the take before, the video it extends, the videos it joins.
job_parents = sa.Table(
    "job_parents",
    metadata,
    sa.Column("job_id", sa.String(25), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("parent_id", sa.String(25), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
)
sa.Index("job_parents_parent", job_parents.c.parent_id)

# What controls stand for that have no job yet.
drafts = sa.Table(
    "drafts",
    metadata,
    sa.Column("id", sa.String(25), primary_key=True),
    sa.Column("requester_id", sa.BigInteger, nullable=False),
    sa.Column("channel_id", sa.BigInteger, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("images", sa.JSON, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
)
sa.Index("drafts_expiry", drafts.c.expires_at)

# What the processes tell each other, by key.
shared = sa.Table(
    "shared",
    metadata,
    sa.Column("key", sa.String(100), primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
# Procrastinate's own table, as far as the store looks at it.
queue = sa.table(
    "procrastinate_jobs",
    sa.column("id"),
    sa.column("worker_id"),
    sa.column("status"),
    sa.column("args"),
    sa.column("scheduled_at"),
)
