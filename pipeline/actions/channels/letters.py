"""Letters and work orders, rendered from templates that a utility may edit.

``templates/<name>.<language>.txt`` is one letter: its first line the subject, the rest the text. A file of the same
name in the folder ``letters`` of the utility's project comes first, and ``<name>.<language>.html`` there, if it exists,
goes beside the text. Which fields a letter can name is in ``payloads.yaml``: a project's own says it of more types.
Templates run in a sandbox; what is not there is an error and never an empty place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import yaml
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline import resources
from pipeline.actions.outbox.delivery import Claimed
from pipeline.errors import ActionError, ConfigError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.actions import Language
from pipeline.text import finalize

PAYLOADS = "payloads.yaml"


@dataclass(frozen=True)
class Letter:
    language: str
    subject: str
    text: str
    html: str | None


class Letters:
    """Renders the letters of a policy; the utility's own templates come first."""

    def __init__(self, policy: Policy):
        self._policy = policy
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(resources.folders(resources.LETTERS)),
            undefined=StrictUndefined,
            finalize=finalize,
            autoescape=lambda name: bool(name) and name.endswith(".html"),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["local_time"] = self._local_time

    def write(
        self,
        action_type: str,
        *,
        action_id: str,
        customer_id: str,
        month: RatingMonth,
        reason: str,
        payload: Mapping[str, Any],
        due_at: datetime | None = None,
        language: Language | None = None,
    ) -> Letter:
        """An action's letter; ``language`` None: the policy's.

        ConfigError where there is no usable template, ActionError where the action lacks what the template asks for.
        """
        language = language or self._policy.actions.language_of(action_type)
        fields = {
            **payload,
            "sender": self._policy.actions.sender[language],
            "action_id": action_id,
            "customer_id": customer_id,
            "month": str(month),
            "reason": reason,
            "due_at": due_at,
        }
        name = f"{self._policy.actions.template(action_type)}.{language}"
        subject, _, text = self._render(f"{name}.txt", fields).strip().partition("\n")
        page = f"{name}.html"
        html = self._render(page, fields) if page in self._environment.list_templates() else None
        return Letter(language, subject.strip(), text.strip() + "\n", html)

    def write_sample(self, action_type: str, language: Language | None = None) -> Letter:
        """A letter with the documented payload of its type, to nobody."""
        return self.write(
            action_type,
            action_id=str(UUID(int=0)),
            customer_id="C00000001",
            month=RatingMonth(2026, 10),
            reason="a sample",
            payload=sample(action_type),
            language=language,
        )

    def write_for(self, action: Claimed) -> Letter:
        """The letter of a claimed action."""
        return self.write(
            action.action_type,
            action_id=str(action.action_id),
            customer_id=action.customer_id,
            month=action.month,
            reason=action.reason,
            payload=action.payload,
            due_at=action.due_at,
        )

    def fault(self, action_type: str) -> str | None:
        """Why the letter of a type cannot be rendered; None where it can."""
        name = f"{self._policy.actions.template(action_type)}.{self._policy.actions.language_of(action_type)}.txt"
        try:
            self._template(name)
        except ConfigError as error:
            return str(error)
        return None

    def _template(self, name: str):
        try:
            return self._environment.get_template(name)
        except TemplateNotFound:
            raise ConfigError(f"there is no letter {name}: add it to the folder letters of GRIDGRADE_PROJECT") from None
        except TemplateSyntaxError as error:
            raise ConfigError(f"template {name}, line {error.lineno}: {error.message}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"template {name} cannot be read: {error}") from None

    def _render(self, name: str, fields: dict[str, Any]) -> str:
        template = self._template(name)
        try:
            return template.render(fields)
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            line = " ".join(str(error).split())
            raise ActionError(f"template {name} cannot be filled for this action: {line}") from None

    def _local_time(self, instant: str | datetime) -> str:
        moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        return f"{moment.astimezone(ZoneInfo(self._policy.timezone)):%Y-%m-%d %H:%M}"


def sample(action_type: str) -> dict[str, Any]:
    """The documented payload of a type, with sample values; ConfigError for a type that is not documented."""
    payloads = _payloads(resources.project())
    if action_type not in payloads:
        raise ConfigError(
            f"letters/{PAYLOADS} does not know {action_type}: add its fields, or choose one of {', '.join(payloads)}"
        )
    return payloads[action_type]


@cache
def _payloads(project: Path | None) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for folder in reversed(resources.folders(resources.LETTERS)):
        path = folder / PAYLOADS
        try:
            document = resources.read_yaml(path) if path.is_file() else None
        except yaml.YAMLError as error:
            raise ConfigError(f"{resources.display(path)} is not YAML: {' '.join(str(error).split())}") from None
        found |= document or {}
    return found
