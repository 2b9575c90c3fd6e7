"""The broker under test: certificates, users, rules, and the real broker on a free port of the loopback interface."""

import copy
import json
import os
import re
import signal
import socket
import subprocess
import time
from datetime import datetime
from pathlib import Path

import transports
from process import TIMEOUT_S, LineProcess

ROOT = Path(__file__).resolve().parents[2]
BROKER = os.environ.get("VAKT_BROKER", str(ROOT / "build/broker/broker"))
PASSWD = os.environ.get("VAKT_PASSWD", str(ROOT / "build/tools/broker-passwd"))

ENVIRONMENT = dict(os.environ)
ENVIRONMENT.setdefault("ASAN_OPTIONS", "halt_on_error=1:detect_leaks=1")
ENVIRONMENT.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")

running = []
FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^ ]*)')
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def unquote(value):
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)",
                  lambda m: ESCAPES.get(m[1][0]) or chr(int(m[1][1:], 16)), value[1:-1])


def logfmt(line):
    """{"event": ..., field: value}; empty if the line is not an event."""
    fields = {name: unquote(value) for name, value in FIELD.findall(line)}
    return fields if "event" in fields else {}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_bind():
    """`bind` of a listener on the loopback interface."""
    return f"127.0.0.1:{free_port()}"


class Pki:
    """Two authorities, one for servers and one for clients, and the certificates that tests ask for."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.run("ca", "ca", "Scenario servers")
        for key in ("ec", "rsa"):
            self.run("leaf", "ca", f"server-{key}", "server", key, "localhost", "DNS:localhost", "IP:127.0.0.1")

    def run(self, *arguments):
        subprocess.run([str(ROOT / "tests/support/certificates"), *arguments], cwd=self.directory, check=True, stdin=subprocess.DEVNULL)

    def path(self, name):
        return self.directory / name

    def authority(self, name):
        self.run("ca", name, f"Scenario {name}")
        return self.path(f"{name}.crt")

    def client(self, ca, name, common_name, *options, kind="client", key="ec"):
        self.authority(ca)
        self.run("leaf", ca, name, kind, key, common_name, *options)
        return name

    def revoke(self, ca, file, *names, ended=False):
        self.run("crl", ca, file, *(["ended"] if ended else []), *(f"{n}.crt" for n in names))
        return self.path(file)


def merge(base, over):
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = value
    return base


class Mark(int):
    """A position in the broker's log, and when it was asked for."""

    def __new__(cls, position, at_ms):
        mark = super().__new__(cls, position)
        mark.time_ms = at_ms
        return mark


