"""Mail by a real server: who gets it, what the server may answer, and that nobody's address stays behind."""

import email
import socketserver
import sqlite3
import ssl
import threading
import time
from contextlib import closing, suppress
from email import policy as email_policies

import pytest
import trustme

from tests.support.receivers import MailReceiver

TYPES = {
    "outage_notice": {"channels": ["email", "queue"], "approval": "automatic", "to": "customer"},
    "arrears_rebate": {"channels": ["email"], "approval": "automatic", "to": "customer", "language": "zh"},
    "visit": {"channels": ["email"], "approval": "automatic", "to": ["desk@utility.example", "night@utility.example"]},
}


@pytest.fixture
def mail():
    server = MailReceiver()
    yield server
    server.close()


@pytest.fixture
def mailing(house, mail):
    """A house whose mail server is the receiver; ann, bo and cy can be written to."""
    house.customers(
        ann=("ann@customers.example", None),
        bo=("bo@customers.example", "email"),
        cy=("cy@customers.example", "Email "),
        dee=("dee@customers.example", "phone"),
        eve=("+86 10 5550 0100", None),
        fox=(None, None),
        gil=("a@x.example, b@y.example", None),
        hal=("hal@x.example\nBcc: z@z.example", None),
    )
    return with_mail(house, mail.port)


def with_mail(house, port, scheme="smtp", host="127.0.0.1", login=""):
    url = f"{scheme}://{login}{host}:{port}"
    return house.under(TYPES).at(smtp_url=url, mail_from="Example Power <power@utility.example>")


def read(content):
    return email.message_from_string(content, policy=email_policies.default)


def test_the_letter_arrives(mailing, mail):
    [action] = mailing.decide("arrears_rebate", "ann")
    assert mailing.dispatch()["dispatched"]["email"] == 1
    [(recipients, content)] = mail.received
    message = read(content)
    assert recipients == [message["To"]] == ["ann@customers.example"]
    assert message["From"] == "Example Power <power@utility.example>"
    assert message["Message-ID"] == f"<{action}@utility.example>"
    assert message["Subject"] == "欠费归还返还 4.50 元"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "90.00" in message.get_content()
    assert action in message.get_content()


def test_who_can_be_written_to_and_who_goes_to_the_queue(mailing, mail):
    reached = mailing.decide("outage_notice", "ann", "bo", "cy")
    others = mailing.decide("outage_notice", "dee", "eve", "fox", "gil", "hal", "nobody")
    outcome = mailing.dispatch()
    assert outcome["dispatched"] == {"queue": 6, "webhook": 0, "email": 3}
    assert sorted(recipient for recipients, _ in mail.received for recipient in recipients) == [
        f"{name}@customers.example" for name in ("ann", "bo", "cy")
    ]
    assert {mailing.row(action, "channel") for action in reached} == {("email",)}
    assert {mailing.row(action, "channel", "last_error") for action in others} == {
        ("queue", "email: the customer has no mail address, or prefers another channel")
    }


def test_an_address_that_has_changed_is_the_new_one(mailing, mail):
    mailing.customers(ann=("ann@elsewhere.example", None))
    mailing.decide("outage_notice", "ann")
    mailing.dispatch()
    assert mail.received[0][0] == ["ann@elsewhere.example"]


def test_staff_get_work_orders(mailing, mail):
    mailing.decide("visit", "ann")
    mailing.dispatch()
    [(recipients, content)] = mail.received
    assert recipients == ["desk@utility.example", "night@utility.example"]
    assert read(content)["Subject"] == "Visit customer ann"


@pytest.mark.parametrize("trouble", ["451 4.3.0 later", "drop", "stall"])
def test_a_server_in_trouble_gets_the_same_message_again(mailing, mail, trouble):
    mail.script.append(trouble)
    [action] = mailing.decide("outage_notice", "ann")
    assert mailing.dispatch()["postponed"] == 1
    assert mailing.row(action, "status", "channel") == ("approved", "email")
    mailing.pass_time()
    mailing.dispatch()
    assert mailing.row(action, "status", "attempts") == ("dispatched", 2)
    first, second = (read(content) for _, content in mail.received)
    assert first["Message-ID"] == second["Message-ID"]


@pytest.fixture
def endless_server():
    """The port of a mail server whose greeting never ends, a byte every now and then."""

    class Greeting(socketserver.BaseRequestHandler):
        def handle(self):
            with suppress(OSError):
                for _ in range(600):
                    self.request.sendall(b"2")
                    time.sleep(0.1)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_greeting_that_never_ends_has_a_deadline(house, endless_server):
    house.customers(ann=("ann@customers.example", None))
    house = with_mail(house, endless_server).under(TYPES, timeout_seconds=60, deadline_seconds=0.5)
    [action] = house.decide("visit", "ann")
    assert house.dispatch()["postponed"] == 1
    assert house.row(action, "status") == ("approved",)


