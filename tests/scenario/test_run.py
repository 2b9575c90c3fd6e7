"""tools/run, the first command of the README: what it creates, that it does so once, and that the lines it prints work.
It builds, so meson does not list it: tools/check runs it."""

import hashlib
import re
import signal
import socket
import stat
import subprocess

import pytest
from broker_fixture import ROOT, free_port
from process import LineProcess


def run(directory, *options):
    return subprocess.run([str(ROOT / "tools/run"), "--directory", str(directory), *options], text=True,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=600)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(directory, port) after the first run"""
    directory, port = tmp_path_factory.mktemp("run") / "dev", free_port()
    done = run(directory, "--port", str(port), "--no-start")
    assert done.returncode == 0, done.stdout + done.stderr
    return directory, port


def snapshot(directory):
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in directory.rglob("*") if path.is_file() and "store" not in path.parts}


def openssl(*arguments, cwd):
    return subprocess.run(["openssl", *arguments], cwd=cwd, text=True, capture_output=True, check=True).stdout


def test_what_is_there(made):
    directory, _ = made
    for secret in ("password", "users.passwd", "pki/server-ca.key", "pki/client-ca.key", "pki/issued/server-ec.key",
                   "pki/issued/server-rsa.key"):
        assert stat.S_IMODE((directory / secret).stat().st_mode) == 0o600
    host = socket.gethostname()
    for key, kind in (("ec", "NIST CURVE: P-256"), ("rsa", "(2048 bit)")):
        text = openssl("x509", "-in", f"pki/issued/server-{key}.crt", "-noout", "-text", cwd=directory)
        for piece in (kind, "TLS Web Server Authentication", "DNS:localhost", f"DNS:{host.split('.')[0]}.local",
                      "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1", "ecdsa-with-SHA256"):
            assert piece in text
        openssl("verify", "-x509_strict", "-CAfile", "pki/server-ca.crt", f"pki/issued/server-{key}.crt", cwd=directory)


def test_the_second_run_changes_nothing(made):
    directory, _ = made
    before = snapshot(directory)
    assert run(directory, "--no-start").returncode == 0
    assert snapshot(directory) == before


def test_its_lines_work(made):
    directory, port = made
    broker = LineProcess([str(ROOT / "tools/run"), "--directory", str(directory)], cwd=directory.parent)
    try:
        broker.wait_line("event=ready", timeout_s=60)
        lines = [line.strip() for line in broker.lines if line.strip().startswith("mosquitto_")]
        listen, say, other = lines
        assert f"-p {port}" in listen and '"$(cat dev/password)"' in listen
        listener = LineProcess(["stdbuf", "-oL", "bash", "-c", f"exec {listen} -d"], cwd=directory.parent)
        listener.wait_line("Subscribed (")
        assert subprocess.run(["bash", "-c", say], cwd=directory.parent, check=False).returncode == 0
        listener.wait_line("home/lamp/on 1")
        other = other.replace("PASSWORD", (directory / "password").read_text().strip())
        assert subprocess.run(["bash", "-c", other], cwd=directory / "pki", check=False).returncode == 0
        listener.wait_line("home/lamp/on 0")
        listener.kill()
        ours = [line.strip().replace("build/tools/", f"{ROOT}/build/tools/") for line in broker.lines
                if re.match(" *build/tools/broker-(sub|pub) ", line)]
        listener = LineProcess(["bash", "-c", f"exec {ours[0]} -d"], cwd=directory.parent)
        listener.wait_line("subscribed to")
        assert subprocess.run(["bash", "-c", ours[1]], cwd=directory.parent, check=False).returncode == 0
        listener.wait_line("home/lamp/on 1")
        listener.kill()
        second = run(directory)
        assert second.returncode == 1 and f"port {port}" in second.stderr
        broker.signal(signal.SIGTERM)
        assert broker.wait() == 0
        assert (directory / "store" / "data.mdb").stat().st_size > 0
    finally:
        broker.kill()


def broker_pki(directory, *words):
    subprocess.run([str(ROOT / "build/tools/broker-pki"), "-d", "pki", *words], cwd=directory, check=True,
                   capture_output=True)


def test_renewal_keeps_keys_and_ca(made):
    directory, _ = made
    before = snapshot(directory)
    for words in (["renew", "server-ec", "--days", "20"], ["server", "lamp.house"]):
        broker_pki(directory, *words)
        done = run(directory, "--no-start")
        assert "issuing the broker's certificates" in done.stdout
    changed = {name for name, digest in snapshot(directory).items() if before.get(name) != digest}
    assert changed == {"pki/index", "pki/issued/server-ec.crt", "pki/issued/server-rsa.crt"}


def test_a_client_certificate_logs_in(made):
    """The user exists; his certificate is the one command that is needed."""
    directory, port = made
    broker_pki(directory, "client", "house")
    broker = LineProcess([str(ROOT / "tools/run"), "--directory", str(directory)], cwd=directory.parent)
    try:
        broker.wait_line("event=ready", timeout_s=60)
        subprocess.run(["mosquitto_pub", "-h", "localhost", "-p", str(port), "--cafile", "pki/server-ca.crt", "--cert",
                        "pki/issued/client-house.crt", "--key", "pki/issued/client-house.key", "-t", "home/lamp/on", "-m",
                        "1", "-q", "1"], cwd=directory, check=True)
        assert "user=house" in broker.wait_line("event=client-connected")
        broker.signal(signal.SIGTERM)
        assert broker.wait() == 0
    finally:
        broker.kill()


def test_the_four_commands_of_the_readme_work(made):
    """From nothing to a verified publish with a client certificate, as it is written; the port is another."""
    directory, port = made
    text = (ROOT / "README.md").read_text().split("in four commands", 1)[1]
    first, *others = [line.strip() for line in text.split("\n\n")[1].splitlines()]
    assert first == "tools/run" and len(others) == 3
    broker = LineProcess([str(ROOT / first), "--directory", str(directory)], cwd=directory.parent)
    try:
        broker.wait_line("event=ready", timeout_s=60)
        for command in others:
            command = command.replace("build/", f"{ROOT}/build/").replace("-h localhost", f"-h localhost -p {port}")
            done = subprocess.run(["bash", "-c", command], cwd=directory.parent, text=True, capture_output=True, check=False,
                                  timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr
            if "broker-passwd" in command:
                broker.wait_line("event=reloaded")
        assert "user=anna" in broker.wait_line("event=client-connected")
        broker.signal(signal.SIGTERM)
        assert broker.wait() == 0
    finally:
        broker.kill()


def test_short_revocation_lists_are_renewed_at_the_start(made):
    directory, _ = made
    before = snapshot(directory)
    assert "revocation" not in run(directory, "--no-start").stdout
    broker_pki(directory, "crl", "--days", "1")
    (directory / "pki/client-ca.crl").unlink()
    assert "renewing the revocation lists" in run(directory, "--no-start").stdout
    assert {name for name, digest in snapshot(directory).items() if before.get(name) != digest} == \
        {"pki/client-ca.crl", "pki/server-ca.crl"}


def test_a_directory_of_an_earlier_version_goes_on(tmp_path):
    """Certificates beside broker.yaml, of one CA: devices that have ca.crt notice nothing."""
    directory, port = tmp_path / "dev", free_port()
    directory.mkdir(mode=0o700)
    script = str(ROOT / "tests/support/certificates")
    subprocess.run([script, "ca", "ca", "Vakt development CA"], cwd=directory, check=True)
    for key in ("ec", "rsa"):
        subprocess.run([script, "leaf", "ca", f"server-{key}", "server", key, "x", "days=20", "DNS:localhost"],
                       cwd=directory, check=True)
    (directory / "server.names").write_text("DNS:localhost\n")
    (directory / "broker.yaml").write_text(f"""listeners:
  - bind: "127.0.0.1:{port}"
