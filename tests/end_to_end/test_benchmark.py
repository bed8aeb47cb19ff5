"""The benchmark: its floors do what the steps do, and say so where they do not."""

import json
import os
import re
import subprocess
import sys

import pytest

from benchmarks import floors, results
from benchmarks.floors import extract as extract_floor
from benchmarks.floors import validate as validate_floor
from pipeline.ingest.extract import extract
from pipeline.ingest.validate import validate
from pipeline.resources import ROOT
from pipeline.sample import LAST, Utility
from pipeline.source.write import replace_tables

ALL = {"began": ""}  # every partition was written after this


def benchmark(home, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env=os.environ | {"GRIDGRADE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def by_floor(floor, *given):
    made = floor.run(json.loads(json.dumps(floor.prepare(*given))))
    return json.loads(json.dumps(made))


def test_invalid_rows_are_counted_as_the_steps_count_them(settings, policy, tmp_path):
    allowed = policy.validation.model_copy(update={"quarantine_limit": 1.0, "reference_grace_months": 0})
    policy = policy.model_copy(update={"validation": allowed})
    replace_tables(settings.source, Utility(150, 6, LAST, seed=3, dirty=0.03).batches())
    for step in (extract, validate):
        step(LAST, settings, policy)
    given = LAST, settings, policy, tmp_path, ALL
    partitions = by_floor(extract_floor, *given)
    assert extract_floor.compare(*given, partitions) == partitions > 50
    made = by_floor(validate_floor, *given)
    assert validate_floor.compare(*given, made)["failing"] > 50
    one = next(name for name, (failing, _) in made.items() if failing)
    made[one][0] -= 1
    with pytest.raises(floors.DiffersError, match=f"rows of {one} that fail"):
        validate_floor.compare(*given, made)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_floor_agrees_with_its_step(tmp_path):
    done = benchmark(tmp_path / "home", "--customers", "200", "300", "--months", "14")
    assert done.returncode == 0, done.stderr
    sizes = json.loads((tmp_path / "home" / "results.json").read_text())
    assert [size["customers"] for size in sizes] == [200, 300]
    for size in sizes:
        assert size["floors"].keys() == set(floors.STEPS)
        assert all(floor["ours_over_floor_cpu_seconds"] > 0 for floor in size["floors"].values())
        assert size["whole_month"]["process_seconds"] > size["extract_to_publish"]["import_seconds"] > 0
    assert "to the power of" in done.stdout


def test_a_size_that_the_disk_does_not_hold_is_refused(tmp_path):
    done = benchmark(tmp_path / "home", "--customers", "500", "9000000000")
    assert done.returncode == 1
    assert "500 and 9,000,000,000 customers over 16 months need some" in done.stderr
    assert "set GRIDGRADE_HOME to a folder on a larger disk" in done.stderr
    assert not (tmp_path / "home").exists()


def test_memory_of_steps_that_run_at_once_adds_up_and_of_others_does_not():
    peaks = {
        "extract": 500,
        "validate": 450,
        "compute_indices": 400,
        "publish": 300,
        "group": 200,
        "model": 250,
        "grade": 350,
        "sensitivity": 100,
        "monitor": 330,
        "decide_actions": 280,
        "propose_rebates": 90,
    }
    steps = {
        name: {"seconds": 2.0, "cpu_seconds": 3.0, "peak_mb": peak, "import_seconds": 1.0}
        for name, peak in peaks.items()
    }
    found = results.together(steps, {"seconds": 7.0, "cpu_seconds": 9.0})
    assert found["extract_to_publish"] == {"seconds": 15, "cpu_seconds": 21, "peak_mb": 550, "import_seconds": 8}
    assert found["whole_month"]["peak_mb"] == 330 + 280
    assert found["whole_month"]["seconds"] == 15 + 6
    assert found["whole_month"]["process_seconds"] == 22


def test_what_asks_for_more_memory_than_there_is_says_so_and_does_not_end_the_benchmark():
    asking = "from benchmarks.steps import unless_out_of_memory as u; print(u(lambda: bytearray(10**15)), u(dict))"
    done = subprocess.run([sys.executable, "-c", asking], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\{'out_of_memory': [\d.]+\} \{\}\n", done.stdout)
    assert results.over_pandas({"seconds": 27.0, "result": {"rows": 5}}, {"seconds": 9.0}) == 3.0
    assert "did not fit into 8.5 GB" in results.over_pandas({"seconds": 2.0, "result": {"out_of_memory": 8.5}}, {})


def test_what_differs_is_named():
    def size(**result):
        floor = {"floor": {"result": result}}
        return {
            "customers": 5000,
            "months_after": [{"floors": {"extract": {"floor": {"result": 12}}, "grade": floor}}],
            "pandas": {"result": {"rows": 4900}},
        }

    assert results.differences([size(rows=1)]) == []
    assert results.differences([size(differs="customers: 9 by the floor, 10 by ours")]) == [
        "5,000 customers, grade: customers: 9 by the floor, 10 by ours"
    ]
