"""The broker under test: its directory, its process, and how it is killed."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "scenario"))
sys.dont_write_bytecode = True

PASSWORD = "the password of the house"
EXITING = 0x4  # PF_EXITING in /proc/PID/stat
TIMEOUT_S = 30


class Refused(Exception):
    """The broker did not start, and says why."""

    def __init__(self, status, said):
        super().__init__(f"the broker ended with {status}: {said}")
        self.status, self.said = status, said


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cheap_hash():
    """Passwords are hashed with the cheapest method: hundreds of logins follow each start."""
    import crypt  # only where it is needed: it leaves Python with 3.13
    return crypt.crypt(PASSWORD, "$2b$04$" + "abcdefghijklmnopqrstuu")


def make_pki(directory):
    for arguments in (["ca", "ca", "Crash servers"],
                      ["leaf", "ca", "server", "server", "ec", "localhost", "DNS:localhost", "IP:127.0.0.1"]):
        subprocess.run([str(ROOT / "tests/support/certificates"), *arguments], cwd=directory, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)


class Template:
    """What all rounds share: certificates and users."""

    def __init__(self, build, directory):
        self.build, self.directory = Path(build), Path(directory)
        self.binary = self.build / "broker" / "broker"
        make_pki(self.directory)
        users = self.directory / "users.passwd"
        subprocess.run([str(self.build / "tools" / "broker-passwd"), "-c", str(users), "add", "house", "--role", "all",
                        "--stdin"], input=PASSWORD + "\n", text=True, check=True, capture_output=True)
        users.write_text(re.sub(r"hash=[^:\n]+", lambda _: "hash=" + cheap_hash(), users.read_text()))
        users.chmod(0o600)


class Broker:
    """One directory, and one process after the other."""

    def __init__(self, template, directory, *, workers=2, durability="ack"):
        self.template, self.directory = template, Path(directory)
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.store = self.directory / "store"
        self.port = free_port()
        self.socket = str(self.directory / "s")
        self.log = self.directory / "broker.log"
        self.child, self.read_to, self.starts = None, 0, 0
        for name in ("users.passwd", "server.crt", "server.key", "ca.crt"):
            shutil.copy2(template.directory / name, self.directory / name)
        self.config = {
            "workers": workers,
            "listeners": [{"bind": f"unix:{self.socket}"}, {"bind": f"127.0.0.1:{self.port}"}],
            "tls": {"certificates": [{"certificate": "server.crt", "key": "server.key"}]},
            "authentication": {"password_file": "users.passwd"},
            "authorization": {"acl_file": "acl.yaml"},
            "limits": {"queue_messages": 1000000, "queue_bytes": "1G", "sessions_per_user": 100000},
        }
        if durability is not None:
            self.config["persistence"] = {"directory": str(self.store), "durability": durability}
        self.write("broker.yaml", self.config)
        self.write_acl(True, 0)

    def write(self, name, content):
        path = self.directory / name
        fresh = self.directory / (name + ".new")
        fresh.write_text(json.dumps(content, indent=1) + "\n")
        fresh.chmod(0o600)
        fresh.rename(path)

    def write_acl(self, gate_open, number):
        """Valid rules; the gate is a topic space that is permitted and forbidden in turn."""
        rules = [] if gate_open else ["deny publish 'g/#'", "deny receive 'g/#'"]
        self.write("acl.yaml", {"roles": {"all": [*rules, f"allow publish x/{number}", "allow all '#'"]}})

    # its life

    def start(self, environment=None):
        self.starts += 1
        with open(self.log, "ab") as log:
            log.write(f"--- start {self.starts}\n".encode())
            log.flush()
            self.read_to = log.tell()
            self.child = subprocess.Popen(
                [str(self.template.binary), "-c", str(self.directory / "broker.yaml")], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**os.environ, **(environment or {})}, close_fds=True)

    def said(self):
        """What it logged since its start."""
        with open(self.log, "rb") as log:
            log.seek(self.read_to)
            return log.read().decode("utf-8", "replace")

    def is_ready(self):
        return "event=ready" in self.said()

    def is_alive(self):
        return self.child is not None and self.child.poll() is None

    def is_dying(self):
        """True if the process is ending: an end of file from another process was its own decision."""
        if not self.is_alive():
            return True
        try:
            state, *fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return True
        return state in "ZX" or bool(int(fields[5]) & EXITING)

    def refused(self):
        return Refused(self.child.returncode, "\n".join(self.said().splitlines()[-12:]))

    def kill(self):
        if self.is_alive():
            self.child.send_signal(signal.SIGKILL)
        return self.reap()

    def reap(self):
        return self.child.wait(TIMEOUT_S)

    def reload(self):
        self.child.send_signal(signal.SIGHUP)

    def ask_stop(self):
        self.child.send_signal(signal.SIGTERM)

    def wait_ready(self, timeout_s=TIMEOUT_S):
        """Use it only while no client connects."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if not self.is_alive():
                raise self.refused()
            if time.monotonic() > deadline:
                raise Refused(None, "it is not ready: " + self.said()[-2000:])
            time.sleep(0.002)
