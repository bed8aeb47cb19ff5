"""What ``gridgrade test`` runs: the cases of the utility's own folder, its letters, and on request our cases."""

from collections.abc import Iterator
from pathlib import Path

from pipeline import resources
from pipeline.actions.channels.letters import Letters, sample
from pipeline.actions.measures.measure_queries import COLUMNS
from pipeline.engine import open_engine, queries
from pipeline.errors import ConfigError, GridgradeError
from pipeline.maintenance.cases import OURS, Outcome, run_cases
from pipeline.policy import Policy
from pipeline.settings import Settings

CASES = "cases"


def run(settings: Settings, *, with_ours: bool = False) -> Iterator[Outcome]:
    """Run the tests of the project folder; ``with_ours``: then our cases, on the queries in use and our policy.

    ConfigError where there is neither a project folder nor ``with_ours``.
    """
    project = resources.project()
    if project is None and not with_ours:
        raise ConfigError("GRIDGRADE_PROJECT is not set: name the folder to test, or test what is ours with --ours")
    with open_engine(settings) as engine:
        if project is not None:
            for outcome in run_cases(engine, project / CASES, settings.policy):
                yield outcome._replace(case=f"{CASES}/{outcome.case}")
            yield from _letters(project, Policy.load(settings.policy))
        if with_ours:
            for outcome in run_cases(engine, OURS):
                yield outcome._replace(case=f"ours/{outcome.case}")


def _letters(project: Path, policy: Policy) -> Iterator[Outcome]:
    """Each letter of the project, written from the documented fields of every action type that it is for."""
    folder = project / resources.LETTERS
    for path in sorted(folder.glob("*.txt")):
        name, _, language = path.stem.partition(".")
        types = [action_type for action_type in policy.actions.types if policy.actions.template(action_type) == name]
        if not types:
            yield Outcome(f"letters/{path.name}", f"no action type of the policy has a letter {name}")
        for action_type in types:
            yield Outcome(f"letters/{path.name}", _letter_fault(policy, action_type, language))


def _letter_fault(policy: Policy, action_type: str, language: str) -> str | None:
    try:
        if language not in ("en", "zh"):
            raise ConfigError(f"{language!r} is no language of letters: en or zh")
        _check_fields(action_type, set(sample(action_type)))
        Letters(policy).write_sample(action_type, "zh" if language == "zh" else "en")
    except GridgradeError as error:
        return str(error)
    return None


def _check_fields(action_type: str, documented: set[str]) -> None:
    """ConfigError where the fields that payloads.yaml documents are not those that the measure's query returns."""
    path = queries.files().get(action_type)
    if path is None or path.parent.name != "measures":
        return
    given = set(queries.columns(action_type)) - set(COLUMNS)
    if wrong := sorted(documented ^ given):
        which = "documents" if wrong[0] in documented else "lacks"
        raise ConfigError(
            f"letters/payloads.yaml {which} the field {wrong[0]} of {action_type}; its query returns "
            f"{', '.join(sorted(given)) or 'none'}"
        )
