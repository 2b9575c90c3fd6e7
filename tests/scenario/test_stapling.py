"""OCSP stapling: the broker sends what the file has, as long as it holds, to clients that ask for it."""

import subprocess

import pytest
from clients import s_client
from test_clock import DAY_S, Clock

NOTHING = "OCSP response: no response sent"


def fetch(pki, name, into, *, days=3):
    """What a responder says of the certificate NAME, in the place of the file."""
    index = into.with_suffix(".index")
    serial = subprocess.run(["openssl", "x509", "-in", str(pki.path(f"{name}.crt")), "-noout", "-serial"], check=True, text=True,
                            capture_output=True).stdout.strip().split("=")[1]
    index.write_text(f"V\t400101000000Z\t\t{serial}\tunknown\t/CN=localhost\n")
    new = into.with_suffix(".new")
    ca = [str(pki.path(f"ca.{ending}")) for ending in ("crt", "key")]
    subprocess.run(["openssl", "ocsp", "-index", str(index), "-CA", ca[0], "-rsigner", ca[0], "-rkey", ca[1], "-issuer", ca[0],
                    "-cert", str(pki.path(f"{name}.crt")), "-ndays", str(days), "-noverify", "-respout", str(new)], check=True,
                   capture_output=True)
    new.chmod(0o644)
    new.rename(into)


@pytest.fixture
def stapling(new_broker, pki, tmp_path):
    """A broker with one certificate and the name of its response, which is not there yet."""
    clock, response = Clock(tmp_path), tmp_path / "response.der"
    pair = {kind: str(pki.path(f"server-ec.{ending}")) for kind, ending in (("certificate", "crt"), ("key", "key"))}
    broker = new_broker(environment=clock.environment, config={"tls": {"certificates": [{**pair, "ocsp_response": str(response)}]}})
    yield broker, clock, response
    if broker.process is not None:
        broker.stop()


def asked(broker, *options):
    return s_client(broker, "-status", *options)


def test_a_response_is_sent_while_it_holds(stapling, pki):
    broker, clock, response = stapling
    fetch(pki, "server-ec", response)
    broker.start()
    for version in ("-tls1_2", "-tls1_3"):
        said = asked(broker, version)
        assert "OCSP Response Status: successful" in said and "Cert Status: good" in said
    mark = broker.mark()
    clock.set(4 * DAY_S)
    assert broker.wait_log("ocsp-response-expired", mark)["file"].endswith("response.der")
    for version in ("-tls1_2", "-tls1_3"):
        assert NOTHING in asked(broker, version)
    clock.set(0)
    assert "Cert Status: good" in asked(broker)


def test_a_file_that_is_renewed(stapling, pki):
    """It is missing at the start, comes, is one of another certificate, is no response at all, and is right again."""
    broker, _, response = stapling
    checked = broker.command("--check")
    assert checked.returncode == 0 and "this OCSP response is not sent" in checked.stdout + checked.stderr
    broker.start()
    assert NOTHING in asked(broker)
    for what, says in (("server-ec", None), ("server-rsa", "it is not about this certificate"),
                       (b"0not a response", "it is not an OCSP response in DER"), ("server-ec", None)):
        mark = broker.mark()
        if isinstance(what, bytes):
            response.write_bytes(what)
        else:
            fetch(pki, what, response)
        broker.wait_log("reloaded", mark)
        if says is None:
            assert "Cert Status: good" in asked(broker), what
        else:
            assert says in broker.wait_log("config-warning", mark)["warning"]
            assert NOTHING in asked(broker), what


def test_a_certificate_that_demands_one(new_broker, pki, tmp_path):
    pki.run("leaf", "ca", "stapled", "server", "ec", "localhost", "DNS:localhost")
    extensions = tmp_path / "extensions"
    extensions.write_text("tlsfeature = status_request\nsubjectAltName = DNS:localhost\n")
    subprocess.run(["openssl", "req", "-new", "-key", str(pki.path("stapled.key")), "-subj", "/CN=localhost", "-out",
                    str(tmp_path / "csr")], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", str(tmp_path / "csr"), "-CA", str(pki.path("ca.crt")), "-CAkey", str(pki.path("ca.key")),
                    "-days", "90", "-extfile", str(extensions), "-out", str(pki.path("stapled.crt"))], check=True, capture_output=True)
    broker = new_broker(config={"tls": {"certificates": [{"certificate": str(pki.path("stapled.crt")), "key": str(pki.path("stapled.key"))}]}})
    checked = broker.command("--check")
    assert "(OCSP Must-Staple): clients will refuse it" in checked.stdout + checked.stderr
