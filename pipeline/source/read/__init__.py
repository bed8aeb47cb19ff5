"""Reads the billing system through sql/extract/*.sql: as a stream of Arrow batches, with the source's own totals.

billing_system.py   an open billing system: its queries, values of them, and their rows as a stream
query_text.py       the text of an extract query, without comments, with its instants bound
missing_columns.py  the same text without the optional columns that the source has not
column_types.py     the same text with types that reach us whole
totals.py           the count and the sums of money of a query, as the source computes them
undated.py          the rows of a query that no month holds, for want of a usable recorded_at
arrow_rows.py       rows of a database as Arrow batches
"""

from pipeline.source.read.billing_system import BEGINNING, END, BillingSystem, Reading
from pipeline.source.read.query_text import ExtractQuery

__all__ = ["BEGINNING", "END", "BillingSystem", "ExtractQuery", "Reading"]
