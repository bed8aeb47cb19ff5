"""What DAG files and plugins may import, and what no file of the project may hold.

import-linter holds the layers of the pipeline (pyproject.toml, make lint).
"""

import re
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.local import airflow
from pipeline.resources import ROOT
from tests.support.project_code import Import, imports, project_files, python_files

PLUGINS_MAY = {
    "airflow",
    "gridgrade_alerts",
    "gridgrade_approval",
    "gridgrade_assets",
    "gridgrade_console.app",
    "gridgrade_notifier",
    "gridgrade_run",
    "gridgrade_timetable",
    "pipeline.actions.outbox",
    "pipeline.basis",
    "pipeline.errors",
    "pipeline.monitoring.alerts",
    "pipeline.month",
    "pipeline.policy",
    "pipeline.resources",
    "pipeline.run",
    "pipeline.settings",
    "pipeline.step_words",
    "pipeline.warehouse",
    "sqlalchemy",
    "yaml",
}
# What only the API server loads, when somebody opens a page.
CONSOLE_MAY = (PLUGINS_MAY - {"pipeline.actions.outbox"}) | {
    "fastapi",
    "gridgrade_console",
    "itsdangerous",
    "jinja2",
    "pipeline.console",
    "pipeline.grading.explain",
    "pipeline.models",
    "pipeline.publishing.late_records",
}
DAGS_MAY = {
    "airflow.sdk",
    "gridgrade_alerts",
    "gridgrade_approval",
    "gridgrade_assets",
    "gridgrade_notifier",
    "gridgrade_run",
}
STILL_TO_BE_CUT: set[str] = set()
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
        if rule := broken_rule(".".join(parts[:2]) if parts[1] == "gridgrade_console" else parts[0], imported):
            found.append(f"{path}:{imported.line} imports {imported.name}: {rule}")
    return found


def broken_rule(folder: str, imported: Import) -> str | None:
    name = imported.name
    if folder == "dags":
        if belongs(name, "pipeline"):
            return None if imported.within_function else "a step of the pipeline, outside a task's body"
        return None if is_standard(name) or is_one_of(name, DAGS_MAY) else "not what a DAG is wired from"
    if folder == "plugins.gridgrade_console":
        return None if is_standard(name) or is_one_of(name, CONSOLE_MAY) else "the console asks pipeline.console"
    if folder == "plugins":
        return None if is_standard(name) or is_one_of(name, PLUGINS_MAY) else "plugins stay light"
    return None


def test_the_code_keeps_the_import_rules():
    files = python_files("dags", "plugins")
    assert {"dags/credit_rating.py", "plugins/gridgrade_run.py"} <= set(files)
    assert not [line for name in files for line in violations(name, (ROOT / name).read_text())]


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("dags/credit_rating.py", "from pipeline.ingest.extract import extract", "outside a task's body"),
        ("dags/credit_rating.py", "import pandas as pd", "not what a DAG is wired from"),
        ("dags/credit_rating.py", "from airflow.models import Variable", "not what a DAG is wired from"),
        ("plugins/gridgrade_run.py", "def f():\n    import pandas", "plugins stay light"),
        ("plugins/gridgrade_console/app.py", "from pipeline.actions import outbox", "the console asks"),
        ("plugins/gridgrade_run.py", "from pipeline.ingest.extract import extract", "plugins stay light"),
    ],
)
def test_a_forbidden_import_is_found(path, source, rule):
    (line,) = violations(path, source)
    assert rule in line


@pytest.mark.parametrize(
    ("path", "source"),
    [
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
            found[str(path.relative_to(ROOT))] = lines
    assert not found


@pytest.mark.parametrize(
    "line", ["open('/ho" + "me/me/x')", "see ../shared" + "/design/rating.md", "cd /wo" + "rk/main"]
)
def test_the_path_of_a_machine_is_found(line):
    assert unfit_lines(line) == [line]


def test_a_path_of_every_machine_is_fine():
    assert not unfit_lines("/dev/null /opt/airflow https://example.org/home/page ./work/x")


def crowded_folders(paths: list[str]) -> set[str]:
    """Folders of more than a dozen modules side by side; ``__init__`` and ``__main__`` are not counted."""
    modules = Counter(Path(path).parent.as_posix() for path in paths if not Path(path).name.startswith("__"))
    return {folder for folder, count in modules.items() if count > 12}


def test_no_folder_is_crowded_but_the_scorecard_library():
    assert crowded_folders(python_files("pipeline")) == {"pipeline/scorecard"}


def test_a_crowded_folder_is_found():
    assert crowded_folders([f"pipeline/lake/part_{number}.py" for number in range(13)]) == {"pipeline/lake"}


def test_no_module_is_longer_than_four_hundred_lines():
    lines = {name: len((ROOT / name).read_text().splitlines()) for name in python_files("dags", "plugins", "pipeline")}
    assert {name for name, count in lines.items() if count > 400} <= STILL_TO_BE_CUT


def test_the_local_airflow_has_loaded_what_every_step_runs_in():
    """Tasks are forked from the process that has; a module that it lacks would be imported by each of them anew."""
    loaded = {name for name in airflow.PRELOADED if find_spec(name)}
    assert loaded == set(airflow.PRELOADED)
    inside = [one for one in imports((ROOT / "pipeline/run.py").read_text()) if one.within_function]
    steps = {one.name.rpartition(".")[0] for one in inside}
    assert steps - {"pipeline.engine.connection", "pipeline.warehouse.publications"} <= loaded  # others import these
    assert "pipeline.publishing.publish" in steps
