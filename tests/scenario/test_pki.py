"""broker-pki: what it issues, what it refuses, and that broker and clients take it."""

import concurrent.futures
import os
import re
import shutil
import stat
import subprocess
from xml.etree import ElementTree

import pytest
from broker_fixture import BROKER, ENVIRONMENT, ROOT, BrokerFixture
from clients import MosquittoSub
from private_pki import PKI, PrivatePki, openssl, text_of, verify
from process import TIMEOUT_S
from pubsub import Clients

NODE = ROOT / "tests/scenario/node"
MBEDTLS = os.environ.get("VAKT_MBEDTLS_REQUEST")
DAY_S = 86400


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Made once; a test that breaks something takes a copy."""
    made = PrivatePki(tmp_path_factory.mktemp("house"))
    made.run("client", "anna")
    return made


@pytest.fixture
def copy(pki, tmp_path):
    shutil.copytree(pki.path, tmp_path / "pki")
    return PrivatePki(tmp_path, made=False)


# --- where it is ---

def in_directory(directory, *words):
    return subprocess.run([PKI, *words], cwd=directory, text=True, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=TIMEOUT_S,
                          env=ENVIRONMENT)


def test_it_is_beside_the_configuration(tmp_path):
    """broker.yaml names its files; who is elsewhere names broker.yaml; and nobody gets a second one by chance."""
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    there.mkdir()
    elsewhere.mkdir()
    (there / "broker.yaml").touch()
    assert in_directory(elsewhere, "-c", "../there/broker.yaml", "init").returncode == 0
    assert (there / "pki/server-ca.crt").exists() and list(elsewhere.iterdir()) == []
    for directory, words in ((elsewhere, ["-c", there / "broker.yaml"]), (there, []), (there, ["-d", "pki"])):
        done = in_directory(directory, *words, "client", "anna", "--new-key")
        assert done.returncode == 0, done
    if not os.path.exists("/etc/vakt/broker.yaml"):
        done = in_directory(elsewhere, "client", "anna")
        assert done.returncode == 2 and "name it with -d DIR, or the broker's configuration with -c broker.yaml" in done.stderr, done
        assert list(elsewhere.iterdir()) == []
        assert in_directory(elsewhere, "init").returncode == 0
        assert (elsewhere / "pki/client-ca.crt").exists()
    for words, want in ((["-c", "no.yaml", "list"], "-c: cannot find no.yaml"), (["-c", "broker.yaml", "-d", "pki", "list"], "not both")):
        done = in_directory(there, *words)
        assert done.returncode == 2 and want in done.stderr, done


# --- what is issued ---

def test_certificates_are_strictly_valid_for_their_purpose_only(pki):
    for key in ("ec", "rsa"):
        file = pki.issued(f"server-{key}.crt")
        assert verify(pki, "server-ca", file, "-purpose", "sslserver").endswith("OK\n")
        assert "OK" not in verify(pki, "server-ca", file, "-purpose", "sslclient")
        assert "OK" not in verify(pki, "client-ca", file)
    file = pki.issued("client-anna.crt")
    assert verify(pki, "client-ca", file, "-purpose", "sslclient").endswith("OK\n")
    assert "OK" not in verify(pki, "client-ca", file, "-purpose", "sslserver")
    assert "OK" not in verify(pki, "server-ca", file)


@pytest.mark.parametrize(("file", "wanted"), [
    ("server-ca.crt", ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "NIST CURVE: P-256", "ecdsa-with-SHA256"]),
    ("client-ca.crt", ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "NIST CURVE: P-256", "ecdsa-with-SHA256"]),
    ("issued/server-ec.crt", ["CA:FALSE", "TLS Web Server Authentication", "Digital Signature", "NIST CURVE: P-256",
                              "DNS:localhost, IP Address:127.0.0.1", "Subject: CN = localhost"]),
    ("issued/server-rsa.crt", ["CA:FALSE", "TLS Web Server Authentication", "(2048 bit)"]),
    ("issued/client-anna.crt", ["CA:FALSE", "TLS Web Client Authentication", "Subject: CN = anna"]),
])
def test_a_certificate_says_what_it_is_for(pki, file, wanted):
    text = text_of(pki.file(file))
    for piece in wanted:
        assert piece in text


@pytest.mark.parametrize(("file", "days"), [
    ("server-ca.crt", 3650), ("client-ca.crt", 3650), ("issued/server-ec.crt", 825), ("issued/client-anna.crt", 365)])
def test_a_certificate_ends_after_its_days(pki, file, days):
    def ends_within(seconds):
        return subprocess.run(["openssl", "x509", "-checkend", str(seconds), "-noout", "-in", str(pki.file(file))],
                              check=False, capture_output=True).returncode != 0
    assert ends_within(days * DAY_S + 60) and not ends_within((days - 1) * DAY_S)


def test_serials_are_64_random_bits(pki):
    serials = [serial for serial, *_ in pki.entries()]
    assert len(set(serials)) == len(serials)
    assert all(14 <= len(serial) <= 16 for serial in serials)


def test_keys_are_for_their_owner_only(pki):
    for path in pki.path.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700
        else:
            assert mode == (0o644 if path.suffix in (".crt", ".crl") else 0o600), path
    assert stat.S_IMODE(pki.path.stat().st_mode) == 0o700


@pytest.mark.parametrize(("words", "why"), [
    (["server", "*.house"], "wildcards"), (["server", "a b"], "cannot be a host name"), (["server", "a..b"], "two dots"),
    (["server", "300.1.2.3"], "is not an address"), (["server", "10.0.0.0/8"], "is not an address"),
    (["server", "IP:lamp"], "is not an address"), (["server", "x" * 64], "longer than 63"),
    (["server", "lamp-"], "begins or ends with '-'"), (["server", "DNS:"], "it is empty"),
    (["client", "x" * 65], "has 65 characters"), (["client", "a/b"], "'/' has a meaning"), (["client", "a#"], "'#'"),
    (["client", "a\nb"], "control characters"), (["client", ""], "which user"), (["client"], "client wants USER"),
    (["client", "a", "b"], "'b' is one word too many"), (["client", "a", "--id", ""], "the client id is empty"),
    (["sell"], "'sell' is not a command"), (["list", "--days", "0"], "not a number from 1"),
    (["renew", "nobody"], "there is no certificate of 'nobody'"), (["revoke", "nobody"], "no certificate"),
    (["sign", "x.csr"], "--user USER"), (["sign", "no.csr", "--user", "a"], "No such file"),
    (["export", "anna"], "Say --for"), (["export", "anna", "--for", "abacus"], "--for abacus"),
    (["import", "no.crt"], "No such file"), (["move-keys", "nowhere"], "No such file"),
])
def test_wrong_use_is_refused_in_words_and_changes_nothing(pki, words, why):
    before = pki.file("index").read_text()
    assert why in pki.refuse(*words)
    assert pki.file("index").read_text() == before


def test_a_name_of_64_characters_of_any_script_fits(copy):
    copy.run("client", "ü" * 64)
    assert any(kind == "client" and "%c3%bc" in found for _, kind, found, _ in copy.entries())
    assert verify(copy, "client-ca", copy.issued("client-" + "ü" * 64 + ".crt")).endswith("OK\n")
    copy.run("client", "🦔" * 64)
    assert "valid until" in copy.run("renew", "🦔" * 64)
    assert len([path for path in copy.path.glob("issued/client-%*.key")]) == 1


def test_without_names_the_server_is_this_machine(copy):
    copy.run("server")
    text = text_of(copy.issued("server-ec.crt"))
    host = os.uname().nodename.split(".")[0]
    assert "DNS:localhost" in text and f"DNS:{host}.local" in text and "IP Address" not in text


def test_if_needed_issues_for_other_names_and_before_the_end_only(copy):
    before = copy.issued("server-ec.crt").read_text()
    assert copy.run("server", "--if-needed", "127.0.0.1", "localhost") == ""
    assert copy.issued("server-ec.crt").read_text() == before
    key = copy.issued("server-ec.key").read_text()
    assert "lamp.house" in copy.run("server", "--if-needed", "lamp.house")
    assert copy.issued("server-ec.key").read_text() == key
    copy.run("server", "--days", "20", "lamp.house")
    assert "valid until" in copy.run("server", "--if-needed", "lamp.house")


def test_renewal_keeps_key_and_names(copy):
    copy.run("client", "bernd", "--id", "lamp 1")
    key, before = copy.issued("client-bernd.key").read_text(), text_of(copy.issued("client-bernd.crt"))
    assert "URI:urn:mqtt:client-id:lamp%201" in before
    copy.run("renew", "bernd", "--days", "30")
    after = text_of(copy.issued("client-bernd.crt"))
    assert copy.issued("client-bernd.key").read_text() == key and "URI:urn:mqtt:client-id:lamp%201" in after
    assert before != after
    copy.run("renew", "bernd", "--new-key")
    assert copy.issued("client-bernd.key").read_text() != key
    copy.run("renew", "server-rsa")
    assert "IP Address:127.0.0.1" in text_of(copy.issued("server-rsa.crt"))


# --- requests ---

def request(directory, *options, name="emil"):
    openssl("req", "-new", "-nodes", "-keyout", "its.key", "-out", "its.csr", "-subj", f"/CN={name}", *options,
            cwd=directory)
    return str(directory / "its.csr")


@pytest.mark.parametrize(("options", "why"), [
    (["-newkey", "rsa:1024"], "RSA with 1024 bits"), (["-newkey", "rsa:4352"], "RSA with 4352 bits"),
    (["-newkey", "rsa:2048", "-sha1"], "signed with sha1"), (["-newkey", "rsa:2048", "-md5"], "signed with md5"),
    (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "elliptic curve secp256k1"),
    (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"], "elliptic curve secp521r1"),
    (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"], "its own elliptic"),
    (["-newkey", "ed448"], "ED448"),
    (["-newkey", "rsa:2048", "-pkeyopt", "rsa_keygen_pubexp:3"], "unusual public exponent"),
])
def test_a_weak_request_is_refused(copy, tmp_path, options, why):
    before = copy.file("index").read_text()
    assert why in copy.refuse("sign", request(tmp_path, *options), "--user", "emil")
    assert copy.file("index").read_text() == before


def test_a_request_with_a_broken_signature_is_refused(copy, tmp_path):
    file = request(tmp_path, "-newkey", "rsa:2048", "-outform", "DER")
    content = bytearray((tmp_path / "its.csr").read_bytes())
    content[-1] ^= 1
    (tmp_path / "its.csr").write_bytes(content)
    assert "its signature does not fit" in copy.refuse("sign", file, "--user", "emil")
    # The name of another user, put in afterwards.
    openssl("req", "-new", "-nodes", "-newkey", "rsa:2048", "-keyout", "k", "-out", "o.der", "-outform", "DER", "-subj",
            "/CN=emil", cwd=tmp_path)
    (tmp_path / "o.der").write_bytes((tmp_path / "o.der").read_bytes().replace(b"emil", b"anna"))
    assert "its signature does not fit" in copy.refuse("sign", "o.der", "--user", "anna")


@pytest.mark.parametrize(("content", "why"), [
    (b"", "no certificate request"), (b"\0" * 1_000_000, "more than 16384 bytes"), (b"-----BEGIN", "no certificate request"),
    (b"\x30\x84\xff\xff\xff\xff", "no certificate request")])
def test_what_is_no_request_is_refused(copy, tmp_path, content, why):
    (tmp_path / "x.csr").write_bytes(content)
    assert why in copy.refuse("sign", "x.csr", "--user", "emil")


def test_nothing_but_the_key_is_taken_from_a_request(copy, tmp_path):
    """It asks for another user, for a CA, for a server, for names: the certificate has none of it."""
    file = request(tmp_path, "-newkey", "rsa:2048", "-addext", "basicConstraints=CA:TRUE", "-addext",
                   "subjectAltName=DNS:broker.house", "-addext", "extendedKeyUsage=serverAuth", name="anna")
    said = copy.run("sign", file, "--user", "emil")
    assert "another subject" in said and "Basic Constraints" in said and "Subject Alternative Name" in said
    text = text_of(copy.issued("client-emil.crt"))
    assert "Subject: CN = emil" in text and "CA:FALSE" in text and "broker.house" not in text
    assert "TLS Web Client Authentication" in text and "Server Authentication" not in text
    assert not copy.issued("client-emil.key").exists()
    assert "the key of 'emil' is not here" in copy.refuse("renew", "emil", "--new-key")
    assert "valid until" in copy.run("renew", "emil")


def test_a_stored_key_of_another_certificate_is_set_aside(copy, tmp_path):
    copy.run("client", "emil")
    key = copy.issued("client-emil.key").read_text()
    said = copy.run("sign", request(tmp_path, "-newkey", "rsa:2048"), "--user", "emil")
    assert "client-emil.key.old" in said and copy.issued("client-emil.key.old").read_text() == key


def write_pair(directory, text):
    """Key and request out of what a program printed."""
    for name, kind in (("its.key", "KEY"), ("its.csr", "REQUEST")):
        found = re.search(rf"-----BEGIN [A-Z ]*{kind}-----.*?-----END [A-Z ]*{kind}-----\n", text, re.S)
        (directory / name).write_text(found[0])
        (directory / name).chmod(0o600)


@pytest.mark.parametrize("command", [
    pytest.param(["node", str(NODE / "request.js"), "emil"], id="node"),
    pytest.param([MBEDTLS or "", "emil", "ec"], id="mbedtls-ec",
                 marks=pytest.mark.skipif(not MBEDTLS, reason="libmbedtls-dev is missing")),
    pytest.param([MBEDTLS or "", "emil", "rsa"], id="mbedtls-rsa",
                 marks=pytest.mark.skipif(not MBEDTLS, reason="libmbedtls-dev is missing")),
])
def test_requests_of_devices_are_signed(copy, tmp_path, command):
    write_pair(tmp_path, subprocess.run(command, text=True, capture_output=True, check=True, timeout=TIMEOUT_S).stdout)
    assert "note" not in copy.run("sign", "its.csr", "--user", "emil")
    certificate = copy.issued("client-emil.crt")
    assert verify(copy, "client-ca", certificate, "-purpose", "sslclient").endswith("OK\n")
    assert openssl("x509", "-in", certificate, "-noout", "-pubkey") == openssl("pkey", "-in", tmp_path / "its.key", "-pubout")


@pytest.mark.parametrize("options", [["-newkey", "ed25519"], ["-newkey", "rsa:4096"],
                                     ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
                                     ["-newkey", "rsa:2048", "-outform", "DER"]])
def test_good_requests_are_signed(copy, tmp_path, options):
    copy.run("sign", request(tmp_path, *options), "--user", "emil")
    assert verify(copy, "client-ca", copy.issued("client-emil.crt")).endswith("OK\n")


def test_a_revoked_key_gets_no_new_certificate(copy, tmp_path):
    file = request(tmp_path, "-newkey", "ed25519")
    copy.run("sign", file, "--user", "emil")
    copy.run("revoke", "emil")
    assert "a certificate for this key was revoked" in copy.refuse("sign", file, "--user", "emil")
    key = copy.issued("client-anna.key").read_text()
    copy.run("revoke", "anna")
    assert "was revoked" in copy.refuse("renew", "anna")
    copy.run("client", "anna")
    assert copy.issued("client-anna.key").read_text() != key


# --- revocation ---

def is_revoked(pki, certificate):
    return "certificate revoked" in verify(pki, "client-ca", certificate, "-crl_check", "-CRLfile",
                                           pki.file("client-ca.crl"))


def test_a_user_is_revoked_with_all_certificates(copy, tmp_path):
    copy.run("client", "bernd")
    first = shutil.copy(copy.issued("client-bernd.crt"), tmp_path / "first.crt")
    copy.run("renew", "bernd")
    assert not is_revoked(copy, first)
    assert copy.run("revoke", "bernd").count("revoked ") == 2
    assert is_revoked(copy, first) and is_revoked(copy, copy.issued("client-bernd.crt"))
    assert not is_revoked(copy, copy.issued("client-anna.crt"))
    assert "was revoked before" in copy.run("revoke", "bernd")


def test_a_serial_number_is_revoked_as_any_program_prints_it(copy):
    copy.run("client", "bernd")
    serial = next(serial for serial, _, name, _ in copy.entries() if name == "bernd")
    pairs = ":".join(f"{int(serial, 16):016X}"[i:i + 2] for i in range(0, 16, 2))
    assert "'bernd'" in copy.run("revoke", pairs.lstrip("0"))
    assert is_revoked(copy, copy.issued("client-bernd.crt"))


def test_a_lost_index_is_made_anew_and_takes_nobody_in_again(copy, tmp_path):
    copy.run("client", "bernd")
    replaced = shutil.copy(copy.issued("client-bernd.crt"), tmp_path / "replaced.crt")
    copy.run("client", "bernd", "--new-key")
    copy.run("revoke", "bernd")
    copy.run("client", "bernd")
    for breakage in ("", "garbage\n", "# cut\nab"):
        copy.file("index").write_text(breakage)
        said = copy.run("crl")
        assert "index" in said and "stays revoked" in said
        assert is_revoked(copy, replaced) and not is_revoked(copy, copy.issued("client-bernd.crt"))
        assert {"anna", "bernd", "-"} <= {name for _, _, name, _ in copy.entries()}
    copy.file("index").unlink()
    assert "missing or broken" in copy.run("list")
    assert is_revoked(copy, replaced)


def test_a_lost_entry_can_be_revoked_by_its_serial(copy, tmp_path):
    copy.run("client", "bernd")
    old = shutil.copy(copy.issued("client-bernd.crt"), tmp_path / "old.crt")
    copy.run("renew", "bernd")
    copy.file("index").unlink()
    serial = openssl("x509", "-in", old, "-noout", "-serial").strip().split("=")[1]
    assert "not in the index" in copy.run("revoke", serial)
    assert is_revoked(copy, old)


def test_a_broken_revocation_list_is_never_replaced_by_a_shorter_one(copy):
    copy.run("revoke", "anna")
    copy.file("client-ca.crl").write_text("broken")
    assert "has no revocation list in PEM" in copy.refuse("crl")
    assert copy.file("client-ca.crl").read_text() == "broken"


def test_a_list_lasts_as_long_as_the_ca_unless_told(copy):
    def next_update():
        return openssl("crl", "-in", copy.file("client-ca.crl"), "-noout", "-nextupdate").split("=")[1]
    ca = openssl("x509", "-in", copy.file("client-ca.crt"), "-noout", "-enddate").split("=")[1]
    assert next_update() == ca
    copy.run("crl", "--days", "30")
    short = next_update()
    assert short != ca
    copy.run("revoke", "anna")
    assert next_update() != ca  # the length of the one before
    copy.run("crl", "--days", "3")
    assert "ends on" in copy.run("list")


def next_update(pki):
    return openssl("crl", "-in", pki.file("client-ca.crl"), "-noout", "-nextupdate")


def test_a_timer_renews_short_lists_only(copy):
    assert copy.run("crl", "--if-needed") == ""  # as long as the CA
    copy.run("crl", "--days", "30")
    first = next_update(copy)
    assert copy.run("crl", "--if-needed", environment=copy.at_time(9 * DAY_S)) == "" and next_update(copy) == first
    said = copy.run("crl", "--if-needed", environment=copy.at_time(11 * DAY_S))
    assert "wrote" in said and "client-ca.crl" in said and "server-ca.crl" in said
    assert next_update(copy) != first
    copy.file("client-ca.crl").unlink()
    assert copy.run("crl", "--if-needed", environment=copy.at_time(12 * DAY_S)).count("wrote") == 1


def test_a_timer_lists_who_was_revoked_in_the_index_alone(copy):
    """A kill between the index and the list."""
    index = copy.file("index").read_text()
    copy.file("index").write_text(re.sub(r"( client anna .*) valid ", r"\1 revoked=2026-11-30T19:00:00Z ", index))
    assert "client-ca.crl" in copy.run("crl", "--if-needed")
    assert is_revoked(copy, copy.issued("client-anna.crt"))
    assert copy.run("crl", "--if-needed") == ""


UNITS = ROOT / "tools/systemd"


def units(directory, pki):
    """As meson installs them, with the instance of this directory. The service's file."""
    for kind in ("service", "timer"):
        text = (UNITS / f"broker-pki-crl@.{kind}").read_text().replace("@BINDIR@/broker-pki", PKI)
        (directory / f"broker-pki-crl@.{kind}").write_text(text)
    instance = subprocess.run(["systemd-escape", "-p", str(pki.path)], text=True, capture_output=True, check=True).stdout.strip()
    return [directory / f"broker-pki-crl@{instance}.{kind}" for kind in ("service", "timer")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="Debian's package systemd is not there: it knows what a unit may say")
