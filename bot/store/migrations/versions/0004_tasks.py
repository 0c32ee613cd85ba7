"""Whose each of Novita's tasks is. Where two jobs of the past have one, it is the first one's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("task_id", sa.Text, primary_key=True),
        sa.Column("job_id", sa.String(25), nullable=False),
    )
    op.execute(
        "INSERT INTO tasks (task_id, job_id) SELECT task_id, MIN(id) FROM jobs "
        "WHERE task_id IS NOT NULL GROUP BY task_id ON CONFLICT DO NOTHING"
    )
