"""The outbox sends: channels, attempts, people's decisions and a record of every change; rebates keep to budgets."""

from alembic import op

from pipeline.settings import SQL
from pipeline.warehouse.migrations import run_file

revision = "0006_outbox"
down_revision = "0005_operating"


def upgrade() -> None:
    run_file(op.get_bind(), SQL / "warehouse" / f"{revision}.sql")
