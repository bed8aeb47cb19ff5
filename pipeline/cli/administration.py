"""Look after an installation: ``init``, ``test``, ``dictionary``, ``clean``, ``migrate``, ``doctor`` and ``audit``."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import (
    AsJson,
    FirstMonth,
    LastMonth,
    inputs,
    print_json,
    print_table,
    progress,
    require_chronological,
    say,
    settings_with_databases,
    write_text,
)
from pipeline.settings import Settings

app = typer.Typer()


@app.command()
def dictionary(
    out: Annotated[Path | None, typer.Option(metavar="F", help="write to this file")] = None,
    as_json: AsJson = False,
) -> None:
    """What every index, source table and warehouse table means under the policy in force, as Markdown."""
    from pipeline.maintenance.data_dictionary import dictionary, markdown

    _, policy = inputs()
    text = json.dumps(dictionary(policy), indent=1, ensure_ascii=False) + "\n" if as_json else markdown(policy)
    write_text(text, out)


@app.command()
def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="remove nothing, and say what would go")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what the policy's retention no longer keeps: of the lake, the warehouse and the validation pages."""
    from pipeline.maintenance.retention import clean as cleaned
    from pipeline.warehouse import migrations

    settings, policy = inputs()
    migrations.migrate(settings)
    found = cleaned(settings, policy, dry_run=dry_run)
    if as_json:
        print_json([{name: getattr(one, name) for name in ("kind", "name", "size_bytes", "rows")} for one in found])
        return
    if not found:
        say("there is nothing to remove")
        return
    rows = []
    what = [one.kind if one.rows is None else f"rows of {one.name}" for one in found]
    for kind in dict.fromkeys(what):
        of_kind = [one for one, its in zip(found, what, strict=True) if its == kind]
        counted = sum(1 if one.rows is None else one.rows for one in of_kind)
        rows.append((kind, f"{counted:,}", f"{sum(one.size_bytes for one in of_kind) / 1e6:,.1f}"))
    print_table(("kind", "would go" if dry_run else "removed", "MB"), rows)


@app.command()
def migrate() -> None:
    """Bring the warehouse's tables and views up to date; ``rate`` and ``backfill`` do so by themselves."""
    from pipeline.warehouse import migrations

    settings = Settings.load()
    done = migrations.migrate(settings if settings.warehouse_url else settings_with_databases())
    typer.echo("\n".join(done) if done else "nothing to migrate")


@app.command()
def doctor(
    profile: Annotated[
        bool, typer.Option("--profile", help="instead: a page of what the source holds, for the billing team")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="F.html", help="write the profile to this file")] = None,
    as_json: AsJson = False,
) -> None:
    """Check connections, source contract, migrations and policy: show what is wrong, and how to fix it."""
    if profile:
        return _profile(out, as_json)
    if out is not None:
        raise typer.BadParameter("--out goes with --profile")
    from pipeline.maintenance.doctor import examine

    findings = list(examine(settings_with_databases))
    rows = [(finding.what, "ok" if finding.is_ok else "WRONG", finding.detail) for finding in findings]
    if as_json:
        print_json([dict(zip(("what", "state", "detail"), row, strict=True)) for row in rows])
    else:
        shown = [(what, state, "see below" if state == "WRONG" else detail) for what, state, detail in rows]
        print_table(("what", "state", "found"), shown, styles={"ok": "green", "WRONG": "bold red"})
        say(*(f"{what}: {detail}" for what, state, detail in rows if state == "WRONG"))
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def audit(
    first: FirstMonth = None,
    last: LastMonth = None,
    as_json: AsJson = False,
) -> None:
    """Hold the lake, published months and models against the hashes taken when they were written.

    Names each that differs, is missing or foreign. Without months: all.
    """
    from pipeline.maintenance.audit import OK, WRONG, Span
    from pipeline.maintenance.audit import audit as audited
    from pipeline.warehouse import migrations

    require_chronological(first, last)
    settings, _ = inputs()
    migrations.migrate(settings)
    findings = list(audited(settings, Span(first, last)))
    said = [finding for finding in findings if finding.state != OK]
    looked_at = dict(sorted(Counter(finding.kind for finding in findings).items()))
    if as_json:
        print_json({"looked_at": looked_at, "findings": [asdict(finding) for finding in said]})
    else:
        say(*(f"{finding.state}: {finding.detail}" for finding in said))
        counts = ", ".join(f"{kind}s {number:,}" for kind, number in looked_at.items())
        say(f"looked at {counts or 'nothing'}: " + ("all as written" if not said else f"{len(said)} to see to"))
    if any(finding.state == WRONG for finding in said):
        raise typer.Exit(1)


def _profile(out: Path | None, as_json: bool) -> None:
    from pipeline.maintenance.profile_page import html
    from pipeline.pages.files import write
    from pipeline.source.profile import profile

    settings, policy = inputs()
    with progress() as advance:
        tables = profile(settings, policy.timezone, advance)
    if as_json:
        print_json(tables)
    path = out or (None if as_json else settings.reports_path / "source_profile.html")
    if path is not None:
        source = settings.source
        where = "/".join(str(part) for part in (source.host, source.database) if part)
        write(html(tables, where, policy.timezone), path)
        typer.echo(path, err=as_json)
    if any(table["state"] == "refused" for table in tables):
        raise typer.Exit(1)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="an empty folder, or one to be made")],
    origin: Annotated[
        str | None, typer.Option("--from", metavar="ccb|sap-isu|files", help="the billing system to start from")
    ] = None,
) -> None:
    """Make a utility's own folder: policy, queries and letters that an upgrade leaves alone."""
    from pipeline.maintenance.new_project import create

    for name in create(folder, origin):
        typer.echo(folder / name)
    typer.echo(f"next: export GRIDGRADE_PROJECT={folder.absolute()}, set GRIDGRADE_SOURCE_URL, gridgrade doctor")


@app.command("test")
def run_tests(
    ours: Annotated[
        bool, typer.Option("--ours", help="also Gridgrade's cases, on the queries in use and its policy")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the test cases of the folder GRIDGRADE_PROJECT, and write its letters from sample fields."""
    from pipeline.maintenance.project_tests import run
    from pipeline.settings import Settings

    outcomes = list(run(Settings.load(), with_ours=ours))
    failed = [outcome for outcome in outcomes if outcome.fault]
    if as_json:
        print_json([outcome._asdict() for outcome in outcomes])
    else:
        for outcome in failed:
            say(f"{outcome.case}: {outcome.fault}")
        typer.echo(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)