def test_units_are_what_systemd_knows(copy, tmp_path):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, units(tmp_path, copy))], text=True, capture_output=True,
                          check=False, timeout=TIMEOUT_S, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    assert done.returncode == 0 and "broker-pki-crl" not in done.stderr, done


def test_what_the_unit_runs(copy):
    """Its command, with the directory in place of %f, renews a list in its last days, and only then."""
    lines = dict(line.split("=", 1) for line in (UNITS / "broker-pki-crl@.service").read_text().splitlines() if "=" in line)
    command = [PKI if word == "@BINDIR@/broker-pki" else word.replace("%f", str(copy.path)) for word in lines["ExecStart"].split()]
    assert PKI in command and str(copy.path) in command and os.path.exists(lines["ConditionPathExists"].replace("%f", str(copy.path)))
    copy.run("crl", "--days", "30")
    for days, renews in ((1, False), (29, True)):
        done = subprocess.run(command, cwd="/", text=True, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=TIMEOUT_S,
                              env={**ENVIRONMENT, **copy.at_time(days * DAY_S)})
        assert done.returncode == 0 and ("wrote" in done.stdout + done.stderr) == renews, done


def test_a_timer_signs_nothing_with_a_key_that_is_elsewhere_or_encrypted(copy, tmp_path):
    copy.run("crl", "--days", "30")
    late = copy.at_time(25 * DAY_S)
    plain = copy.file("client-ca.key").read_text()
    openssl("pkcs8", "-topk8", "-in", copy.file("client-ca.key"), "-passout", "pass:secret", "-out", tmp_path / "k")
    copy.file("client-ca.key").write_text((tmp_path / "k").read_text())
    assert "--if-needed asks nobody" in copy.refuse("crl", "--if-needed", environment=late)
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "secret").chmod(0o600)
    assert "wrote" in copy.run("--passphrase-file", str(tmp_path / "secret"), "crl", "--if-needed", environment=late)
    copy.file("client-ca.key").write_text(plain)
    copy.run("crl", "--days", "30", environment=late)
    copy.file("client-ca.key").unlink()
    assert "the CA's key is not there" in copy.refuse("crl", "--if-needed", environment=copy.at_time(50 * DAY_S))
    assert copy.run("crl", "--if-needed", environment=copy.at_time(30 * DAY_S)) == ""


