"""Model versions: champion and challenger of each family, how they do over time, and putting one in force."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from pipeline.console.queries import rows
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse import model_registry
from pipeline.warehouse.model_registry import Model, Promotion


@dataclass(frozen=True)
class Shadow:
    """A challenger's grades beside the champion's in one month: customers by (champion's grade, challenger's grade)."""

    month: RatingMonth
    champion: str
    counts: dict[tuple[str, str], int]


@dataclass(frozen=True)
class Version:
    """A version and all that is on record of it. ``checks`` are rows of report.model_monitoring, newest month first."""

    model: Model
    promotions: list[Promotion]
    checks: list[dict[str, Any]]
    shadows: list[Shadow]


def by_family(settings: Settings) -> dict[str, list[Model]]:
    """Every version, the champion first, then challengers and retired ones, the newest before the older."""
    families: dict[str, list[Model]] = defaultdict(list)
    order = {"champion": 0, "challenger": 1, "retired": 2}
    for model in model_registry.models(settings):
        families[model.family].append(model)
    for models in families.values():
        models.sort(key=lambda model: (str(model.trained_month), model.registered_at), reverse=True)
        models.sort(key=lambda model: order[model.status])
    return dict(families)


def monitoring(settings: Settings) -> list[dict[str, Any]]:
    """One row a month and version in use: its score's stability against training, its AUC, and its worst status."""
    return rows(settings, "model_months")


def version(settings: Settings, name: str) -> Version:
    """ModelError where there is none of that name."""
    model = model_registry.model(settings, name)
    shadows: dict[tuple[RatingMonth, str], dict[tuple[str, str], int]] = defaultdict(dict)
    for row in rows(settings, "shadow_grades", version=name):
        pair = (row["champion_grade"], row["challenger_grade"])
        shadows[RatingMonth.of(row["rating_month"]), row["champion"]][pair] = row["customers"]
    return Version(
        model,
        model_registry.promotions(settings, name),
        rows(settings, "model_checks", version=name),
        [Shadow(month, champion, counts) for (month, champion), counts in shadows.items()],
    )
