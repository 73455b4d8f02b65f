"""The config: read, checked to the last key, and resolved into values. Errors name file, line, key and the expected."""

from watchdog.settings.load import load
from watchdog.settings.model import (
    HttpSettings,
    LogSettings,
    PrometheusSettings,
    ReceiverSettings,
    SentrySettings,
    Settings,
    Sources,
    WebhookSettings,
)
from watchdog.settings.rules import RuleFile, read_rule_file, read_rules
from watchdog.settings.schema import schema

__all__ = [
    "HttpSettings",
    "LogSettings",
    "PrometheusSettings",
    "ReceiverSettings",
    "RuleFile",
    "SentrySettings",
    "Settings",
    "Sources",
    "WebhookSettings",
    "load",
    "read_rule_file",
    "read_rules",
    "schema",
]
