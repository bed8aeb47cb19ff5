"""The policy in force for people and editors: as YAML, with the file each value comes from, and as a JSON schema."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.policy import DEFAULTS, Policy, layers

Key = tuple[str, ...]


def origins(path: Path | None = None) -> dict[Key, Path]:
    """The file that each value of the policy comes from, by its key; ``path``: the utility's own file.

    A value that no file gives is built in and left out. ConfigError for a file that cannot be read.
    """
    found: dict[Key, Path] = {}
    for file, document in layers(path):
        found |= dict.fromkeys((key for key, _ in _values(document)), file)
    return found


def as_yaml(document: Mapping[str, Any], origins: Mapping[Key, Path] | None = None) -> str:
    """All values of a policy's document, a line each. With ``origins``, a comment names the file each comes from."""
    lines: list[str] = []
    above: Key = ()
    for key, value in _values(document):
        shared = next((at for at, (one, other) in enumerate(zip(key, above, strict=False)) if one != other), len(above))
        lines += [f"{'  ' * depth}{_inline(key[depth])}:" for depth in range(shared, len(key) - 1)]
        comment = "" if origins is None else f"  # {_short(origins.get(key))}"
        lines.append(f"{'  ' * (len(key) - 1)}{_inline(key[-1])}: {_inline(value)}{comment}")
        above = key
    return "\n".join(lines) + "\n"


def schema() -> dict[str, Any]:
    """A JSON schema of a utility's own file: no key has to be there, and null takes away an entry of a mapping."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Policy.model_json_schema()}
    relaxed: dict[str, Any] = _relaxed(found)
    return relaxed


def _values(document: Mapping[str, Any], above: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Each value with its key; a list is one value, as it is replaced whole."""
    for name, value in document.items():
        if isinstance(value, dict) and value:
            yield from _values(value, (*above, str(name)))
        else:
            yield (*above, str(name)), value


def _short(file: Path | None) -> str:
    if file is None:
        return "built in"
    return str(file.relative_to(DEFAULTS.parent) if file.is_relative_to(DEFAULTS) else file)


class _OneLine(yaml.SafeDumper):
    """Writes a text of several lines on one, with escapes."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        node: yaml.ScalarNode = self.represent_str(text)
        if text.splitlines() != [text]:
            node.style = '"'
        return node


_OneLine.add_representer(str, _OneLine.represent_text)


def _inline(value: Any) -> str:
    """A key or value as YAML on one line."""
    text: str = yaml.dump(
        [value], Dumper=_OneLine, default_flow_style=True, width=math.inf, allow_unicode=True, sort_keys=False
    )
    return text.strip()[1:-1]


def _relaxed(node: Any) -> Any:
    if isinstance(node, list):
        return [_relaxed(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {name: _relaxed(value) for name, value in node.items()}
    if isinstance(kept.get("required"), list):
        del kept["required"]
    if isinstance(entries := kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = {"anyOf": [entries, {"type": "null"}]}
    return kept