def time_ms(text):
    """Since the epoch, of a line's time."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


class BrokerFixture:
    """A broker's directory. JSON is YAML, so the configuration is plain Python until it is written."""

    def __init__(self, directory, pki, *, config=None, acl=None, users=None, environment=None, limit=None,
                 transport="tls"):
        self.directory, self.pki = Path(directory), pki
        self.environment = {**ENVIRONMENT, **(environment or {})}
        self.limit = limit
        self.port = free_port()
        self.config = merge({
            "workers": 1,
            "listeners": [{"bind": f"127.0.0.1:{self.port}"}],
            "tls": {"certificates": [{"certificate": str(pki.path(f"server-{key}.crt")),
                                      "key": str(pki.path(f"server-{key}.key"))} for key in ("ec", "rsa")]},
            "authentication": {"password_file": "users.passwd"},
            "authorization": {"acl_file": "acl.yaml"},
        }, copy.deepcopy(config or {}))
        transports.change_listeners(transport, self.config, self.directory)
        self.acl = {"roles": {"all": ["allow all #"]}} if acl is None else acl
        self.process = None
        self.write()
        for name, roles in ({"anna": ["all"]} if users is None else users).items():
            self.add_user(name, roles)

    # files

    def write(self):
        self.write_file("broker.yaml", json.dumps(self.config, indent=1, ensure_ascii=False) + "\n")
        self.write_file("acl.yaml", json.dumps(self.acl, indent=1, ensure_ascii=False) + "\n")

    def write_file(self, name, content, mode=0o600):
        path = self.directory / name
        path.write_text(content, encoding="utf-8")
        path.chmod(mode)
        return path

    def passwd(self, *arguments, stdin="", check=True):
        done = subprocess.run([PASSWD, str(self.directory / "users.passwd"), *arguments], input=stdin, text=True,
                              capture_output=True, check=False, env=self.environment, timeout=TIMEOUT_S)
        assert not check or done.returncode == 0, f"broker-passwd {arguments}: {done.stderr}"
        return done

    def add_user(self, name, roles=(), password=None):
        options = [word for role in roles for word in ("--role", role)]
        if not (self.directory / "users.passwd").exists():
            options.append("-c")
        if password is False:
            return self.passwd("add", name, *options, "--no-password")
        return self.passwd("add", name, *options, "--stdin", stdin=(password or self.password(name)) + "\n")

    @staticmethod
    def password(user):
        return f"the password of {user}"

    @property
    def addresses(self):
        """Where each listener is: (host, port), or the path of a Unix socket."""
        found = []
        for listener in self.config["listeners"]:
            bind = listener["bind"]
            if bind.startswith("unix:"):
                found.append(bind[5:])
            else:
                host, port = bind.rsplit(":", 1)
                found.append((host.strip("[]"), int(port)))
        return found

    # the broker

    def command(self, *options):
        """Run the broker with options that make it end by itself, like --check."""
        return subprocess.run([BROKER, *options, "-c", "broker.yaml"], cwd=self.directory, env=self.environment,
                              text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)

    def start(self):
        command = [BROKER, "-c", str(self.directory / "broker.yaml")]
        self.process = LineProcess(command, env=self.environment, stdin=subprocess.DEVNULL, preexec_fn=self.limit)
        running.append(self)
        try:
            self.wait_log("ready", timeout_s=3 * TIMEOUT_S)
        except BaseException:
            self.process.kill()
            running.remove(self)
            raise
        return self

    def stop(self, number=signal.SIGTERM):
        """Stop it: status 0, and no sanitizer report. None: it was told to stop already."""
        process, self.process = self.process, None
        if process is None:
            return
        running.remove(self)
        if number is not None and process.child.poll() is None:
            process.signal(number)
        try:
            status = process.wait(3 * TIMEOUT_S)
        finally:
            process.kill()
        said = "\n".join(line for line in process.lines if not logfmt(line))
        assert status == 0, f"the broker ended with {status}:\n{said}"
        assert "runtime error" not in said and "Sanitizer" not in said, said

    def crash(self):
        """kill -9: clients are not told, nothing is completed."""
        process, self.process = self.process, None
        running.remove(self)
        process.kill()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # the log

    def mark(self):
        """A moment: later waits may start from it. Events of before may be written after it, for the log has a thread."""
        now_ms = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == now_ms:
            pass
        return Mark(self.process.mark(), now_ms + 1)

    def wait_log(self, event, after=0, timeout_s=TIMEOUT_S, **fields):
        """The first such event from `after` on, as a dict. The value of a field may be a function that checks it."""
        def wanted(line):
            found = logfmt(line)
            return found.get("event") == event and all(
                want(found.get(name, "")) if callable(want) else found.get(name) == str(want)
                for name, want in fields.items())
        return logfmt(self.process.wait_line(wanted, after, timeout_s))

    def logged(self, event, after=0):
        """Such events from `after` on, as dicts; of those that follow a mark, what happened before it is left out."""
        with self.process.changed:
            lines = self.process.lines[after:]
        found = [found for found in map(logfmt, lines) if found.get("event") == event]
        if not isinstance(after, Mark) or "LD_PRELOAD" in self.environment:  # of wall_clock.so: its clock is another one
            return found
        return [row for row in found if time_ms(row["time"]) >= after.time_ms]
