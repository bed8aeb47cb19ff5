"""Text from the billing system, made safe to show."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from pipeline.text import finalize, spreadsheet_safe, visible

DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "PDI"}


@given(st.text())
def test_what_is_shown_holds_nothing_that_a_terminal_acts_on(text):
    assert not {unicodedata.category(each) for each in visible(text)} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(each) for each in visible(text)} & set(
        ["LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "PDI"]
    )
    visible(text).encode("utf-8")


@pytest.mark.parametrize("text", ["C00001", "国网客户 7", "[bold]x[/y]", "Ünal & Söhne", "👩‍🔧", ""])
def test_ordinary_text_stays_as_it_is(text):
    assert visible(text) == text


def test_controls_are_written_out():
    assert visible("a\x1b[31mb\nc\u202ed") == r"a\x1b[31mb\nc\u202ed"


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1", "=cmd|' /C calc'!A0"])
def test_a_spreadsheet_does_not_work_out_a_cell(text):
    assert spreadsheet_safe(text) == f"'{visible(text)}"


@pytest.mark.parametrize("text", ["C-1", "-5", "+4.50", "a=b", "", "7"])
def test_numbers_and_other_text_stay(text):
    assert spreadsheet_safe(text) == text


def test_templates_show_controls_and_leave_markup_and_numbers():
    assert finalize("a\u202e") == r"a\u202e"
    assert finalize(7) == 7
    assert finalize(Markup("<b>\n")) == Markup("<b>\n")
