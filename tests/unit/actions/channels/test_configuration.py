"""Addresses of webhook and mail server: what is let through, and in which words the rest is refused."""

import pytest

from pipeline.actions.channels import configuration
from pipeline.errors import ConfigError
from pipeline.settings import Settings

SECRET = "0123456789abcdef"
SENDER = "Example Power <power@utility.example>"


def test_a_login_is_separated_from_the_address():
    webhook = configuration.webhook(Settings(webhook_url="https://u:p%40ss@crm.example/a?b=c", webhook_secret=SECRET))
    assert (webhook.url, webhook.login, webhook.where) == (
        "https://crm.example/a?b=c",
        ("u", "p@ss"),
        "crm.example",
    )
    assert "p@ss" not in repr(webhook)
    server = configuration.mail_server(Settings(smtp_url="smtp://u%40x:p%3Ass@mail.example", mail_from=SENDER))
    assert (server.host, server.port, server.tls, server.login) == ("mail.example", 587, "starttls", ("u@x", "p:ss"))
    assert (server.sender.display_name, server.sender.domain) == ("Example Power", "utility.example")
    assert "p:ss" not in repr(server)


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [("smtps://h", 465, "implicit"), ("smtp://h:25", 25, "starttls"), ("smtp://localhost", 587, None)],
)
def test_mail_is_encrypted_unless_it_stays_here(url, port, tls):
    server = configuration.mail_server(Settings(smtp_url=url, mail_from=SENDER))
    assert (server.port, server.tls) == (port, tls)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"webhook_url": "http://crm.example/"}, "GRIDGRADE_WEBHOOK_URL is not https"),
        ({"webhook_url": "crm.example"}, "GRIDGRADE_WEBHOOK_URL is not an address of https or http"),
        ({"webhook_url": "https://h:port/s3cret"}, "GRIDGRADE_WEBHOOK_URL is not an address"),
        ({"webhook_url": "https://h", "webhook_secret": "s3cret"}, "GRIDGRADE_WEBHOOK_SECRET is no key of 16 bytes"),
        ({"webhook_url": "https://h", "webhook_secret": "whsec_s3cret~"}, "GRIDGRADE_WEBHOOK_SECRET is no key"),
        ({"smtp_url": "mail.example:25"}, "GRIDGRADE_SMTP_URL is not an address of smtp or smtps"),
        ({"smtp_url": "smtp://h:99999"}, "GRIDGRADE_SMTP_URL is not an address"),
        ({"mail_from": "Example Power"}, "GRIDGRADE_MAIL_FROM is not a mail address"),
        ({"mail_from": "a@b\nBcc: c@d"}, "GRIDGRADE_MAIL_FROM is not a mail address"),
    ],
)
def test_what_cannot_be_used_names_the_variable_and_no_secret(settings, fault):
    usable = {"webhook_url": "https://h", "webhook_secret": SECRET, "smtp_url": "smtp://h", "mail_from": SENDER}
    read = configuration.webhook if "webhook" in min(settings) else configuration.mail_server
    with pytest.raises(ConfigError) as raised:
        read(Settings(**usable | settings))
    assert str(raised.value).startswith(fault)
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_missing_is_named():
    assert configuration.missing(Settings(), "email") == "GRIDGRADE_SMTP_URL and GRIDGRADE_MAIL_FROM are not set"
    half = Settings(webhook_url="https://h")
    assert configuration.missing(half, "webhook") == "GRIDGRADE_WEBHOOK_SECRET is not set"
    assert configuration.webhook(half) is None
    assert configuration.missing(Settings(webhook_url="https://h", webhook_secret=SECRET), "webhook") is None
    assert configuration.missing(Settings(), "queue") is None
