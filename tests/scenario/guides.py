"""Plays a manual page that guides through an evening: vakt-tutorial(7), vakt-recipes(7). What it tells the reader to do is done, in
order, with the real broker and the real tools, in a directory that stands for the machine.

A literal block of such a page stands under a comment that says what it is:
  .\\" example: shell          lines with $ are run, the others are what they print; `...` stands for anything
  .\\" example: window         a command in a window of its own; its other lines come by the end of the page
  .\\" example: file PATH      the content of a file
  .\\" example: add to PATH    lines that are added to a file, each below the key that it is shown below
  .\\" example: syntax         only shows how something looks
A user's password is shown once, by vakt-setup; PASSWORD-OF-anna stands for it afterwards."""

import getpass
import grp
import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path

from broker_fixture import BROKER, ENVIRONMENT, PASSWD, ROOT, free_port
from private_pki import PKI
from process import TIMEOUT_S, LineProcess
from proxies import find_server
from test_setup import ACL, FIRST, SETUP, SUB, Site

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
STORE = os.environ.get("VAKT_STORE", str(ROOT / "build/tools/broker-store"))
PUB = os.environ.get("VAKT_PUB", str(ROOT / "build/tools/broker-pub"))
RR = os.environ.get("VAKT_RR", str(ROOT / "build/tools/broker-rr"))
PROGRAMS = (BROKER, PASSWD, ACL, CTL, STORE, PKI, PUB, SUB, RR)
KINDS = ("shell", "window", "file", "add", "syntax")
OUTSIDE = re.compile(r"(?<![\w.-])/(?:etc|run|var|home|usr/local)/")  # of the machine itself
MARK = re.compile(r'\.\\" example: (\w+)(?: (?:to )?(\S+))?')


def blocks(page):
    """(line, kind, argument, text) of each literal block."""
    lines = page.read_text(encoding="utf-8").split("\n")
    for at, line in enumerate(lines):
        if line.startswith(".Bd"):
            mark = MARK.fullmatch(lines[at - 1])
            assert mark and mark[1] in KINDS, f"{page}:{at + 1}: a block that does not say what example it is"
            text = "\n".join(lines[at + 1:lines.index(".Ed", at)]) + "\n"
            yield at + 1, mark[1], mark[2], text.replace("\\&", "").replace("\\e", "\\").replace("\\-", "-")


def commands(text):
    """(command, the lines that it prints); a command may go on behind a backslash, or in a here-document."""
    found = []
    for line in text.rstrip("\n").split("\n"):
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (found[-1][0][:-1] + line.strip(), [])
        else:
            found[-1][1].append(line)
    return found


def pattern(expected):
    """Of all that is printed."""
    lines = ["(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n" for line in expected]
    return re.compile("".join(lines))


def add_lines(text, added):
    """As a reader adds them: below the last line of the key that they are shown below; a new key at the end."""
    for section in re.findall(r"^\S.*\n(?:[ #].*\n)*", added, re.M):
        key, _, body = section.partition("\n")
        found = re.search(rf"^{re.escape(key)}(?: *#.*)?\n(?:[ #].*\n)*", text, re.M)
        text = text + section if found is None else text[:found.end()] + body + text[found.end():]
    return text


