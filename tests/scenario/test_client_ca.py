"""What stands in client_ca: a root, an intermediate CA with or without its root, a certificate that is no CA; with and
without revocation lists. The chains are made by openssl."""

import ssl
import subprocess

import pytest
from wire import Closed, Wire, tls_context

CA = "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
LEAF = "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"


class Chains:
    """Files NAME.crt and NAME.key in the directory of the tests' authorities."""

    def __init__(self, pki):
        self.pki = pki

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.pki.directory, check=True, capture_output=True)

    def issue(self, name, common_name, extensions, by=None):
        self.pki.path(f"{name}.ext").write_text(extensions)
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                     "-out", f"{name}.csr", "-subj", f"/CN={common_name}")
        signer = ["-CA", f"{by}.crt", "-CAkey", f"{by}.key", "-CAcreateserial"] if by else ["-key", f"{name}.key"]
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", "-days", "100", "-sha256", "-extfile",
                     f"{name}.ext", *signer)

    def join(self, file, *names):
        self.pki.path(file).write_text("".join(self.pki.path(name).read_text() for name in names))
        return str(self.pki.path(file))

    def list(self, ca, *revoked):
        self.pki.revoke(ca, f"{ca}.crl", *revoked)
        return f"{ca}.crl"


@pytest.fixture(scope="module")
def chains(pki):
    made = Chains(pki)
    made.issue("x-root", "X Root", CA)
    made.issue("x-home", "X Home", CA, by="x-root")
    made.issue("x-lamp", "anna", LEAF, by="x-home")
    made.issue("x-gone", "anna", LEAF, by="x-home")
    made.issue("y-root", "Y Root", CA)
    made.issue("y-home", "X Home", CA, by="y-root")  # the name of another, and a key of its own
    made.issue("z-root", "Z Root", CA)
    made.issue("z-home", "Z Home", CA, by="z-root")
    made.issue("z-lamp", "anna", LEAF, by="z-home")
    for leaf, ca in (("x-lamp", "x-home"), ("x-gone", "x-home"), ("z-lamp", "z-home")):
        made.join(f"{leaf}+.crt", f"{leaf}.crt", f"{ca}.crt")
        made.join(f"{leaf}+.key", f"{leaf}.key")
    return made


def start(new_broker, chains, cas, lists=()):
    tls = {"client_certificates": "required", "client_ca": chains.join("test-ca.pem", *(f"{ca}.crt" for ca in cas))}
    if lists:
        tls["client_crl"] = chains.join("test-crl.pem", *lists)
    return new_broker(config={"tls": tls, "authentication": {"certificate_user": "cn"}})


def gets_in(broker, certificate):
    """None, or why not."""
    mark = broker.mark()
    try:
        with Wire(broker, user=None, context=tls_context(broker.pki, certificate=certificate)) as client:
            client.settle()
        return None
    except (ssl.SSLError, Closed, ConnectionError):
        return broker.wait_log("handshake-failed", mark)["cause"]


NOT_IN = "the CA of the client's certificate is not in client_ca"
ABOVE = "but not the CA that issued that one"


@pytest.mark.parametrize("cas, certificate, refused", [
    (["x-root", "x-home"], "x-lamp", None), (["x-root"], "x-lamp+", None), (["x-root"], "x-lamp", NOT_IN),
    (["x-home"], "x-lamp", None), (["x-home"], "x-lamp+", None), (["z-home"], "x-lamp+", NOT_IN),
    (["y-home"], "x-lamp", NOT_IN), (["z-root", "x-home"], "x-lamp", None),
], ids=["both", "root-sent", "root-not-sent", "alone", "alone-sent", "wrong-alone", "same-name-alone", "alone-beside-another"])
def test_without_lists(new_broker, chains, cas, certificate, refused):
    with start(new_broker, chains, cas) as broker:
        said = gets_in(broker, certificate)
        assert (said is None) == (refused is None) and (refused or "") in (said or ""), said


def test_alone_with_its_list(new_broker, chains):
    with start(new_broker, chains, ["x-home"], [chains.list("x-home", "x-gone")]) as broker:
        assert gets_in(broker, "x-lamp") is None and gets_in(broker, "x-lamp+") is None
        assert "is revoked" in gets_in(broker, "x-gone") and "is revoked" in gets_in(broker, "x-gone+")


def test_alone_without_its_list(new_broker, chains):
    with start(new_broker, chains, ["x-home"], [chains.list("z-home")]) as broker:
        assert "has no revocation list of the CA" in gets_in(broker, "x-lamp")


def test_lists_of_a_root_hold(new_broker, chains):
    """The root has revoked the intermediate, and another intermediate stands beside them, without its root."""
    lists = [chains.list("x-root", "x-home"), chains.list("x-home"), chains.list("z-home")]
    broker = start(new_broker, chains, ["x-root", "x-home", "z-home"], lists)
    said = broker.command("--check").stderr
    assert "the CA 'CN=Z Home' was issued by 'CN=Z Root', which is not in this file" in said
    with broker:
        assert "is revoked" in gets_in(broker, "x-lamp") and "is revoked" in gets_in(broker, "x-lamp+")
        assert ABOVE in gets_in(broker, "z-lamp")


def test_a_certificate_that_is_no_ca(new_broker, chains):
    done = start(new_broker, chains, ["x-lamp"]).command("--check")
    assert done.returncode != 0 and "certificate 1 of this file is not a CA certificate" in done.stderr
