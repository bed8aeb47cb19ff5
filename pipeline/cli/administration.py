"""Look after an installation: ``init``, ``dictionary``, ``clean``, ``migrate`` and ``doctor``."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.console import AsJson, inputs, print_json, print_rows, progress, settings_with_databases
from pipeline.errors import ConfigError

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
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}; choose another file with --out") from None


@app.command()
def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="remove nothing, and say what would go")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what the policy's retention no longer keeps: old partitions of the lake, replaced revisions, pages."""
    from pipeline.maintenance.retention import clean as cleaned
    from pipeline.warehouse import migrations

    settings, policy = inputs()
    migrations.migrate(settings)
    found = cleaned(settings, policy, dry_run=dry_run)
    if as_json:
        print_json([{name: getattr(one, name) for name in ("kind", "name", "size_bytes")} for one in found])
        return
    table = Table("kind", "would go" if dry_run else "removed", "MB")
    for kind in dict.fromkeys(one.kind for one in found):
        sizes = [one.size_bytes for one in found if one.kind == kind]
        table.add_row(kind, f"{len(sizes):,}", f"{sum(sizes) / 1e6:,.1f}")
    Console().print(table if found else "there is nothing to remove")


@app.command()
def migrate() -> None:
    """Bring the warehouse's tables and views up to date; ``rate`` and ``backfill`` do so by themselves."""
    from pipeline.warehouse import migrations

    done = migrations.migrate(settings_with_databases())
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
    print_rows(as_json, ("what", "state", "detail"), rows)
    if not all(finding.is_ok for finding in findings):
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
