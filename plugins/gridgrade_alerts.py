"""Alerts, sent by the notifiers of Airflow that the policy names."""

import logging
from importlib import import_module

log = logging.getLogger(__name__)


def send(alerts, policy, context) -> int:
    """Send each alert by each notifier of the policy; how many were sent. One that fails does not stop the next.

    The alert is a value of the templates' context, so that nothing in its text is taken for a template.
    """
    sent = 0
    for alert in alerts:
        log.warning("%s: %s", alert.kind, alert.line)
        for each in policy.alerts.notifiers:
            try:
                _notifier(each)({**context, "alert": alert})
                sent += 1
            except Exception as error:
                log.error("%s could not send the alert: %s: %s", each.notifier, type(error).__name__, error)
    return sent


def _notifier(wanted):
    """A new notifier of the class that the policy names; ConfigError where it is none of Airflow's."""
    from airflow.sdk import BaseNotifier

    from pipeline.errors import ConfigError

    module, _, name = wanted.notifier.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        raise ConfigError(f"alerts: there is no {wanted.notifier}: is its provider installed?") from None
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise ConfigError(f"alerts: {wanted.notifier} is no notifier of Airflow")
    return found(**wanted.arguments)
