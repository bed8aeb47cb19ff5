"""Published data that the tests hold the project against, where it is at hand; it is not part of the project."""

import os
from pathlib import Path

import pytest

_BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "data"


def shared_data(name: str) -> Path:
    """A file or folder of it; the test is skipped where it is absent."""
    path = Path(os.environ.get("GRIDGRADE_SHARED_DATA", _BESIDE_THE_CHECKOUT)) / name
    if not path.exists():
        pytest.skip(f"no {name}; GRIDGRADE_SHARED_DATA names the folder that holds it")
    return path
