"""broker-pub, broker-sub and broker-rr, as a person or a script calls them."""

import os
import subprocess

from broker_fixture import ENVIRONMENT, ROOT
from process import TIMEOUT_S, LineProcess

# Exit statuses, as broker-pub(1) lists them.
USAGE, CANNOT_CONNECT, UNTRUSTED, LOGIN_REFUSED, NOT_AUTHORIZED, TIMED_OUT, LOST, REFUSED = range(2, 10)


def program(name):
    return os.environ.get(f"VAKT_{name.upper()}", str(ROOT / f"build/tools/broker-{name}"))


class Clients:
    """The programs, with a home of their own and the options of a login."""

    def __init__(self, directory, *login):
        self.home = directory
        self.login = [str(word) for word in login]
        self.environment = {**ENVIRONMENT, "HOME": str(directory), "XDG_CONFIG_HOME": str(directory / "config"),
                            "TZ": "UTC"}

    def call(self, name, *words, stdin=b"", login=None):
        options = self.login if login is None else [str(word) for word in login]
        return subprocess.run([program(name), *options, *map(str, words)], input=stdin, capture_output=True, check=False,
                              env=self.environment, cwd=self.home, timeout=TIMEOUT_S)

    def run(self, name, *words, **options):
        done = self.call(name, *words, **options)
        assert done.returncode == 0, f"broker-{name} {words} ended with {done.returncode}: {done.stderr.decode()}"
        assert done.stderr == b"", done.stderr.decode()
        return done.stdout

    def refuse(self, status, name, *words, **options):
        """What it says when it fails; on standard output it says nothing."""
        done = self.call(name, *words, **options)
        assert (done.returncode, done.stdout) == (status, b""), f"{done.returncode}: {done.stdout} {done.stderr.decode()}"
        return done.stderr.decode()

    def pub(self, *words, **options):
        return self.run("pub", *words, **options)

    def start(self, name, *words, stdin=subprocess.DEVNULL):
        """In the background, with its lines and its messages for people together."""
        return LineProcess([program(name), *self.login, *map(str, words)], env=self.environment, stdin=stdin, cwd=self.home)

    def sub(self, *words):
        """Started, and subscribed."""
        process = self.start("sub", "-d", *words)
        process.wait_line("subscribed to")
        return process


def lines_of(process, status=0):
    """What it wrote until its end, without what is for people."""
    assert process.wait(TIMEOUT_S) == status, "\n".join(process.lines)
    return [line for line in process.lines if not line.startswith("broker-")]