tls:
  certificates:
    - {{ certificate: server-ec.crt, key: server-ec.key }}
    - {{ certificate: server-rsa.crt, key: server-rsa.key }}
authentication: {{ password_file: users.passwd }}
authorization: {{ acl_file: acl.yaml }}
""")
    before = {name: (directory / name).read_text() for name in ("ca.crt", "ca.key", "server-ec.key", "broker.yaml")}
    broker = LineProcess([str(ROOT / "tools/run"), "--directory", str(directory)], cwd=tmp_path)
    try:
        broker.wait_line("event=ready", timeout_s=60)
        say = next(line for line in broker.lines if "mosquitto_pub" in line and "cat dev/password" in line)
        assert subprocess.run(["bash", "-c", say], cwd=tmp_path, check=False).returncode == 0
        broker.signal(signal.SIGTERM)
        assert broker.wait() == 0
    finally:
        broker.kill()
    assert {name: (directory / name).read_text() for name in before} == before
    assert openssl("x509", "-in", "server-ec.crt", "-noout", "-checkend", str(400 * 86400), cwd=directory)


def test_your_own_changes_stay(made):
    directory, _ = made
    for name in ("broker.yaml", "acl.yaml"):
        with open(directory / name, "a", encoding="utf-8") as file:
            file.write("# mine\n")
    assert run(directory, "--no-start").returncode == 0
    assert all((directory / name).read_text().endswith("# mine\n") for name in ("broker.yaml", "acl.yaml"))


def test_wrong_use(tmp_path):
    for options in (["--port", "many"], ["--nonsense"]):
        assert run(tmp_path / "dev", *options).returncode != 0
    assert not (tmp_path / "dev").exists()


def test_nothing_is_written_through_a_link(tmp_path):
    """What an earlier owner of the directory left there is replaced, not followed."""
    directory, precious = tmp_path / "dev", tmp_path / "precious"
    directory.mkdir(mode=0o700)
    precious.write_text("mine")
    for name in (".new", "broker.yaml", "acl.yaml", "password"):
        (directory / name).symlink_to(precious if name == ".new" else tmp_path / f"{name}-elsewhere")
    done = run(directory, "--port", str(free_port()), "--no-start")
    assert done.returncode == 0, done.stdout + done.stderr
    assert precious.read_text() == "mine" and not list(tmp_path.glob("*-elsewhere"))
    made_here = {path.name for path in directory.iterdir() if path.is_file() and not path.is_symlink()}
    assert {"broker.yaml", "acl.yaml", "password"} <= made_here


def test_a_directory_that_others_can_write_is_refused(tmp_path):
    directory = tmp_path / "dev"
    directory.mkdir()
    directory.chmod(0o777)
    (directory / ".new").symlink_to(tmp_path / "precious")
    done = run(directory, "--no-start")
    assert done.returncode == 1 and "chmod go-w" in done.stderr and "keys and passwords" in done.stderr, done.stderr
    assert [path.name for path in directory.iterdir()] == [".new"] and not (tmp_path / "precious").exists()
