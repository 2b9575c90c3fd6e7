"""TLS seen from outside: what is offered, what is refused, and that each refusal is explained in the log."""

import signal
import socket
import ssl
import subprocess
import struct
import xml.etree.ElementTree as ElementTree

import mqtt
import pytest
from broker_fixture import free_bind
from clients import s_client, sslscan
from wire import Wire, tls_context

SUITES_12 = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
             "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"]
OP_NO_EXTENDED_MASTER_SECRET = 1    # of OpenSSL 3; Python has no name for it
SUITES_13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker() as broker:
        yield broker


@pytest.fixture
def fresh(new_broker):
    """For tests that read the log, which limits repeated lines of a scanner."""
    with new_broker() as broker:
        yield broker


@pytest.fixture(scope="module")
def scan(broker):
    return ElementTree.fromstring(sslscan(broker)).find("ssltest")


def test_versions(scan):
    enabled = {(p.get("type"), p.get("version")) for p in scan.iter("protocol") if p.get("enabled") == "1"}
    assert enabled == {("tls", "1.2"), ("tls", "1.3")}


def test_suites(scan):
    """sslscan offers everything it knows, also what it has to build by hand."""
    offered = {c.get("cipher") for c in scan.iter("cipher")}
    assert offered <= set(SUITES_12 + SUITES_13)
    assert set(SUITES_13) <= offered and {s for s in SUITES_12 if "ECDSA" in s} <= offered


def test_no_renegotiation_no_compression_no_heartbleed(scan):
    compression = scan.find("compression")  # left out where the scanner cannot offer it; s_client tells below
    assert compression is None or compression.get("supported") == "0"
    renegotiation = scan.find("renegotiation")
    assert renegotiation is None or renegotiation.get("supported") == "0" or renegotiation.get("secure") == "1"
    assert all(h.get("vulnerable") == "0" for h in scan.iter("heartbleed"))


def test_no_version_fallback(broker):
    """A client that claims a fallback from 1.3 is refused."""
    assert "inappropriate fallback" in s_client(broker, "-tls1_2", "-fallback_scsv")


def test_groups(scan):
    assert {g.get("name") for g in scan.iter("group")} <= {"x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)"}


@pytest.mark.parametrize("suite", SUITES_12)
def test_each_suite(broker, suite):
    said = s_client(broker, "-tls1_2", "-cipher", suite)
    assert f"Cipher is {suite}" in said and "Verify return code: 0 (ok)" in said
    assert "Secure Renegotiation IS supported" in said and "Compression: NONE" in said
    assert "Extended master secret: yes" in said


@pytest.mark.parametrize("suite", SUITES_13)
def test_each_suite_of_13(broker, suite):
    said = s_client(broker, "-tls1_3", "-ciphersuites", suite)
    assert f"Cipher is {suite}" in said and "Verify return code: 0 (ok)" in said
    assert "Max Early Data: 0" in said or "Max Early Data" not in said


def test_the_strongest_suite_is_chosen(broker):
    said = s_client(broker)
    assert "TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256" in said and "X25519" in said


