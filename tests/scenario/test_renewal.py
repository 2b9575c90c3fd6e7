"""The broker's own certificates are renewed while it runs: what is taken over, and what is not, and why."""

import os
import shutil
import signal
import ssl
import subprocess

import pytest
from broker_fixture import free_bind
from control import rows
from wire import Wire, open_stream


def issue(pki, directory, name, *, days=300, key="ec"):
    """A pair of NAME in the directory."""
    made = f"renewal-{name}"
    if not pki.path(f"{made}.crt").exists():
        pki.run("leaf", "ca", made, "server", key, "localhost", f"days={days}", "DNS:localhost")
    for ending in ("crt", "key"):
        shutil.copy(pki.path(f"{made}.{ending}"), directory / f"{name}.{ending}")


def served(broker):
    """The certificate that a client gets."""
    with open_stream(broker) as stream:
        return ssl.DER_cert_to_PEM_cert(stream.getpeercert(binary_form=True))


def text_of(path):
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(path.read_text()))


def swap(live, archive, name):
    """As certbot does it: each link is replaced, one after the other."""
    for ending, part in (("crt", "fullchain.pem"), ("key", "privkey.pem")):
        new = live / f".{part}"
        new.symlink_to(os.path.relpath(archive / f"{name}.{ending}", live))
        new.rename(live / part)


@pytest.fixture
def links(new_broker, pki, tmp_path):
    """A broker with links to the certificate "one", and where they and their files are."""
    live, archive = tmp_path / "live", tmp_path / "archive"
    for directory in (live, archive):
        directory.mkdir(mode=0o700)
    issue(pki, archive, "one")
    swap(live, archive, "one")
    broker = new_broker(config={"listeners": [{"bind": free_bind()}], "control": {"socket": "control.sock"},
                                "tls": {"certificates": [{"certificate": str(live / "fullchain.pem"), "key": str(live / "privkey.pem")}]}})
    with broker:
        yield broker, live, archive


def test_links_that_are_swapped(links, pki):
    """By itself, within seconds; who is connected stays."""
    broker, live, archive = links
    with Wire(broker) as client:
        assert served(broker) == text_of(archive / "one.crt")
        issue(pki, archive, "two", days=90)
        mark = broker.mark()
        swap(live, archive, "two")
        broker.wait_log("reloaded", mark)
        assert served(broker) == text_of(archive / "two.crt")
        client.settle()
        assert rows(broker, "status")[0]["certificate_days_left"] in (89, 90)


def test_half_a_swap_changes_nothing(links, pki):
    """Certificate first, key later: until then they do not match."""
    broker, live, archive = links
    issue(pki, archive, "two", days=90)
    mark = broker.mark()
    new = live / ".new"
    new.symlink_to("../archive/two.crt")
    new.rename(live / "fullchain.pem")
    said = broker.wait_log("config-error", mark)
    assert "do not match" in str(said)
    broker.wait_log("reload-failed", mark)
    assert served(broker) == text_of(archive / "one.crt")
    mark = broker.mark()
    new.symlink_to("../archive/two.key")
    new.rename(live / "privkey.pem")
    broker.wait_log("reloaded", mark)
    assert served(broker) == text_of(archive / "two.crt")


def make_young(pki, archive):
    issue(pki, archive, "young")
    redate(pki, archive, "young", "20400101000000Z", "20410101000000Z")


def make_expired(pki, archive):
    issue(pki, archive, "expired")
    redate(pki, archive, "expired", "20200101000000Z", "20210101000000Z")


def make_small(pki, archive):
    openssl(archive, "req", "-new", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", "small.key", "-out", "small.crt", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def redate(pki, archive, name, begin, end):
    """The same key, signed by itself, with these dates."""
    (archive / "index").write_text("")
    (archive / "serial").write_text("01\n")
    (archive / "ca.cnf").write_text("[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
                                    "policy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=DNS:localhost\n")
    openssl(archive, "req", "-new", "-key", f"{name}.key", "-subj", "/CN=localhost", "-out", f"{name}.csr")
    openssl(archive, "ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", f"{name}.key", "-in", f"{name}.csr", "-startdate",
            begin, "-enddate", end, "-notext", "-out", f"{name}.crt")


@pytest.mark.parametrize("make, name, says", [
    (make_young, "young", "is not valid before Jan  1 00:00:00 2040 GMT: clients would refuse it, so the one that is in use stays"),
    (make_expired, "expired", "expired on Jan  1 00:00:00 2021 GMT: clients would refuse it, so the one that is in use stays"),
    (make_small, "small", "an RSA key of 1024 bits is too short")], ids=["young", "expired", "small"])
def test_a_worse_one_is_not_taken(links, pki, make, name, says):
    broker, live, archive = links
    make(pki, archive)
    mark = broker.mark()
    swap(live, archive, name)
    broker.wait_log("reload-failed", mark)
    errors = " ".join(str(error) for error in broker.logged("config-error", mark))
    assert says in errors and "fullchain.pem" in errors or "privkey.pem" in errors
    assert served(broker) == text_of(archive / "one.crt")
    # Users never wait for it.
    mark = broker.mark()
    broker.add_user("later", ["all"])
    broker.process.signal(signal.SIGHUP)
    broker.wait_log("reload-partial", mark)
    broker.wait_log("reloaded", mark)
    Wire(broker, user="later").close()
    done = broker.command("--check")
    assert done.returncode == 2 and says.split(":")[0] in done.stdout + done.stderr
