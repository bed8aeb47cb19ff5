"""Progress goes on and ends at its end, and says nothing where nobody asked."""

import sys

from pipeline.cli.console import progress
from pipeline.cycle import Progress


def test_a_step_that_counts_as_several_is_done_in_shares():
    seen = []
    under_way = Progress(lambda done, total, what: seen.append((done, total, what)), 6)
    under_way.step("prepare")
    under_way.step("rate", counts_as=4)
    under_way.part("rate: half of it", 0.5)
    under_way.step("report")
    under_way.end("done")
    assert seen == [
        (0, 6, "prepare"),
        (1, 6, "rate"),
        (3, 6, "rate: half of it"),
        (5, 6, "report"),
        (6, 6, "done"),
    ]


def test_without_a_terminal_a_line_comes_once_or_not_at_all(capfd):
    for lines, expected in ((True, "one\ntwo\n"), (False, "")):
        with progress(lines=lines) as advance:
            for what in ("one", "one", "two"):
                advance(1, 2, what)
        assert capfd.readouterr().err == expected


def test_a_terminal_shows_what_is_under_way_and_the_time_left(capfd, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with progress() as advance:
        advance(1, 4, "first \x1b[31m")
        advance(2.5, 4, "second")
    shown = capfd.readouterr().err
    assert "second" in shown
    assert "2/4" in shown
    assert "\x1b[31m" not in shown
