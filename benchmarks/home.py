"""Where a benchmark works: a folder of its own, whose source it fills and whose lake and warehouse it empties."""

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BYTES_PER_CUSTOMER_AND_MONTH, BYTES_AT_LEAST = 800, 300_000_000
"""Room for source, lake, warehouse, PostgreSQL's log and the floors' own files. With 20,000 customers and 17 months the
first three took 520 bytes for each customer and month."""

# Apart from the demo's, unless set otherwise, and never anybody's own databases; the steps' processes inherit it.
os.environ.setdefault("GRIDGRADE_HOME", str(ROOT / ".gridgrade" / "benchmark"))
for own in ("GRIDGRADE_SOURCE_URL", "GRIDGRADE_WAREHOUSE_URL", "GRIDGRADE_LAKE", "GRIDGRADE_SECRETS"):
    os.environ.pop(own, None)


def home() -> Path:
    """Of the benchmark, and while a size is measured of that size."""
    return Path(os.environ["GRIDGRADE_HOME"]).absolute()


def require_space(sizes: list[int], months: int) -> None:
    """A benchmark that fills the disk measures nothing, and may hurt others."""
    held = sum(path.stat().st_size for path in home().rglob("*") if path.is_file() and not path.is_symlink())
    needed = sum(BYTES_AT_LEAST + size * months * BYTES_PER_CUSTOMER_AND_MONTH for size in sizes) - held
    there = next(folder for folder in (home(), *home().parents) if folder.exists())
    if needed > (free := shutil.disk_usage(there).free):
        sys.exit(
            f"{' and '.join(f'{size:,}' for size in sizes)} customers over {months} months need some "
            f"{needed / 1e9:,.0f} GB more under {home()}, and {free / 1e9:,.0f} GB are free: take fewer "
            '(ARGS="--customers 250000"), or set GRIDGRADE_HOME to a folder on a larger disk'
        )


def refuse_other_homes(folder: Path) -> None:
    """A benchmark empties its home: it has to be new, or one that a benchmark made."""
    note = folder / "source.json"
    if not folder.exists():
        folder.mkdir(parents=True)
        note.write_text("{}", encoding="utf-8")
    if not note.is_file():
        sys.exit(f"{folder} was not made by a benchmark, which empties it: set GRIDGRADE_HOME to another folder")


def filled_source(settings: Any, customers: int, months: int) -> dict:
    """The source of this size, made anew unless an earlier run left it; seconds it took and rows by table."""
    from pipeline.sample import fill_source

    note, size = settings.home / "source.json", {"customers": customers, "months": months}
    made = json.loads(note.read_text())
    if size.items() <= made.items():
        print(f"using the source in {settings.home}", flush=True)
        return made
    note.write_text("{}", encoding="utf-8")
    started = time.perf_counter()
    rows = fill_source(settings, customers, months, progress=lambda month, *_: print(f"made {month}", flush=True))
    made = size | {"seconds": round(time.perf_counter() - started, 1), "rows": rows}
    note.write_text(json.dumps(made), encoding="utf-8")
    return made


def empty_lake_and_warehouse(settings: Any) -> None:
    from sqlalchemy import text

    from pipeline.warehouse.connection import transaction
    from pipeline.warehouse.migrations import migrate

    for folder in (settings.lake_path, settings.data_docs_path):
        shutil.rmtree(folder, ignore_errors=True)
    with transaction(settings) as connection:
        connection.execute(text("drop schema if exists rating, ops, report, floor cascade"))
    migrate(settings)
