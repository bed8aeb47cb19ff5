"""Options that several groups of commands take."""

from enum import StrEnum
from typing import Annotated

import typer


class Mode(StrEnum):
    auto = "auto"
    retrain = "retrain"
    apply = "apply"


class Basis(StrEnum):
    as_known_then = "as_known_then"
    as_known_now = "as_known_now"


ModeOption = Annotated[Mode, typer.Option(help="train a new model, apply the one in force, or decide")]
ModelOption = Annotated[str | None, typer.Option("--model", metavar="V", help="apply this model version")]
BasisOption = Annotated[Basis, typer.Option(help="records as known at the cut-off, or as known now")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="do everything but publish, and say what would change")]
AcceptMoves = Annotated[
    bool, typer.Option("--accept-moves", help="publish even if more grades change than the policy lets pass")
]
