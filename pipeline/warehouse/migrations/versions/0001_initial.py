"""Schemas and tables of a fresh warehouse. There is no way back but a backup."""

from alembic import op

from pipeline.settings import SQL
from pipeline.warehouse.migrations import run_file

revision = "0001_initial"
down_revision = None


def upgrade() -> None:
    run_file(op.get_bind(), SQL / "warehouse" / f"{revision}.sql")
