"""What systemd would do with the package's unit, by hand: the user, the directories, the sockets of notifications; and clients."""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import time

from machine import ENVIRONMENT, Failed, run

PATIENCE_S = 120
WATCHDOG_S = 4


class Inside:
    """A machine, within its name spaces."""

    def __init__(self, root):
        self.root = root

    def chroot(self, *command, status=0, **more):
        return run("chroot", self.root, *command, status=status, env=ENVIRONMENT, **more)

    def shell(self, script, **more):
        return self.chroot("sh", "-ec", script, **more)


class Service(Inside):
    """The unit that the package has installed there."""

    def __init__(self, root):
        super().__init__(root)
        self.process, self.manager, self.credential_directory = None, None, None
        self.unit = self.unit_text("vakt.service")

    def unit_text(self, name):
        places = (self.root / directory / name for directory in ("usr/lib/systemd/system", "lib/systemd/system"))
        return next(path for path in places if path.exists()).read_text(encoding="utf-8")

    def run_unit(self, name):
        """Of a unit that ends: its commands, one after the other."""
        for command in re.findall(r"^ExecStart=(.*)$", self.unit_text(name), re.M):
            run(*self.as_user(command), env=ENVIRONMENT)

    @contextlib.contextmanager
    def credentials(self, files):
        """What LoadCredential= makes: copies in memory, for the user of the unit alone."""
        self.credential_directory = "/run/credentials/vakt.service"
        place = self.root / self.credential_directory[1:]
        user = self.setting("User")
        place.mkdir(parents=True)
        run("mount", "-t", "ramfs", "-o", "nodev,noexec,nosuid,mode=0700", "ramfs", place)
        try:
            for name, source in files.items():
                self.chroot("install", "-o", user, "-m", "0400", source, f"{self.credential_directory}/{name}")
            self.shell(f"chown {user} {self.credential_directory} && chmod 0500 {self.credential_directory}")
            yield
        finally:
            run("umount", place)
            place.rmdir()
            self.credential_directory = None

    def setting(self, name):
        return re.search(rf"^{name}=(.*)$", self.unit, re.M).group(1)

    def as_user(self, command):
        return ["chroot", str(self.root), "setpriv", f"--reuid={self.setting('User')}", f"--regid={self.setting('Group')}", "--init-groups",
                "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", *shlex.split(command)]

    def start(self):
        for base, key, mode in (("var/lib", "StateDirectory", "0700"), ("run", "RuntimeDirectory", "0755"), ("var/log", "LogsDirectory", "0750")):
            self.chroot("install", "-d", "-o", self.setting("User"), "-g", self.setting("Group"), "-m", mode, f"/{base}/{self.setting(key)}")
        notify = self.root / "srv/notify"
        notify.unlink(missing_ok=True)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(notify))
        os.chmod(notify, 0o777)
        self.manager.settimeout(PATIENCE_S)
        environment = {**ENVIRONMENT, "NOTIFY_SOCKET": "/srv/notify", "WATCHDOG_USEC": str(WATCHDOG_S * 1000000)}
        if self.credential_directory is not None:
            environment["CREDENTIALS_DIRECTORY"] = self.credential_directory
        with open(self.root / "srv/log", "wb") as log:
            self.process = subprocess.Popen(self.as_user(self.setting("ExecStart")), env=environment, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        return self

    def log(self):
        return (self.root / "srv/log").read_text(encoding="utf-8", errors="replace")

    def hear(self, word):
        deadline = time.monotonic() + PATIENCE_S
        self.manager.settimeout(1)
        while time.monotonic() < deadline:
            try:
                if word in self.manager.recv(4096).decode().split():
                    return
            except TimeoutError:
                if self.process.poll() is not None:
                    raise Failed(f"the broker has ended with {self.process.returncode}:\n{self.log()}") from None
        raise Failed(f"the broker did not say {word}:\n{self.log()}")

    def reload(self):
        """The status of `systemctl reload`."""
        return subprocess.run(self.as_user(self.setting("ExecReload")), env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False, timeout=PATIENCE_S).returncode

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        self.process = None
        self.manager.close()
        if status != 0:
            raise Failed(f"the broker ended with {status}:\n{self.log()}")

    def __enter__(self):
        self.start()
        self.hear("READY=1")
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.manager.close()
