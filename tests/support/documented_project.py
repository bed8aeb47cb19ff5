"""A utility's own folder with the index of docs/policy.md and the measure of docs/actions.md, as they stand there."""

import re
from pathlib import Path

import yaml

from pipeline import resources
from pipeline.maintenance.new_project import create
from pipeline.policy import merged

INDEX, MEASURE = "plans_agreed", "plan_offer"


def documented_project(folder: Path) -> Path:
    """``gridgrade init FOLDER``, with the files of both examples."""
    create(folder)
    index_query, index_entry, index_case = _blocks("policy.md", "## Adding an index")
    query, entry, letter, payload, case = _blocks("actions.md", "### Adding a measure")
    policy = merged(yaml.safe_load(index_entry), yaml.safe_load(entry))
    for name, text in {
        "policy.yaml": yaml.safe_dump(policy),
        "sql/lake/indices/plans.sql": index_query,
        "cases/lake/indices/plans/window.yaml": index_case,
        f"sql/lake/measures/{MEASURE}.sql": query,
        f"letters/{MEASURE}.en.txt": letter,
        "letters/payloads.yaml": payload,
        f"cases/lake/measures/{MEASURE}/large_debts.yaml": case,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def _blocks(page: str, heading: str) -> list[str]:
    """The SQL, YAML and text of a chapter, in its order."""
    chapter = (resources.ROOT / "docs" / page).read_text().partition(f"{heading}\n")[2]
    chapter = re.split(rf"\n#{{1,{heading.index(' ')}}} ", chapter)[0]
    return re.findall(r"```(?:sql|yaml|text)\n(.*?)```", chapter, re.DOTALL)
