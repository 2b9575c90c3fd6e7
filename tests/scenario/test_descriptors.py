"""Every program started with standard descriptors closed: no file that it opens gets a descriptor to which messages are
written."""

import os
import signal
import socket
import subprocess
import time

import pytest
from broker_fixture import BROKER, PASSWD, TIMEOUT_S, ROOT

ACL = os.environ.get("VAKT_ACL", str(ROOT / "build/tools/broker-acl"))
CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
STORE = os.environ.get("VAKT_STORE", str(ROOT / "build/tools/broker-store"))
CLOSED = [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)]
WORDS = (b"event=", b"broker-", b"usage", b"error", b"level=")


@pytest.fixture(scope="module")
def broker(new_broker):
    return new_broker(config={"persistence": {"directory": "store"}, "control": {"socket": "control.sock"}})


def command(closed, words):
    """The shell closes them; Python would open pipes instead."""
    return ["/bin/sh", "-c", 'exec "$@" ' + " ".join(f"{fd}>&-" for fd in closed), "sh", *words]


def run(broker, closed, *words):
    return subprocess.run(command(closed, words), cwd=broker.directory, env=broker.environment, capture_output=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)


def unharmed(broker, *names):
    for name in names:
        content = (broker.directory / name).read_bytes()
        assert not any(word in content for word in WORDS), (name, content[:500])


def listening(port, child):
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline and child.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_the_broker_writes_no_message_into_a_file_of_the_store(broker, closed):
    # On the command line `debug` is what says most.
    broker.config["log"] = {"level": "debug"}
    broker.write()
    with subprocess.Popen(command(closed, [BROKER, "-c", "broker.yaml"]), cwd=broker.directory, env=broker.environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            assert listening(broker.port, child)
            for fd in closed:
                assert os.readlink(f"/proc/{child.pid}/fd/{fd}") == "/dev/null"
        finally:
            child.send_signal(signal.SIGTERM)
            status = child.wait(TIMEOUT_S)
    assert status == 0
    unharmed(broker, "store/data.mdb", "store/data.mdb-lock", "store/broker.lock", "store/note")
    assert run(broker, (), STORE, "store", "check").returncode == 0


@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_the_tools_write_no_message_into_a_file(broker, closed):
    users = (broker.directory / "users.passwd").read_bytes()
    broken = broker.write_file("broken.passwd", "anna:nonsense\n")
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
        run(broker, closed, *words)
    assert (broker.directory / "users.passwd").read_bytes() == users
    assert broken.read_text() == "anna:nonsense\n"
    unharmed(broker, "broker.yaml", "acl.yaml", *(f"store/{f.name}" for f in (broker.directory / "store").iterdir()))


def test_a_closed_output_is_still_an_error(broker):
    done = run(broker, (1,), PASSWD, "users.passwd", "list")
    assert done.returncode == 1 and b"cannot write to standard output" in done.stderr, done
    done = run(broker, (0,), PASSWD, "users.passwd", "set", "anna", "--stdin")
    assert done.returncode == 1 and b"standard input" in done.stderr, done
