"""Certificates of the server that renew themselves: what broker-pki does without being told names, and the unit and the timer of the package."""

import os
import re
import shutil
import stat
import subprocess

import pytest
from broker_fixture import ENVIRONMENT, ROOT, BrokerFixture
from private_pki import PKI, PrivatePki, openssl, text_of
from process import TIMEOUT_S
from test_pki import PkiFiles

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
UNITS = {kind: ROOT / f"debian/vakt.vakt-renew.{kind}" for kind in ("service", "timer")}


@pytest.fixture
def pki(tmp_path):
    made = PrivatePki(tmp_path, made=False)
    made.run("init", "--name", "tests")
    return made


def alternative_names(pki, name):
    return set(re.search(r"Subject Alternative Name:\s*\n\s*(.*)", text_of(pki.issued(name))).group(1).split(", "))


NAMES = {"DNS:localhost", "DNS:lamp.house", "IP Address:127.0.0.1"}


def test_names_are_those_of_the_certificate(pki):
    pki.run("server", "--days", "20", "localhost", "lamp.house", "127.0.0.1")
    key, before = pki.issued("server-ec.key").read_text(), pki.issued("server-ec.crt").read_text()
    said = pki.run("server", "--if-needed")
    assert said.count("valid until") == 2 and said.count("for ") == 1, said
    assert pki.issued("server-ec.crt").read_text() != before and pki.issued("server-ec.key").read_text() == key
    assert alternative_names(pki, "server-ec.crt") == alternative_names(pki, "server-rsa.crt") == NAMES
    assert pki.run("server", "--if-needed") == ""


def test_missing_certificate_gets_the_names_of_the_other_one(pki):
    pki.run("server", "localhost", "lamp.house", "127.0.0.1")
    pki.issued("server-ec.crt").unlink()
    assert pki.run("server", "--if-needed").count("valid until") == 1
    assert alternative_names(pki, "server-ec.crt") == NAMES


def test_first_one_is_for_this_machine(pki):
    assert pki.run("server", "--if-needed").count("valid until") == 2
    assert "DNS:localhost" in alternative_names(pki, "server-rsa.crt")


def test_each_keeps_its_names(pki, tmp_path):
    """One that came from elsewhere is left as it is, and somebody is told; the other one is renewed."""
    pki.run("server", "--days", "20", "localhost", "127.0.0.1")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "le.key", "-out", "le.crt", "-days", "40",
            "-subj", "/CN=house.example", "-addext", "subjectAltName=DNS:house.example", "-addext",
            "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth", cwd=tmp_path)
    pki.run("import", "le.crt", "le.key")
    said = pki.run("server", "--if-needed")
    assert said.count("valid until") == 1 and "house.example" not in said, said
    assert alternative_names(pki, "server-ec.crt") == {"DNS:localhost", "IP Address:127.0.0.1"}
    assert alternative_names(pki, "server-rsa.crt") == {"DNS:house.example"}
    imported = pki.issued("server-rsa.crt").read_text()
    pki.issued("server-ec.crt").unlink()
    said = pki.refuse("server", "--if-needed", status=1, environment=pki.at_time(20 * 86400))
    assert "'server-rsa' came from elsewhere and ends on" in said and "'import' it again" in said
    assert pki.issued("server-rsa.crt").read_text() == imported and pki.issued("server-ec.crt").exists()


# --- the unit ---

def lines_of(kind, name):
    return re.findall(rf"^{name}=(.*)$", UNITS[kind].read_text(encoding="utf-8"), re.M)


def run_unit(broker):
    """What its ExecStart lines do, in their order, until one fails."""
    paths = {"/usr/bin/broker-pki": PKI, "/usr/bin/broker-ctl": CTL, "/etc/vakt/pki": str(broker.pki.pki.path),
             "/etc/vakt/broker.yaml": str(broker.directory / "broker.yaml"), "/run/broker/control.sock": str(broker.directory / "control.sock")}
    said = ""
    for line in lines_of("service", "ExecStart"):
        for path, here in paths.items():
            line = line.replace(path, here)
        done = subprocess.run(["/bin/sh", "-c", line], cwd="/", text=True, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=3 * TIMEOUT_S, env=ENVIRONMENT)
        said += done.stdout + done.stderr
        if done.returncode != 0:
            return done.returncode, said
    return 0, said


def presented(broker):
    """The serial number of what the broker shows."""
    host, port = broker.addresses[0]
    said = openssl("s_client", "-connect", f"{host}:{port}", "-CAfile", broker.pki.pki.file("server-ca.crt"), "-verify_return_error",
                   "-verify_ip", host, check=False, stdin="")
    assert "Verify return code: 0" in said, said
    return openssl("x509", "-noout", "-serial", stdin=said).strip()


@pytest.fixture
def broker(pki, tmp_path):
    pki.run("server", "--days", "20", "localhost", "127.0.0.1")
    pki.run("crl", "--days", "30")
    return BrokerFixture(tmp_path, PkiFiles(pki), config={**pki.tls(), "control": {"socket": "control.sock"}})


def test_unit_renews_and_the_broker_takes_it(broker):
    with broker:
        before = presented(broker)
        mark = broker.mark()
        status, said = run_unit(broker)
        assert status == 0 and said.count("valid until") == 2, said
        assert presented(broker) != before
        assert broker.logged("reloaded", mark)
        assert stat.S_IMODE(broker.pki.pki.issued("server-ec.key").stat().st_mode) == 0o600
        status, said = run_unit(broker)
        assert status == 0 and "valid until" not in said and "wrote" not in said, said


def test_unit_renews_where_no_broker_runs(broker):
    status, said = run_unit(broker)
    assert status == 0 and said.count("valid until") == 2, said
    with broker:
        presented(broker)


def test_unit_fails_where_the_broker_refuses(broker):
    with broker:
        before = presented(broker)
        (broker.directory / "acl.yaml").write_text("roles: { house: [allow everything] }\n", encoding="utf-8")
        status, said = run_unit(broker)
        assert status != 0 and said.count("valid until") == 2 and "nothing was changed" in said, said
        assert presented(broker) == before


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_accepts_unit_and_timer(tmp_path):
    for kind, path in UNITS.items():
        text = path.read_text(encoding="utf-8").replace("/usr/bin/broker-pki", PKI).replace("/usr/bin/broker-ctl", CTL)
        (tmp_path / f"vakt-renew.{kind}").write_text(text, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *(str(tmp_path / f"vakt-renew.{kind}") for kind in UNITS)], text=True,
                          capture_output=True, check=False, timeout=6 * TIMEOUT_S, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    assert done.returncode == 0 and "vakt-renew" not in done.stderr, done
    assert lines_of("timer", "OnCalendar") == ["daily"] and lines_of("timer", "Persistent") == ["yes"]
