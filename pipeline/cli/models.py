"""``gridgrade models``: the registry, one version at a time."""

import getpass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.console import AsJson, parse_month, print_json, print_rows, print_table, progress, say, write_text
from pipeline.cycle import Progress
from pipeline.errors import ModelError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings

app = typer.Typer(help="Model versions: what there is, what it is worth, what is in force.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(metavar="V", help="a version, as gridgrade models list shows it")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="who decides (default: who is logged in)")]
Out = Annotated[Path | None, typer.Option(metavar="F", help="write to this file")]


@app.command("list")
def show_all(as_json: AsJson = False) -> None:
    """Every version, by family and age."""
    from pipeline.warehouse import model_registry

    settings, _ = _registry()
    names = ("version", "family", "status", "origin", "trained", "from", "until", "auc", "gates", "approved_by")
    print_rows(as_json, names, [_listed(model) for model in model_registry.models(settings)])


@app.command("show")
def show_one(version: Version, as_json: AsJson = False) -> None:
    """A version: its parameters, gates, monitoring, and grades beside the champion's."""
    from pipeline.warehouse import model_registry
    from pipeline.warehouse.tables import monitoring_results

    settings, _ = _registry()
    model = model_registry.model(settings, version)
    checks, shadows = monitoring_results.of_version(settings, version)
    promotions = model_registry.promotions(settings, version)
    if as_json:
        print_json(
            {name: getattr(model, name) for name in model.__dataclass_fields__}
            | {"promotions": [vars(one) for one in promotions], "monitoring": checks, "shadow_grades": shadows}
        )
        return
    print_table(("", ""), _facts(model))
    _print_gates(model.gates)
    if promotions:
        rows = [(one.from_month, one.approved_by, f"{one.approved_at:%Y-%m-%d}", one.reason) for one in promotions]
        print_table(("from", "approved by", "on", "because"), rows, title="In force")
    if checks:
        names = ("measure", "subject", "compared_with", "value", "limit_value", "status")
        found = [[check[name] for name in names] for check in checks]
        print_table(names, found, title=f"Monitoring of {checks[0]['rating_month']:%Y-%m}")
    for month, pairs in groupby(shadows, key=lambda row: row["rating_month"]):
        _print_shadow(f"Customers in shadow month {month:%Y-%m}", list(pairs))


@app.command()
def promote(
    version: Version,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="who decides (default: who is logged in)")
    ] = None,
    since: Annotated[
        RatingMonth | None,
        typer.Option(
            "--from",
            parser=parse_month,
            metavar="YYYY-MM",
            help="first month it rates (default: the first one not published)",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="goes on record; needed for a model that did not pass its gates")] = "",
    as_json: AsJson = False,
) -> None:
    """Put a version in force. Months that are published keep their grades until they are rated again."""
    from pipeline.models import promotion
    from pipeline.warehouse import model_registry

    settings, policy = _registry()
    who = by or getpass.getuser()
    promoted = promotion.promote(settings, policy, version, who, since=since, reason=reason)
    if since is not None and (published := promotion.published_since(settings, since)):
        months = ", ".join(map(str, published))
        say(f"published with other models, to be rated again: {months}", stderr=True)
    [*_, term] = model_registry.promotions(settings, version)
    outcome = {"version": version, "family": promoted.family, "from_month": term.from_month, "by": term.approved_by}
    print_rows(as_json, list(outcome), [list(outcome.values())])


