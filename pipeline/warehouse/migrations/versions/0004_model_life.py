"""Promotions, gates, monitoring and shadow grades of the models."""

from alembic import op

from pipeline.settings import SQL
from pipeline.warehouse.migrations import run_file

revision = "0004_model_life"
down_revision = "0003_explanations"


def upgrade() -> None:
    run_file(op.get_bind(), SQL / "warehouse" / f"{revision}.sql")
