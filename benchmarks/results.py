"""What a benchmark measured: added up, compared, shown and kept."""

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

WIDTH = 110
FIGURES = ("seconds", "cpu_seconds", "peak_mb", "import_seconds")
AGAINST = (("decide_actions", "compute_indices"), ("propose_rebates", "compute_indices"))
"""Steps that are held against others."""


def together(steps: dict[str, Any], side_by_side: dict[str, float]) -> dict[str, Any]:
    """What the steps of a month take together, from ``extract`` to ``publish`` and in all.

    ``side_by_side``: seconds and CPU seconds of ``group`` with the steps beside it. ``process_seconds``: those of all
    processes, one after the other.
    """

    def peak(one: str, *beside: str) -> float:
        return steps[one]["peak_mb"] + max(steps[name]["peak_mb"] for name in beside)

    in_turn = ("extract", "validate", "compute_indices", "publish")
    alone = {name: sum(steps[step][name] for step in in_turn) + side_by_side[name] for name in side_by_side}
    at_once = max(peak("group", "model", "grade", "sensitivity"), *(steps[step]["peak_mb"] for step in in_turn))
    following = [steps[name] for name in ("monitor", "decide_actions", "propose_rebates")]
    rated = [figures for figures in steps.values() if not any(figures is other for other in following)]
    return {
        "extract_to_publish": _rounded(
            **alone, peak_mb=at_once, import_seconds=sum(figures["import_seconds"] for figures in rated)
        ),
        "whole_month": _rounded(
            **{name: alone[name] + sum(figures[name] for figures in following) for name in side_by_side},
            peak_mb=max(at_once, peak("monitor", "decide_actions", "propose_rebates")),
            import_seconds=sum(figures["import_seconds"] for figures in steps.values()),
            process_seconds=sum(figures["seconds"] for figures in steps.values()),
        ),
    }


def _rounded(**figures: float) -> dict[str, float]:
    return {name: round(value, 2) for name, value in figures.items()}


def summary(months: list[dict[str, Any]], pandas: dict[str, Any]) -> dict[str, Any]:
    """Medians of the months after the first, and what they are held against."""
    first = months[0]
    steps = {name: _medians([month["steps"][name] for month in months]) for name in first["steps"]}
    return {
        "steps": steps,
        **{name: _medians([month[name] for month in months]) for name in ("extract_to_publish", "whole_month")},
        "floors": {
            name: {
                "floor": _medians([month["floors"][name]["floor"] for month in months]),
                **{
                    f"ours_over_floor_{figure}": round(
                        median(
                            month["floors"][name]["ours"][figure] / month["floors"][name]["floor"][figure]
                            for month in months
                        ),
                        2,
                    )
                    for figure in ("seconds", "cpu_seconds")
                },
            }
            for name in first["floors"]
        },
        "over": {
            f"{one} / {other}": round(median(_ratio(month["steps"][one], month["steps"][other]) for month in months), 2)
            for one, other in AGAINST
        }
        | {"plain pandas / compute_indices": over_pandas(pandas, steps["compute_indices"])},
    }


def over_pandas(pandas: dict[str, Any], step: dict[str, float]) -> float | str:
    if "out_of_memory" in pandas["result"]:
        return f"pandas did not fit into {pandas['result']['out_of_memory']:,} GB"
    return round(_ratio(pandas, step), 1)


def _ratio(one: dict[str, float], other: dict[str, float]) -> float:
    return one["seconds"] / other["seconds"]


def _medians(measured: list[dict[str, Any]]) -> dict[str, float]:
    numbers = [name for name, value in measured[0].items() if isinstance(value, int | float)]
    return {name: round(median(each[name] for each in measured), 2) for name in numbers}


def differences(sizes: list[dict[str, Any]]) -> list[str]:
    """Where a floor or plain pandas did not give what the step gave: their times cannot be compared."""
    found = []
    for size in sizes:
        floors = [(name, each["floor"]) for month in size["months_after"] for name, each in month["floors"].items()]
        for name, figures in (*floors, ("plain pandas", size["pandas"])):
            if isinstance(figures["result"], dict) and "differs" in figures["result"]:
                found.append(f"{size['customers']:,} customers, {name}: {figures['result']['differs']}")
    return found


def keep(sizes: list[dict[str, Any]], folder: Path) -> None:
    (folder / "results.json").write_text(json.dumps(sizes, indent=1, default=str), encoding="utf-8")


def show(sizes: list[dict[str, Any]]) -> None:
    from rich.console import Console

    console = Console(width=WIDTH)
    for figures in sizes:
        console.print(_table(figures))
        for what, ratio in figures["over"].items():
            console.print(f"{what}: {ratio if isinstance(ratio, str) else f'{ratio:,}'}", highlight=False)
        console.print(
            f"all processes of the month: {figures['whole_month']['process_seconds']:,.1f} s", highlight=False
        )
    if len(sizes) > 1:
        console.print("seconds grow with the number of customers to the power of", highlight=False)
        console.print(_growth(sizes))


def _table(figures: dict[str, Any]):
    from rich.box import SIMPLE
    from rich.table import Table

    months = len(figures["months_after"])
    title = f"{figures['customers']:,} customers" + (f", medians of {months} months" if months > 1 else "")
    table = Table(title=title, box=SIMPLE)
    table.add_column("step", no_wrap=True)
    for heading in ("first s", "month s", "CPU s", "MB", "imports s", "floor s", "CPU s", "ours / floor", "by CPU"):
        table.add_column(heading, justify="right", no_wrap=True)
    first = figures["first_month"]
    for name, step in figures["steps"].items():
        table.add_row(
            name, _figure(first["steps"][name]["seconds"]), *map(_figure, _figures(step)), *_floor(figures, name)
        )
    table.add_section()
    for name in ("extract_to_publish", "whole_month"):
        of_month = map(_figure, _figures(figures[name]))
        table.add_row(name.replace("_", " "), _figure(first[name]["seconds"]), *of_month, style="bold")
    return table


def _floor(figures: dict[str, Any], name: str) -> Iterator[str]:
    if found := figures["floors"].get(name):
        yield from map(_figure, (found["floor"]["seconds"], found["floor"]["cpu_seconds"]))
        yield from (f"{found[f'ours_over_floor_{figure}']:.2f}" for figure in ("seconds", "cpu_seconds"))


def _figures(of: dict[str, float]) -> Iterator[float]:
    return (of[name] for name in FIGURES)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _growth(sizes: list[dict[str, Any]]):
    """By how much a step's seconds grow with the customers: to which power of their number."""
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE)
    table.add_column("step")
    for one, other in pairwise(sizes):
        table.add_column(f"{one['customers']:,} to {other['customers']:,}", justify="right")
    for name in sizes[0]["steps"]:
        table.add_row(name, *(_exponent(one, other, name) for one, other in pairwise(sizes)))
    return table


def _exponent(one: dict[str, Any], other: dict[str, Any], name: str) -> str:
    seconds = other["steps"][name]["seconds"] / one["steps"][name]["seconds"]
    return f"{math.log(seconds) / math.log(other['customers'] / one['customers']):.2f}"