# --- the CAs' keys ---

def test_moved_keys_sign_only_where_they_are(copy, tmp_path):
    copy.run("crl", "--days", "30")
    (tmp_path / "disk").mkdir(mode=0o700)
    copy.run("move-keys", "disk")
    assert not copy.file("client-ca.key").exists() and not copy.file("server-ca.key").exists()
    assert stat.S_IMODE((tmp_path / "disk/client-ca.key").stat().st_mode) == 0o600
    for words in (["client", "otto"], ["server", "x"], ["renew", "anna"], ["revoke", "anna"], ["crl"]):
        assert "the CA's key is not there" in copy.refuse(*words)
    assert all(state == "valid" for *_, state in copy.entries())
    ca = openssl("x509", "-in", copy.file("client-ca.crt"), "-noout", "-enddate")
    assert openssl("crl", "-in", copy.file("client-ca.crl"), "-noout", "-nextupdate").split("=")[1] == ca.split("=")[1]
    copy.run("--keys", "disk", "revoke", "anna")
    assert is_revoked(copy, copy.issued("client-anna.crt"))


def test_an_encrypted_key_wants_its_passphrase(tmp_path):
    for name, text in (("right", b"correct horse\n"), ("from Windows", b"\xef\xbb\xbfcorrect horse\r\n"), ("wrong", b"battery\n"),
                       ("empty", b"\n"), ("utf-16", "correct horse\n".encode("utf-16")), ("nul", b"correct\0horse\n")):
        (tmp_path / name).write_bytes(text)
        (tmp_path / name).chmod(0o600)
    pki = PrivatePki(tmp_path, made=False)
    pki.run("init", "--encrypt", "--passphrase-file", "right")
    assert "ENCRYPTED PRIVATE KEY" in pki.file("client-ca.key").read_text()
    assert "no terminal" in pki.refuse("client", "anna", stdin="")
    assert "is wrong" in pki.refuse("--passphrase-file", "wrong", "client", "anna")
    assert "is empty" in pki.refuse("--passphrase-file", "empty", "client", "anna")
    assert not pki.issued("client-anna.crt").exists()
    assert "UTF-16" in pki.refuse("--passphrase-file", "utf-16", "client", "anna")
    assert "NUL" in pki.refuse("--passphrase-file", "nul", "client", "anna")
    pki.run("--passphrase-file", "from Windows", "client", "anna")
    pki.run("--passphrase-file", "right", "client", "anna")
    (tmp_path / "right").chmod(0o644)
    assert "others may read it" in pki.refuse("--passphrase-file", "right", "client", "bernd")


