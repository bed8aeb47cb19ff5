"""Account managers, what customers were told of outages, the money of a month, and levels of service."""

from alembic import op

from pipeline.settings import SQL
from pipeline.warehouse.migrations import run_file

revision = "0007_measures"
down_revision = "0006_outbox"


def upgrade() -> None:
    run_file(op.get_bind(), SQL / "warehouse" / f"{revision}.sql")
