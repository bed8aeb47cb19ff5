"""A model's page: what it is, what it is worth and what it is not for, as one HTML file that needs nothing else."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.models.card import pictures
from pipeline.pages.templates import environment
from pipeline.scorecard import Bins, CreditModel, LogOddsModel, model_from_dict

_LEVEL = 0.05  # adjusted p-values below are called a difference

_KINDS = {
    "value": "value",
    "woe": "weight of evidence",
    "missing": "1 where it is missing",
    "sentinel": "1 where it is the code {code:g}",
    "band": "band, A 0 to D 3",
}
_LIMITS = (
    "It orders customers by the risk of default as its label defines it, over that label's horizon, and says nothing "
    "of anything else. What it was worth on the customers it was judged by, it has yet to prove on others.",
    "Indices act one by one and add up; what only two of them together would tell, it does not see.",
    "The intervals and tests take defaults for independent. In a downturn they are not, and reality varies more.",
)
_LIMITS_OF_A_FIT = (
    "Values outside the range it learnt from count as the end of that range.",
    "An index with a strange weight may stand in for another that moves with it: a weight is not a cause.",
)


@dataclass(frozen=True)
class CardContext:
    """What a card says that neither the model nor its metrics know. All of it may be left out but the version.

    Attributes
    ----------
    indices : {column: {"code", "meaning", "unit", "direction"}}, any of them
    facts : {label: text}, the table at the top: family, effective from, cohorts, hashes ...
    data, population : a sentence or two each
    samples : {part: {"customers", "defaults"}}, fit, calibration and test
    fairness : {attribute: adverse_impact(...) as records (group, customers, selected, rate, ratio, is_adverse ...)}
    drift : Baseline.drift(...) as records (name, kind, psi, unseen, is_alarm ...), of the month ``drift_month``
    gates : [{"gate", "passed", "value", "limit", "detail"}]
    limits : sentences; added to those that hold for every model of this library
    approvals : [{"status", "by", "at", "note"}]
    """

    version: str
    title: str = "Model card"
    facts: Mapping[str, str] = field(default_factory=dict)
    indices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    data: str = ""
    population: str = ""
    samples: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    fairness: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    drift: Sequence[Mapping[str, Any]] = ()
    drift_month: str = ""
    gates: Sequence[Mapping[str, Any]] = ()
    limits: Sequence[str] = ()
    approvals: Sequence[Mapping[str, Any]] = ()


def html(document: dict[str, Any], metrics: Mapping[str, Any], context: CardContext) -> str:
    """The page of a stored model ``document`` with ``metrics`` as ``evaluate`` gives them; no request, no script.

    Everything that comes from elsewhere is escaped. The same input gives the same bytes.
    """
    model = model_from_dict(document)
    fit = model if isinstance(model, CreditModel) else None
    features = list(_features(model, context))
    made = environment(Path(__file__).parent)
    made.filters |= {"percent": _percent, "number": _number, "count": _count, "probability": _probability}
    return made.get_template("model_card.html").render(
        context=context,
        metrics=metrics,
        model=model,
        is_fit=fit is not None,
        bends=list(zip(fit.calibrator_.knots_, fit.calibrator_.bends_, strict=True)) if fit else [],
        features=features,
        binned=list(_binned(fit)) if fit else [],
        dropped=fit.transformer_.dropped_ if fit else {},
        bins=list(_bins(model)),
        curves=_curves(metrics),
        weights=pictures.coefficients(features, "per standard deviation" if fit else "per band"),
        limits=[*_LIMITS, *(_LIMITS_OF_A_FIT if fit else ()), *context.limits],
        level=_LEVEL,
    )


def _features(model: LogOddsModel, context: CardContext) -> Iterator[dict[str, Any]]:
    """One row a feature: as ``coefficients`` has it, what its index means, and whether they agree."""
    transformer = model.transformer_ if isinstance(model, CreditModel) else None
    stored = transformer.features_ if transformer else {}
    for row in model.coefficients().reset_index().to_dict("records"):
        about = context.indices.get(row["column"].removesuffix("_band"), {})
        declared = about.get("direction")
        yield row | {
            "what": _KINDS[row["kind"]].format(code=stored.get(row["feature"], {}).get("code", 0)),
            "code": about.get("code", ""),
            "meaning": about.get("meaning", ""),
            "unit": about.get("unit", ""),
            "declared": declared,
            "is_contradicted": bool(declared and row["direction"] in ("+", "-") and row["direction"] != declared),
            "index": transformer.indices_[row["column"]] if transformer else {},
        }


def _binned(model: CreditModel) -> Iterator[dict[str, Any]]:
    """The bins of each index that is taken by weight of evidence."""
    for column, index in model.transformer_.indices_.items():
        if woe := index.get("woe"):
            labels = Bins(counts=(), edges=tuple(woe["edges"])).labels[:-1]
            codes = [(f"code {code:g}", worth) for code, worth in woe["sentinels"]]
            yield {
                "column": column,
                "information_value": woe["information_value"],
                "bins": [*zip(labels, woe["woe"], strict=True), *codes, ("missing", woe["missing"])],
            }


def _bins(model: LogOddsModel) -> Iterator[dict[str, Any]]:
    """What drift is counted by: bins and their training shares."""
    for name, bins in (model.monitoring.bins if model.monitoring else {}).items():
        rows = max(1, sum(bins.counts))
        yield {"name": name, "shares": [(text, n / rows) for text, n in zip(bins.labels, bins.counts, strict=True)]}


def _curves(metrics: Mapping[str, Any]) -> list[pictures.Picture]:
    """None of them where the verdict had one class only."""
    if "curves" not in metrics:
        return []
    drawn = (pictures.roc, pictures.separation, pictures.distribution, pictures.calibration, pictures.grades)
    return [draw(metrics) for draw in drawn]


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}%}"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _count(value: int | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:,}"


def _probability(value: float | None) -> str:
    return "< 0.001" if value is not None and value < 0.001 else _number(value)