# --- clock ---

def test_a_wrong_clock_signs_nothing(copy):
    for wrong_by_s, why in ((-4 * 3600, "the CA was made at"), (-1800, "the last certificate was issued"),
                            (4000 * DAY_S, "ended at")):
        assert why in copy.refuse("client", "otto", environment=copy.at_time(wrong_by_s))
    assert "set the clock first" in PrivatePki(copy.home / "..", made=False).refuse(
        "-d", str(copy.home / "new"), "init", environment=copy.at_time(-57 * 365 * DAY_S))


def test_the_list_says_what_ends_soon(copy):
    copy.run("client", "otto", "--days", "400")
    said = copy.run("list", environment=copy.at_time(340 * DAY_S))
    anna = next(line for line in said.splitlines() if line.startswith("anna"))
    assert "ends in 2" in anna
    assert "ended" in copy.run("list", environment=copy.at_time(366 * DAY_S))


# --- several at once ---

def test_commands_at_once_wait_for_one_another(copy):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: copy.call("client", f"u{n}"), range(12)))
    assert all(one.returncode == 0 for one in done)
    assert {f"u{n}" for n in range(12)} <= {name for _, _, name, _ in copy.entries()}


# --- the directory of the script that was there before ---

def test_a_directory_of_tools_pki_is_taken_over(tmp_path):
    old = tmp_path / "pki"
    old.mkdir(mode=0o700)
    script = str(ROOT / "tests/support/certificates")
    subprocess.run([script, "ca", "ca", "Vakt development CA"], cwd=old, check=True)
    for key in ("ec", "rsa"):
        subprocess.run([script, "leaf", "ca", f"server-{key}", "server", key, "localhost", "DNS:localhost"], cwd=old,
                       check=True)
    before = {path.name: path.read_text() for path in old.iterdir()}
    pki = PrivatePki(tmp_path, made=False)
    assert "taking over" in pki.run("init")
    for name, text in before.items():
        assert (old / name).is_symlink() and (old / name).read_text() == text
    assert (old / "server-ca.key").read_text() == before["ca.key"] and pki.file("client-ca.crt").exists()
    assert {"server-ec", "server-rsa"} <= {name for _, kind, name, _ in pki.entries() if kind == "server"}
    pki.run("server", "lamp.house")
    assert "lamp.house" in text_of(old / "server-ec.crt")
    assert (old / "server-ec.key").read_text() == before["server-ec.key"]
    assert verify(pki, "server-ca", old / "server-rsa.crt").endswith("OK\n")
    assert "has its two CAs already" in pki.run("init")


