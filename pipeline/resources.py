"""The files that come with the package, and those of a utility's own folder that stand in front of them.

In a checkout ``sql``, ``dags`` and ``plugins`` stand beside ``pipeline``; in an installed package they are in
``pipeline/_data``. GRIDGRADE_PROJECT names a utility's own folder. A file there is used in place of ours at the same
path, or beside ours where we have none.
"""

import os
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError

PACKAGE = Path(__file__).resolve().parent
IS_CHECKOUT = not (PACKAGE / "_data").is_dir()
ROOT = PACKAGE.parent if IS_CHECKOUT else PACKAGE / "_data"
SQL = ROOT / "sql"

POLICY = "policy.yaml"
EXTRACT, LAKE, LETTERS = "sql/extract", "sql/lake", "letters"
# The folders of a project whose files are used, and where ours are.
OURS = {EXTRACT: SQL / "extract", LAKE: SQL / "lake", LETTERS: PACKAGE / "actions" / "channels" / "templates"}


def default_home() -> Path:
    """Where everything is kept that has no place of its own: in the checkout, else in the working directory."""
    return (ROOT if IS_CHECKOUT else Path.cwd()) / ".gridgrade"


def project() -> Path | None:
    """The folder that GRIDGRADE_PROJECT names; None where it is not set.

    It is read from the environment alone, since queries are composed where no settings are at hand.
    """
    named = os.environ.get("GRIDGRADE_PROJECT")
    if not named:
        return None
    folder = Path(named).expanduser().absolute()
    if not folder.is_dir():
        raise ConfigError(f"GRIDGRADE_PROJECT: {folder} is not a folder; gridgrade init {folder} makes it")
    return folder


def project_policy() -> Path | None:
    """The policy of the project folder, where there is one."""
    folder = project()
    return folder / POLICY if folder and (folder / POLICY).is_file() else None


def folders(name: str) -> list[Path]:
    """Where the files of one of OURS are looked for, in this order."""
    own = project()
    return [*([own / name] if own and (own / name).is_dir() else []), OURS[name]]


def files(name: str, suffix: str) -> dict[str, Path]:
    """The files of one of OURS with this suffix, by their path within it; hidden files are left out."""
    found: dict[str, Path] = {}
    for folder in reversed(folders(name)):
        for path in sorted(folder.rglob(f"*{suffix}")):
            within = path.relative_to(folder)
            if path.is_file() and not any(part.startswith(".") for part in within.parts):
                found[within.as_posix()] = path
    return dict(sorted(found.items()))


def file(name: str, within: str) -> Path | None:
    """One file of one of OURS; None where it is nowhere."""
    return next((folder / within for folder in folders(name) if (folder / within).is_file()), None)


def display(path: Path) -> str:
    """A file of the package or of the project, as a message names it."""
    own = project()
    if own and path.is_relative_to(own):
        return f"{own.name}/{path.relative_to(own).as_posix()}"
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def read_yaml(path: Path) -> Any:
    """What a YAML file says, of plain types alone. OSError, UnicodeDecodeError or yaml.YAMLError where it cannot be
    read."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
