"""Columns of numbers with gaps, out of a data frame."""

from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from pipeline.scorecard.errors import ModelFitError

Numbers: TypeAlias = Any
"""What numpy computes with element by element: an array, a Series, a list of numbers, or one number."""


def check_frame(frame: pd.DataFrame) -> None:
    """Refuse what is not a table with rows and named columns."""
    if not isinstance(frame, pd.DataFrame):
        raise ModelFitError(f"a pandas DataFrame with named columns is needed, not {type(frame).__name__}")
    if frame.empty:
        raise ModelFitError("the training table is empty")
    if not frame.columns.is_unique or not all(isinstance(column, str) for column in frame):
        raise ModelFitError("column names must be texts, each once")


def numbers(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column as float64, gaps as NaN; text and infinity are a ModelFitError."""
    try:
        values = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise ModelFitError(f"column {column} is not numeric") from None
    if np.isinf(values).any():
        raise ModelFitError(f"column {column} holds an infinite value: make it a number or leave it empty")
    return values
