"""How Alembic runs: on the connection and in the transaction that ``migrate`` gives it."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="migrations",
    version_table_schema="ops",
)
context.run_migrations()
