"""tools/run, the first command of the README: what it creates, that it does so once, and that the lines it prints work.
It builds, so meson does not list it: tools/check runs it."""

import hashlib
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
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir() if path.is_file()}


def openssl(*arguments, cwd):
    return subprocess.run(["openssl", *arguments], cwd=cwd, text=True, capture_output=True, check=True).stdout


def test_what_is_there(made):
    directory, _ = made
    for secret in ("password", "users.passwd", "ca.key", "server-ec.key", "server-rsa.key"):
        assert stat.S_IMODE((directory / secret).stat().st_mode) == 0o600
    host = socket.gethostname()
    for key, kind in (("ec", "NIST CURVE: P-256"), ("rsa", "(2048 bit)")):
        text = openssl("x509", "-in", f"server-{key}.crt", "-noout", "-text", cwd=directory)
        for piece in (kind, "TLS Web Server Authentication", "DNS:localhost", f"DNS:{host.split('.')[0]}.local",
                      "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1", "sha256With"):
            assert piece in text
        openssl("verify", "-CAfile", "ca.crt", f"server-{key}.crt", cwd=directory)


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
        assert subprocess.run(["bash", "-c", other], cwd=directory, check=False).returncode == 0
        listener.wait_line("home/lamp/on 0")
        listener.kill()
        second = run(directory)
        assert second.returncode == 1 and f"port {port}" in second.stderr
        broker.signal(signal.SIGTERM)
        assert broker.wait() == 0
        assert (directory / "store" / "data.mdb").stat().st_size > 0
    finally:
        broker.kill()


def test_renewal_keeps_keys_and_ca(made):
    directory, _ = made
    before = snapshot(directory)
    subprocess.run([str(ROOT / "tools/pki"), "leaf", "ca", "server-ec", "server", "ec", "x", "days=20",
                    "DNS:localhost"], cwd=directory, check=True)
    done = run(directory, "--no-start")
    assert "issuing server-ec.crt" in done.stdout and "issuing server-rsa.crt" not in done.stdout
    (directory / "server.names").write_text("DNS:localhost\nIP:198.51.100.9\n")
    done = run(directory, "--no-start")
    assert "issuing server-ec.crt" in done.stdout and "issuing server-rsa.crt" in done.stdout
    changed = {name for name, digest in snapshot(directory).items() if before.get(name) != digest}
    assert changed == {"server-ec.crt", "server-rsa.crt"}


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
    for name in (".new", "broker.yaml", "acl.yaml", "password", "server.names"):
        (directory / name).symlink_to(precious if name in (".new", "server.names") else tmp_path / f"{name}-elsewhere")
    done = run(directory, "--port", str(free_port()), "--no-start")
    assert done.returncode == 0, done.stdout + done.stderr
    assert precious.read_text() == "mine" and not list(tmp_path.glob("*-elsewhere"))
    made_here = {path.name for path in directory.iterdir() if path.is_file() and not path.is_symlink()}
    assert {"broker.yaml", "acl.yaml", "password", "server.names"} <= made_here


def test_a_directory_that_others_can_write_is_refused(tmp_path):
    directory = tmp_path / "dev"
    directory.mkdir()
    directory.chmod(0o777)
    (directory / ".new").symlink_to(tmp_path / "precious")
    done = run(directory, "--no-start")
    assert done.returncode == 1 and "chmod go-w" in done.stderr and "keys and passwords" in done.stderr, done.stderr
    assert [path.name for path in directory.iterdir()] == [".new"] and not (tmp_path / "precious").exists()