def test_a_refused_recipient_is_final_and_the_address_is_not_kept(mailing, mail):
    mail.refuses = {
        "ann@customers.example": "550 5.1.1 <ann@customers.example> unknown",
        "bo@customers.example": "452 4.2.2 <bo@customers.example> over quota",
    }
    [notice] = mailing.decide("outage_notice", "ann")
    [rebate] = mailing.decide("arrears_rebate", "ann")
    [full] = mailing.decide("outage_notice", "bo")
    mailing.dispatch()
    assert mailing.row(notice, "status", "channel") == ("dispatched", "queue")
    assert mailing.row(rebate, "status", "last_error") == (
        "failed",
        "email: the mail server refused the recipient: 550",
    )
    assert mailing.row(full, "status", "last_error") == (
        "approved",
        "email: the mail server refused the recipient: 452",
    )
    for table in ("service_actions", "service_action_events"):
        assert "@customers.example" not in str(mailing.sql(f"select * from ops.{table}"))


def test_a_refused_message_is_final(mailing, mail):
    mail.script.append("554 5.7.1 no")
    [action] = mailing.decide("arrears_rebate", "ann")
    mailing.dispatch()
    assert mailing.row(action, "status", "last_error") == ("failed", "email: the mail server answered 554")


def test_while_the_billing_system_is_away_mail_waits(mailing, mail):
    mailing.decide("outage_notice", "ann")
    waiting = mailing.at(source_url="postgresql://power@127.0.0.1:1/billing").dispatch()["waiting"]
    assert waiting[0]["because"].startswith(
        "addresses are read in the billing system: the billing system at 127.0.0.1:1/billing "
    )
    assert not mail.received
    mailing.dispatch()
    assert len(mail.received) == 1


def test_the_latest_record_of_a_customer_has_the_address_whatever_the_ids_are(house, mail, tmp_path):
    rows = [
        f"({number}, 'residential', 'north', '2020-01-01', '{name}{number}@x.example', '2026-0{month}-01 00:00:00')"
        for number in (7, 11)
        for month, name in ((2, "new"), (1, "old"))
    ]
    with closing(sqlite3.connect(tmp_path / "billing.db")) as billing, billing:
        columns = "customer_id integer, segment text, region text, connected_on text, contact text, recorded_at text"
        billing.execute(f"create table customers ({columns})")
        billing.execute(f"insert into customers values {', '.join(rows)}")
    house = with_mail(house, mail.port).at(source_url=f"sqlite:///{tmp_path / 'billing.db'}")
    house.decide("outage_notice", "7", "11", "8")
    house.dispatch()
    assert sorted(recipients for recipients, _ in mail.received) == [["new11@x.example"], ["new7@x.example"]]


def test_a_server_that_is_away_is_a_reason_to_wait(mailing):
    [action] = mailing.decide("outage_notice", "ann")
    with_mail(mailing, 1).dispatch()
    assert mailing.row(action, "status", "last_error") == (
        "approved",
        "email: the mail server cannot be reached: Connection refused",
    )


class TestEncryption:
    """The address 127.0.0.2 is this machine, and not one of the names under which plain mail is let through."""

    HOST = "127.0.0.2"

    @pytest.fixture
    def authority(self):
        return trustme.CA()

    @pytest.fixture
    def certified(self, authority):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(self.HOST).configure_cert(context)
        return context

    @pytest.fixture
    def _trusted(self, authority, monkeypatch, tmp_path):
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))

    @pytest.fixture
    def served(self, mailing):
        servers = []

        def serve(scheme, login="", **options):
            servers.append(MailReceiver(host=self.HOST, **options))
            [action] = mailing.decide("outage_notice", "ann")
            with_mail(mailing, servers[0].port, scheme, self.HOST, login).dispatch()
            return servers[0], mailing.row(action, "status", "last_error")

        yield serve
        for server in servers:
            server.close()

    @pytest.mark.usefixtures("_trusted")
    def test_starttls_and_login(self, served, certified):
        server, row = served("smtp", "user:s3cret%2Fpw@", starttls=certified)
        assert row == ("dispatched", None)
        assert server.logins == [("user", "s3cret/pw")]

    @pytest.mark.usefixtures("_trusted")
    def test_a_refused_login_is_not_the_message_s_fault(self, served, certified):
        server, row = served("smtp", "user:wrong@", starttls=certified)
        assert row == ("approved", "email: the mail server refused the login: 535")
        assert not server.received

    @pytest.mark.usefixtures("_trusted")
    def test_tls_from_the_start(self, served, certified):
        assert served("smtps", tls=certified)[1] == ("dispatched", None)

    @pytest.mark.parametrize("scheme", ["smtp", "smtps"])
    def test_a_certificate_nobody_vouches_for(self, served, certified, scheme):
        server, (status, error) = served(scheme, **{"starttls" if scheme == "smtp" else "tls": certified})
        assert status == "approved"
        assert error.startswith("email: the mail server's certificate is refused: ")
        assert not server.received

    def test_a_server_that_offers_no_encryption(self, served):
        server, row = served("smtp")
        assert row == ("approved", "email: the mail server offers no STARTTLS, or no login")
        assert not server.received
