"""The brokers that are compared: the same certificate, the same user, a hundred rules each."""

import contextlib
import getpass
import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "bench", "bench-password"
TIMEOUT_S = 20
OTHER_RULES = 49    # before the one that matches, and 50 behind it


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_ns(pid):
    """CPU time of all threads, user and system, by the scheduler's own account."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def cpu_settled_ns(pid):
    """The same when the process has gone to sleep: a running thread's account is up to a tick old."""
    last, deadline = cpu_ns(pid), time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        time.sleep(0.005)
        now = cpu_ns(pid)
        if now - last < 20000:    # a timer may tick
            return now
        last = now
    raise RuntimeError("the broker does not come to rest")


def make_certificates(directory):
    for arguments in (("ca", "ca", "Bench"),
                      ("leaf", "ca", "server", "server", "ec", "localhost", "DNS:localhost", "IP:127.0.0.1")):
        subprocess.run([str(ROOT / "tests/support/certificates"), *arguments], cwd=directory, check=True, stdin=subprocess.DEVNULL)


class Broker:
    """One run of one broker, in a directory of its own beside the certificates."""

    name = ""
    words = ()    # of its load

    def __init__(self, options, certificates):
        self.options, self.certificates = options, certificates
        self.port, self.child, self.directory, self.log = free_port(), None, None, None

    def prepare(self):
        """Write the files; the command."""
        raise NotImplementedError

    def cores(self):
        """The load has the first core for itself, and the broker the second."""
        return {1}

    def before_exec(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.options.descriptors, self.options.descriptors))
        if self.options.pin:
            os.sched_setaffinity(0, self.cores())

    def start(self, directory):
        self.directory = Path(directory)
        command = self.prepare()
        self.log = open(self.directory / "log", "wb")
        self.child = subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=self.log,
                                      stderr=subprocess.STDOUT, preexec_fn=self.before_exec)
        deadline = time.monotonic() + TIMEOUT_S
        while not self.answers():
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start:\n{self.said()}")
            time.sleep(0.02)
        return self

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def said(self):
        return (self.directory / "log").read_text(errors="replace")[-3000:]

    def stop(self):
        """An end that is not clean is an error too."""
        status = self.child.poll()
        if status is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                status = self.child.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                status = "no end at all"
        self.log.close()
        if status != 0:
            raise RuntimeError(f"{self.name} ended with {status}:\n{self.said()}")

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)


class Vakt(Broker):
    workers = 1
    listener = more = ""    # more of its listener, of its configuration

    def prepare(self):
        others = [f"    - allow {'publish' if i % 2 else 'subscribe'} house/room{i}/+/state"
                  for i in range(2 * OTHER_RULES + 1)]
        rules = others[:OTHER_RULES] + ["    - allow all bench/#"] + others[OTHER_RULES:]
        own = ["    - allow publish current/%u/#", "    - allow subscribe desired/%u/#"]
        self.write("acl.yaml", "\n".join(["roles:", "  bench:", *own, *rules, ""]))
        self.write("broker.yaml", f"""\
workers: {self.workers}
listeners:
  - bind: "127.0.0.1:{self.port}"
{self.listener}tls:
  certificates:
    - {{ certificate: {self.certificates}/server.crt, key: {self.certificates}/server.key }}
authentication:
  password_file: users.passwd
authorization:
  acl_file: acl.yaml
limits:
  connections: 50000
  connections_per_address: 0
  receive_maximum: 10000
  queue_messages: 1000000
  queue_bytes: 4G
  subscriptions: 1000000
  retained_messages: 1000000
  retained_bytes: 4G
  retained_per_user: 1000000
  memory: 16G
log:
  level: warning
{self.more}""")
        if not (self.directory / "users.passwd").exists():    # a second start has the same users
            subprocess.run([self.options.passwd, "users.passwd", "add", USER, "--role", "bench", "--stdin", "-c"],
                           cwd=self.directory, input=PASSWORD + "\n", text=True, check=True, capture_output=True)
        return [*self.options.wrap, self.options.broker, "-c", "broker.yaml"]


class Vakt1(Vakt):
    name = "vakt-1"


class VaktStore(Vakt1):
    """With a store, whatever the load makes of it."""

    name, more = "vakt-store", "persistence:\n  directory: store\n"


class VaktWebSocket(Vakt1):
    """Each packet is a frame."""

    name, listener, words = "vakt-ws", "    protocol: https\n    serve: [websocket]\n", ("websocket=/mqtt",)


class VaktWebSocket6(VaktWebSocket):
    """Packets come in as many frames as MQTT.js in Node makes of a PUBLISH."""

    name, words = "vakt-ws6", ("websocket=/mqtt", "websocket-frames=6")


class Before(Vakt1):
    """Vakt of another build, which may not know all of today's keys; none of these changes what is measured."""

    name = "before"
    later = ("connections_per_address", "retained_messages", "retained_bytes", "retained_per_user", "memory")

    def prepare(self):
        command = super().prepare()
        lines = (self.directory / "broker.yaml").read_text().splitlines(keepends=True)
        self.write("broker.yaml", "".join(line for line in lines if line.split(":")[0].strip() not in self.later))
        return [self.options.before if word == self.options.broker else word for word in command]


class Vakt2(Vakt):
    name, workers = "vakt-2", 2

    def cores(self):
        return {0, 1}


class Mosquitto(Broker):
    name = "mosquitto"

    def prepare(self):
        others = [f"topic {'write' if i % 2 else 'read'} house/room{i}/+/state" for i in range(2 * OTHER_RULES + 1)]
        rules = others[:OTHER_RULES] + ["topic readwrite bench/#"] + others[OTHER_RULES:]
        own = ["pattern write current/%u/#", "pattern read desired/%u/#"]
        self.write("acl", "\n".join([f"user {USER}", *rules, *own, ""]))
        self.write("mosquitto.conf", f"""\
user {getpass.getuser()}
persistence false
log_dest none
connection_messages false
sys_interval 0
listener {self.port} 127.0.0.1
certfile {self.certificates}/server.crt
keyfile {self.certificates}/server.key
allow_anonymous false
password_file {self.directory}/passwd
acl_file {self.directory}/acl
max_connections -1
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
""")
        subprocess.run(["mosquitto_passwd", "-c", "-b", "passwd", USER, PASSWORD], cwd=self.directory, check=True,
                       capture_output=True)
        return [self.options.mosquitto, "-c", "mosquitto.conf"]


BROKERS = {kind.name: kind for kind in (Vakt1, Mosquitto, Vakt2, VaktStore, VaktWebSocket, VaktWebSocket6, Before)}
