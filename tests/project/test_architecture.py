"""Who may import whom, and what no file of the project may hold."""

import re
import sys
from pathlib import Path

import pytest

from pipeline.settings import PROJECT
from tests.support.project_code import Import, imports, project_files, python_files

STEPS = (
    "extract",
    "validate",
    "indices",
    "labels",
    "choose",
    "train",
    "grade",
    "group",
    "sensitivity",
    "publish",
    "monitor",
    "report",
    "actions",
    "sample",
)
KNOW_THE_ORDER = (
    "pipeline.cycle",
    "pipeline.cli",
    "pipeline.cli.actions",
    "pipeline.cli.administration",
    "pipeline.cli.grades",
    "pipeline.cli.rate",
    "pipeline.cli.source",
    "pipeline.cli.models",
    "pipeline.local.demo",
)
MODEL_MAY = {"jinja2", "numpy", "pandas", "sklearn", "scipy", "threadpoolctl", "pipeline.scorecard"}
PLUGINS_MAY = {
    "airflow",
    "gridgrade_approval",
    "gridgrade_assets",
    "gridgrade_notifier",
    "gridgrade_run",
    "pipeline.errors",
    "pipeline.month",
    "pipeline.policy",
    "pipeline.settings",
    "pipeline.warehouse",
    "sqlalchemy",
    "yaml",
}
DAGS_MAY = {"airflow.sdk", "gridgrade_approval", "gridgrade_assets", "gridgrade_notifier", "gridgrade_run"}
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home|Users|private)/[\w.-]+")


def belongs(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def is_one_of(name: str, packages) -> bool:
    return any(belongs(name, package) for package in packages)


def is_standard(name: str) -> bool:
    return name.split(".")[0] in sys.stdlib_module_names


def violations(path: str, source: str) -> list[str]:
    """Where a file, named by its path in the project, breaks a rule."""
    parts = Path(path).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    package = module if parts[-1] == "__init__" else ".".join(parts[:-1])
    found = []
    for imported in imports(source, package):
        if rule := broken_rule(parts[0], module, imported):
            found.append(f"{path}:{imported.line} imports {imported.name}: {rule}")
    return found


def broken_rule(folder: str, module: str, imported: Import) -> str | None:
    name = imported.name
    if folder == "dags":
        if belongs(name, "pipeline"):
            return None if imported.within_function else "a step of the pipeline, outside a task's body"
        return None if is_standard(name) or is_one_of(name, DAGS_MAY) else "not what a DAG is wired from"
    if folder == "plugins":
        return None if is_standard(name) or is_one_of(name, PLUGINS_MAY) else "plugins stay light"
    return broken_rule_of_the_pipeline(module, name)


def broken_rule_of_the_pipeline(module: str, name: str) -> str | None:
    if belongs(name, "airflow") or name.startswith("gridgrade_"):
        return "the pipeline never imports Airflow"
    if belongs(module, "pipeline.scorecard"):
        return None if is_standard(name) or is_one_of(name, MODEL_MAY) else "pipeline.scorecard is a library of its own"
    if module in KNOW_THE_ORDER:
        return None
    step, other = step_of(module), step_of(name)
    if other and not step:
        return "what steps are made of knows no step"
    if step and other and step != other:
        return "steps never import each other"
    return None


def step_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "pipeline" and len(parts) > 1 and parts[1] in STEPS else None


def test_the_code_keeps_the_import_rules():
    files = python_files("dags", "plugins", "pipeline")
    assert {"dags/credit_rating.py", "pipeline/lake/__init__.py"} <= set(files)
    assert not [line for name in files for line in violations(name, (PROJECT / name).read_text())]


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("pipeline/lake/__init__.py", "def f():\n    from airflow.sdk import DAG", "never imports Airflow"),
        ("pipeline/grading/grade.py", "from pipeline.models.retrain import fit", "never import each other"),
        ("pipeline/grading/grade.py", "from pipeline import train", "never import each other"),
        ("pipeline/grading/grade.py", "from . import train", "never import each other"),
        ("pipeline/actions/rebates/propose.py", "from ..publish import publish", "never import each other"),
        ("pipeline/lake/__init__.py", "import pipeline.ingest.extract", "knows no step"),
        ("pipeline/scorecard/fisher.py", "from pipeline.policy import Policy", "a library of its own"),
        ("pipeline/scorecard/fisher.py", "import duckdb", "a library of its own"),
        ("dags/credit_rating.py", "from pipeline.ingest.extract import extract", "outside a task's body"),
        ("dags/credit_rating.py", "import pandas as pd", "not what a DAG is wired from"),
        ("dags/credit_rating.py", "from airflow.models import Variable", "not what a DAG is wired from"),
        ("plugins/gridgrade_run.py", "def f():\n    import pandas", "plugins stay light"),
        ("plugins/gridgrade_run.py", "from pipeline.ingest.extract import extract", "plugins stay light"),
    ],
)
def test_a_forbidden_import_is_found(path, source, rule):
    (line,) = violations(path, source)
    assert rule in line


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("pipeline/cycle.py", "from pipeline import extract, train"),
        ("pipeline/grading/grade.py", "from pipeline.scorecard import FisherLDA\nfrom pipeline.lake import Lake"),
        ("pipeline/actions/rebates/propose.py", "from pipeline.actions import outbox"),
        ("pipeline/scorecard/scaling.py", "from .fisher import FisherLDA\nimport numpy, math"),
        ("pipeline/lake/__init__.py", "if TYPE_CHECKING:\n    from pipeline.ingest.extract import extract"),
        ("dags/credit_rating.py", "def task():\n    from pipeline import extract"),
        ("plugins/gridgrade_run.py", "from airflow.sdk import Param\nfrom pipeline.month import RatingMonth"),
    ],
)
def test_an_allowed_import_is_let_through(path, source):
    assert not violations(path, source)


def unfit_lines(text: str) -> list[str]:
    """Lines that hold only on somebody's machine."""
    return [line for line in text.splitlines() if MACHINE_PATH.search(line) or ("shared" + "/design") in line]


def test_no_file_holds_the_path_of_a_machine():
    found = {}
    for path in project_files():
        try:
            lines = unfit_lines(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
        if lines:
            found[str(path.relative_to(PROJECT))] = lines
    assert not found


@pytest.mark.parametrize(
    "line", ["open('/ho" + "me/me/x')", "see ../shared" + "/design/rating.md", "cd /wo" + "rk/main"]
)
def test_the_path_of_a_machine_is_found(line):
    assert unfit_lines(line) == [line]


def test_a_path_of_every_machine_is_fine():
    assert not unfit_lines("/dev/null /opt/airflow https://example.org/home/page ./work/x")
