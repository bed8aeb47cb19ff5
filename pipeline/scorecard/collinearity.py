"""Which columns follow from the ones before them."""

from collections.abc import Mapping

import numpy as np
from threadpoolctl import threadpool_limits

_COLLINEAR = 0.9999


def collinear(standardised: Mapping[str, np.ndarray]) -> dict[str, str]:
    """{column: reason} of standardised columns whose (multiple) correlation with kept ones before is above 0.9999."""
    names = list(standardised)
    with threadpool_limits(1):
        table = np.column_stack(list(standardised.values()))
        correlation = table.T @ table / len(table)
        kept, reasons = [0], {}
        for j in range(1, len(names)):
            row = correlation[kept, j]
            weights = np.linalg.solve(correlation[np.ix_(kept, kept)], row)
            nearest = int(np.abs(row).argmax())
            if abs(row[nearest]) > _COLLINEAR:
                reasons[names[j]] = f"moves with {names[kept[nearest]]} (r = {row[nearest]:.5f})"
            elif weights @ row > _COLLINEAR**2:
                origins = [names[k] for k, weight in zip(kept, weights, strict=True) if abs(weight) > 0.01]
                reasons[names[j]] = f"follows from {', '.join(origins)}"
            else:
                kept.append(j)
    return reasons