@app.command()
def recalibrate(
    version: Version,
    month: Annotated[
        RatingMonth | None,
        typer.Option(parser=parse_month, metavar="YYYY-MM", help="as of this month (default: the latest published)"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Calibrate a version's probabilities anew, its weights untouched; registers the result as a challenger."""
    from pipeline.models import retrain
    from pipeline.warehouse import publications
    from pipeline.warehouse.connection import transaction

    settings, policy = _registry()
    if month is None:
        with transaction(settings) as connection:
            latest = publications.latest(connection)
        if latest is None:
            raise ModelError("nothing is published yet: say as of which month with --month")
        month = latest.rating_month
    with progress(lines=True) as advance:
        under_way = Progress(advance, 1)
        under_way.step(f"calibrating {version} as of {month}")
        outcome = retrain.recalibrate(month, settings, policy, version, on_part=under_way.part)
    if as_json:
        print_json(outcome)
        return
    say(f"{outcome['version']}, a challenger")
    _print_gates(outcome["gates"])


@app.command("export")
def export_json(version: Version, out: Out = None) -> None:
    """A version as one JSON file, for another installation or an auditor."""
    from pipeline.models import transfer

    settings, _ = _registry()
    write_text(transfer.exported(settings, version), out)


@app.command("import")
def import_json(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="what gridgrade models export wrote")],
    as_json: AsJson = False,
) -> None:
    """Take in an exported model as a challenger; one that was changed on the way is refused."""
    from pipeline.models import model_card, transfer

    settings, policy = _registry()
    model = transfer.imported(file, settings, policy)
    model_card.write(settings, policy, model)
    print_rows(as_json, ("version", "family", "status"), [(model.version, model.family, model.status)])


@app.command()
def remove(version: Version, as_json: AsJson = False) -> None:
    """Forget a version that never rated anybody; what one in use has done stays on record."""
    from pipeline.models import model_card
    from pipeline.warehouse import model_registry

    settings, _ = _registry()
    model_registry.remove(settings, version)
    model_card.remove(settings, version)
    print_rows(as_json, ("version", "removed"), [(version, "yes")])


@app.command("export-sql")
def export_sql(
    version: Version,
    probability: Annotated[bool, typer.Option("--probability", help="the default probability, not the score")] = False,
    dialect: Annotated[str, typer.Option(help="postgresql or duckdb")] = "postgresql",
    out: Out = None,
) -> None:
    """A version as one SQL expression over its indices, which are null where they are missing."""
    from pipeline.models import transfer

    settings, _ = _registry()
    quantity = "default_probability" if probability else "score"
    write_text(transfer.sql(settings, version, quantity=quantity, dialect=dialect) + "\n", out)


@app.command()
def card(version: Version, out: Out = None) -> None:
    """The model card as one HTML file; without --out under GRIDGRADE_HOME/model_cards. Prints where it is."""
    from pipeline.models import model_card
    from pipeline.warehouse import model_registry

    settings, policy = _registry()
    model = model_registry.model(settings, version)
    if out is None:
        out = model_card.write(settings, policy, model)
    else:
        write_text(model_card.card(settings, policy, model), out)
    typer.echo(out)


def _registry() -> tuple[Settings, Policy]:
    from pipeline.cli.console import inputs
    from pipeline.warehouse.migrations import migrate

    settings, policy = inputs()
    migrate(settings)
    return settings, policy


def _listed(model) -> tuple[Any, ...]:
    is_promoted = model.status != "challenger"
    until = model.retired_from_month
    return (
        model.version,
        model.family,
        model.status,
        model.origin + (" (dry run)" if model.is_trial else ""),
        model.trained_month,
        model.effective_from if is_promoted else None,
        until and until - 1,
        _rounded(model.metrics.get("auc", {}).get("value")),
        {None: None, True: "passed", False: "failed"}[model.has_passed],
        model.approved_by,
    )


def _facts(model) -> list[tuple[str, Any]]:
    listed = dict(
        zip(
            ("version", "family", "status", "origin", "trained as of", "in force from", "until", "AUC", "gates", "by"),
            _listed(model),
            strict=True,
        )
    )
    metrics = model.metrics
    samples = metrics.get("samples", {})
    listed |= {
        "KS": _rounded(metrics.get("ks")),
        "Brier score": _rounded(metrics.get("brier")),
        "cohorts": ", ".join(model.provenance.get("cohorts", [])),
        **{f"rows to {role}": f"{n['customers']:,}, {n['defaults']:,} defaults" for role, n in samples.items()},
        "parameters": model.parameters_sha256,
    }
    return [(name, value) for name, value in listed.items() if value not in (None, "")]


def _print_gates(gates: list[dict] | None) -> None:
    if gates is not None:
        rows = [(g["gate"], "passed" if g["passed"] else "FAILED", g["value"], g["limit"], g["detail"]) for g in gates]
        styles = {"passed": "green", "FAILED": "bold red"}
        print_table(("gate", "state", "value", "limit", "detail"), rows, title="Gates", styles=styles)


def _print_shadow(title: str, pairs: list[dict]) -> None:
    """The champion's grades down, the challenger's across."""
    grades = sorted({row[side] for row in pairs for side in ("champion_grade", "challenger_grade")}, key=_rank)
    counts = {(row["champion_grade"], row["challenger_grade"]): row["customers"] for row in pairs}
    rows = [(grade, *(counts.get((grade, other), 0) for other in grades)) for grade in grades]
    print_table(("grade", *grades), rows, title=f"{title}: {pairs[0]['champion']} down, this across")


def _rank(grade: str) -> tuple[str, int]:
    """AAA before AA before A before B."""
    return grade[0], -len(grade)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
