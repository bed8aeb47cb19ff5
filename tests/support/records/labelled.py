"""Customers whose indices tell how risky they are, labelled or of a month, and what training gets to see of them."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.customers.index_values import rule_facts
from pipeline.month import RatingMonth
from pipeline.policy import Policy


def changed(policy: Policy, section: str, **values) -> Policy:
    """The policy with other values in one section, validated and hashed anew."""
    document = policy.model_dump(mode="json")
    return Policy.model_validate(document | {section: document[section] | values})


def risks(customers: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=customers)


def indices(policy: Policy, risk: np.ndarray, seed: int, noise: float = 1.0) -> pd.DataFrame:
    """Every index of the policy worse with the risk, along its own direction, and its band."""
    rng = np.random.default_rng(seed + 500)  # another stream than that of the risks
    columns = {}
    for name, index in policy.indices.items():
        worse = risk + noise * rng.normal(size=len(risk))
        columns[name] = -worse if index.direction == "+" else worse
        columns[f"{name}_band"] = np.array(list("ABCD"))[np.searchsorted([-0.7, 0.3, 1.3], worse)]
    return pd.DataFrame(columns)


def labelled(policy: Policy, customers: int = 3000, seed: int = 2, noise: float = 1.0) -> pd.DataFrame:
    """Rows as pipeline.models.cohorts gives them: 60% to fit, 20% to calibrate, 20% to test; one in ten defaults."""
    risk = risks(customers, seed)
    rng = np.random.default_rng(seed + 1000)
    role = np.array(["fit", "calibration", "test"])[np.searchsorted([0.6, 0.8], rng.random(customers))]
    frame = indices(policy, risk, seed, noise)
    return frame.assign(
        customer_id=[f"C{number:05}" for number in range(customers)],
        cohort=np.where(role == "fit", "2025-01", "2025-06"),
        role=role,
        is_default=(rng.logistic(size=customers) < 1.5 * risk - 3).astype("int32"),
        is_plain=True,
    )


@dataclass
class LabelledRows:
    """In the place of pipeline.models.cohorts.Rows, which measures them: given frames by family."""

    frames: dict[str, pd.DataFrame]
    cohorts: list[RatingMonth] = field(default_factory=lambda: [RatingMonth(2025, 1), RatingMonth(2025, 6)])
    input_sha256: str = "i" * 64

    def of(self, family: str) -> pd.DataFrame:
        return self.frames.get(family, next(iter(self.frames.values())).iloc[:0])

    def default_share(self, family: str) -> float:
        rows = self.of(family)
        return float(rows["is_default"].mean()) if len(rows) else 0.0

    @contextmanager
    def __call__(self, *_, **__):
        """As pipeline.models.cohorts.labelled."""
        yield self


def month_of(policy: Policy, customers: int, seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    """A month's ``indices`` in the lake; ``shift`` is how much riskier its customers are."""
    frame = indices(policy, risks(customers, seed) + shift, seed)
    given = {"segment": "residential", "family": "residential", "region": "north", "bills": 12}
    return frame.assign(
        customer_id=[f"C{number:05}" for number in range(customers)],
        is_in_default=False,
        is_thin_file=False,
        **dict.fromkeys((*rule_facts(), "is_default_by_register"), False),
        rules_in_force=None,
        quarantined_records=0,
        **given,
        **{f"{name}_missing": False for name in policy.indices},
    )
