"""Client certificates: which are accepted, which are refused, and what session resumption must not skip."""

import signal
import ssl

import pytest
from clients import MosquittoSub, mosquitto_pub, s_client
from wire import Closed, Wire, tls_context

GOOD = ["cert-user", "other-user"]


@pytest.fixture(scope="module")
def certificates(pki):
    """One authority for clients, one that the broker does not know, and every defect that a certificate can have."""
    for name in GOOD:
        pki.client("clients", name, name)
    pki.client("clients", "rsa-user", "cert-user", key="rsa")
    pki.client("clients", "revoked", "cert-user")
    pki.client("clients", "later-revoked", "cert-user")
    pki.client("clients", "server-only", "cert-user", kind="server")
    pki.client("clients", "no-purpose", "cert-user", kind="any")
    pki.client("clients", "slash", "cert-user\\/x")
    pki.client("clients", "wildcard", "#")
    pki.client("clients", "unknown-user", "nobody")
    pki.client("clients", "san", "ignored", "URI:urn:house:porch", "DNS:porch.house", "email:porch@house.example")
    pki.client("strangers", "stranger", "cert-user")
    pki.revoke("clients", "clients.crl", "revoked")
    return pki


def settings(pki, mode="optional", crl="clients.crl", **authentication):
    tls = {"client_certificates": mode, "client_ca": str(pki.path("clients.crt"))}
    if crl:
        tls["client_crl"] = str(pki.path(crl))
    return {"tls": tls, "authentication": {"certificate_user": "cn", **authentication}}


def with_users(broker):
    for name in GOOD:
        broker.add_user(name, ["all"], password=False)
    return broker


@pytest.fixture(scope="module")
def broker(new_broker, certificates):
    with with_users(new_broker(config=settings(certificates))) as broker:
        yield broker


def connect(broker, certificate, user=None, version=None, **options):
    context = tls_context(broker.pki, certificate=certificate, maximum=version, minimum=version)
    return Wire(broker, user=user, password=options.pop("password", None), context=context, **options)


def refused_by_tls(broker, certificate, version=None):
    """In TLS 1.3 a client is told with its first read."""
    mark = broker.mark()
    with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
        connect(broker, certificate, version=version)
    return broker.wait_log("handshake-failed", mark)


TLS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


@TLS
@pytest.mark.parametrize("certificate", ["cert-user", "rsa-user", "no-purpose"])
def test_the_certificate_is_the_user(broker, version, certificate):
    mark = broker.mark()
    with connect(broker, certificate, version=version) as client:
        client.publish("t/x", b"1", qos=1)
    assert broker.wait_log("client-connected", mark)["user"] == "cert-user"


def test_with_mosquitto(broker, topic):
    with MosquittoSub(broker, "-t", topic, user=None, certificate="cert-user") as sub:
        assert mosquitto_pub(broker, "-t", topic, "-m", "hello", user=None, certificate="other-user").returncode == 0
        sub.message(f"0 0 {topic} hello")


@TLS
@pytest.mark.parametrize("certificate, word", [("stranger", ""), ("revoked", "revoked"), ("server-only", "")])
def test_refused(broker, version, certificate, word):
    said = refused_by_tls(broker, certificate, version)
    assert said["cause"] and word in said["cause"].lower() and said["certificate"] == "CN=cert-user"


def test_a_user_name_equal_to_the_certificate_is_accepted(broker):
    with connect(broker, "cert-user", user="cert-user") as client:
        client.settle()
    with connect(broker, "cert-user", user="cert-user", password="ignored") as client:
        client.settle()


def test_another_user_name_is_refused(broker):
    connect(broker, "cert-user", user="anna", expect=0x86).expect_close()
    connect(broker, "cert-user", user="anna", password=broker.password("anna"), expect=0x86).expect_close()


def test_a_user_who_is_not_in_the_file(broker):
    connect(broker, "unknown-user", expect=None).expect_close()


@pytest.mark.parametrize("certificate", ["slash", "wildcard"])
def test_names_that_cannot_be_users(broker, certificate):
    client = connect(broker, certificate, expect=None)
    assert client.connack.reason in (0x86, 0x87)
    client.expect_close()


def test_without_a_certificate_the_password_decides(broker):
    with Wire(broker, user="anna") as client:
        client.settle()
    Wire(broker, user="anna", password="wrong", expect=0x86).expect_close()
    Wire(broker, user="cert-user", password="x", expect=0x86).expect_close()


def test_locked(new_broker, certificates):
    broker = with_users(new_broker(config=settings(certificates)))
    broker.passwd("lock", "cert-user")
    with broker:
        connect(broker, "cert-user", expect=0x86).expect_close()
        with connect(broker, "other-user") as client:
            client.settle()


def test_the_log_names_the_certificate(broker):
    """Its subject: there may be no user name that says who it was."""
    mark = broker.mark()
    connect(broker, "unknown-user", client_id="refused", expect=0x86).expect_close()
    line = broker.wait_log("connect-refused", mark, client_id="refused")
    assert (line["certificate"], line["cause"]) == ("CN=nobody", "the certificate names an unknown user")


def test_required(new_broker, certificates):
    with with_users(new_broker(config=settings(certificates, mode="required"))) as broker:
        with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
            Wire(broker, user="anna")
        with connect(broker, "cert-user") as client:
            client.settle()


def test_without_a_password_file_the_certificate_is_enough(new_broker, certificates):
    config = settings(certificates)
    broker = new_broker(config=config, users={}, acl={"users": {"nobody": {"rules": ["allow all #"]}}})
    del broker.config["authentication"]["password_file"]
    broker.write()
    with broker, connect(broker, "unknown-user") as client:
        client.publish("t/x", b"1", qos=1)