class Guide:
    """A machine on which somebody follows the page. `root` is short: Unix sockets are below it."""

    def __init__(self, root, first=True):
        self.root, self.site = Path(root), Site(Path(root) / "etc/vakt")
        for place in ("etc/vakt", "run", "home/.config/vakt", "bin", "backup", "store", "etc/systemd"):
            (self.root / place).mkdir(parents=True, mode=0o700)
        for program in PROGRAMS:
            (self.root / "bin" / Path(program).name).symlink_to(program)
        self.write(self.root / "bin/vakt-setup", f'#!/bin/sh\nexec {SETUP} -c {self.site.directory}/broker.yaml "$@"\n')  # never its default
        self.environment = {**ENVIRONMENT, "HOME": str(self.root / "home"), "PATH": f"{self.root}/bin:{self.site.environment['PATH']}", "LC_ALL": "C.UTF-8"}
        self.environment.pop("XDG_CONFIG_HOME", None)
        self.gateway_port, self.proxy_port = free_port(), free_port()
        self.places = {"/etc/vakt": str(self.site.directory), "/run/broker/": f"{root}/run/", "/var/lib/broker": f"{root}/store",
                       "/var/lib/vakt-backup": f"{root}/backup", "/etc/letsencrypt": f"{root}/letsencrypt", "~/": f"{root}/home/",
                       "/etc/systemd/system/": f"{root}/etc/systemd/", "/etc/haproxy/": f"{root}/etc/",
                       "-o root -g vakt": f"-o {getpass.getuser()} -g {grp.getgrgid(os.getgid()).gr_name}",
                       "192.0.2.1": "127.0.0.1", "broker.home": "localhost", "8883": str(self.site.port),
                       "1883": str(self.gateway_port), "8884": str(self.proxy_port),
                       **{port: str(free_port()) for port in ("8443", "8885", "8886")}}
        self.windows, self.units, self.entries = [], {}, {}
        if first:
            self.install()

    def here(self, text):
        """What stands for the page's names on this machine; the default port is another one here."""
        if re.search(r"\bbroker-(?:pub|sub|rr|ctl)\b.* -h ", text) and " -p " not in text:
            text = re.sub(r" -h (\S+)", r" -h \1 -p 8883", text)
        for user, password in self.site.passwords.items():
            text = text.replace(f"PASSWORD-OF-{user}", password)
        for name, place in self.places.items():
            text = re.sub(rf"(?<![\w.]){name}(?!\d)" if name.isdigit() else re.escape(name), lambda _, p=place: p, text)
        return text

    def install(self):
        """What the Debian package leaves behind: debian/vakt.postinst."""
        for name, text in FIRST.items():
            text = "\n".join(line for line in text.split("\n") if not line.startswith("  audit:") and line != "log:")
            self.write(self.site.directory / name, self.here(text))
        self.write(self.site.directory / "users.passwd", "# The users of the broker: broker-passwd(1) writes this file.\n")
        for words in (["init"], ["server", "localhost", "127.0.0.1", "::1"]):
            subprocess.run([PKI, "-d", self.site.directory / "pki", *words], check=True, capture_output=True, env=self.environment,
                           timeout=TIMEOUT_S)
        self.site.start()

    @staticmethod
    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o700 if text.startswith("#!") else 0o600)

    # blocks

    def play(self, page):
        for line, kind, argument, text in blocks(page):
            try:
                getattr(self, f"play_{kind}")(argument, text)
            except AssertionError as error:
                raise AssertionError(f"{page.name}:{line}: {error}") from error

    def play_syntax(self, _, text):
        pass

    def play_file(self, path, text):
        text = self.here(text)
        if path.endswith("clients.yaml"):  # the port is the default one in the page
            text = re.sub(r"^  host: .*$", rf"\g<0>\n  port: {self.site.port}", text, flags=re.M)
        self.write(Path(self.here(path)), text)
        if path.endswith(".service"):
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", self.here(path)], capture_output=True, text=True, check=False,
                                  stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
            assert done.returncode == 0 and Path(path).name not in done.stderr, done.stderr

    def play_add(self, path, text):
        path = Path(self.here(path))
        self.write(path, add_lines(path.read_text(encoding="utf-8"), self.here(text)))

    def play_window(self, _, text):
        ((command, expected),) = commands(text)
        command = self.here(command)
        filters = re.findall(r" -t '?([^ ']+)", command) if command.startswith("broker-sub") else []
        before = [self.subscribers(f) for f in filters]
        window = LineProcess(["bash", "-c", "exec " + command], env=self.environment, stdin=subprocess.DEVNULL, cwd=self.root / "home")
        self.windows.append((window, expected))
        self.wait(lambda: window.over or [self.subscribers(f) for f in filters] != before or not filters)

    def subscribers(self, topic_filter):
        return self.run(f"broker-ctl --json -c /etc/vakt/broker.yaml subscriptions '{topic_filter}'")[1]

    @staticmethod
    def wait(is_so):
        deadline = time.monotonic() + TIMEOUT_S
        while not is_so():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    def play_shell(self, _, text):
        for command, expected in commands(text):
            expected = [self.here(line) for line in expected]
            status, said = self.run(command)
            assert pattern(expected).fullmatch(said), f"{command}\nprints\n{said}instead of\n" + "\n".join(expected)
            refused = bool(expected) and re.match(r"deny|broker-", expected[0])
            assert bool(status) == bool(refused), (command, status, said)

    # commands

    def run(self, command):
        """Exit status and output, after a look at what stands for the service manager here."""
        words = shlex.split(command)
        if words[0] == "systemctl":
            return self.systemctl(words[-1], next(word for word in words if word in ("start", "stop", "restart", "reload", "enable")))
        if words[0] == "journalctl":
            lines = self.site.process.lines
            return 0, "".join(line + "\n" for line in lines if re.search(words[words.index("-g") + 1], line))
        here = self.here(command)
        assert not OUTSIDE.search(here), f"{here}: this would leave the test's directory"
        done = subprocess.run(["bash", "-c", here], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=6 * TIMEOUT_S, check=False, cwd=self.root / "home")
        if words[0] == "vakt-setup":
            self.learn(done.stdout)
        return done.returncode, done.stdout

    def learn(self, said):
        """The passwords that were made."""
        self.site.said = said
        for user in re.findall(r"(?:: the user|^The administrator) (\S+)$", said, re.M):
            self.entries[user] = self.site.block(user)
            shown = re.search(r"\b([a-z0-9]{24})\b", self.site.block(user).replace(user, ""))
            if shown:
                self.site.passwords[user] = shown[1]

    def systemctl(self, unit, action):
        if unit != "vakt":
            return self.start_unit(unit)
        if action == "reload":  # ExecReload= of the unit
            return self.run("broker-ctl -c /etc/vakt/broker.yaml reload")[0], ""
        if action in ("stop", "restart"):
            self.site.stop()
        if action in ("start", "restart"):
            self.site.start()
        return 0, ""

    def start_unit(self, unit):
        """Another program's unit: ExecStart= of the file that the page wrote, or a server of Debian."""
        if unit.startswith("vakt-backup"):
            return self.start_backup(unit)
        if unit == "haproxy":
            command = [find_server("haproxy"), "-db", "-f", self.root / "etc/haproxy.cfg"]
        else:
            text = (self.root / f"etc/systemd/{unit}.service").read_text(encoding="utf-8")
            command = shlex.split(re.search(r"^ExecStart=(.*)$", text, re.M)[1])
            command[0] = shutil.which(Path(command[0]).name, path=self.environment["PATH"])
        words = [str(word) for word in command]
        self.units[unit] = LineProcess(words, env=self.environment, stdin=subprocess.DEVNULL)
        self.wait(lambda: self.is_listening(self.proxy_port if unit == "haproxy" else self.gateway_port))
        return 0, ""

    def start_backup(self, unit):
        """A unit of the package: the timer is valid, the service does its work once."""
        for name in ("vakt-backup.service", "vakt-backup.timer"):
            text = (ROOT / "tools/systemd" / name).read_text(encoding="utf-8").replace("@BINDIR@", str(self.root / "bin"))
            self.write(self.root / "etc/systemd" / name, text)
        timer = self.root / "etc/systemd/vakt-backup.timer"
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", timer], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        assert done.returncode == 0 and "vakt-backup" not in done.stderr, done.stderr
        if unit.endswith(".timer"):
            return 0, ""
        text = (self.root / "etc/systemd/vakt-backup.service").read_text(encoding="utf-8")
        status, said = self.run(re.search(r"^ExecStart=(.*)$", text, re.M)[1])
        assert re.fullmatch(r"\S+/vakt-\d{8}T\d{6}Z\.mdb\n", said), said
        return status, ""

    @staticmethod
    def is_listening(port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def close(self):
        """What was expected in the other windows has to be there."""
        for window, expected in self.windows:
            at = 0
            for line in expected:
                want = pattern([self.here(line)])
                window.wait_line(lambda found, want=want: want.fullmatch(found + "\n"), at)
                at = 1 + next(i for i, found in enumerate(window.lines) if i >= at and want.fullmatch(found + "\n"))

    def end(self):
        for process in [window for window, _ in self.windows] + list(self.units.values()):
            process.kill()
        self.site.stop()
