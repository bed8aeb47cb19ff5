"""How two ratings of a month differ: who moves from which grade to which, how far, and why."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.engine import Engine, queries
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import revisions
from pipeline.warehouse.monthly_tables import REASONS
from pipeline.warehouse.publications import Publication

_REASON_COLUMNS = tuple(f"reason_{place}" for place in range(1, REASONS + 1))
COLUMNS = ("customer_id", "segment", "grade", "score", "rating_basis", "grade_rule", *_REASON_COLUMNS)
LARGEST = 20


def bind_revision(engine: Engine, view: str, settings: Settings, published: Publication | None, folder: Path) -> None:
    """Bind a view of COLUMNS to the grades of a revision, copied into the folder; without one it is empty."""
    path = folder / f"{view}.parquet"
    schema = pa.schema([(name, pa.float64() if name == "score" else pa.string()) for name in COLUMNS])
    with pq.ParquetWriter(path, schema) as writer:
        if published is not None:
            with revisions.rows(settings, published, "credit_grades", COLUMNS) as batches:
                for batch in batches:
                    writer.write_batch(batch.cast(schema))
    engine.bind_files(view, [str(path)])


def difference(engine: Engine, policy: Policy, *, largest: int | None = LARGEST) -> dict[str, Any]:
    """From view ``before`` to view ``after`` (both with COLUMNS), JSON-safe.

    ``totals`` counts customers: in both, of these moved to another grade (up, down) or with another score; new; gone.
    ``migration`` counts them by grade before and after, None where not rated, ``reasons`` those who move by what sets
    the grade afterwards. ``moves``: the customers whose grade or score changes, those who move furthest first, at most
    ``largest`` (None: all).
    """
    ranks = range(len(policy.grades.names))
    engine.bind_table("scale", pa.table({"grade": list(policy.grades.names), "rank": pa.array(ranks, pa.int64())}))
    [totals] = _rows(engine, "moved_totals")
    share = totals["moved"] / totals["customers"] if totals["customers"] else 0.0
    return {
        "totals": totals | {"moved_share": share},
        "migration": _rows(engine, "moved_between"),
        "reasons": _rows(engine, "moved_by_reason"),
        "moves": _rows(engine, "largest_moves", largest=largest),
    }


def _rows(engine: Engine, name: str, **parameters: Any) -> list[dict[str, Any]]:
    return engine.fetch(queries.query(name), parameters).to_pylist()
