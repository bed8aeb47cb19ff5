"""What commands print: ids whole at any width, text as text, colours and CSV as they are asked for."""

import csv
import os
import re
import signal
import subprocess
import sys

import pytest

from pipeline import resources
from pipeline.cli.console import print_table, write_csv
from tests.support.environment import variables

MARKUP = "[bold]C[/nope] :smile:"
STYLES = re.compile(r"\x1b\[[0-9;]*m")
ESCAPES = "red\x1b[31m\nnext\u202egnp"


@pytest.fixture(params=["80 columns", "piped"])
def width(request, monkeypatch):
    if request.param == "80 columns":
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "80")
    return request.param


def identifiers(settings) -> dict[str, str]:
    from pipeline.warehouse import model_registry

    return {"customer": "C00001", "version": model_registry.models(settings)[0].version}


COMMANDS = {
    ("grades", "2026-10"): ["customer"],
    ("explain", "2026-10", "C00001"): ["customer"],
    ("models", "list"): ["version"],
    ("models", "show", "{version}"): ["version"],
    ("labels", "2026-10"): [],
    ("diff", "2026-10"): [],
    ("override", "list"): ["override"],
    ("doctor",): [],
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_ids_are_whole_and_nothing_is_cut(gridgrade, published, width, command):
    ids = identifiers(published)
    if "override" in COMMANDS[command]:
        _, out, _ = gridgrade(
            *("override", "add", "C00001", "--grade", "A", "--reason", f"because {MARKUP} {ESCAPES}", "--by", "ana"),
            settings=published,
        )
        ids["override"] = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", out)[0]
    _, out, err = gridgrade(*(part.format(**ids) for part in command), settings=published)
    assert "…" not in out
    out = STYLES.sub("", out)
    assert "\x1b" not in out
    assert all(ids[name] in out for name in COMMANDS[command]), out
    assert "Traceback" not in err


def test_text_is_text(capsys, width):
    print_table(("customer", "why"), [(MARKUP, ESCAPES), ("C" * 300, "=1+1")], title=MARKUP, caption=ESCAPES)
    out = " ".join(STYLES.sub("", capsys.readouterr().out).split())
    assert out.count(MARKUP) == 2
    assert out.count(r"red\x1b[31m\nnext\u202egnp") == 2
    assert "C" * 300 in out


def test_a_refusal_shows_text_as_text(gridgrade, published):
    code, _, err = gridgrade("explain", "2026-10", f"{MARKUP}\x1b[31m", settings=published)
    assert (code, err.count("\n")) == (1, 1)
    assert rf"{MARKUP}\x1b[31m" in err


def test_colours_only_where_they_are_wanted(monkeypatch, capsys):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    print_table(("state",), [("ok",)], styles={"ok": "green"})
    assert "\x1b[32m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    print_table(("state",), [("ok",)], styles={"ok": "green"})
    assert "\x1b[3" not in capsys.readouterr().out


def test_a_file_is_written_as_its_name_ends(gridgrade, published, tmp_path):
    for name in ("g.csv", "g.json"):
        assert gridgrade("grades", "2026-10", "--out", str(tmp_path / name), settings=published)[0] == 0
    assert len(list(csv.DictReader((tmp_path / "g.csv").open()))) == 50
    assert (tmp_path / "g.json").read_text().startswith("[")


def test_csv_holds_no_formula(tmp_path):
    write_csv(("customer", "amount"), [("=HYPERLINK(1)", -5), ("-1+2", 3)], tmp_path / "x.csv")
    assert list(csv.reader((tmp_path / "x.csv").open())) == [
        ["customer", "amount"],
        ["'=HYPERLINK(1)", "-5"],
        ["'-1+2", "3"],
    ]


def test_version_short_help_and_completion(gridgrade):
    code, out, _ = gridgrade("--version")
    assert (code, bool(re.fullmatch(r"gridgrade \d+\.\d+\.\d+\n", out))) == (0, True)
    assert gridgrade("-h")[1] == gridgrade("--help")[1]
    assert gridgrade("rate", "-h")[0] == 0
    assert "--install-completion" in gridgrade("--help")[1]


def test_an_interrupted_command_ends_with_one_line_and_130(published):
    from sqlalchemy import create_engine, text

    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGRADE_")}
    lock = create_engine(published.warehouse)
    with lock.begin() as holder:
        holder.execute(text("lock table ops.service_actions in access exclusive mode"))
        running = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "actions", "list"],
            env=inherited | variables(published) | {"PYTHONPATH": str(resources.ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell has its background jobs ignore the interrupt, and they hand that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        waiting = text(
            "select count(*) from pg_locks where not granted and relation = 'ops.service_actions'::regclass"
            " and database = (select oid from pg_database where datname = current_database())"
        )
        with lock.connect() as watcher:
            while not watcher.execute(waiting).scalar() and running.poll() is None:
                watcher.rollback()
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
    assert (running.returncode, out, err) == (130, "", "gridgrade: interrupted\n")


def test_an_error_that_was_not_foreseen_is_one_line_and_a_private_file(gridgrade, monkeypatch, tmp_path):
    from pipeline.cli import policy

    def fail():
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(policy.Settings, "load", fail)
    code, out, err = gridgrade("policy", "show")
    assert (code, out, err.count("\n")) == (1, "", 1)
    [path] = (tmp_path / "nowhere" / "errors").iterdir()
    assert str(path) in err
    assert "secret" not in err
    assert "ZeroDivisionError" in path.read_text()
    assert [each.stat().st_mode & 0o077 for each in (path, path.parent, path.parent.parent)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device"), "no space is left on the disk: make room and run again"),
        (ZeroDivisionError("secret"), "its traceback could not be kept (Not a directory): ZeroDivisionError"),
    ],
)
def test_where_no_traceback_can_be_kept_it_is_one_line_all_the_same(gridgrade, monkeypatch, tmp_path, error, line):
    from pipeline.cli import policy

    def fail():
        raise error

    (tmp_path / "nowhere").touch()
    monkeypatch.setattr(policy.Settings, "load", fail)
    code, out, err = gridgrade("policy", "show")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert line in err
    assert "secret" not in err
