"""A score taken apart: the numbers that give each of its summands in points."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One summand of a score, in points, of the column x that it reads. What is not of its kind is None.

    ======== ==========================================================================================================
    base     points_per_unit, whatever the customer
    value    points_per_unit * (x clipped to lower and upper, or fill for a gap and for codes, less mean) / scale
    missing  points_per_unit * (1 for a gap, else 0, less mean) / scale
    sentinel points_per_unit * (1 for x among codes, else 0, less mean) / scale
    band     points[0 to 3 for the letters A to D]; points_missing for a gap
    woe      points[how many of the rising edges are not above x]; points_missing for a gap, points_codes for codes
    ======== ==========================================================================================================

    ``coefficient`` is the model's own weight of it, not in points.
    """

    name: str
    kind: str
    column: str | None
    coefficient: float
    lower: float | None = None
    upper: float | None = None
    fill: float | None = None
    mean: float | None = None
    scale: float | None = None
    points_per_unit: float | None = None
    edges: tuple[float, ...] | None = None
    points: tuple[float, ...] | None = None
    points_missing: float | None = None
    codes: tuple[float, ...] | None = None
    points_codes: tuple[float, ...] | None = None