def test_a_directory_of_others_is_not_used(tmp_path):
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki").chmod(0o777)
    assert "chmod" in PrivatePki(tmp_path, made=False).refuse("init")
    assert list((tmp_path / "pki").iterdir()) == []


def test_without_a_pki_it_says_how_to_make_one(tmp_path):
    pki = PrivatePki(tmp_path, made=False)
    assert "init" in pki.refuse("client", "anna")
    (tmp_path / "pki").mkdir(mode=0o700)
    assert "init" in pki.refuse("list")


# --- import ---

def test_certificates_from_elsewhere_are_checked(copy, tmp_path):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "le.key", "-out", "le.crt", "-days", "90",
            "-subj", "/CN=house.example", "-addext", "subjectAltName=DNS:house.example", "-addext",
            "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth", cwd=tmp_path)
    openssl("genrsa", "-out", "other.key", "2048", cwd=tmp_path)
    assert "is not the key of" in copy.refuse("import", "le.crt", "other.key")
    assert "give its key, too" in copy.refuse("import", "le.crt")
    copy.run("import", "le.crt", "le.key")
    assert "house.example" in text_of(copy.issued("server-rsa.crt"))
    assert ("server-rsa", "imported") in {(name, state) for _, _, name, state in copy.entries()}
    assert "only the CA that signed them" in copy.run("revoke", "server-rsa")  # the one before is ours
    assert "came from elsewhere" in copy.refuse("renew", "server-rsa")
    assert copy.run("server", "--if-needed", "house.example").count("valid until") == 1  # the other key's


