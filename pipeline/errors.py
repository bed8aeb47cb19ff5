"""Everything that can refuse a run, by who has to act on it.

Each message is one line that names the month or the table and the way out. The scheduler retries what may heal by
itself (a source, a warehouse or a cluster that is away) and nothing else: see RETRIED.
"""

import errno
from typing import Any


class GridgradeError(Exception):
    """Base of every refusal; the command line prints it as one line and exits with 1."""


class ConfigError(GridgradeError):
    """A setting or the policy is invalid."""


class MonthError(GridgradeError):
    """A text is not a rating month, or a range of months makes no sense."""


class SourceContractError(GridgradeError):
    """The billing system, or an adapted extract query, does not give what the source contract asks for."""


class SourceUnavailableError(GridgradeError):
    """The billing system cannot be reached, or dropped the connection half-way."""


class MonthNotClosedError(GridgradeError):
    """Billing has not closed the month yet."""


class LakeError(GridgradeError):
    """The lake cannot be read or written."""


class SparkUnavailableError(GridgradeError):
    """The Spark cluster cannot be reached, or went away half-way."""


class DataQualityError(GridgradeError):
    """More rows failed validation than the policy allows, or a whole-table check failed."""


class ModelError(GridgradeError):
    """A model cannot be trained, found or applied."""


class MonitoringError(GridgradeError):
    """A limit that the policy sets for the models in use is passed; the month is published all the same."""


class NotRatedError(GridgradeError):
    """The month is published, and the customer is not in it."""


class AuditError(GridgradeError):
    """A staged revision failed its audit; readers stay on the last good publication."""


class NotPublishedError(GridgradeError):
    """Nothing is published of a month, or no longer what was asked for."""


class MovesError(GridgradeError):
    """A published month would change for more customers than the policy lets pass without a person's word."""


class WarehouseUnavailableError(GridgradeError):
    """The warehouse cannot be reached or is locked by somebody else."""


class ActionError(GridgradeError):
    """An action cannot be found, moved to that status, or put into words."""


def is_out_of_space(error: BaseException) -> bool:
    """Whether a disk is full, or a quota, whoever says so."""
    is_os = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return is_os or any(words in str(error) for words in _OUT_OF_SPACE)


_OUT_OF_SPACE = ("No space left on device", "could not extend file")  # the system's words, and PostgreSQL's
RETRIED = (SourceUnavailableError, WarehouseUnavailableError, SparkUnavailableError, LakeError)


def first_fault(error: Any) -> tuple[str, str]:
    """Where a pydantic ValidationError says that a document is wrong, and what is, in plain words."""
    first = error.errors()[0]
    plain = {"missing": "is required", "extra_forbidden": "is not known here"}
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input ").partition(", unable to parse")[0]
    return ".".join(str(part) for part in first["loc"]), plain.get(first["type"], message)
