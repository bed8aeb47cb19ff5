"""Differences between two ratings of a month, for people to read."""

from typing import Any

from rich.console import Console
from rich.table import Table

SHOWN = 20


def show_difference(found: dict[str, Any]) -> None:
    """Totals, who moves from which grade to which, and the largest moves with their reasons."""
    console, totals = Console(), found["totals"]
    if totals["customers"]:
        console.print(
            f"{found['month']}: of {totals['customers']:,} customers {totals['moved']:,} move "
            f"({totals['moved_share']:.1%}; {totals['up']:,} up, {totals['down']:,} down), {totals['rescored']:,} have "
            f"another score; {totals['new']:,} are new, {totals['gone']:,} gone",
            soft_wrap=True,
        )
        _show_migration(console, found)
        _show_moves(console, found)
    else:
        console.print(f"{found['month']}: nothing is published to compare with, {totals['new']:,} customers are new")
    if stops := found.get("stops"):
        console.print(f"publishing would stop: {stops}", soft_wrap=True)


def _show_migration(console: Console, found: dict[str, Any]) -> None:
    counts = {(row["before"], row["after"]): row["customers"] for row in found["migration"]}
    grades = sorted({grade for pair in counts for grade in pair if grade}, key=lambda grade: (grade[0], -len(grade)))
    table = Table("before \\ after", *grades, "gone", title="Customers by grade")
    for before in [*grades, None]:
        row = [counts.get((before, after), 0) for after in [*grades, None]]
        if any(row):
            table.add_row(before or "new", *(f"{count:,}" if count else "" for count in row))
    console.print(table)


def _show_moves(console: Console, found: dict[str, Any]) -> None:
    moves = found["moves"][:SHOWN]
    if not moves:
        return
    table = Table("customer", "segment", "grade", "score", "because", "reasons", "indices", title="Largest moves")
    for move in moves:
        table.add_row(
            move["customer_id"],
            move["segment"],
            _change(move["grade_before"], move["grade_after"]),
            _change(_points(move["score_before"]), _points(move["score_after"])),
            _change(move["because_before"], move["because_after"]),
            _change(move["reasons_before"], move["reasons_after"]),
            " ".join(move.get("indices", [])),
        )
    if not any(move.get("indices") for move in moves):
        table.columns.pop()
    console.print(table)


def _points(score: float | None) -> str | None:
    return None if score is None else f"{score:.1f}"


def _change(before: str | None, after: str | None) -> str:
    return after or "" if before == after else f"{before or '-'} > {after or '-'}"
