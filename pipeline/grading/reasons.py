"""The points that may be named as reasons against a customer."""

import pandas as pd

from pipeline.scorecard import CreditModel, ExpertScorecard


def reasons_against(model: CreditModel | ExpertScorecard, frame: pd.DataFrame) -> pd.DataFrame:
    """The model's ``reason_points``, none below zero where the index is in band A or has no value."""
    points = model.reason_points(frame)
    for column in points:
        name = column.removesuffix("_band")
        is_fault = (frame[f"{name}_band"] != "A") & frame[name].notna()
        points[column] = points[column].where(is_fault, points[column].clip(lower=0))
    return points
