"""Clients that take all descriptors: what the broker must do all the same, and a reload that is repeated when it failed for want of
them."""

import os
import re
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from broker_fixture import ROOT, TIMEOUT_S
from wire import Closed, Wire

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
LIMIT = 128


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


@pytest.fixture
def broker(new_broker):
    with new_broker(limit=few_descriptors, users={"anna": ["all"], "bertil": ["all"]},
                    config={"limits": {"connect_timeout": "60s"}, "persistence": {"directory": "store"},
                            "control": {"socket": "control.sock"}, "log": {"audit": "audit.log"}}) as broker:
        yield broker


@pytest.fixture
def crowd(broker):
    """More connections than the broker has descriptors; those that it does not take wait in the kernel."""
    mark, taken = broker.mark(), []

    def take():
        taken.extend(socket.create_connection(broker.addresses[0], timeout=TIMEOUT_S) for _ in range(LIMIT))
        broker.wait_log("accept-paused", mark)
    yield take
    for one in taken:
        one.close()


def control(broker, *words):
    return subprocess.run([CTL, "-c", "broker.yaml", *words], cwd=broker.directory, text=True, capture_output=True,
                          check=False, env=broker.environment, timeout=TIMEOUT_S)


def expect_gone(client):
    with pytest.raises(Closed):
        while True:
            client.read()


def wait_for_file(path):
    deadline = time.monotonic() + TIMEOUT_S
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists()


def test_locked_user_is_disconnected_while_clients_have_all_descriptors(broker, crowd):
    with Wire(broker, user="bertil") as locked, Wire(broker) as other:
        crowd()
        mark = broker.mark()
        broker.passwd("lock", "bertil")
        broker.wait_log("reloaded", mark)
        expect_gone(locked)
        other.settle()
        assert broker.logged("reload-failed", mark) == []


def test_control_audit_and_store_work_while_clients_have_all_descriptors(broker, crowd):
    with Wire(broker) as client:
        crowd()
        done = control(broker, "status")
        assert done.returncode == 0, done.stderr
        done = control(broker, "reload")
        assert done.returncode == 0, done.stderr
        client.publish("kept", b"stored", qos=1, retain=True)
        audit = broker.directory / "audit.log"
        audit.rename(broker.directory / "audit.log.1")
        broker.process.signal(signal.SIGUSR1)
        wait_for_file(audit)


def test_client_waits_for_a_descriptor_and_is_not_closed(broker):
    """Those that wait are not accepted and thrown out: they are served as soon as others leave."""
    mark = broker.mark()
    crowd = [socket.create_connection(broker.addresses[0], timeout=TIMEOUT_S) for _ in range(LIMIT)]
    broker.wait_log("accept-paused", mark)
    waiting = socket.create_connection(broker.addresses[0], timeout=TIMEOUT_S)
    waiting.setblocking(False)
    with pytest.raises(BlockingIOError):
        waiting.recv(1)
    waiting.close()
    for one in crowd:
        one.close()
    broker.wait_log("accept-resumed", mark)
    with Wire(broker) as late:
        late.settle()


def test_reload_that_failed_for_want_of_descriptors_is_repeated(broker):
    with Wire(broker, user="bertil") as locked, Wire(broker) as other:
        mark = broker.mark()
        resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (1, LIMIT))
        broker.passwd("lock", "bertil")
        failed = broker.wait_log("reload-failed", mark)
        assert "tried again" in failed["remedy"]
        assert not any("half-written" in e["error"] for e in broker.logged("config-error", mark))
        other.settle()
        resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        broker.wait_log("reloaded", mark)
        expect_gone(locked)
        other.settle()


def test_audit_file_that_could_not_be_reopened_for_want_of_descriptors_is_opened_later(broker):
    audit, mark = broker.directory / "audit.log", broker.mark()
    audit.rename(broker.directory / "audit.log.1")
    resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (1, LIMIT))
    broker.process.signal(signal.SIGUSR1)
    broker.wait_log("config-error", mark, where=str(audit), error=lambda text: text.startswith("log.audit: ") and "tried again" in text)
    assert not audit.exists()
    resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    wait_for_file(audit)


def test_reload_that_failed_for_an_error_is_not_repeated(broker):
    mark = broker.mark()
    broker.write_file("acl.yaml", "roles: [\n")
    failed = broker.wait_log("reload-failed", mark)
    assert "fix the errors above" in failed["remedy"]
    with Wire(broker) as client:
        client.settle()
    time.sleep(2.5)  # longer than the first wait before a repetition
    assert len(broker.logged("reload-failed", mark)) == 1


def test_the_table_of_descriptors_does_not_grow_later(new_broker):
    """Where it grew, whoever accepted a connection would wait for the kernel, some 16 ms."""
    def size(broker):
        status = Path(f"/proc/{broker.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"^FDSize:\s+(\d+)", status, re.M)[1])

    with new_broker(config={"limits": {"connections": 5000}}) as broker:
        limit = resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE)[0]
        assert size(broker) >= min(5000, limit)
    with new_broker(limit=few_descriptors) as broker:
        assert size(broker) <= 2 * LIMIT
