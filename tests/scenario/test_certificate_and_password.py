"""login: certificate_and_password: a certificate that names the user, and the user's password too, whatever the transport."""

import base64
import http.client
import signal
import ssl

import pytest
from broker_fixture import free_bind
from scram import ScramWire
from wire import Wire, tls_context

HTTPS, SOCKET = 1, 2
BOTH = {"certificate_user": "cn", "login": "certificate_and_password"}


@pytest.fixture(scope="module")
def certificates(pki):
    for name in ("porch", "lamp"):
        pki.client("both-clients", f"both-{name}", name)
    return pki


def new(new_broker, pki, mode="optional", **more):
    listeners = [{"bind": free_bind()}, {"bind": free_bind(), "protocol": "https", "serve": ["websocket", "publish"]},
                 {"bind": "unix:local.sock"}]
    broker = new_broker(config={"listeners": listeners, "authentication": {**BOTH, **more},
                                "tls": {"client_certificates": mode, "client_ca": str(pki.path("both-clients.crt"))}}, users={})
    broker.config["listeners"][SOCKET]["bind"] = f"unix:{broker.directory}/local.sock"
    broker.write()
    broker.passwd("add", "porch", "--role", "all", "--scram", "--stdin", "-c", stdin=broker.password("porch") + "\n")
    broker.add_user("lamp", ["all"])
    return broker


@pytest.fixture(scope="module")
def broker(new_broker, certificates):
    with new(new_broker, certificates) as broker:
        yield broker


def connect(broker, certificate, user="porch", **options):
    return Wire(broker, user=user, context=tls_context(broker.pki, certificate=certificate and f"both-{certificate}"), **options)


@pytest.mark.parametrize("listener", [0, HTTPS], ids=["mqtt", "websocket"])
def test_both_or_nothing(broker, listener):
    good = broker.password("porch")
    connect(broker, "porch", password=good, listener=listener).close()
    connect(broker, "porch", user=None, password=good, listener=listener).close()  # the name is the certificate's
    mark = broker.mark()
    connect(broker, None, password=good, listener=listener, expect=0x87).expect_close()
    assert broker.wait_log("connect-refused", mark)["cause"] == \
        "login: certificate_and_password demands both, and the client has no certificate"
    mark = broker.mark()
    connect(broker, "porch", password=None, listener=listener, expect=0x86).expect_close()
    assert "a certificate without a password" in broker.wait_log("connect-refused", mark)["cause"]
    for options in ({"password": "wrong"}, {"user": None, "password": None}, {"user": "lamp", "password": broker.password("lamp")},
                    {"password": broker.password("lamp")}):
        connect(broker, "porch", listener=listener, expect=0x86, **options).expect_close()


def test_in_311(broker):
    connect(broker, "porch", version=4, password=broker.password("porch")).close()
    connect(broker, "porch", version=4, password="wrong", expect=4).expect_close()
    connect(broker, "porch", version=4, user=None, password=None, expect=4).expect_close()
    connect(broker, None, version=4, password=broker.password("porch"), expect=5).expect_close()


def test_scram_counts_as_password(broker):
    ScramWire(broker, "porch", context=tls_context(broker.pki, certificate="both-porch")).close()
    for certificate, reason in ((None, 0x87), ("both-lamp", 0x86)):
        context = tls_context(broker.pki, certificate=certificate)
        ScramWire(broker, "porch", context=context, login=False).refused(reason)


def test_a_unix_socket_cannot_satisfy_it(broker):
    Wire(broker, user="porch", listener=SOCKET, expect=0x87).expect_close()
    said = broker.command("--check")
    text = said.stdout + said.stderr
    assert "nobody can log in here with a user name: login: certificate_and_password" in text
    assert "/TLS from this machine: certificate and password" in text


def test_a_listener_may_ask_for_less(new_broker, certificates):
    broker = new(new_broker, certificates)
    broker.config["listeners"][SOCKET]["authentication"] = {"login": "either"}
    broker.write()
    with broker:
        Wire(broker, user="porch", listener=SOCKET).close()
        connect(broker, None, expect=0x87).expect_close()


def post(broker, certificate, password):
    host, port = broker.addresses[HTTPS]
    context = tls_context(broker.pki, certificate=certificate and f"both-{certificate}")
    connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
    basic = base64.b64encode(f"porch:{password}".encode()).decode()
    connection.request("POST", "/publish/both/x", body=b"x", headers={"Authorization": f"Basic {basic}"} if password else {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_scripts(broker):
    good = broker.password("porch")
    assert post(broker, "porch", good)[0] in (200, 204)
    assert post(broker, "porch", None)[0] == 401
    assert post(broker, "porch", "wrong")[0] == 401
    assert post(broker, "lamp", good)[0] == 401
    status, body = post(broker, None, good)
    assert status == 403 and b"a client certificate is required" in body


def reload(broker, **authentication):
    broker.config["authentication"].update(authentication)
    broker.write()
    mark = broker.mark()
    broker.process.signal(signal.SIGHUP)
    broker.wait_log("reloaded", mark)


def test_a_reload_asks_those_who_are_connected(new_broker, certificates):
    keep = {"clean": False, "props": {"session_expiry_interval": 3600}}
    with new(new_broker, certificates, login="either") as broker:
        with connect(broker, "porch", user=None, password=None, client_id="certificate", **keep) as by_certificate, \
                connect(broker, None, client_id="password", **keep) as by_password, \
                connect(broker, "porch", client_id="ignored") as ignored:
            reload(broker, login="certificate_and_password")
            for client in (by_certificate, by_password, ignored):
                assert client.expect_close().reason == 0x87
        # The sessions are the user's, however it logs in.
        with connect(broker, "porch", client_id="certificate", **keep) as both, connect(broker, "porch", client_id="password", **keep) as other:
            assert both.connack.session_present and other.connack.session_present
            reload(broker, login="either")
            both.settle()
            reload(broker, login="certificate_and_password")
            both.settle()
            mark = broker.mark()
            broker.passwd("set", "porch", "--stdin", stdin="another\n")
            broker.process.signal(signal.SIGHUP)
            broker.wait_log("reloaded", mark)
            assert both.expect_close().reason == 0x87
        connect(broker, "porch", password="another").close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "id"])
def test_a_resumed_session_shows_no_password(new_broker, certificates, version, tickets):
    """Nor does one from before, when the certificate was enough."""
    with new(new_broker, certificates, login="either") as broker:
        context = tls_context(broker.pki, certificate="both-porch", maximum=version, minimum=version)
        if not tickets:
            context.options |= ssl.OP_NO_TICKET
        with Wire(broker, user=None, password=None, context=context) as first:
            first.settle()
            session = first.stream.session
        with Wire(broker, user=None, password=None, context=context, session=session) as again:
            again.settle()
            # OpenSSL's client has no session by id in TLS 1.3.
            assert again.stream.session_reused or (not tickets and version == ssl.TLSVersion.TLSv1_3)
        reload(broker, login="certificate_and_password")
        Wire(broker, user=None, password=None, context=context, session=session, expect=0x86).expect_close()
        with Wire(broker, user="porch", context=context, session=session) as both:
            both.settle()


def test_without_a_password_file_it_makes_no_sense(new_broker, certificates):
    broker = new(new_broker, certificates)
    del broker.config["authentication"]["password_file"]
    broker.write()
    said = broker.command("--check")
    assert said.returncode == 2 and "login: certificate_and_password needs authentication.password_file" in said.stdout + said.stderr
