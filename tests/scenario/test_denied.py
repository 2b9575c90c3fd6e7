"""Files that the broker's user may not use: the message names the user, the file or directory that denies it, and the cure.
(Files that it must not trust: test_trust.py.)"""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from broker_fixture import BROKER, PASSWD, TIMEOUT_S, ENVIRONMENT
from test_watch import AS_NOBODY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
FILES = ["broker.yaml", "server.crt", "server.key", "clients.crt", "clients.crl", "users.passwd", "acl.yaml"]


@pytest.fixture(name="place")
def _place(pki):
    """A configuration that nobody can read, each file in a directory of its own."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        ca = pki.authority("denied-clients")
        contents = {"server.crt": pki.path("server-ec.crt").read_text(), "server.key": pki.path("server-ec.key").read_text(),
                    "clients.crt": ca.read_text(), "clients.crl": pki.revoke("denied-clients", "denied.crl").read_text(),
                    "users.passwd": "anna:id=00000000000000aa:roles=all\n", "acl.yaml": "roles: {all: [allow all '#']}\n",
                    "broker.yaml": "listeners: [{bind: '127.0.0.1:1884'}]\n"
                                   "tls: {certificates: [{certificate: ../server.crt.d/server.crt, key: ../server.key.d/server.key}],\n"
                                   "      client_certificates: optional, client_ca: ../clients.crt.d/clients.crt,\n"
                                   "      client_crl: ../clients.crl.d/clients.crl}\n"
                                   "authentication: {password_file: ../users.passwd.d/users.passwd}\n"
                                   "authorization: {acl_file: ../acl.yaml.d/acl.yaml}\n"}
        for file, content in contents.items():
            directory = place / f"{file}.d"
            directory.mkdir()
            path = directory / file
            path.write_text(content)
            path.chmod(0o640)
            os.chown(path, 0, 65534)
        yield place


def check(place):
    done = subprocess.run([*AS_NOBODY, BROKER, "--check", "-c", "broker.yaml.d/broker.yaml"], cwd=place, env=ENVIRONMENT, text=True,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
    return done.returncode, done.stderr


def denial(what, path, mode, letter):
    return (f"this program runs as the user nobody, who may not {what} (mode {mode:04o}, owner root); "
            f"run: setfacl -m u:nobody:{letter} {path}")


def test_nothing_is_denied(place):
    status, said = check(place)
    assert status == 0, said


@pytest.mark.parametrize("file", FILES)
def test_a_file(place, file):
    (place / f"{file}.d" / file).chmod(0o600)
    status, said = check(place)
    path = f"broker.yaml.d/{'' if file == 'broker.yaml' else f'../{file}.d/'}{file}"
    assert status != 0 and denial("read it", path, 0o600, "r") in said, said


@pytest.mark.parametrize("file", FILES)
def test_its_directory(place, file):
    directory = place / f"{file}.d"
    directory.chmod(0o700)
    status, said = check(place)
    assert status != 0 and denial(f"enter the directory {directory}", directory, 0o700, "x") in said, said


def test_a_link_into_a_closed_directory(place):
    """As /etc/letsencrypt/live has them."""
    archive, link = place / "archive", place / "server.crt.d/server.crt"
    archive.mkdir()
    link.rename(archive / "server1.crt")
    link.symlink_to("../archive/server1.crt")
    archive.chmod(0o700)
    assert denial(f"enter the directory {archive}", archive, 0o700, "x") in check(place)[1]


@pytest.mark.parametrize("setting, says", [
    ("log: {audit: ../closed/audit.log}", "log.audit"), ("persistence: {directory: ../closed/store}", "cannot be made"),
    ("control: {socket: ../closed/socket}", "cannot make the socket")], ids=["audit", "store", "socket"])
def test_what_would_be_made(place, setting, says):
    (place / "closed").mkdir()
    with open(place / "broker.yaml.d/broker.yaml", "a", encoding="utf-8") as file:
        file.write(setting + "\n")
    status, said = check(place)
    assert status != 0 and says in said and "who may not write the directory" in said, said
    assert "closed (mode 0755, owner root); name a place of its own, or run: setfacl -m u:nobody:rwx" in said


def test_by_the_tools(place):
    path = place / "users.passwd.d/users.passwd"
    path.chmod(0o600)
    done = subprocess.run([*AS_NOBODY, PASSWD, str(path), "list"], env=ENVIRONMENT, text=True, capture_output=True, check=False,
                          timeout=TIMEOUT_S)
    assert done.returncode != 0 and denial("read it", path, 0o600, "r") in done.stderr, done.stderr
