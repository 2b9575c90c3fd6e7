"""Every program started with standard descriptors closed: what it opens gets no number where messages are written."""

import os
import signal
import socket
import subprocess
import time

import pytest
from house import BROKER, PASSWD, PATIENCE_S, ROOT

ACL = os.environ.get("VAKT_ACL", str(ROOT / "build/tools/broker-acl"))
CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
STORE = os.environ.get("VAKT_STORE", str(ROOT / "build/tools/broker-store"))
CLOSED = [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)]
WORDS = (b"event=", b"broker-", b"usage", b"error", b"level=")


@pytest.fixture(scope="module")
def house(new_house):
    return new_house(config={"persistence": {"directory": "store"}, "control": {"socket": "control.sock"}})


def command(closed, words):
    """The shell closes them; Python itself would open pipes there."""
    return ["/bin/sh", "-c", 'exec "$@" ' + " ".join(f"{fd}>&-" for fd in closed), "sh", *words]


def run(house, closed, *words):
    return subprocess.run(command(closed, words), cwd=house.directory, env=house.environment, capture_output=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=PATIENCE_S)


def unharmed(house, *names):
    for name in names:
        content = (house.directory / name).read_bytes()
        assert not any(word in content for word in WORDS), (name, content[:500])


def listening(port, child):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and child.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_the_broker_writes_no_message_into_a_file_of_the_store(house, closed):
    # On the command line `debug` is what says most.
    house.config["log"] = {"level": "debug"}
    house.write()
    with subprocess.Popen(command(closed, [BROKER, "-c", "broker.yaml"]), cwd=house.directory, env=house.environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            assert listening(house.port, child)
            for fd in closed:
                assert os.readlink(f"/proc/{child.pid}/fd/{fd}") == "/dev/null"
        finally:
            child.send_signal(signal.SIGTERM)
            status = child.wait(PATIENCE_S)
    assert status == 0
    unharmed(house, "store/data.mdb", "store/data.mdb-lock", "store/broker.lock", "store/note")
    assert run(house, (), STORE, "store", "check").returncode == 0


@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_the_tools_write_no_message_into_a_file(house, closed):
    users = (house.directory / "users.passwd").read_bytes()
    broken = house.write_file("broken.passwd", "anna:nonsense\n")
    for words in ([PASSWD, "users.passwd", "verify", "anna", "--stdin"],
                  [PASSWD, "users.passwd", "add", "anna", "--stdin"],
                  [PASSWD, "broken.passwd", "remove", "bert"],
                  [PASSWD, "users.passwd", "list"],
                  [ACL, "explain", "-c", "broker.yaml", "--user", "nobody", "publish", "a"],
                  [CTL, "-c", "broker.yaml", "status"],
                  [STORE, "store", "info"],
                  [STORE, "store", "compact"],
                  [STORE, "store", "restore", "nothing"],
                  [BROKER, "--check", "-c", "broker.yaml"]):
        run(house, closed, *words)
    assert (house.directory / "users.passwd").read_bytes() == users
    assert broken.read_text() == "anna:nonsense\n"
    unharmed(house, "broker.yaml", "acl.yaml", *(f"store/{f.name}" for f in (house.directory / "store").iterdir()))


def test_a_closed_output_is_still_an_error(house):
    done = run(house, (1,), PASSWD, "users.passwd", "list")
    assert done.returncode == 1 and b"cannot write to standard output" in done.stderr, done
    done = run(house, (0,), PASSWD, "users.passwd", "set", "anna", "--stdin")
    assert done.returncode == 1 and b"standard input" in done.stderr, done
