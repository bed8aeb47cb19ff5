"""The billing system's side: its contract, how it is read, and how a source database is filled.

contract.py   sql/contract/*.sql as tables, columns, keys, checks and references
read/         the extract queries as streams of Arrow batches
profile.py    what the billing system holds, summed up in it
write.py      replaces the tables of a source database, in one go
load.py       a folder of Parquet or CSV files into a source database
"""

from pipeline.source.contract import (
    Between,
    Check,
    Column,
    Expression,
    FirstOfMonth,
    InSet,
    NotBefore,
    Reference,
    SourceTable,
    contract,
    table,
)

__all__ = [
    "Between",
    "Check",
    "Column",
    "Expression",
    "FirstOfMonth",
    "InSet",
    "NotBefore",
    "Reference",
    "SourceTable",
    "contract",
    "table",
]
