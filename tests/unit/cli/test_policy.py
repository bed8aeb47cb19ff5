"""``gridgrade policy``: what it prints, and that it needs no database."""

import json

import yaml

from pipeline.policy import Policy


def test_the_policy_in_force_is_printed_without_a_database(gridgrade, tmp_path, monkeypatch):
    path = tmp_path / "own.yaml"
    path.write_text("training: {seed: 7}")
    monkeypatch.setenv("GRIDGRADE_POLICY", str(path))

    code, out, _ = gridgrade("policy", "show")
    assert code == 0
    assert yaml.safe_load(out) == Policy.load(path).model_dump(mode="json")
    assert str(path) not in out

    code, out, _ = gridgrade("policy", "show", "--origin")
    assert code == 0
    assert f"  seed: 7  # {path}" in out.splitlines()
    assert not (tmp_path / "nowhere").exists()


def test_a_policy_that_is_refused_is_one_line(gridgrade, tmp_path, monkeypatch):
    path = tmp_path / "own.yaml"
    path.write_text("training: {sed: 7}")
    monkeypatch.setenv("GRIDGRADE_POLICY", str(path))
    code, out, err = gridgrade("policy", "show", "--origin")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "training.sed" in err


def test_the_schema_is_json(gridgrade):
    code, out, _ = gridgrade("policy", "schema")
    assert code == 0
    assert "indices" in json.loads(out)["properties"]