@pytest.mark.parametrize(("options", "why"), [
    (["-addext", "basicConstraints=critical,CA:FALSE"], "no alternative names"),
    (["-addext", "subjectAltName=DNS:x"], "is the certificate of a CA"),
    (["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=codeSigning"], "neither servers nor"),
])
def test_a_certificate_that_would_not_work_is_not_imported(copy, tmp_path, options, why):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "x.key", "-out", "x.crt", "-subj", "/CN=x",
            *options, cwd=tmp_path)
    assert why in copy.refuse("import", "x.crt", "x.key")


# --- with the broker ---

class PkiFiles:
    """What BrokerFixture and the clients want to know: where the files of a name are."""

    def __init__(self, pki):
        self.pki = pki

    def path(self, name):
        if name == "ca.crt":
            return self.pki.file("server-ca.crt")
        return self.pki.issued(name)


@pytest.fixture(scope="module")
def broker(pki, tmp_path_factory):
    made = BrokerFixture(tmp_path_factory.mktemp("broker"), PkiFiles(pki), config=pki.tls())
    made.add_user("bernd", ["all"])
    with made as running:
        yield running


def test_a_newcomer_gets_from_nothing_to_a_verified_publish(tmp_path):
    """Four commands: init and server (PrivatePki), client, and the publish; the broker has its user beside them."""
    pki = PrivatePki(tmp_path)
    pki.run("client", "anna")
    broker = BrokerFixture(tmp_path, PkiFiles(pki), config=pki.tls(), users={})
    broker.add_user("anna", ["all"], password=False)
    with broker, MosquittoSub(broker, "-t", "home/#", user=None, certificate="client-anna") as listener:
        clients = Clients(tmp_path, "-h", "localhost", "-p", broker.port, "--cafile", pki.file("server-ca.crt"), "--cert",
                          pki.issued("client-anna.crt"), "--key", pki.issued("client-anna.key"))
        mark = broker.mark()
        clients.pub("-t", "home/lamp", "-m", "on", "-q", "1", "-i", "first")
        listener.message("0 0 home/lamp on")
        assert broker.wait_log("client-connected", mark, client_id="first")["user"] == "anna"


