"""What the warehouse knows of indices follows the policy: a new one needs no migration."""

import re
from collections.abc import Iterable

from sqlalchemy import text

from pipeline.errors import ConfigError
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction

_DEFINED = ("code", "meaning", "reason_en", "reason_zh", "direction", "unit")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,57}")  # and _band must fit in PostgreSQL's 63 characters


def ensure_index_columns(settings: Settings, names: Iterable[str]) -> list[str]:
    """Add the columns of indices that rating.credit_indices lacks, value and band; returns the names added.

    A name that cannot be a column is a ConfigError. The table is locked only when something is missing.
    """
    names = sorted(set(names))
    if unfit := [name for name in names if not _NAME.fullmatch(name)]:
        raise ConfigError(f"indices: {unfit[0]!r} cannot be a column: write it in lower case with underscores")
    with transaction(settings) as connection:
        present = set(connection.execute(
            text(
                "select column_name from information_schema.columns "
                "where table_schema = 'rating' and table_name = 'credit_indices'"
            )
        ).scalars())  # fmt: skip
        missing = [name for name in names if not {name, f"{name}_band"} <= present]
        for name in missing:
            connection.execute(
                text(
                    f'alter table rating.credit_indices add column if not exists "{name}" double precision, '
                    f'add column if not exists "{name}_band" text'
                )
            )
    return missing


def define_indices(settings: Settings, policy: Policy) -> None:
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
        for name, index in sorted(policy.indices.items())
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
