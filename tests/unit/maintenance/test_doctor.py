"""gridgrade doctor: it finds what is wrong, says how to fix it, and goes on to the next check."""

import pytest

from pipeline.maintenance.doctor import examine
from tests.support.environment import variables
from tests.support.records.billing import fill, in_source, records


@pytest.fixture
def looked_at(settings, monkeypatch):
    """The findings by what was looked at, with these settings changed; without ``what`` those that are wrong."""
    for name, value in variables(settings).items():
        monkeypatch.setenv(name, value)

    def run(**changed):
        for name, value in changed.items():
            monkeypatch.setenv(f"GRIDGRADE_{name.upper()}", str(value))
        findings = {finding.what: finding for finding in examine()}
        assert all("\n" not in finding.detail for finding in findings.values())
        return findings

    return run


def wrong(findings):
    return {what: finding.detail for what, finding in findings.items() if not finding.is_ok}


def test_all_is_well(looked_at, settings):
    fill(settings, records())
    findings = looked_at()
    assert wrong(findings) == {}
    assert findings["source bills"].detail == "as the contract says"
    assert findings["source violations"].detail == "absent, optional: its indices will be missing"
    assert findings["warehouse"].detail == "up to date, nothing published yet"
    assert findings["policy"].detail.startswith("the default, sha256 ")
    assert list(findings)[:4] == ["home", "policy", "lake", "engine"]


def test_the_latest_publication_is_named(published, looked_at):
    warehouse = published.warehouse.render_as_string(hide_password=False)
    assert looked_at(warehouse_url=warehouse)["warehouse"].detail == "up to date, latest publication 2026-10"


def test_a_setting_that_cannot_be_used_is_all_there_is_to_say(looked_at):
    findings = looked_at(threads="many")
    assert list(findings) == ["settings"]
    assert "GRIDGRADE_THREADS" in wrong(findings)["settings"]


def test_an_empty_source_lacks_the_required_tables(looked_at):
    found = wrong(looked_at())
    assert set(found) == {"source customers", "source bills", "source payments"}
    assert "bills" in found["source bills"]


def test_a_missing_column_is_wrong_where_it_is_required_and_listed_where_it_is_not(looked_at, settings):
    fill(settings, records())
    in_source(settings, "alter table bills drop column due_on", "alter table bills drop column kvarh")
    assert "due_on" in wrong(looked_at())["source bills"]
    in_source(settings, "alter table payments drop column channel")
    findings = looked_at()
    assert set(wrong(findings)) == {"source bills"}
    assert findings["source payments"].detail == "without channel, optional"


def test_a_source_and_a_warehouse_that_are_away(looked_at):
    found = wrong(
        looked_at(
            source_url="postgresql://u:s3cret@127.0.0.1:1/cis", warehouse_url="postgresql://u:s3cret@127.0.0.1:1/w"
        )
    )
    assert "127.0.0.1:1/cis" in found["source bills"]
    assert "127.0.0.1:1/w" in found["warehouse"]
    assert "s3cret" not in str(found)
    assert "policy" not in found


@pytest.mark.parametrize("name", ["source", "warehouse"])
@pytest.mark.parametrize("url", ["not an address", "moon://u:s3cret@h/db", "mssql+pyodbc://u:s3cret@h/db"])
def test_an_address_of_no_use_names_the_variable(looked_at, name, url):
    found = wrong(looked_at(**{f"{name}_url": url}))
    detail = found["warehouse" if name == "warehouse" else "source bills"]
    assert f"GRIDGRADE_{name.upper()}_URL" in detail
    assert "s3cret" not in detail


def test_a_warehouse_that_is_no_postgresql(looked_at, tmp_path):
    assert (
        "the warehouse must be PostgreSQL" in wrong(looked_at(warehouse_url=f"sqlite:///{tmp_path}/w.db"))["warehouse"]
    )


def test_migrations_that_have_not_run_say_what_runs_them(looked_at, postgres):
    empty = postgres.warehouse.render_as_string(hide_password=False)
    assert "gridgrade migrate runs them" in wrong(looked_at(warehouse_url=empty))["warehouse"]


def test_a_lake_that_cannot_be_written(looked_at, tmp_path):
    (tmp_path / "file").touch()
    found = wrong(looked_at(lake=tmp_path / "file" / "lake"))["lake"]
    assert "cannot be written" in found
    assert "check GRIDGRADE_LAKE" in found


@pytest.mark.spark
def test_an_engine_says_where_it_runs(looked_at, spark_settings):
    assert looked_at()["engine"].detail.startswith("DuckDB ")
    assert looked_at(engine="spark", spark="local[2]")["engine"].detail.endswith("at local[2]")
    assert "127.0.0.1:1: Connection refused" in wrong(looked_at(spark="sc://127.0.0.1:1"))["engine"]


def test_channels_need_to_be_there_only_if_the_policy_sends_by_them(looked_at, tmp_path):
    assert looked_at()["channel webhook"].detail == "not set up, and not used by the policy"
    (tmp_path / "policy.yaml").write_text("actions: {types: {visit: {channels: [webhook, queue]}}}")
    found = looked_at(policy=tmp_path / "policy.yaml")
    assert wrong(found)["channel webhook"] == (
        "GRIDGRADE_WEBHOOK_URL and GRIDGRADE_WEBHOOK_SECRET are not set: "
        "until then these actions wait, and nothing else does: visit"
    )
    assert "channel email" not in wrong(found)
    found = looked_at(webhook_url="https://u:s3cret@crm.example/t0ken", webhook_secret="0123456789abcdef")
    assert found["channel webhook"].detail == "crm.example, used by visit"
    found = looked_at(smtp_url="smtp://u:s3cret@mail.example", mail_from="nobody")
    assert wrong(found)["channel email"].startswith("GRIDGRADE_MAIL_FROM is not a mail address")
    assert "s3cret" not in str(found)


def test_a_policy_that_cannot_be_used(looked_at, tmp_path):
    (tmp_path / "policy.yaml").write_text("label: {horizon_months: 0}")
    assert "label.horizon_months" in wrong(looked_at(policy=tmp_path / "policy.yaml"))["policy"]
    assert "check GRIDGRADE_POLICY" in wrong(looked_at(policy=tmp_path / "none.yaml"))["policy"]