@pytest.mark.parametrize("version", ["-tls1_1", "-tls1"])
def test_older_versions_are_refused(fresh, version):
    mark = fresh.mark()
    said = s_client(fresh, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "protocol version" in said and "Cipher is (NONE)" in said
    assert fresh.wait_log("handshake-failed", mark)["cause"]


@pytest.mark.parametrize("options", [
    ("-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"),
    ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:@SECLEVEL=0"),
    ("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"), ("-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0"),
    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"), ("-tls1_3", "-curves", "secp521r1"),
    ("-tls1_2", "-sigalgs", "RSA+SHA1:ECDSA+SHA1", "-cipher", "ALL:@SECLEVEL=0"),
], ids=["static-rsa", "cbc", "dhe", "null", "ccm8", "p521", "sha1"])
def test_suites_that_are_not_allowed_are_refused(fresh, options):
    mark = fresh.mark()
    said = s_client(fresh, *options)
    assert "handshake failure" in said or "no suitable" in said or "alert" in said
    failed = fresh.wait_log("handshake-failed", mark)
    assert failed["peer"].startswith("127.0.0.1") and failed["cause"]


@pytest.mark.parametrize("kind, algorithms", [("id-ecPublicKey", "ECDSA+SHA256"), ("rsaEncryption", "RSA-PSS+SHA256"),
                                              ("rsaEncryption", "RSA+SHA256:RSA-PSS+SHA256")],
                         ids=["ecdsa", "rsa-pss", "rsa"])
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_rsa_only_and_ecdsa_only_clients(broker, version, kind, algorithms):
    said = s_client(broker, version, "-sigalgs", algorithms, "-showcerts")
    assert "Verify return code: 0 (ok)" in said
    assert ("ECDSA" if kind == "id-ecPublicKey" else "RSA") in said.split("Peer signature type: ")[1].splitlines()[0]
    assert said.count("BEGIN CERTIFICATE") == 1  # the leaf, never the root


def test_alpn(broker):
    assert "ALPN protocol: mqtt" in s_client(broker, "-alpn", "mqtt")
    assert "ALPN protocol: mqtt" in s_client(broker, "-alpn", "http/1.1,mqtt")
    assert "No ALPN negotiated" in s_client(broker)
    with Wire(broker, context=tls_context(broker.pki, alpn=["mqtt"])) as client:
        assert client.stream.selected_alpn_protocol() == "mqtt"


def test_another_protocol_is_refused(fresh):
    """ALPACA: a browser must not be brought to talk to a broker."""
    assert "no application protocol" in s_client(fresh, "-alpn", "http/1.1")
    assert fresh.wait_log("handshake-failed")["cause"]


def test_renegotiation_is_refused(broker):
    """s_client asks for it when it reads R."""
    said = s_client(broker, "-tls1_2", send="R\n")
    assert "RENEGOTIATING" not in said or "no renegotiation" in said


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_resumption(broker, version):
    context = tls_context(broker.pki, maximum=version, minimum=version)
    with Wire(broker, context=context) as first:
        first.settle()
        session = first.stream.session
        first.disconnect()
    with Wire(broker, context=context, session=session) as second:
        assert second.stream.session_reused
        second.settle()


# MQTT 3.1.1: CONNECT and PINGREQ of nobody; s_client stays until the broker closes, and has the ticket by then.
NOBODY = mqtt.connect(4, "s_client") + mqtt.packet(mqtt.PINGREQ, 0, b"")


def test_each_ticket_is_used_once(broker, tmp_path):
    """RFC 8446 C.4: a client that does so resumes every time."""
    tickets = [tmp_path / str(i) for i in range(5)]
    send = NOBODY.decode("latin-1")
    said = s_client(broker, "-tls1_3", "-ign_eof", "-sess_out", str(tickets[0]), send=send)
    assert "\nNew, TLSv1.3" in said
    for before, after in zip(tickets, tickets[1:]):
        said = s_client(broker, "-tls1_3", "-ign_eof", "-sess_in", str(before), "-sess_out", str(after), send=send)
        assert "\nReused, TLSv1.3" in said
        assert after.read_bytes() != before.read_bytes()


def test_session_ids_of_a_client_without_tickets(broker):
    said = s_client(broker, "-tls1_2", "-no_ticket", "-reconnect")
    assert said.count("\nNew, TLSv1.2") == 1 and said.count("\nReused, TLSv1.2") == 5


def as_bearssl(pki):
    """As BearSSL on an ESP8266: TLS 1.2, session ids only, and no extended master secret."""
    context = tls_context(pki, maximum=ssl.TLSVersion.TLSv1_2)
    context.options |= ssl.OP_NO_TICKET | OP_NO_EXTENDED_MASTER_SECRET
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
    return context


def test_bearssl_resumes_on_every_worker_and_after_a_reload(new_broker):
    with new_broker(config={"workers": 2}, users={"anna": ["all"], "berta": ["all"]}) as broker:
        context = as_bearssl(broker.pki)
        with Wire(broker, context=context) as first:
            first.settle()
            session = first.stream.session
        for number in range(8):    # the kernel spreads them over the workers
            with Wire(broker, context=context, session=session, client_id=f"b{number}") as again:
                assert again.stream.session_reused
                again.settle()
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded", mark)
        with Wire(broker, context=context, session=session) as again:
            assert again.stream.session_reused
        # A session lets nobody in who would not get in without one.
        broker.passwd("lock", "anna")
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded", mark)
        Wire(broker, context=context, session=session, expect=0x86).expect_close()
        with Wire(broker, context=context, session=session, user="berta") as again:
            assert again.stream.session_reused


def test_a_session_without_extended_master_secret_where_clients_have_certificates(new_broker, pki):
    tls = {"client_certificates": "optional", "client_ca": str(pki.authority("session-clients"))}
    broker = new_broker()
    broker.config["listeners"].append({"bind": free_bind(), "tls": {**broker.config["tls"], **tls}})
    broker.write()
    with broker:
        context = as_bearssl(broker.pki)
        with Wire(broker, context=context) as first:
            first.settle()
            session = first.stream.session
        with Wire(broker, context=context, session=session) as again:
            assert again.stream.session_reused
        with Wire(broker, context=context, session=session, listener=1) as elsewhere:
            assert not elsewhere.stream.session_reused
            elsewhere.settle()
            session = elsewhere.stream.session
        with Wire(broker, context=context, session=session, listener=1) as again:
            assert not again.stream.session_reused


def test_small_records_for_small_devices(broker):
    """A small device can ask for records of at most 512 bytes (max_fragment_length)."""
    said = s_client(broker, "-tls1_2", "-maxfraglen", "512")
    assert "Verify return code: 0 (ok)" in said


@pytest.mark.parametrize("greeting", [mqtt.connect(4, "plain", user="anna", password="x"), mqtt.connect(5, "plain"),
                                      b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 64],
                         ids=["3.1.1", "5.0", "http", "zeros"])
def test_plaintext_gets_nothing(fresh, greeting):
    """[S1] not one byte of MQTT; the log says in plain words what happened."""
    mark = fresh.mark()
    with socket.create_connection(fresh.addresses[0], timeout=20) as plain:
        plain.sendall(greeting)
        answer = b""
        try:
            while chunk := plain.recv(4096):
                answer += chunk
        except ConnectionResetError:
            pass
    assert answer == b""
    said = fresh.wait_log("plaintext-refused", mark)
    assert said["peer"].startswith("127.0.0.1") and said["cause"]


def test_half_a_handshake_ends(new_broker):
    with new_broker(config={"limits": {"connect_timeout": "1s"}}) as broker:
        mark = broker.mark()
        hello = b"\x16\x03\x01\x00\xff"
        for opening in (b"", hello):
            with socket.create_connection(broker.addresses[0], timeout=20) as slow:
                slow.sendall(opening)
                assert slow.recv(100) in (b"", b"\x15\x03\x01\x00\x02\x02\x46", b"\x15\x03\x03\x00\x02\x02\x46")
        with Wire(broker, connect=False) as silent:
            silent.expect_close()
        broker.wait_log("connection-closed-before-connect", mark)
        with Wire(broker) as client:
            client.settle()


@pytest.mark.parametrize("name", ["other.house", "localhost"])
def test_a_name_that_is_checked_after_the_handshake(new_broker, name):
    """As Node does: it closes without an alert, before it has sent anything."""
    with new_broker() as broker:
        context = tls_context(broker.pki)
        context.check_hostname = False
        mark = broker.mark()
        with socket.create_connection(broker.addresses[0], timeout=20) as plain:
            context.wrap_socket(plain, server_hostname=name).close()
        said = broker.wait_log("connection-closed-before-connect", mark)
        assert (said["sni"], said["reason"]) == (name, "no DISCONNECT")
        assert ("asked for the name 'other.house', and the broker's certificate is for localhost" in said["cause"]) == (
            name == "other.house")


def test_a_hello_in_single_bytes(broker):
    """TCP has no message boundaries."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    engine = tls_context(broker.pki).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(broker.addresses[0], timeout=20) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                engine.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    stream.sendall(struct.pack("B", byte))
                incoming.write(stream.recv(65536))
        engine.write(mqtt.connect(5, "bytes", user="anna", password=broker.password("anna")))
        for byte in outgoing.read():
            stream.sendall(struct.pack("B", byte))
        while True:
            try:
                assert engine.read(100)[0] == mqtt.CONNACK << 4
                return
            except ssl.SSLWantReadError:
                incoming.write(stream.recv(65536))


def test_tls13_only(new_broker):
    with new_broker(config={"tls": {"min_version": "1.3"}}) as broker:
        assert "protocol version" in s_client(broker, "-tls1_2")
        assert "Verify return code: 0 (ok)" in s_client(broker, "-tls1_3")


def test_groups_that_are_not_allowed(fresh):
    """TLS 1.2 looks for a group while it looks for a suite: the cause names what is missing, the line what was offered."""
    mark = fresh.mark()
    said = s_client(fresh, "-tls1_2", "-curves", "brainpoolP256r1:brainpoolP384r1")
    assert "handshake failure" in said
    failed = fresh.wait_log("handshake-failed", mark)
    assert "key-exchange group" in failed["cause"] and failed["offered"] == "brainpoolP256r1 brainpoolP384r1"
    assert failed["sni"] == "localhost"


def by_s_client(broker, name):
    s_client(broker, "-servername", name, "-verify_hostname", name)


def by_python(broker, name):
    with socket.create_connection(broker.addresses[0], timeout=20) as plain, pytest.raises(ssl.SSLCertVerificationError):
        tls_context(broker.pki).wrap_socket(plain, server_hostname=name)


@pytest.mark.parametrize("client", [by_s_client, by_python])
def test_a_name_that_is_not_in_the_certificate(fresh, client):
    """The log has both names, however the client puts its alert."""
    mark = fresh.mark()
    client(fresh, "broker.example")
    failed = fresh.wait_log("handshake-failed", mark)
    assert "the name 'broker.example'" in failed["cause"] and "is for localhost, 127.0.0.1" in failed["cause"]
    assert "suites" not in failed


def test_mosquitto_connects_to_an_address_that_is_not_in_the_certificate(new_broker):
    broker = new_broker()
    broker.config["listeners"].append({"bind": f"127.0.0.2:{broker.port}"})
    broker.write()
    with broker:
        mark = broker.mark()
        done = subprocess.run(["mosquitto_pub", "-h", "127.0.0.2", "-p", str(broker.port), "--cafile", str(broker.pki.path("ca.crt")),
                               "-t", "a", "-m", "b"], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode != 0
        failed = broker.wait_log("handshake-failed", mark)
        assert "the broker's certificate is for localhost, 127.0.0.1" in failed["cause"]


def test_what_a_client_offered_is_in_the_debug_log(new_broker):
    with new_broker(config={"log": {"level": "debug"}}) as broker:
        mark = broker.mark()
        s_client(broker, "-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0")
        assert "no suite in common" in broker.wait_log("handshake-failed", mark)["cause"]
        details = broker.wait_log("handshake-details", mark)
        assert details["suites"] == "AES128-GCM-SHA256" and "ECDSA P-256" in details["certificates"]
