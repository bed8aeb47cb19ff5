"""How two ratings of a month differ: who moves from which grade to which, how far, and why."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.engine import Engine
from pipeline.engine.queries import compose
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import revisions
from pipeline.warehouse.publications import Publication

_REASON_COLUMNS = tuple(f"reason_{place}" for place in range(1, 5))
COLUMNS = ("customer_id", "segment", "grade", "score", "rating_basis", "grade_rule", *_REASON_COLUMNS)
LARGEST = 20

_JOINED = """
    select
        coalesce(a.customer_id, b.customer_id) as customer_id,
        coalesce(a.segment, b.segment) as segment,
        b.grade as grade_before,
        a.grade as grade_after,
        from_rank.rank - to_rank.rank as notches,
        b.score as score_before,
        a.score as score_after,
        coalesce(b.grade_rule, b.rating_basis) as because_before,
        coalesce(a.grade_rule, a.rating_basis) as because_after,
        concat_ws(' ', b.reason_1, b.reason_2, b.reason_3, b.reason_4) as reasons_before,
        concat_ws(' ', a.reason_1, a.reason_2, a.reason_3, a.reason_4) as reasons_after
    from after as a
    full join before as b on b.customer_id = a.customer_id
    left join scale as from_rank on from_rank.grade = b.grade
    left join scale as to_rank on to_rank.grade = a.grade
"""

_TOTALS = """
    select
        count(*) filter (where grade_before is not null and grade_after is not null) as customers,
        count(*) filter (where grade_before <> grade_after) as moved,
        count(*) filter (where notches > 0) as up,
        count(*) filter (where notches < 0) as down,
        count(*) filter (where score_before <> score_after) as rescored,
        count(*) filter (where grade_before is null) as new,
        count(*) filter (where grade_after is null) as gone
    from compared
"""

_MIGRATION = """
    select
        grade_before as before,
        grade_after as after,
        count(*) as customers
    from compared
    group by grade_before, grade_after
    order by grade_before, grade_after
"""

_REASONS = """
    select
        because_after as because,
        count(*) as customers
    from compared
    where grade_before <> grade_after
    group by because_after
    order by customers desc, because
"""

_MOVES = """
    select *
    from compared
    where grade_before is distinct from grade_after or score_before is distinct from score_after
    order by abs(coalesce(notches, 0)) desc, abs(coalesce(score_after - score_before, 0)) desc, customer_id
"""


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
    [totals] = _rows(engine, _TOTALS)
    share = totals["moved"] / totals["customers"] if totals["customers"] else 0.0
    return {
        "totals": totals | {"moved_share": share},
        "migration": _rows(engine, _MIGRATION),
        "reasons": _rows(engine, _REASONS),
        "moves": _rows(engine, _MOVES if largest is None else f"{_MOVES} limit {int(largest)}"),
    }


def _rows(engine: Engine, query: str) -> list[dict[str, Any]]:
    return engine.fetch(compose(f"with compared as ({_JOINED}) {query}")).to_pylist()
