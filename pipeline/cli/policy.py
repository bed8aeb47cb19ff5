"""The policy in force and its schema: ``policy show`` and ``policy schema``."""

from typing import Annotated

import typer

from pipeline.cli.console import print_json
from pipeline.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The policy in force, and a schema of it for editors.")


@app.command()
def show(
    origin: Annotated[bool, typer.Option("--origin", help="name the file that each value comes from")] = False,
) -> None:
    """The policy in force, as YAML."""
    from pipeline.policy import Policy
    from pipeline.policy.describe import as_yaml, origins

    path = Settings.load().policy
    document = Policy.load(path).model_dump(mode="json")
    typer.echo(as_yaml(document, origins(path) if origin else None), nl=False)


@app.command()
def schema() -> None:
    """A JSON schema of the policy file, with which an editor completes and checks it."""
    from pipeline.policy.describe import schema as policy_schema

    print_json(policy_schema())
