"""A child process whose lines are read as they arrive, so that tests wait for events instead of time."""

import signal
import subprocess
import threading
import time
from pathlib import Path

from timeouts import scaled_timeout

TIMEOUT_S = scaled_timeout(20)


class LineProcess:
    """Runs until `stop`; every line of its output (stdout and stderr together) is stored."""

    def __init__(self, command, *, env=None, stdin=None, cwd=None, preexec_fn=None, close_fds=True):
        self.lines, self.changed = [], threading.Condition()
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=stdin, env=env,
                                      cwd=cwd, preexec_fn=preexec_fn, close_fds=close_fds)
        self.over = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.child.stdout:
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.over = True
            self.changed.notify_all()

    @property
    def pid(self):
        return self.child.pid

    def mark(self):
        """A position in the output: later waits may start from it."""
        with self.changed:
            return len(self.lines)

    def wait_line(self, wanted, after=0, timeout_s=TIMEOUT_S):
        """The first line from `after` on for which wanted(line) is true; wanted may be a substring."""
        test = wanted if callable(wanted) else lambda line: wanted in line
        deadline, at = time.monotonic() + timeout_s, after
        with self.changed:
            while True:
                while at < len(self.lines):
                    if test(self.lines[at]):
                        return self.lines[at]
                    at += 1
                left = deadline - time.monotonic()
                if self.over or left <= 0:
                    raise AssertionError(f"{'the process ended' if self.over else 'waited in vain'}: no line with "
                                         f"{wanted!r}; the last ones:\n" + "\n".join(self.lines[-20:]))
                self.changed.wait(left)

    def send_line(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def signal(self, number):
        self.child.send_signal(number)

    def stop_running(self):
        """SIGSTOP; once this returns, no thread of the process runs."""
        self.signal(signal.SIGSTOP)
        deadline, threads = time.monotonic() + TIMEOUT_S, Path(f"/proc/{self.child.pid}/task")
        while any((thread / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "T" for thread in threads.iterdir()):
            assert time.monotonic() < deadline, "SIGSTOP does not stop it"
            time.sleep(0.01)

    def wait(self, timeout_s=TIMEOUT_S):
        """The exit status; the output is complete then."""
        status = self.child.wait(timeout_s)
        self.reader.join(timeout_s)
        return status

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.wait()
        if self.child.stdin is not None:
            self.child.stdin.close()
        if not self.reader.is_alive():
            self.child.stdout.close()
