"""What the warehouse knows of indices follows the policy: a new one needs no migration."""

import re
from collections.abc import Mapping

from sqlalchemy import Column, Double, MetaData, Table, Text, inspect, text
from sqlalchemy.schema import SetColumnComment

from pipeline.errors import ConfigError
from pipeline.policy.indices import Index
from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction

_DEFINED = ("code", "meaning", "reason_en", "reason_zh", "direction", "unit")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,57}")  # and _band must fit in PostgreSQL's 63 characters


def ensure_index_columns(settings: Settings, indices: Mapping[str, Index]) -> list[str]:
    """Add the columns of indices that rating.credit_indices lacks, value and band; returns the names added.

    Every column's comment is made what the policy says. A name that cannot be a column is a ConfigError. The table is
    locked only when something is missing.
    """
    if unfit := sorted(name for name in indices if not _NAME.fullmatch(name)):
        raise ConfigError(f"indices: {unfit[0]!r} cannot be a column: write it in lower case with underscores")
    wanted = Table("credit_indices", MetaData(), *_columns(indices), schema="rating")
    with transaction(settings) as connection:
        present = {
            column["name"]: column["comment"]
            for column in inspect(connection).get_columns("credit_indices", schema="rating")
        }
        missing = sorted(name for name in indices if not {name, f"{name}_band"} <= present.keys())
        for name in missing:
            connection.execute(
                text(
                    f'alter table rating.credit_indices add column if not exists "{name}" double precision, '
                    f'add column if not exists "{name}_band" text'
                )
            )
        for column in wanted.columns:
            if present.get(column.name) != column.comment:
                connection.execute(SetColumnComment(column))
    return missing


def define_indices(settings: Settings, indices: Mapping[str, Index]) -> None:
    """Bring rating.index_definitions up to the policy; an index that has left it keeps its row, for its months."""
    rows = [
        {
            "index_name": name,
            "code": index.code,
            "meaning": index.meaning,
            "reason_en": index.reason and index.reason.en,
            "reason_zh": index.reason and index.reason.zh,
            "direction": index.direction,
            "unit": index.unit,
        }
        for name, index in sorted(indices.items())
    ]
    names = ("index_name", *_DEFINED)
    with transaction(settings) as connection:
        connection.execute(
            text(
                f"insert into rating.index_definitions as d ({', '.join(names)}) "
                f"values ({', '.join(f':{name}' for name in names)}) on conflict (index_name) do update "
                f"set {', '.join(f'{name} = excluded.{name}' for name in _DEFINED)} "
                f"where ({', '.join(f'd.{name}' for name in _DEFINED)}) "
                f"is distinct from ({', '.join(f'excluded.{name}' for name in _DEFINED)})"
            ),
            rows,
        )


def _columns(indices: Mapping[str, Index]) -> list[Column]:
    columns = []
    for name, index in indices.items():
        window = f", {index.window_months} months" if index.window_months else ""
        order = "A low to D high" if index.direction == "none" else "A best to D"
        columns += [
            Column(name, Double, comment=f"{index.code}: {index.meaning}; {index.unit}{window}."),
            Column(f"{name}_band", Text, comment=f"Band of {name}, {order}."),
        ]
    return columns
