"""No space left under the lake, the scratch files or PostgreSQL: one line, readers undisturbed, and the next run is
whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.resources import ROOT

# In a mount namespace of its own, with an installation on a small disk. ``tried`` prints a section for each trial.
SCRIPT = r"""
set -u
mount -t tmpfs -o size=500m tmpfs "$1"
export GRIDGRADE_HOME="$1/home"
gridgrade() { "$PYTHON" -m pipeline.cli "$@"; }
tried() {
    echo "== $1"; gridgrade rate 2026-10 2>&1; echo "exit $?"
    echo "rows $(gridgrade grades 2026-09 --format csv | wc -l)"
}

gridgrade source sample --customers 40 --months 14 >/dev/null && gridgrade rate 2026-09 >/dev/null || exit 3

mount -t tmpfs -o size=64k tmpfs "$GRIDGRADE_HOME/lake"; tried lake; umount "$GRIDGRADE_HOME/lake"
mount -t tmpfs -o size=4k tmpfs "$GRIDGRADE_HOME/scratch"; tried scratch; umount "$GRIDGRADE_HOME/scratch"
dd if=/dev/zero of="$1/filler" bs=64k 2>/dev/null; truncate -s -900k "$1/filler"; tried warehouse; rm "$1/filler"
tried nothing
gridgrade audit
ls "$GRIDGRADE_HOME/errors" 2>/dev/null
gridgrade down
"""
MOUNTING = ["unshare", "--mount" if os.getuid() == 0 else "--map-root-user", "--mount"]


@pytest.fixture
def may_mount(tmp_path):
    """Skips where no namespace can be made in which something may be mounted."""
    asked = [*MOUNTING, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    try:
        done = subprocess.run(asked, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode:
        pytest.skip("nothing may be mounted here")


@pytest.mark.slow
@pytest.mark.usefixtures("may_mount")
def test_a_full_disk_is_one_line_and_the_next_run_is_whole(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGRADE_")}
    disk = Path(tmp_path, "disk")
    disk.mkdir()
    done = subprocess.run(
        [*MOUNTING, "bash", "-c", SCRIPT, "trial", str(disk)],
        env=environment | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    trials = done.stdout.split("== ")[1:]
    said = {trial.split("\n")[0]: trial.rstrip().split("\n")[1:] for trial in trials}
    last = said.pop("nothing")
    for lines in said.values():
        assert len(lines) == 3, lines
        assert lines[1] == "exit 1"
    [lake, scratch, warehouse] = [lines[0] for lines in said.values()]
    assert "cannot be written: no space is left on the disk; check GRIDGRADE_LAKE, its permissions and free" in lake
    assert f"no space is left on the disk of {disk}/home; readers keep what is published, make room and run" in scratch
    assert "readers keep what is published, make room on its disk and run again" in warehouse
    assert len({lines[2] for lines in said.values()}) == 1
    assert "exit 0" in last
    assert last[-1].endswith("all as written"), last
