"""The broker under a service manager, by the unit of the package: notifications, the watchdog, the verdict of a reload, and what systemd says
of the unit."""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from broker_fixture import ROOT
from wire import TIMEOUT_S, Wire

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
BROKER = os.environ.get("VAKT_BROKER", str(ROOT / "build/broker/broker"))
UNIT = ROOT / "debian/vakt.service"
EXPOSURE_MAX = 1.5
INTERVAL_S = 4
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


def setting(name):
    return re.search(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.M).group(1)


class Manager:
    """The socket of a service manager."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(3 * TIMEOUT_S)

    def hear(self):
        return self.socket.recv(4096).decode()

    def hear_all(self):
        """What it was told and has not heard yet."""
        found = []
        self.socket.setblocking(False)
        try:
            while True:
                found.append(self.hear())
        except BlockingIOError:
            self.socket.settimeout(3 * TIMEOUT_S)
        return found


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.socket.close()


@pytest.fixture
def broker(new_broker, tmp_path):
    broker = new_broker(config={"workers": 2, "control": {"socket": "control.sock"}})
    broker.environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
    return broker


def watched(broker, seconds=INTERVAL_S):
    broker.environment["WATCHDOG_USEC"] = str(seconds * 1000000)
    return broker


def test_manager_is_told_of_start_life_and_stop(broker, manager):
    with watched(broker) as running:
        assert manager.hear() == "READY=1"
        for _ in range(3):
            assert manager.hear() == "WATCHDOG=1"
        running.process.signal(signal.SIGTERM)
        running.wait_log("stopped")
        said = manager.hear_all()
        assert said[-1] == "STOPPING=1" and said.count("STOPPING=1") == 1


def test_watchdog_is_another_process_s(broker, manager):
    broker.environment["WATCHDOG_PID"] = "1"
    with watched(broker, 1) as running:
        assert manager.hear() == "READY=1"
        with Wire(running, client_id="one") as client:
            client.settle()
    assert manager.hear_all() == ["STOPPING=1"]


class Hanging:
    """One thread of a process stands still."""

    def __init__(self, pid, name):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.thread = next(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()
                           if (task / "comm").read_text().strip() == name)
        if self.trace(PTRACE_SEIZE) != 0:
            pytest.skip("threads of others cannot be stopped here: " + os.strerror(ctypes.get_errno()))
        assert self.trace(PTRACE_INTERRUPT) == 0
        os.waitpid(self.thread, 0x40000000)  # __WALL

    def trace(self, request):
        return self.libc.ptrace(request, ctypes.c_long(self.thread), ctypes.c_void_p(0), ctypes.c_void_p(0))

    def go_on(self):
        assert self.trace(PTRACE_DETACH) == 0


def test_worker_that_hangs_is_no_life(broker, manager):
    """The manager would restart it: from the moment at which one worker of two hangs it is told nothing any more."""
    with watched(broker) as running:
        assert manager.hear() == "READY=1"
        assert manager.hear() == "WATCHDOG=1"
        hanging = Hanging(running.process.child.pid, "worker-1")
        try:
            running.wait_log("worker-silent", worker=1)
            manager.hear_all()
            time.sleep(INTERVAL_S / 2)  # that nothing comes is what is waited for
            assert manager.hear_all() == []
        finally:
            hanging.go_on()
        assert manager.hear() == "WATCHDOG=1"


def reload(broker):
    command = setting("ExecReload").replace("/usr/bin/broker-ctl", CTL).replace("/etc/vakt", str(broker.directory))
    return subprocess.run(command.split(), env=broker.environment, capture_output=True, text=True, check=False, timeout=3 * TIMEOUT_S)


def test_reload_fails_when_the_configuration_is_refused(broker):
    """ExecReload of the unit: systemctl reload shows its status."""
    with broker as running:
        assert reload(running).returncode == 0
        running.wait_log("reloaded")
        before = (running.directory / "acl.yaml").read_text(encoding="utf-8")
        running.write_file("acl.yaml", "roles: { all: [allow everything] }\n")
        refused = reload(running)
        assert refused.returncode == 1 and "nothing was changed" in refused.stderr, refused
        running.wait_log("reload-failed")
        with Wire(running, client_id="one") as client:  # what was in force still is
            client.settle()
        running.write_file("acl.yaml", before)
        assert reload(running).returncode == 0
    assert reload(broker).returncode != 0  # nobody is there


class Journal:
    """The socket of systemd's journal, where the broker alone sees it."""

    def __init__(self, directory):
        directory.mkdir()
        self.directory, self.entries = directory, []
        self.changed = threading.Condition()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(directory / "socket"))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while entry := self.socket.recv(65536).decode():
            with self.changed:
                self.entries.append(dict(field.split("=", 1) for field in entry.splitlines()))
                self.changed.notify_all()

    def wait(self, event):
        def find():
            return next((entry for entry in self.entries if entry.get("VAKT_EVENT") == event), None)
        with self.changed:
            assert self.changed.wait_for(find, 3 * TIMEOUT_S), self.entries
            return find()


