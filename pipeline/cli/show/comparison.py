"""Differences between two ratings of a month, for people to read."""

from typing import Any

from pipeline.cli.console import print_table, say

SHOWN = 20


def show_difference(found: dict[str, Any]) -> None:
    """Totals, who moves from which grade to which, and the largest moves with their reasons."""
    totals = found["totals"]
    if totals["customers"]:
        say(
            f"{found['month']}: of {totals['customers']:,} customers {totals['moved']:,} move "
            f"({totals['moved_share']:.1%}; {totals['up']:,} up, {totals['down']:,} down), {totals['rescored']:,} have "
            f"another score; {totals['new']:,} are new, {totals['gone']:,} gone"
        )
        _show_migration(found)
        _show_moves(found)
    else:
        say(f"{found['month']}: nothing is published to compare with, {totals['new']:,} customers are new")
    if stops := found.get("stops"):
        say(f"publishing would stop: {stops}")


def _show_migration(found: dict[str, Any]) -> None:
    counts = {(row["before"], row["after"]): row["customers"] for row in found["migration"]}
    grades = sorted({grade for pair in counts for grade in pair if grade}, key=lambda grade: (grade[0], -len(grade)))
    rows = []
    for before in [*grades, None]:
        row = [counts.get((before, after)) for after in [*grades, None]]
        if any(row):
            rows.append((before or "new", *row))
    print_table(("before \\ after", *grades, "gone"), rows, title="Customers by grade")


def _show_moves(found: dict[str, Any]) -> None:
    moves = found["moves"][:SHOWN]
    if not moves:
        return
    headings = ("customer", "segment", "grade", "score", "because", "reasons", "indices")
    rows = [
        (
            move["customer_id"],
            move["segment"],
            _change(move["grade_before"], move["grade_after"]),
            _change(_points(move["score_before"]), _points(move["score_after"])),
            _change(move["because_before"], move["because_after"]),
            _change(move["reasons_before"], move["reasons_after"]),
            " ".join(move.get("indices", [])),
        )
        for move in moves
    ]
    width = len(headings) if any(row[-1] for row in rows) else len(headings) - 1
    print_table(headings[:width], [row[:width] for row in rows], title="Largest moves")


def _points(score: float | None) -> str | None:
    return None if score is None else f"{score:.1f}"


def _change(before: str | None, after: str | None) -> str:
    return after or "" if before == after else f"{before or '-'} > {after or '-'}"