def test_a_certificate_that_was_not_requested_is_ignored(new_broker, certificates):
    with new_broker() as broker:
        connect(broker, "cert-user", expect=0x87).expect_close()


@pytest.mark.parametrize("which, user", [("san_uri", "urn:house:porch"), ("san_dns", "porch.house"),
                                         ("san_email", "porch@house.example")])
def test_names_of_the_alternative_name(new_broker, certificates, which, user):
    broker = new_broker(config=settings(certificates, certificate_user=which), users={})
    if which == "san_uri":  # its colon has no place in a password file
        del broker.config["authentication"]["password_file"]
        broker.write()
    else:
        broker.add_user(user, ["all"], password=False)
    with broker:
        mark = broker.mark()
        with connect(broker, "san") as client:
            client.settle()
        assert broker.wait_log("client-connected", mark)["user"] == user


def test_an_ended_crl_refuses_and_says_so(new_broker, certificates):
    certificates.revoke("clients", "ended.crl", ended=True)
    broker = with_users(new_broker(config=settings(certificates, crl="ended.crl")))
    checked = broker.command("--check")
    assert "crl" in (checked.stdout + checked.stderr).lower()
    with broker:
        assert "crl" in refused_by_tls(broker, "cert-user")["cause"].lower()
        with Wire(broker, user="anna") as client:
            client.settle()


def reload_with(broker, **tls):
    broker.config["tls"].update(tls)
    broker.write()
    mark = broker.mark()
    broker.process.signal(signal.SIGHUP)
    broker.wait_log("reloaded", mark)


@TLS
def test_an_ended_crl_that_is_accepted_counts_all_the_same(new_broker, certificates, version):
    """crl_expired: accept, for who comes with a full handshake, and with a session from before."""
    certificates.revoke("clients", "accepted.crl", "revoked", ended=True)
    config = settings(certificates, crl="accepted.crl")
    config["tls"]["crl_expired"] = "accept"
    with with_users(new_broker(config=config)) as broker:
        checked = broker.command("--check")
        assert "counts as it is (crl_expired: accept)" in checked.stdout + checked.stderr
        assert broker.wait_log("revocation-list-expired")["consequence"].startswith("crl_expired: accept")
        context = tls_context(broker.pki, certificate="cert-user", maximum=version, minimum=version)
        with Wire(broker, user=None, password=None, context=context) as first:
            first.settle()
            session = first.stream.session
        with Wire(broker, user=None, password=None, context=context, session=session) as second:
            second.settle()
            assert second.stream.session_reused
            assert "revoked" in refused_by_tls(broker, "revoked", version)["cause"]
            # refuse concerns logins: who is connected stays, and comes not again, by the session neither.
            reload_with(broker, crl_expired="refuse")
            second.settle()
            mark = broker.mark()
            with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
                Wire(broker, user=None, password=None, context=context, session=session)
            assert "has expired" in broker.wait_log("handshake-failed", mark)["cause"]
            # And who is on the list is closed, ended or not.
            certificates.revoke("clients", "accepted.crl", "cert-user", ended=True)
            reload_with(broker)
            assert second.expect_close().reason == 0x87


def test_a_crl_is_warned_of_seven_days_before(new_broker, certificates):
    ends = []
    for days, name in ((6, "soon"), (8, "later")):
        certificates.run("crl", "clients", f"{name}.crl", f"days={days}")
        broker = new_broker(config=settings(certificates, crl=f"{name}.crl"))
        said = broker.command("--check")
        ends.append("the revocation list ends on" in said.stdout + said.stderr)
    assert ends == [True, False]


@TLS
def test_resumption_skips_nothing(new_broker, certificates, version):
    """The identity comes from the session's certificate, which is checked again."""
    with with_users(new_broker(config=settings(certificates))) as broker:
        context = tls_context(broker.pki, certificate="cert-user", maximum=version, minimum=version)
        with Wire(broker, user=None, password=None, context=context) as first:
            first.settle()
            session = first.stream.session
        mark = broker.mark()
        with Wire(broker, user=None, password=None, context=context, session=session) as second:
            second.settle()
        assert broker.wait_log("client-connected", mark)["user"] == "cert-user"
        Wire(broker, user="anna", password=broker.password("anna"), context=context, session=session,
             expect=0x86).expect_close()


@pytest.mark.parametrize("mode, client_id, allowed", [
    ("equal", "cert-user", True), ("equal", "cert-user-2", False), ("equal", "x", False),
    ("prefix", "cert-user", True), ("prefix", "cert-user-2", True), ("prefix", "x-cert-user", False),
    ("prefix", "cert-user2", False), ("prefix_any", "cert-user2", True), ("prefix_any", "x-cert-user", False),
    ("equal", "", False), ("prefix", "", False), ("prefix_any", "", True),
])
def test_bind_client_id(new_broker, certificates, mode, client_id, allowed):
    """[MQTT5-3.1.3-8]"""
    with with_users(new_broker(config=settings(certificates, bind_client_id=mode))) as broker:
        connect(broker, "cert-user", client_id=client_id, expect=0 if allowed else 0x85).close()


def test_bind_client_id_with_passwords_in_311(new_broker):
    with new_broker(config={"authentication": {"bind_client_id": "equal"}}) as broker:
        Wire(broker, 4, client_id="anna").close()
        Wire(broker, 4, client_id="bert", expect=2).expect_close()


def test_only_names_of_the_client_ca_are_sent(broker):
    said = s_client(broker)
    told = said.split("Acceptable client certificate CA names")[1].split("Requested")[0]
    assert "Scenario clients" in told and "Scenario servers" not in told
