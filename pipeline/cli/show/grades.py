"""The first grades of a month, for people to read."""

from pathlib import Path

from pipeline.cli.console import console, print_table, writing
from pipeline.month import RatingMonth
from pipeline.publishing.export_grades import first_grades
from pipeline.settings import Settings

SHOWN_ROWS = 20
_HEADINGS = ("customer", "segment", "grade", "score", "default", "before", "basis", "reasons")


def show_grades(settings: Settings, month: RatingMonth, out: Path | None, *, revision: int | None) -> None:
    """A table of the first customers by id, on standard output or in a file."""
    found, published = first_grades(settings, month, SHOWN_ROWS, revision=revision)
    rows = []
    for row in found:
        reasons = [row[f"reason_{position}"] for position in range(1, 5)]
        rows.append(
            (
                row["customer_id"],
                row["segment"],
                row["grade"],
                f"{row['score']:.0f}",
                f"{row['default_probability']:.2%}",
                row["previous_grade"],
                row["grade_rule"] or row["rating_basis"],
                " ".join(reason for reason in reasons if reason),
            )
        )
    caption = f"{len(rows)} of {published:,} customers; --out F.csv gives all" if published > len(rows) else None
    if out is None:
        print_table(_HEADINGS, rows, title=str(month), caption=caption)
        return
    with writing(out) as file:
        print_table(_HEADINGS, rows, title=str(month), caption=caption, to=console(file=file))
