"""Requirements of others on certificates and identities, row by row, against the PKI that broker-pki makes and the broker
that uses it: B1 to B8 of a project for embedded devices, N4 to N7 of NMOS BCP-003-01."""

import os
import re
import signal
import ssl
import subprocess

import mqtt
import pytest
from broker_fixture import BrokerFixture
from clients import s_client
from private_pki import PrivatePki, openssl, text_of, verify
from test_pki import PkiFiles, request
from wire import Closed, Wire, tls_context

KEYS = {"p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "rsa2048": ["-newkey", "rsa:2048"], "rsa4096": ["-newkey", "rsa:4096"], "ed25519": ["-newkey", "ed25519"]}


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    made = PrivatePki(tmp_path_factory.mktemp("house"))
    made.run("client", "anna")
    made.run("client", "stranger")
    return made


@pytest.fixture(scope="module")
def broker(pki, tmp_path_factory):
    config = pki.tls()
    config["authentication"]["bind_client_id"] = "prefix"
    made = BrokerFixture(tmp_path_factory.mktemp("broker"), PkiFiles(pki), config=config, users={})
    for name in ["anna", *KEYS]:
        made.add_user(name, ["all"], password=False)
    with made as running:
        yield running


def connect(broker, certificate, client_id, version=5, **options):
    return Wire(broker, version, user=None, password=None, client_id=client_id,
                context=tls_context(broker.pki, certificate=certificate), **options)


def refused_by_tls(broker, certificate):
    mark = broker.mark()
    with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
        connect(broker, certificate, "anna")
    return broker.wait_log("handshake-failed", mark)


def test_b1_two_authorities_that_sign_for_one_purpose_each(pki, broker):
    for authority, purpose in (("server-ca", "serverAuth"), ("client-ca", "clientAuth")):
        text = text_of(pki.file(f"{authority}.crt"))
        assert "Certificate Sign, CRL Sign" in text and "CA:TRUE, pathlen:0" in text
    assert openssl("x509", "-in", pki.file("server-ca.crt"), "-noout", "-pubkey") != \
        openssl("x509", "-in", pki.file("client-ca.crt"), "-noout", "-pubkey")
    assert refused_by_tls(broker, "server-ec")["cause"]
    for leaf, authority in (("server-ec", "server-ca"), ("server-rsa", "server-ca"), ("client-anna", "client-ca")):
        assert verify(pki, authority, pki.issued(f"{leaf}.crt")).endswith("OK\n")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_b2_clients_with_each_type_of_key(pki, broker, tmp_path, key, version):
    pki.run("sign", request(tmp_path, *KEYS[key], name=key), "--user", key)
    context = ssl.create_default_context(cafile=str(pki.file("server-ca.crt")))
    context.load_cert_chain(pki.issued(f"client-{key}.crt"), tmp_path / "its.key")
    context.minimum_version = context.maximum_version = version
    mark = broker.mark()
    Wire(broker, user=None, password=None, client_id=key, context=context).close()
    assert broker.wait_log("client-connected", mark)["user"] == key


def test_b3_a_device_makes_its_key_and_shows_that_it_has_it(pki, tmp_path):
    """The key of one request under the signature of another's: only who has the key gets a certificate."""
    der = {}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        request(tmp_path / name, "-newkey", "ed25519", "-outform", "DER", name="emil")
        der[name] = (tmp_path / name / "its.csr").read_bytes()
    (tmp_path / "mixed.csr").write_bytes(der["a"][:-64] + der["b"][-64:])
    assert "its signature does not fit" in pki.refuse("sign", str(tmp_path / "mixed.csr"), "--user", "emil")
    assert not pki.issued("client-emil.crt").exists()


def test_b4_a_certificate_without_a_user_is_refused(broker):
    """What the CA has signed is not enough: the broker looks the user up."""
    mark = broker.mark()
    connect(broker, "client-stranger", "stranger", expect=0x86).expect_close()
    refused = broker.wait_log("connect-refused", mark)
    assert refused["certificate"] == "CN=stranger" and "unknown user" in refused["cause"]


def pin(broker, pki, user):
    """To the key that its certificate has now."""
    broker.passwd("pin", user, "--certificate", str(pki.issued(f"client-{user}.crt")))


def test_b4_the_key_must_be_the_one_of_the_record(pki, tmp_path):
    """A certificate that is issued anew for another key is good for TLS, and is refused; with the old key it goes on."""
    pki.run("client", "bella")
    broker = BrokerFixture(tmp_path, PkiFiles(pki), config=pki.tls(), users={})
    broker.add_user("bella", ["all"], password=False)
    pin(broker, pki, "bella")
    with broker:
        connect(broker, "client-bella", "bella").close()
        pki.run("renew", "bella")
        connect(broker, "client-bella", "bella").close()
        pki.run("renew", "bella", "--new-key")
        mark = broker.mark()
        connect(broker, "client-bella", "bella", expect=0x86).expect_close()
        assert broker.wait_log("connect-refused", mark)["cause"] == \
            "the key of the certificate is not one that the user is pinned to"
        pin(broker, pki, "bella")
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded", mark)
        connect(broker, "client-bella", "bella").close()


def test_b5_how_a_client_went_is_told_apart(broker):
    reasons = []
    for how in ("disconnect", "kill", "silence"):
        client = connect(broker, "client-anna", f"anna-{how}", keep_alive=1 if how == "silence" else 60)
        mark = broker.mark()
        if how == "disconnect":
            client.disconnect()
        elif how == "kill":
            client.kill()
        reasons.append(broker.wait_log("client-disconnected", mark, client_id=f"anna-{how}")["reason"])
        client.close()
    assert len(set(reasons)) == 3, reasons


def memory_kb(broker):
    with open(f"/proc/{broker.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


def test_b6_a_claimed_length_allocates_nothing(broker):
    """A header of 256 MB before a login, as CVE-2023-0809 was; and a packet above the limit after it."""
    before = memory_kb(broker)
    for _ in range(20):
        client = Wire(broker, connect=False, context=tls_context(broker.pki, certificate="client-anna"))
        client.send(b"\x10" + mqtt.varint(268435455) + mqtt.text("MQTT") + b"\5")
        assert client.take().reason == 0x95
        client.close()
    assert memory_kb(broker) - before < 20 * 1024
    with connect(broker, "client-anna", "anna") as client:
        most = client.connack.props.get("maximum_packet_size")
        assert most is not None
        client.send(b"\xc0" + mqtt.varint(268435455))
        client.expect_close()


def test_b7_revoked_is_out_and_each_failure_is_in_the_log(tmp_path):
    """Revocation, monitoring of dates, rate limits, audit: one PKI, one broker."""
    pki = PrivatePki(tmp_path)
    pki.run("client", "anna", "--days", "20")
    config = {**pki.tls(), "log": {"audit": "audit.log"}}
    broker = BrokerFixture(tmp_path, PkiFiles(pki), config=config, users={})
    broker.add_user("anna", ["all"], password=False)
    with broker:
        assert broker.wait_log("client-certificate-expires")["user"] == "anna"
        client = connect(broker, "client-anna", "anna")
        mark = broker.mark()
        pki.run("revoke", "anna")
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("client-disconnected", mark)
        client.close()
        assert "revoked" in refused_by_tls(broker, "client-anna")["cause"]
    audit = (tmp_path / "audit.log").read_text()
    assert "handshake-failed" in audit and "client-certificate-expires" in audit


def test_b8_a_client_id_belongs_to_its_certificate(broker):
    connect(broker, "client-anna", "bernd", expect=0x85).expect_close()
    connect(broker, "client-anna", "bernd", 4, expect=2).expect_close()
    connect(broker, "client-anna", "anna", 4).close()


@pytest.mark.parametrize(("algorithms", "type_"), [("ECDSA+SHA256", "ECDSA"), ("RSA-PSS+SHA256", "RSA")])
def test_n4_both_types_of_keys_are_installed_side_by_side(broker, algorithms, type_):
    said = s_client(broker, "-sigalgs", algorithms)
    assert "Verify return code: 0 (ok)" in said
    assert type_ in said.split("Peer signature type: ")[1].splitlines()[0]


def test_n5_names_are_alternative_names_and_never_wildcards_or_addresses_as_common_name(pki, tmp_path):
    other = PrivatePki(tmp_path)
    assert "wildcards" in other.refuse("server", "*.house")
    other.run("server", "10.1.2.3", "lamp.house", "fd00::1")
    text = text_of(other.issued("server-ec.crt"))
    assert "Version: 3" in text and "Subject: CN = lamp.house" in text and "DNS:lamp.house" in text
    other.run("server", "10.1.2.3")
    text = text_of(other.issued("server-ec.crt"))
    assert "IP Address:10.1.2.3" in text and "CN = 10.1.2.3" not in text
    assert verify(other, "server-ca", other.issued("server-ec.crt")).endswith("OK\n")


def test_n6_there_is_a_way_of_revoking(pki, tmp_path):
    other = PrivatePki(tmp_path)
    other.run("client", "anna")
    other.run("revoke", "anna")
    other.run("revoke", "server-rsa")
    for authority, file in (("client-ca", "client-anna.crt"), ("server-ca", "server-rsa.crt")):
        said = verify(other, authority, other.issued(file), "-crl_check", "-CRLfile", other.file(f"{authority}.crl"))
        assert "certificate revoked" in said


def test_n7_keys_are_installed_by_the_user_and_read_by_nobody_else(tmp_path):
    pki = PrivatePki(tmp_path)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "le.key", "-out", "le.crt", "-days", "90", "-subj",
            "/CN=lamp.house", "-addext", "subjectAltName=DNS:lamp.house", "-addext", "basicConstraints=critical,CA:FALSE",
            cwd=tmp_path)
    pki.run("import", "le.crt", "le.key")
    key = pki.issued("server-rsa.key")
    assert os.stat(key).st_mode & 0o777 == 0o600
    broker = BrokerFixture(tmp_path, PkiFiles(pki), config=pki.tls())
    key.chmod(0o644)
    done = subprocess.run([os.environ["VAKT_BROKER"], "--check", "-c", str(tmp_path / "broker.yaml")], text=True,
                          capture_output=True, check=False, env=broker.environment)
    assert done.returncode == 2 and "server-rsa.key" in done.stderr and "chmod" in done.stderr
