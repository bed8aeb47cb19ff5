"""requirements.txt is pyproject.toml, compiled: nothing missing, nothing loose."""

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from itertools import chain

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.resources import ROOT
from tests.support.project_code import imports, python_files

PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>[^\\]+?))?(?: \\)?$", re.MULTILINE
)


def read_pins(text: str) -> dict[str, str]:
    """Package -> version of the pins that hold for this interpreter."""
    pins = {}
    for pin in PIN.finditer(text):
        requirement = Requirement(f"{pin['name']}=={pin['version']}" + (f" ; {pin['marker']}" if pin["marker"] else ""))
        if requirement.marker is None or requirement.marker.evaluate():
            pins[canonicalize_name(requirement.name)] = pin["version"]
    return pins


def disagreements(project: dict, lock: str) -> list[str]:
    """What pyproject.toml asks for, by itself or through what is installed, and the lock does not give."""
    pins, found, seen = read_pins(lock), [], set()
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    waiting = [("pyproject.toml", Requirement(text)) for text in asked]
    while waiting:
        who, requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras), str(requirement.specifier))
        if key in seen:
            continue
        seen.add(key)
        if name not in pins:
            found.append(f"{who} asks for {requirement}, which is not in requirements.txt: make lock")
            continue
        if not requirement.specifier.contains(pins[name], prereleases=True):
            found.append(f"{who} asks for {requirement}, requirements.txt has {pins[name]}: make lock")
        waiting.extend((name, child) for child in needs(name, requirement.extras))
    return found


def needs(name: str, extras: set[str]) -> list[Requirement]:
    """What an installed package needs here, with these of its extras."""
    environments = [default_environment() | {"extra": extra} for extra in ("", *extras)]
    children = [Requirement(text) for text in requires(name) or ()]
    return [child for child in children if child.marker is None or any(map(child.marker.evaluate, environments))]


def undeclared(project: dict, sources: dict[str, str]) -> list[str]:
    """Imports of packages that the project does not ask for itself: they may leave with whoever brought them."""
    texts = [*project["project"]["dependencies"], *chain(*project["project"]["optional-dependencies"].values())]
    names = {canonicalize_name(Requirement(text).name) for text in texts}
    asked = names | {project["project"]["name"]} | ({"apache-airflow-core"} if "apache-airflow" in names else set())
    brought_by = {module: set(map(canonicalize_name, found)) for module, found in packages_distributions().items()}
    return [
        f"{path} imports {module}"
        for path, source in sources.items()
        for module in sorted(
            {one.name.split(".")[0] for one in imports(source)} & brought_by.keys() - sys.stdlib_module_names
        )
        if not brought_by[module] & asked
    ]


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements.txt").read_text()


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_lock_answers_pyproject(project, lock):
    assert not disagreements(project, lock)


def test_what_is_imported_is_asked_for(project):
    sources = {name: (ROOT / name).read_text() for name in python_files("dags", "pipeline", "plugins")}
    assert len(sources) > 100
    assert not undeclared(project, sources)


def test_an_import_nobody_asked_for_is_noticed(project):
    found = undeclared(project, {"pipeline/x.py": "import numpy\nfrom flask.views import View\nimport json"})
    assert found == ["pipeline/x.py imports flask"]


def test_a_new_dependency_is_noticed(project, lock):
    changed = {**project, "project": {"dependencies": ["left-pad>=1", "numpy>=99"]}}
    found = disagreements(changed, lock)
    assert any("left-pad>=1, which is not in requirements.txt" in line for line in found)
    assert any("numpy>=99, requirements.txt has" in line for line in found)


def test_a_missing_indirect_pin_is_noticed(project, lock):
    without = re.sub(r"^mako==.*?(?=^\S)", "", lock, count=1, flags=re.MULTILINE | re.DOTALL)
    assert any(line.startswith("alembic asks for Mako") for line in disagreements(project, without))


def test_the_extra_is_locked_beside_it(project, lock):
    pins, beside = read_pins(lock), read_pins((ROOT / "requirements-spark.txt").read_text())
    for requirement in map(Requirement, project["project"]["optional-dependencies"]["spark"]):
        assert requirement.specifier.contains(beside[canonicalize_name(requirement.name)])
    assert {name: pinned for name, pinned in beside.items() if pins.get(name, pinned) != pinned} == {}, "make lock"


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-spark.txt"])
def test_every_pin_has_a_hash(file):
    lock = (ROOT / file).read_text()
    lines = [line for line in lock.splitlines() if line and not line.lstrip().startswith("#")]
    for above, below in zip(lines, [*lines[1:], ""], strict=True):
        if not above.startswith(" "):
            assert PIN.match(above), f"not a pin: {above}"
            assert below.startswith("    --hash=sha256:"), f"no hash: {above}"


def test_what_is_installed_is_what_is_locked(lock):
    wrong = {}
    for name, pinned in read_pins(lock).items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = None
        if installed != pinned:
            wrong[name] = (installed, pinned)
    assert not wrong


def test_the_header_says_how_it_was_made(lock):
    assert "make lock" in lock[:200]


def test_every_locked_package_is_listed_with_its_licence():
    rows = [line.split("|")[1:4] for line in (ROOT / "docs" / "licences.md").read_text().splitlines()[2:]]
    assert all(licence.strip() for _, _, licence in rows)
    listed = {(canonicalize_name(name.strip()), version.strip()) for name, version, _ in rows}
    pins = list(PIN.finditer((ROOT / "requirements.txt").read_text()))
    assert listed <= {(canonicalize_name(pin["name"]), pin["version"]) for pin in pins}, "make licences"
    everywhere = {canonicalize_name(pin["name"]) for pin in pins if not pin["marker"]}
    assert everywhere - {name for name, _ in listed} <= {"prettytable", "wcwidth"}, "make licences"  # its own tools
