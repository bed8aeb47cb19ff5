"""The policy in force as YAML, where each value comes from, and the schema that an editor checks a file by."""

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.policy import DEFAULTS, PARTS, Policy, layers
from pipeline.policy.describe import as_yaml, origins, schema
from pipeline.resources import ROOT

OWN = """
timezone: Asia/Shanghai
validation: {quarantine_limits: {payments: 0.05}}
grade_rules: {unpaid_balance: null}
indices: {arrears_ratio: null}
expert: {weights: {arrears_ratio: null}}
training: {seed: 7}
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "our-policy.yaml"
    path.write_text(OWN)
    return path


def test_what_is_printed_is_the_policy(own):
    document = Policy.load(own).model_dump(mode="json")
    assert yaml.safe_load(as_yaml(document)) == yaml.safe_load(as_yaml(document, origins(own))) == document


TEXTS = st.text() | st.sampled_from(["a # b", "a: b", "- a", " a ", "null", "1", "a\nb\n", "a\u2028b", "a\x85", "{a}"])
VALUES = TEXTS | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none() | st.lists(TEXTS)
DOCUMENTS = st.recursive(
    st.dictionaries(TEXTS, VALUES), lambda inner: st.dictionaries(TEXTS, VALUES | inner), max_leaves=8
)


@settings(deadline=None)
@given(DOCUMENTS.filter(bool))
def test_any_value_is_printed_on_one_line_and_read_back(document):
    printed = as_yaml(document, {})
    assert yaml.safe_load(printed) == document
    assert len(printed.splitlines()) == printed.count("\n")


def test_each_value_names_the_last_file_that_gives_it(own):
    found = origins(own)
    assert found["timezone",] == found["training", "seed"] == own
    assert found["validation", "quarantine_limits", "payments"] == own
    assert found["grade_rules", "unpaid_balance"] == own, "taken away there"
    assert found["training", "holdout_share"] == DEFAULTS / "models.yaml"
    assert ("indices", "max_days_past_due", "enters_score") not in found, "no file gives it"

    lines = as_yaml(Policy.load(own).model_dump(mode="json"), found).splitlines()
    assert f"timezone: Asia/Shanghai  # {own}" in lines
    assert "schedule: 0 0 1 * *  # defaults/records.yaml" in lines
    assert "    enters_score: true  # built in" in lines


def test_a_list_comes_whole_from_one_file(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("families: {residential: [residential, public], non_residential: [commercial, industrial]}")
    assert origins(path)["families", "residential"] == path


@pytest.fixture(scope="module")
def check():
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


FILES = [*sorted((ROOT / "docs" / "examples").glob("*policy*.yaml")), *(DEFAULTS / f"{part}.yaml" for part in PARTS)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_schema_takes_a_file_that_says_part_of_a_policy(check, path):
    check.validate(dict(layers(path))[path])


def test_the_schema_takes_what_null_takes_away(check, own):
    check.validate(yaml.safe_load(own.read_text()))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("trainig: {seed: 1}", []),
        ("training: {sed: 1}", ["training"]),
        ("training: {holdout_share: 1.5}", ["training", "holdout_share"]),
        ("grades: {cutoffs: low}", ["grades", "cutoffs"]),
        ("training: null", ["training"]),
    ],
)
def test_the_schema_refuses_what_the_policy_refuses(check, tmp_path, text, where):
    assert [list(error.absolute_path) for error in check.iter_errors(yaml.safe_load(text))] == [where]
