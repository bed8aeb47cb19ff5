"""A month's customers with indices of every band, zeros, negatives and gaps, and a model that learnt from them."""

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.policy import Policy
from pipeline.policy.indices import Index
from pipeline.scorecard import CreditModel
from tests.support.records.indices import MODELS, customer

SIZE = 3000
LEARNT = MODELS | {"residential": "learnt"}  # residential customers by the fitted model, others by the scorecard
SEGMENTS = ("residential", "residential", "commercial", "public")


def letter(value: float | None, index: Index) -> str | None:
    if value is None:
        return None
    sign = 1 if index.direction == "+" else -1
    return next((band for band, bound in zip("ABC", index.bands, strict=True) if sign * (value - bound) >= 0), "D")


def measured(number: int, policy: Policy, values: dict[str, float | None], **changed) -> dict:
    """A customer with these values as the indices of a month have them; None is missing."""
    row = customer(number, policy, **changed)
    for name, value in values.items():
        index = policy.indices[name]
        is_for = index.is_for(row["family"])
        filled = index.missing if value is None and isinstance(index.missing, float) else value
        filled = filled if is_for else None
        missing = value is None or not is_for
        row |= {name: filled, f"{name}_missing": missing, f"{name}_band": letter(filled, index)}
    return row


def drawn(policy: Policy, size: int = SIZE) -> list[dict[str, float | None]]:
    """Values by index of each customer."""
    rng = np.random.default_rng(3)
    columns = {}
    for name, index in policy.indices.items():
        good, _, bad = index.bands
        values = bad + (good - bad) * rng.normal(0.7, 0.8, size)
        columns[name] = values.clip(min=0) if min(index.bands) >= 0 else values
    frame = pd.DataFrame(columns).astype(object)
    frame[rng.random(frame.shape) < 0.05] = None
    return frame.to_dict("records")


def fitted(people: list[dict[str, float | None]], policy: Policy) -> CreditModel:
    frame = pd.DataFrame(people)[list(policy.scored("residential"))].astype(float)
    risk = 0.1 * frame["max_days_past_due"].fillna(0) - 4 * frame["on_time_payment_rate"].fillna(0.9)
    risk -= 2 * frame["consumption_trend"].fillna(0)
    noise = np.random.default_rng(4).logistic(size=len(frame))
    return CreditModel().fit(frame, (risk + noise > 0).astype(int))


def table(people: list[dict[str, float | None]], policy: Policy) -> pa.Table:
    """All of them as rows of the lake's indices; some in default, some with thin files."""
    return pa.Table.from_pylist(
        [
            measured(n, policy, values, segment=SEGMENTS[n % 4], is_in_default=n % 37 == 0, is_thin_file=n % 41 == 0)
            for n, values in enumerate(people)
        ]
    )
