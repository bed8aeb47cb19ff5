"""A small rating problem, made up."""

import numpy as np
import pandas as pd


def customers() -> tuple[pd.DataFrame, np.ndarray]:
    """(indices of 3,000 customers with gaps, whether each defaulted): about one in ten does."""
    rng = np.random.default_rng(20)
    rows = 3000
    frame = pd.DataFrame(
        {
            "on_time_rate": rng.beta(8, 2, rows),
            "arrears_ratio": rng.exponential(1, rows),
            "monthly_kwh": rng.lognormal(6, 1, rows),
        }
    )
    logit = 1.5 * frame["arrears_ratio"] - 5 * frame["on_time_rate"]
    default = (rng.logistic(size=rows) < logit).astype(int)
    frame.loc[rng.random(rows) < 0.1, "arrears_ratio"] = np.nan
    return frame, default.to_numpy()
