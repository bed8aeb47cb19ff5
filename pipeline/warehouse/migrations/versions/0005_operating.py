"""Grade rules, revisions and what they were made from."""

from alembic import op

from pipeline.settings import SQL
from pipeline.warehouse.migrations import run_file

revision = "0005_operating"
down_revision = "0004_model_life"


def upgrade() -> None:
    run_file(op.get_bind(), SQL / "warehouse" / f"{revision}.sql")
