"""The project's files, and what their code imports."""

import ast
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.resources import ROOT


def project_files() -> list[Path]:
    """What is committed or about to be; all files where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        hidden = {".venv", ".gridgrade", ".git", "__pycache__"}
        found = [path for path in ROOT.rglob("*") if not hidden & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in found if path.is_file())


def python_files(*folders: str) -> list[str]:
    names = [str(path.relative_to(ROOT)) for path in project_files() if path.suffix == ".py"]
    return [name for name in names if name.split("/")[0] in folders]


@dataclass(frozen=True)
class Import:
    name: str
    line: int
    within_function: bool


def imports(source: str, package: str = "") -> list[Import]:
    """Every module a text imports, relative ones resolved; ``from a import b`` counts as a.b, which may be a module."""
    found = []

    def visit(node: ast.AST, within: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, within) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            found.extend(Import(f"{base}.{alias.name}", node.lineno, within) for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return  # for readers and editors; nothing is imported when the code runs
        inside = within or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(source), False)
    return found