SEES_JOURNAL = """mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && mount --bind "$1" /run/systemd/journal &&
export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) && shift && exec "$@" """


@pytest.mark.skipif(subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0,
                    reason="name spaces of mounts are not permitted here")
def test_journal_gets_entries_with_fields(broker, tmp_path):
    journal, stream = Journal(tmp_path / "journal"), tmp_path / "stream"
    with open(stream, "wb") as out:
        child = subprocess.Popen(["unshare", "--mount", "sh", "-c", SEES_JOURNAL, "sh", str(journal.directory), BROKER, "-c", "broker.yaml"],
                                 cwd=broker.directory, env=broker.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        ready = journal.wait("ready")
        assert ready["PRIORITY"] == "6" and ready["SYSLOG_IDENTIFIER"] == "broker"
        assert ready["MESSAGE"].startswith("level=info event=ready msg=")
        with Wire(broker, client_id='a "quoted" id') as client:
            client.settle()
        connected = journal.wait("client-connected")
        assert connected["VAKT_USER"] == "anna" and connected["VAKT_CLIENT_ID"] == 'a \\"quoted\\" id'
        child.send_signal(signal.SIGTERM)
        assert child.wait(3 * TIMEOUT_S) == 0
    finally:
        child.kill()
        child.wait()
    journal.wait("stopped")
    assert "event=" not in stream.read_text(encoding="utf-8")  # each is there once


def runnable_unit(tmp_path):
    """The unit, with programs that exist."""
    text = UNIT.read_text(encoding="utf-8").replace("/usr/sbin/broker ", BROKER + " ").replace("/usr/bin/broker-ctl", CTL)
    path = tmp_path / "vakt.service"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_accepts_the_unit(tmp_path):
    path = runnable_unit(tmp_path)
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False, timeout=6 * TIMEOUT_S)
    said = [line for line in verified.stderr.splitlines() if "vakt.service" in line]
    assert verified.returncode == 0 and not said, verified
    rated = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)], capture_output=True, text=True, check=False,
                           timeout=6 * TIMEOUT_S)
    level = re.search(r"Overall exposure level for vakt.service: ([0-9.]+)", rated.stdout)
    assert level and float(level.group(1)) <= EXPOSURE_MAX, rated


def system_calls(*arguments):
    listed = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", *arguments], capture_output=True, text=True, check=True,
                            timeout=6 * TIMEOUT_S)
    return {line.strip() for line in listed.stdout.splitlines() if re.match(r"\s+[@a-z_0-9-]+$", line)}


def expanded(names):
    found = set()
    for name in names:
        found |= expanded(system_calls(name)) if name.startswith("@") else {name}
    return found


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_unit_permits_the_broker_s_own_sandbox():
    """What it takes to give rights up, and to give a Unix socket to its owner."""
    permitted = set()
    for words in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(encoding="utf-8"), re.M):
        if words.startswith("~"):
            permitted -= expanded(words[1:].split())
        else:
            permitted |= expanded(words.split())
    wanted = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp", "prctl", "fchown", "epoll_wait", "prlimit64"}
    assert wanted <= permitted, wanted - permitted
    assert not {"mount", "setuid", "bpf", "chroot", "reboot"} & permitted
