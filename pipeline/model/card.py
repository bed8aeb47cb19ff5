"""A model's page: what it is, what it is worth and what it is not for, as one HTML file that needs nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CardContext:
    """What a card says that neither the model nor its metrics know. All of it may be left out but the version.

    Attributes
    ----------
    indices : {column: {"code", "meaning", "unit", "direction"}}
    facts : {label: text}, the table at the top: family, effective from, cohorts, hashes ...
    data, population : a sentence or two each
    samples : {part: {"customers", "defaults"}}, fit, calibration and test
    fairness : {attribute: adverse_impact(...) as records (group, customers, selected, rate, ratio, is_adverse ...)}
    drift : Baseline.drift(...) as records, of the month ``drift_month``
    gates : [{"gate", "passed", "value", "limit"}]
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
    fairness: Mapping[str, Sequence[Mapping]] = field(default_factory=dict)
    drift: Sequence[Mapping] = ()
    drift_month: str = ""
    gates: Sequence[Mapping] = ()
    limits: Sequence[str] = ()
    approvals: Sequence[Mapping] = ()


def model_card(document: dict, metrics: dict, context: CardContext) -> str:
    """HTML of a stored model ``document`` with ``metrics`` as ``evaluate`` gives them; no request, no script."""
    raise NotImplementedError
