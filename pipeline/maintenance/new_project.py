"""A utility's own folder: made by ``gridgrade init``, and compared with the package by ``gridgrade doctor``."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline import resources
from pipeline.errors import ConfigError
from pipeline.policy.describe import schema

ORIGINS = ("ccb", "sap-isu", "files")
ORIGINALS = "originals.json"
_TEMPLATES = resources.SQL / "templates"
_FOLDERS = ("sql/extract", "sql/lake/indices", "sql/lake/measures", "letters", "cases")

_POLICY = """\
# What differs from the policy that comes with Gridgrade; gridgrade policy show --origin prints what is in force.
# yaml-language-server: $schema=policy.schema.json
#
# An example: a measure of our own, of the query sql/lake/measures/plan_offer.sql. README.md says what it is made of.
#
# measures:
#   plan_offer: {grades: [B, C], min_amount: 200}
# actions:
#   types:
#     plan_offer: {approval: required, to: customer}
{}
"""
_README = """\
# Our Gridgrade

What this utility adds to Gridgrade, or has in place of it. `GRIDGRADE_PROJECT` names this folder. Keep it under version
control; an upgrade of Gridgrade never touches it.

| path | what |
|---|---|
| `policy.yaml` | what differs from the default policy |
| `sql/extract/<table>.sql` | how our billing system gives a source table |
| `sql/lake/indices/<group>.sql` | indices of our own, each with an entry under `indices` of the policy |
| `sql/lake/measures/<type>.sql` | measures of our own, each with an entry under `measures` and `actions.types` |
| `letters/<type>.<language>.txt` | letters in our words; `letters/payloads.yaml` has the fields of our own measures |
| `cases/lake/measures/<type>/<case>.yaml` | test cases of our queries: small tables, and the rows that must come out |
| `originals.json` | which files were copied; `gridgrade doctor` says when Gridgrade has changed one since |

A query at the path of one of Gridgrade's is used in its place. The chapters "Adding an index" and "Adding a measure" of
Gridgrade's documentation (docs/policy.md, docs/actions.md) show every file of an example.

`gridgrade doctor` lists the files here that are used; `gridgrade test` runs the cases and writes the letters.
"""


class Replacement(NamedTuple):
    """A file of the project. ``replaces`` tells whether the package has one at the same path; ``is_outdated`` whether
    the package's file has changed since it was copied."""

    path: str
    replaces: bool
    is_outdated: bool


def create(folder: Path, origin: str | None = None) -> list[str]:
    """Make a project folder; returns the paths in it. ConfigError where the folder holds anything already.

    ``origin``: ``ccb`` and ``sap-isu`` copy the extract queries for that billing system, ``files`` copies none, for
    records that come by ``gridgrade source load``; by default those of the source contract are copied.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not an empty folder: name another one")
    written = {f"sql/extract/{path.name}": path.read_text(encoding="utf-8") for path in _extract_queries(origin)}
    originals = {name: {"copied_from": origin or "contract", "sha256": _sha256(text)} for name, text in written.items()}
    written["policy.yaml"] = _POLICY
    written["policy.schema.json"] = json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
    written["README.md"] = _README
    written[".env.example"] = "".join(f"{name}=\n" for name in ("GRIDGRADE_SOURCE_URL", "GRIDGRADE_WAREHOUSE_URL"))
    written[ORIGINALS] = json.dumps(originals, indent=1, sort_keys=True) + "\n"
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(written)


def replacements(project: Path) -> Iterator[Replacement]:
    """The files of a project that are used, by path."""
    copied = _originals(project)
    for room, ours in resources.OURS.items():
        for path in sorted((project / room).rglob("*.*")) if (project / room).is_dir() else ():
            within = path.relative_to(project / room)
            if not path.is_file() or any(part.startswith(".") for part in within.parts):
                continue
            name = f"{room}/{within.as_posix()}"
            source = _original(name, copied.get(name, {}).get("copied_from"), ours / within)
            recorded = copied.get(name, {}).get("sha256")
            now = _sha256(source.read_text(encoding="utf-8")) if source.is_file() else None
            yield Replacement(name, (ours / within).is_file(), recorded is not None and recorded != now)


def _extract_queries(origin: str | None) -> list[Path]:
    if origin is None:
        return sorted(resources.OURS[resources.EXTRACT].glob("*.sql"))
    if origin not in ORIGINS:
        raise ConfigError(f"{origin!r} is not known: choose {', '.join(ORIGINS)}")
    return [] if origin == "files" else sorted((_templates(origin)).glob("*.sql"))


def _templates(origin: str) -> Path:
    return _TEMPLATES / origin.replace("-", "_") / "extract"


def _original(name: str, copied_from: str | None, ours: Path) -> Path:
    """The package's file that a file of the project was copied from."""
    return _templates(copied_from) / Path(name).name if copied_from in ("ccb", "sap-isu") else ours


def _originals(project: Path) -> dict[str, dict[str, str]]:
    path = project / ORIGINALS
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        raise ConfigError(f"{path} is no JSON: restore it, or remove it to do without the comparison") from None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
