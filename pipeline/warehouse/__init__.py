"""The warehouse: PostgreSQL with the published ratings, the model registry and the outbox.

connection       transactions, and the errors of a warehouse that cannot be reached
migrations       tables (sql/warehouse/migrations) and views (sql/warehouse/reports)
locks            one run of a month at a time
monthly_tables   the tables of a revision, with their columns
revisions        a revision staged, sealed and swapped in
audit            checks of a staged revision
publications     which revision of which month readers see
carry_over       what a month carries over, and which months are stale
model_registry   model versions: registered, promoted, in force for a month
overrides        grades set by hand
statements       the texts of sql/warehouse
reader           the warehouse for readers alone
tables/          one module for each other table that steps write
"""
