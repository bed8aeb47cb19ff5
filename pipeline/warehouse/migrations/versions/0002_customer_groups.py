"""Customer groups are published: their profiles, and revenue by customer."""

from alembic import op

from pipeline.settings import SQL
from pipeline.warehouse.migrations import run_file

revision = "0002_customer_groups"
down_revision = "0001_initial"


def upgrade() -> None:
    run_file(op.get_bind(), SQL / "warehouse" / f"{revision}.sql")