def s_client(broker, pki, name):
    return subprocess.run(["openssl", "s_client", "-connect", f"localhost:{broker.port}", "-CAfile",
                           str(pki.file("server-ca.crt")), "-verify_return_error", "-verify_hostname", "localhost",
                           "-cert", str(pki.issued(f"{name}.crt")), "-key", str(pki.issued(f"{name}.key")), "-tls1_2"],
                          input="", text=True, capture_output=True, check=False, timeout=TIMEOUT_S)


def test_a_server_certificate_is_no_client_certificate(broker, pki):
    mark = broker.mark()
    assert s_client(broker, pki, "server-ec").returncode != 0
    broker.wait_log("handshake-failed", mark)
    assert s_client(broker, pki, "client-anna").returncode == 0


def test_who_is_revoked_stays_out(tmp_path):
    pki = PrivatePki(tmp_path)
    pki.run("client", "anna")
    with BrokerFixture(tmp_path, PkiFiles(pki), config=pki.tls()) as broker:
        assert s_client(broker, pki, "client-anna").returncode == 0
        pki.run("revoke", "anna")
        mark = broker.mark()
        broker.process.signal(1)
        broker.wait_log("reloaded", mark)
        assert s_client(broker, pki, "client-anna").returncode != 0


# --- what ends soon, as the broker says it ---

@pytest.fixture
def soon(tmp_path):
    """A broker with a PKI of its own, and certificates that end soon, or have ended, or do not matter."""
    pki = PrivatePki(tmp_path)
    for name, days in (("anna", 20), ("renewed", 20), ("revoked", 20), ("later", 300)):
        pki.run("client", name, "--days", str(days))
    pki.run("renew", "renewed")
    pki.run("revoke", "revoked")
    return BrokerFixture(tmp_path, PkiFiles(pki), config=pki.tls(), environment=pki.at_time(0))


def check(broker):
    done = subprocess.run([BROKER, "--check", "-c", str(broker.directory / "broker.yaml")], text=True, capture_output=True,
                          check=False, env=broker.environment, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if "certificate" in line]


def test_the_broker_names_clients_whose_certificates_end_soon(soon):
    serial = next(serial for serial, _, name, _ in soon.pki.pki.entries() if name == "anna")
    (said,) = check(soon)
    assert re.search(rf"the certificate of the client 'anna' \(serial number {serial}\) ends in (19|20) days, on ", said)
    assert f"run: broker-pki -d {soon.pki.pki.path} renew 'anna'" in said
    with soon as broker:
        found = broker.wait_log("client-certificate-expires")
        assert found["user"] == "anna" and found["serial"] == serial and found["left"] in ("19 days", "20 days")
        assert len(broker.logged("client-certificate-expires")) == 1
        mark = broker.mark()
        soon.pki.pki.at_time(30 * DAY_S)  # looks again when the clock was set, and each day
        assert broker.wait_log("client-certificate-expired", mark)["since"] in ("9 days", "10 days")
    soon.pki.pki.at_time(51 * DAY_S)
    assert check(soon) == []  # nobody misses it


def test_the_broker_warns_each_day_of_a_list_that_ends(soon):
    pki = soon.pki.pki
    pki.run("crl", "--days", "30")
    with soon as broker:
        pki.at_time(20 * DAY_S)
        broker.wait_log("clock-set")
        assert not broker.logged("revocation-list-expires")  # more than seven days are left
        mark = broker.mark()
        pki.at_time(24 * DAY_S)
        assert broker.wait_log("revocation-list-expires", mark)["file"].endswith("client-ca.crl")
        mark = broker.mark()
        pki.at_time(31 * DAY_S)
        broker.wait_log("revocation-list-expired", mark)


