"""Missing indices, definitions of indices, the terms of models and what a shock does to the ratings."""

from alembic import op

from pipeline.settings import SQL
from pipeline.warehouse.migrations import run_file

revision = "0003_explanations"
down_revision = "0002_customer_groups"


def upgrade() -> None:
    run_file(op.get_bind(), SQL / "warehouse" / f"{revision}.sql")
