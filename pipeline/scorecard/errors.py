"""The one error of this library."""


class ModelFitError(ValueError):
    """A table, a label or a stored model that cannot be fitted, scored or read; one line that names the column."""