def test_many_that_end_are_counted(soon):
    for n in range(12):
        soon.pki.pki.run("client", f"u{n}", "--days", "5")
    said = check(soon)
    assert len(said) == 11 and "3 more certificates" in said[-1]


def test_an_imported_certificate_and_the_ca_of_servers_have_their_own_remedies(soon, tmp_path):
    index = soon.pki.pki.file("index")
    text = re.sub(r"( client anna .*) valid ", r"\1 imported ", index.read_text())
    index.write_text(re.sub(r"( server-ca server-ca \S+) \S+ ", r"\1 2026-12-10T00:00:00Z ", text))
    said = "\n".join(check(soon))
    assert "renew it where it came from" in said and "the CA by which clients verify the broker ends in" in said


@pytest.mark.parametrize("how", ["foreign", "broken", "missing", "others may write", "directory", "control character"])
def test_an_index_that_cannot_be_used_is_no_error(soon, how):
    index = soon.pki.pki.file("index")
    text = index.read_text()
    if how in ("foreign", "broken", "control character"):
        index.write_text({"foreign": "V\t20271130\t\t01\tunknown\t/CN=anna\n", "broken": text + "x",
                          "control character": text.replace(" anna ", " a%0anna ")}[how])
    elif how == "others may write":
        index.chmod(0o666)
    else:
        index.unlink()
        if how == "directory":
            index.mkdir()
    said = check(soon)
    assert said == [] if how != "control character" else len(said) == 1
    with soon as broker:
        assert len(broker.logged("client-certificate-expires")) == len(said)


# --- dns-sd ---

def test_the_record_has_a_name_of_the_certificate(tmp_path):
    """Requirement N11."""
    pki = PrivatePki(tmp_path, made=False)
    pki.run("init")
    assert "run 'broker-pki server' first" in pki.refuse("dns-sd", status=1)
    pki.run("server", "localhost", "127.0.0.1", "lamp")
    assert "no name that others can look up (it is for localhost, 127.0.0.1, lamp)" in pki.refuse("dns-sd", status=1)
    pki.run("server", "localhost", "porch.local", "mqtt.house.example", "127.0.0.1")
    zone = pki.run("dns-sd", "--port", "8884").splitlines()
    assert zone == ["; for the zone house.example of your DNS server",
                    "_secure-mqtt._tcp.house.example. PTR Vakt._secure-mqtt._tcp.house.example.",
                    "Vakt._secure-mqtt._tcp.house.example. SRV 0 0 8884 mqtt.house.example.",
                    'Vakt._secure-mqtt._tcp.house.example. TXT ""']
    assert pki.run("dns-sd", "--host", "MQTT.house.example.", "--port", "8884").splitlines()[1:2] == zone[1:2]
    service = ElementTree.fromstring(pki.run("dns-sd", "--host", "porch.local")).find("service")
    assert {part.tag: part.text for part in service} == {"type": "_secure-mqtt._tcp", "host-name": "porch.local", "port": "8883"}
    said = pki.refuse("dns-sd", "--host", "other.house.example", status=1)
    assert "not for 'other.house.example' (it is for localhost, " in said
    assert "'lamp' has no domain" in pki.refuse("dns-sd", "--host", "lamp")


# --- diagnose ---

def test_diagnose_tells_which_devices_would_fail(broker, pki):
    said = pki.run("diagnose", f"localhost:{broker.port}")
    rows = [line for line in said.splitlines() if "works: " in line or "fails: " in line]
    assert len(rows) == 8 and all("works: " in row for row in rows), said
    assert "ECDHE-RSA-AES128-GCM-SHA256" in next(row for row in rows if row.startswith("Tasmota"))
    said = pki.call("diagnose", f"127.0.0.1:{broker.port}")
    assert said.returncode == 1
    assert {line.split("fails")[0].strip() for line in said.stdout.splitlines() if "does not compare addresses" in line} \
        == {"ESP8266 (BearSSL)", "Tasmota (BearSSL, RSA only)", "ESP32 (mbedTLS 2.28)"}


def test_diagnose_says_why(broker, pki, tmp_path):
    stranger = PrivatePki(tmp_path)
    said = stranger.call("diagnose", f"localhost:{broker.port}")
    assert said.returncode == 1 and said.stdout.count("does not verify with this PKI's server CA") == 8
    assert "cannot connect" in pki.refuse("diagnose", "localhost:1", status=1)
    shutil.copytree(pki.path, tmp_path / "other" / "pki")
    other = PrivatePki(tmp_path / "other", made=False)
    other.run("server", "lamp.house")
    config = other.tls()
    config["tls"]["certificates"] = config["tls"]["certificates"][:1]
    (tmp_path / "b").mkdir()
    with BrokerFixture(tmp_path / "b", PkiFiles(other), config=config) as one_key:
        said = other.call("diagnose", f"localhost:{one_key.port}").stdout
    assert "Tasmota (BearSSL, RSA only)             fails: the handshake fails" in said
    assert said.count("the certificate is for lamp.house, not for localhost") == 7
