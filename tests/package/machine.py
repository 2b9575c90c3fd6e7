"""A Debian system in a directory: made by debootstrap, entered with mounts and processes of its own."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

AGE_MAX_S = 14 * 24 * 3600
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LONG_S = 3600


class Failed(Exception):
    """A command that should have worked."""


def run(*command, status=0, **more):
    """The output of a command, both kinds together; it has to end as it should."""
    done = subprocess.run([str(word) for word in command], stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False, timeout=LONG_S, **more)
    if status is not None and done.returncode != status:
        raise Failed(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def mirror():
    """Debian's archive, where this machine's apt has it from."""
    listed = run("apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(COMPONENT)", "Created-By: Packages", status=None)
    uris = [line.split()[1] for line in listed.splitlines() if line.startswith("Debian ") and line.endswith(" main") and "security" not in line]
    return uris[0] if uris else "http://deb.debian.org/debian"


def apt_settings():
    dumped = run("apt-config", "dump")
    return "".join(line + "\n" for line in dumped.splitlines() if line.startswith(("Acquire::http::", "Acquire::https::")))


def mount_all(root):
    """What programs expect; it goes with the name space of mounts."""
    def mount(*words):
        run("mount", *words)

    mount("-t", "proc", "proc", root / "proc")
    mount("-t", "tmpfs", "-o", "mode=0755", "dev", root / "dev")
    for name in DEVICES:
        (root / "dev" / name).touch()
        mount("--bind", f"/dev/{name}", root / "dev" / name)
    for name, target in {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
                         "ptmx": "pts/ptmx"}.items():
        (root / "dev" / name).symlink_to(target)
    (root / "dev/shm").mkdir()
    (root / "dev/pts").mkdir()
    mount("-t", "tmpfs", "-o", "mode=1777", "shm", root / "dev/shm")
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=0620", "devpts", root / "dev/pts")


def enter(root, words):
    """In new name spaces: the mounts, and then the command in the machine."""
    mount_all(Path(root))
    os.chroot(root)
    os.chdir("/")
    os.execvpe(words[0], words, ENVIRONMENT)


class Machine:
    def __init__(self, directory):
        self.root = Path(directory)

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def run(self, *command, **more):
        """As root, with the network of this machine."""
        return run("unshare", "--mount", "--pid", "--fork", "--kill-child", "--", sys.executable, __file__, self.root, *command, **more)

    def shell(self, script, **more):
        return self.run("sh", "-ec", script, **more)

    def install(self, *packages):
        self.run("apt-get", "install", "-y", "-q", "--no-install-recommends", *packages)

    def copy(self, directory):
        remove(directory)
        run("cp", "-a", "--reflink=auto", self.root, directory)
        return Machine(directory)


def remove(directory):
    shutil.rmtree(directory, ignore_errors=False) if Path(directory).exists() else None


def make_base(directory, release, again):
    """minbase, at most two weeks old."""
    directory = Path(directory)
    if not again and directory.exists() and time.time() - directory.stat().st_mtime < AGE_MAX_S:
        return Machine(directory)
    remove(directory)
    new = directory.with_name(directory.name + ".new")
    remove(new)
    run("debootstrap", "--variant=minbase", release, new, mirror())
    (new / "etc/apt/apt.conf.d/90network").write_text(apt_settings(), encoding="utf-8")
    shutil.copy("/etc/resolv.conf", new / "etc/resolv.conf")
    (new / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 house\n::1 localhost\n", encoding="utf-8")
    new.touch()
    new.rename(directory)
    return Machine(directory)


if __name__ == "__main__":
    enter(sys.argv[1], sys.argv[2:])
