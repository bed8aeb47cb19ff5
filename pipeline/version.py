"""A hash of all that turns records into grades beside the policy and the models: queries, code, libraries."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pipeline.engine import queries
from pipeline.resources import SQL

_PACKAGE = Path(__file__).parent
_LIBRARIES = ("duckdb", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")


@cache
def sha256() -> str:
    """Of this process. Any change of the package counts, so a rating that finds it equal can rely on it."""
    digest = hashlib.sha256()
    files = [(str(path.relative_to(_PACKAGE)), path) for path in sorted(_PACKAGE.glob("**/*.py"))]
    files += sorted(queries.files().items())
    files += [(path.name, path) for path in sorted((SQL / "contract").glob("*.sql"))]
    for name, path in files:
        digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    return digest.hexdigest()
