"""The wheel, installed into an empty environment: it needs no checkout, no home folder and no running server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.resources import ROOT

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(1800)]


def done(*command: str | Path, cwd: Path, **environment: str) -> str:
    result = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    return result.stdout


@pytest.fixture(scope="module")
def gridgrade(tmp_path_factory):
    """``gridgrade("doctor")`` runs the installed command in an empty folder, as a user with an empty home."""
    folder = tmp_path_factory.mktemp("wheel")
    uv, inherited = Path(sys.executable).with_name("uv"), dict(os.environ)
    done(uv, "build", "--wheel", "--quiet", "--out-dir", folder / "dist", cwd=ROOT, **inherited)
    [wheel] = (folder / "dist").glob("*.whl")
    done(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder, **inherited)
    python = folder / "venv" / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--python", python, "--constraints", ROOT / "requirements.txt", wheel]
    done(*install, cwd=folder, **inherited)
    (folder / "user").mkdir()
    (folder / "work").mkdir()

    def run(*arguments: str, **environment: str) -> str:
        clean = {"HOME": str(folder / "user"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        return done(python.with_name("gridgrade"), *arguments, cwd=folder / "work", **clean, **environment)

    run.user, run.work = folder / "user", folder / "work"
    yield run
    run("down")


def test_an_empty_environment_in_an_empty_folder_rates_a_month(gridgrade):
    assert "2026-10" in gridgrade("demo", "--customers", "300", "--rate-last", "1")
    assert json.loads(gridgrade("rate", "2026-10", "--json"))["publish"]["changed"] is False
    assert json.loads(gridgrade("rate", "2026-09", "--json"))["publish"]["changed"] is True
    findings = json.loads(gridgrade("doctor", "--json"))
    assert [one for one in findings if one["state"] != "ok"] == []
    assert [path.name for path in gridgrade.work.iterdir()] == [".gridgrade"]
    assert not list(gridgrade.user.iterdir()), "something was written into the user's home folder"


def test_its_cases_and_a_new_project_folder_are_in_it(gridgrade):
    gridgrade("init", "ours")
    project = str(gridgrade.work / "ours")
    assert gridgrade("test", "--ours", GRIDGRADE_PROJECT=project).endswith(" passed, 0 failed\n")
    assert "cases/" in (gridgrade.work / "ours" / "README.md").read_text()
