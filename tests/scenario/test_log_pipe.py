"""Outputs that nobody reads: standard error, the audit file, the control socket, a subscriber of $SYS, the service manager. Clients are served all
the same; lines that are lost are counted, and the log says so when it flows again."""

import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from broker_fixture import BROKER, ROOT, logfmt
from wire import TIMEOUT_S, Wire

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
# Two lines each, with ids that make them long: more than a pipe and the buffers of the broker hold.
CONNECTIONS = 500
ID = "x" * 490


class Pipe:
    """What is written into it, from `read` on."""

    def __init__(self, fd):
        self.fd, self.data = fd, b""
        self.reader = threading.Thread(target=self._read, daemon=True)

    def _read(self):
        os.set_blocking(self.fd, True)
        while piece := os.read(self.fd, 65536):
            self.data += piece

    def read(self):
        self.reader.start()

    def wait(self, word):
        deadline = time.monotonic() + TIMEOUT_S
        while word not in self.data:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def lines(self):
        """After its writers are gone."""
        self.reader.join(TIMEOUT_S)
        assert not self.reader.is_alive()
        os.close(self.fd)
        return [logfmt(line) for line in self.data.decode().splitlines()]


class Running:
    """The broker, with standard error where the test wants it."""

    def __init__(self, broker, stderr):
        self.broker = broker
        self.child = subprocess.Popen([BROKER, "-c", "broker.yaml"], cwd=broker.directory, env=broker.environment,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
        deadline = time.monotonic() + 3 * TIMEOUT_S
        while not self.listens():
            assert time.monotonic() < deadline and self.child.poll() is None
            time.sleep(0.01)

    def listens(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.broker.addresses[0]) == 0

    def connect_many(self, count=CONNECTIONS):
        for number in range(count):
            with Wire(self.broker, client_id=f"{ID}-{number}", user=None) as client:
                client.settle()

    def status(self):
        done = subprocess.run([CTL, "-c", "broker.yaml", "--json", "status"], cwd=self.broker.directory,
                              env=self.broker.environment, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
        return json.loads(done.stdout.splitlines()[0])

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(3 * TIMEOUT_S) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()


@pytest.fixture
def broker(new_broker):
    broker = new_broker(acl={"anonymous": {"rules": ["allow all #", "allow subscribe $SYS/#"]}},
                        config={"control": {"socket": "control.sock"}, "authentication": {"anonymous": True}})
    broker.config["listeners"] = [{"bind": f"unix:{broker.directory}/socket"}]
    broker.write()
    return broker


def dropped(lines, output):
    """Lines that are missing, by what the log says."""
    return sum(int(line["lines"]) for line in lines if line.get("event") == "log-dropped" and line["output"] == output)


def connects(lines):
    return sum(line.get("event") in ("client-connected", "client-disconnected") for line in lines)


def test_standard_error_is_a_pipe_that_nobody_reads(broker):
    read_end, write_end = os.pipe()
    pipe = Pipe(read_end)
    with Running(broker, write_end) as running:
        os.close(write_end)
        running.connect_many()
        lost = running.status()["log_dropped"]
        assert lost > 0
        pipe.read()  # it flows again
        pipe.wait(b"event=log-dropped")
        running.connect_many(10)
        running.stop()
    lines = pipe.lines()
    assert dropped(lines, "log") >= lost
    # Nothing is lost without being counted: what is not there was dropped.
    assert connects(lines) + dropped(lines, "log") >= 2 * (CONNECTIONS + 10)
    assert lines[-1]["event"] == "stopped"


def test_a_stop_does_not_wait_for_who_reads_the_log(broker):
    read_end, write_end = os.pipe()
    with Running(broker, write_end) as running:
        os.close(write_end)
        running.connect_many()
        running.stop()
    os.close(read_end)


def test_the_audit_file_takes_nothing(broker):
    os.mkfifo(broker.directory / "audit")
    broker.config["log"] = {"audit": "audit", "level": "warning"}
    broker.write()
    pipe = Pipe(os.open(broker.directory / "audit", os.O_RDONLY | os.O_NONBLOCK))
    read_end, write_end = os.pipe()
    log = Pipe(read_end)
    log.read()
    with Running(broker, write_end) as running:
        os.close(write_end)
        running.connect_many()
        assert running.status()["log_dropped"] > 0
        pipe.read()
        running.connect_many(10)
        running.stop()
    lines = pipe.lines()
    assert connects(lines) + dropped(lines, "audit") >= 2 * (CONNECTIONS + 10)
    assert dropped(log.lines(), "audit") == dropped(lines, "audit") > 0


def test_an_audit_fifo_without_a_reader_is_an_error(broker):
    os.mkfifo(broker.directory / "audit")
    broker.config["log"] = {"audit": "audit"}
    broker.write()
    done = broker.command()
    assert done.returncode == 2
    assert "log.audit: cannot be opened: No such device or address" in done.stderr


def test_nobody_reads_the_control_socket_or_sys(broker):
    control = []
    with Running(broker, subprocess.DEVNULL) as running, \
            Wire(broker, client_id="deaf", user=None) as deaf, Wire(broker, client_id="good", user=None) as good:
        deaf.subscribe("$SYS/#")
        for _ in range(10):
            control.append(socket.socket(socket.AF_UNIX))
            control[-1].connect(str(broker.directory / "control.sock"))
            control[-1].sendall(b'{"command": "clients"}\n')
        running.connect_many(50)
        good.settle()
        assert running.status()["clients"] >= 2
        for s in control:
            s.close()
        running.stop()


def test_the_service_manager_reads_nothing(broker):
    path = broker.directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        manager.bind(str(path))
        filler.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                filler.sendto(b"x", str(path))
        broker.environment["NOTIFY_SOCKET"] = str(path)
        with Running(broker, subprocess.DEVNULL) as running:
            running.connect_many(1)
            assert running.status()["clients"] == 0
            running.stop()
