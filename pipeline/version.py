"""A hash of all that turns records into grades beside the policy and the models: queries, code, libraries."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pipeline.engine.queries import LAKE_QUERIES
from pipeline.settings import SQL

_PACKAGE = Path(__file__).parent
_LIBRARIES = ("duckdb", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")


@cache
def sha256() -> str:
    """Of this process. Any change of the package counts, so a rating that finds it equal can rely on it."""
    folders = [(_PACKAGE, "**/*.py"), (LAKE_QUERIES, "**/*.sql"), (SQL / "contract", "*.sql")]
    digest = hashlib.sha256()
    for folder, pattern in folders:
        for path in sorted(folder.glob(pattern)):
            digest.update(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    return digest.hexdigest()
