"""What a step did, in one plain line for the end of its log, and in numbers for metrics."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any


def in_words(step: str, summary: Mapping[str, Any]) -> str:
    """One line for a step's summary: what was read, set aside, graded or changed."""
    number = defaultdict(lambda: "0", {name: f"{value:,}" for name, value in numbers(summary).items()})
    if step in _WORDS:
        return _WORDS[step](summary, number)
    return ", ".join(f"{name} {value}" for name, value in number.items())


def _published(summary: Mapping[str, Any], number: Mapping[str, str]) -> str:
    if summary.get("dry_run"):
        return "dry run, nothing published"
    changed = "new content" if summary["changed"] else "unchanged"
    moved = f", {number['moved']} customers moved" if "moved" in number else ""
    return f"revision {summary['revision']}, {changed}{moved}, sha256 {summary['content_sha256'][:12]}"


def _graded(summary: Mapping[str, Any], number: Mapping[str, str]) -> str:
    grades = ", ".join(f"{grade} {count:,}" for grade, count in summary["grades"].items())
    return f"{number['grades']} customers graded: {grades}"


def _models(summary: Mapping[str, Any], number: Mapping[str, str]) -> str:
    return f"{', '.join(summary['models'].values())}: {summary['decision']}"


_WORDS: dict[str, Callable[[Mapping[str, Any], Mapping[str, str]], str]] = {
    "extract": lambda _, n: f"{n['written.rows']} rows in {n['written.partitions']} partitions read",
    "validate": lambda _, n: f"{n['rows']} rows checked, {n['quarantined']} in quarantine",
    "compute_indices": lambda _, n: f"{n['customers']} customers, {n['indices']} indices each",
    "group": lambda _, n: f"{n['life_cycle']} customers grouped",
    "choose_model": lambda s, _: f"{s['mode']}: {s['why']}",
    "retrain": _models,
    "apply": _models,
    "grade": _graded,
    "publish": _published,
    "monitor": lambda s, n: f"{n['checks']} checks, {len(s['failed'])} failed, {len(s['warned'])} warned",
    "decide_actions": lambda _, n: f"{n['decided']} actions decided, {n['blocked']} blocked, {n['changed']} changed",
    "propose_rebates": lambda s, n: f"{len(s['campaigns'])} campaigns, {n['changed']} rows changed",
    "report": lambda s, _: ", ".join(s["reports"]),
}


def numbers(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary by name; those of a mapping are added up, of a mapping of mappings by inner name."""
    found: dict[str, float] = {}
    for name, value in summary.items():
        if _is_number(value):
            found[name] = value
        elif isinstance(value, Mapping):
            if all(map(_is_number, value.values())):
                found[name] = sum(value.values())
            for inner in value.values():
                if isinstance(inner, Mapping):
                    for each, amount in inner.items():
                        if _is_number(amount):
                            found[f"{name}.{each}"] = found.get(f"{name}.{each}", 0) + amount
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
