"""Files that others can change are not trusted: each file that the broker trusts, with each fault that it can have, at
the start, at a reload and by the tools; and the message says what fixes it."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from broker_fixture import BROKER, PASSWD, TIMEOUT_S, ROOT

ACL = os.environ.get("VAKT_ACL", str(ROOT / "build/tools/broker-acl"))
CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
STORE = os.environ.get("VAKT_STORE", str(ROOT / "build/tools/broker-store"))
STRANGER = 54321  # nobody has this number
DAEMON = 1  # has a group of its own, on every Debian
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

# Where each file is: every one has a directory of its own, so that a fault there affects it alone.
FILES = {
    "certificate": "certificate.d/server.crt",
    "key": "key.d/server.key",
    "client_ca": "ca.d/clients.crt",
    "client_crl": "crl.d/clients.crl",
    "password_file": "users.d/users.passwd",
    "acl_file": "acl.d/acl.yaml",
    "broker.yaml": "broker.yaml",
    "store": "above.d/store",
    "data.mdb": "above.d/store/data.mdb",
    "data.mdb-lock": "above.d/store/data.mdb-lock",
    "note": "above.d/store/note",
    "listener": "run.d/socket",
    "control": "control.d/socket",
}
DIRECTORIES = {"store", "listener", "control"}  # themselves are what is trusted
IN_STORE = {"data.mdb", "data.mdb-lock", "note"}


class Fault:
    def __init__(self, directory):
        self.directory = directory

    @staticmethod
    def mode(path, more):
        path.chmod(path.stat().st_mode & 0o7777 | more)

    def world(self, path):
        self.mode(path, 0o002)

    def group(self, path):
        os.chown(path, -1, STRANGER)
        self.mode(path, 0o020)

    def private_group(self, path):
        os.chown(path, -1, DAEMON)
        self.mode(path, 0o020)

    def own_group(self, path):
        os.chown(path, -1, 0)
        self.mode(path, 0o020)

    def owner(self, path):
        os.chown(path, STRANGER, -1)

    def world_directory(self, path):
        self.mode(path.parent, 0o002)

    def sticky_directory(self, path):
        path.parent.chmod(0o1777)

    def owner_of_directory(self, path):
        os.chown(path.parent, STRANGER, -1)

    def link(self, path, owner):
        """The file is elsewhere, and a link in a sticky directory leads there."""
        real = self.directory / "elsewhere"
        path.rename(real)
        path.symlink_to(real)
        os.chown(path, owner, -1, follow_symlinks=False)
        path.parent.chmod(0o1777)

    def own_link(self, path):
        self.link(path, 0)

    def link_of_another(self, path):
        self.link(path, STRANGER)


# The message, None: it is trusted; then the options with which it is.
FAULTS = {
    "world": ("chmod o-", None),
    "group": ("--trust-group 54321", ["--trust-group", "54321"]),
    "private_group": ("chmod g-w", ["--trust-owner", "daemon"]),
    "own_group": (None, None),
    "owner": ("--trust-owner 54321", ["--trust-owner", "54321"]),
    "world_directory": ("chmod o-w", None),
    "sticky_directory": (None, None),
    "owner_of_directory": ("--trust-owner 54321", ["--trust-owner", "54321"]),
    "own_link": (None, None),
    "link_of_another": ("chown -h root", ["--trust-owner", "54321"]),
}
NEEDS_ROOT = {"group", "private_group", "own_group", "owner", "owner_of_directory", "own_link", "link_of_another"}


def applies(name, fault):
    if name in ("broker.yaml",) and fault in ("own_link", "link_of_another"):
        return False  # the other files are found from where it lies; by links it is a test of its own
    if name in IN_STORE:
        return fault in ("world", "group", "own_group", "owner")  # its directory has rows of its own
    return True


TABLE = [pytest.param(name, fault, marks=[ROOT_ONLY] if fault in NEEDS_ROOT else [], id=f"{name}-{fault}")
         for name in FILES for fault in FAULTS if applies(name, fault)]


class Restored:
    """Restore the directory after a row."""

    def __init__(self, broker):
        self.directory = broker.directory

    def __enter__(self):
        self.before = {path: path.lstat() for path in [self.directory, *self.directory.rglob("*")]}
        return Fault(self.directory)

    def __exit__(self, *_):
        elsewhere = self.directory / "elsewhere"
        if elsewhere.exists():
            link = next(p for p in self.before if p.is_symlink())
            link.unlink()
            elsewhere.rename(link)
        for path, was in self.before.items():
            if path.exists():
                now = path.lstat()
                if (now.st_uid, now.st_gid) != (was.st_uid, was.st_gid):
                    os.chown(path, was.st_uid, was.st_gid)
                path.chmod(was.st_mode & 0o7777)


def furnish(new_broker):
    broker = new_broker()
    at = broker.directory
    for name in FILES.values():
        (at / name).parent.mkdir(exist_ok=True)
    for name in ("listener", "control"):
        (at / FILES[name]).mkdir()
    pki = broker.pki
    pki.client("trust-ca", "trust-anna", "anna")
    pki.revoke("trust-ca", "trust.crl")
    for name, source in (("certificate", "server-ec.crt"), ("key", "server-ec.key"), ("client_ca", "trust-ca.crt"),
                         ("client_crl", "trust.crl")):
        shutil.copy(pki.path(source), at / FILES[name])
    (at / "users.passwd").rename(at / FILES["password_file"])
    (at / "acl.yaml").rename(at / FILES["acl_file"])
    broker.config["listeners"].append({"bind": f"unix:{FILES['listener']}/s"})
    broker.config.update({
        "tls": {"certificates": [{"certificate": FILES["certificate"], "key": FILES["key"]}],
                "client_certificates": "optional", "client_ca": FILES["client_ca"], "client_crl": FILES["client_crl"]},
        "authentication": {"password_file": FILES["password_file"]},
        "authorization": {"acl_file": FILES["acl_file"]},
        "persistence": {"directory": FILES["store"]},
        "control": {"socket": f"{FILES['control']}/s"}})
    write_config(broker)
    return broker


def write_config(broker):
    broker.write_file("broker.yaml", json.dumps(broker.config, indent=1) + "\n", 0o600)


@pytest.fixture(scope="module")
def broker(new_broker):
    broker = furnish(new_broker)
    with broker:  # the store is made
        pass
    return broker


@pytest.fixture(scope="module")
def running(new_broker):
    with furnish(new_broker) as broker:
        yield broker


def expected_fault(name, fault):
    """The message about this file with this fault, and the options that fix it."""
    says, options = FAULTS[fault]
    if name in DIRECTORIES and fault in ("own_link", "link_of_another") and name != "store":
        return says, options
    if fault == "world" and name == "key":
        says = "chmod o-rwx"
    return says, options


@pytest.mark.parametrize("name, fault", TABLE)
def test_at_the_start(broker, name, fault):
    says, options = expected_fault(name, fault)
    with Restored(broker) as faults:
        getattr(faults, fault)(broker.directory / FILES[name])
        done = broker.command("--check")
        if says is None:
            assert done.returncode == 0, done.stderr
            return
        assert done.returncode == 2 and says in done.stderr and "(mode " in done.stderr, done.stderr
        cured = broker.command("--check", *(options or ["--trust-owner", str(STRANGER), "--trust-group", str(STRANGER)]))
        assert cured.returncode == (0 if options else 2), cured.stderr
        if name in ("data.mdb", "certificate", "broker.yaml", "control"):  # the start itself
            done = broker.command()
            assert done.returncode == 2 and says in done.stderr, done.stderr


@pytest.mark.parametrize("name, fault", TABLE)
def test_at_a_reload(running, name, fault):
    says, _ = expected_fault(name, fault)
    with Restored(running) as faults:
        getattr(faults, fault)(running.directory / FILES[name])
        mark = running.mark()
        running.process.signal(signal.SIGHUP)
        if says is None:
            running.wait_log("reloaded", mark)
        else:
            running.wait_log("reload-failed", mark)
            assert any(says in found["error"] for found in running.logged("config-error", mark))
    mark = running.mark()
    running.process.signal(signal.SIGHUP)
    running.wait_log("reloaded", mark)


@pytest.mark.parametrize("name", ["client_ca", "client_crl", "password_file", "acl_file", "certificate", "key"])
def test_what_is_noticed_by_itself(running, name):
    """A file that others can write is not loaded; after that is fixed it is."""
    path = running.directory / FILES[name]
    content, mode = path.read_bytes(), path.stat().st_mode & 0o7777
    mark = running.mark()
    path.chmod(0o666)
    more = {"password_file": b"eve:id=00000000000000ee:roles=all\n", "acl_file": b"# eve\n"}
    path.write_bytes(content + more.get(name, b"\n"))
    running.wait_log("reload-failed", mark)
    errors = running.logged("config-error", mark)
    assert errors and all("chmod" in found["error"] and FILES[name] in found["where"] for found in errors), errors
    assert not running.logged("reload-partial", mark)
    mark = running.mark()
    path.chmod(mode)
    running.wait_log("reloaded", mark)
    mark = running.mark()
    path.write_bytes(content)
    running.wait_log("reloaded", mark)


@ROOT_ONLY
def test_a_configuration_by_a_link(broker, tmp_path):
    """Its directory counts, and each one that the link leads through."""
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    link = sticky / "broker.yaml"
    real = broker.write_file("small.yaml", '{"listeners": [{"bind": "127.0.0.1:1"}]}\n', 0o600)
    link.symlink_to(real)

    def dump():
        return subprocess.run([BROKER, "--dump", "-c", str(link)], env=broker.environment, text=True,
                              capture_output=True, check=False, timeout=TIMEOUT_S)
    assert "belongs to" not in dump().stderr
    os.chown(link, STRANGER, -1, follow_symlinks=False)
    done = dump()
    assert done.returncode == 2 and f"the symbolic link {link} belongs to {STRANGER}" in done.stderr, done.stderr
    real.unlink()


# the tools

def tool(broker, *words):
    return subprocess.run(words, cwd=broker.directory, env=broker.environment, text=True, capture_output=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)


TOOLS = {
    "broker-passwd": ("password_file", lambda *more: [PASSWD, *more, FILES["password_file"], "list"]),
    "broker-acl": ("acl_file", lambda *more: [ACL, "test", "-c", "broker.yaml", *more]),
    "broker-acl, users": ("password_file", lambda *more: [ACL, "test", "-c", "broker.yaml", *more]),
    "broker-acl, configuration": ("broker.yaml", lambda *more: [ACL, "test", "-c", "broker.yaml", *more]),
    "broker-store": ("store", lambda *more: [STORE, *more, FILES["store"], "check"]),
    "broker-store, tables": ("data.mdb", lambda *more: [STORE, *more, FILES["store"], "check"]),
    "broker-store, lock": ("data.mdb-lock", lambda *more: [STORE, *more, FILES["store"], "info"]),
}
TOOL_TABLE = [pytest.param(which, fault, marks=[ROOT_ONLY] if fault in NEEDS_ROOT else [], id=f"{which}-{fault}")
              for which, (name, _) in TOOLS.items() for fault in FAULTS if applies(name, fault)]


@pytest.mark.parametrize("which, fault", TOOL_TABLE)
def test_the_tools(broker, which, fault):
    name, words = TOOLS[which]
    says, options = expected_fault(name, fault)
    if name == "store" and fault == "owner":
        says = None  # alone in it, that is another test
    with Restored(broker) as faults:
        getattr(faults, fault)(broker.directory / FILES[name])
        done = tool(broker, *words())
        if name == "store" and fault == "owner":
            # The tables in it belong to root, and the user could replace them.
            assert done.returncode == 1 and "--trust-owner 54321" in done.stderr, done.stderr
            return
        if says is None:
            assert done.returncode == 0, done.stderr
            return
        assert done.returncode in (1, 2) and says in done.stderr, done.stderr
        cured = tool(broker, *words(*(options or ["--trust-owner", str(STRANGER)])))
        assert (cured.returncode == 0) == (options is not None), cured.stderr


@ROOT_ONLY
def test_root_looks_after_the_files_of_a_user(broker, tmp_path):
    """The common owner of file and directory; what root creates there belongs to that user."""
    place = tmp_path / "of-user"
    shutil.copytree(broker.directory, place)
    for path in [place, *place.rglob("*")]:
        os.chown(path, STRANGER, STRANGER)

    def run(*words):
        return subprocess.run(words, cwd=place, env=broker.environment, text=True, capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
    assert run(STORE, FILES["store"], "check").returncode == 0
    assert run(STORE, FILES["store"], "compact").returncode == 0
    assert run(STORE, FILES["store"], "backup", "copy").returncode == 0
    assert run(PASSWD, FILES["password_file"], "add", "bert", "--no-password").returncode == 0
    assert run(ACL, "test", "-c", "broker.yaml").returncode == 0
    assert all(path.stat().st_uid == STRANGER for path in place.rglob("*"))
    # The broker itself runs as root, and trusts the user when it is told to.
    for words in (["--check"], []):
        done = run(BROKER, *words, "-c", "broker.yaml")
        assert done.returncode == 2 and f"--trust-owner {STRANGER}" in done.stderr, done.stderr
    assert run(BROKER, "--check", "-c", "broker.yaml", "--trust-owner", str(STRANGER)).returncode == 0
    # If the file and its directory have different owners, neither owns both.
    os.chown(place / FILES["password_file"], STRANGER + 1, -1)
    assert run(PASSWD, FILES["password_file"], "list").returncode == 2


@ROOT_ONLY
@pytest.mark.parametrize("reachable", [True, False], ids=["reachable", "working-directory-alone"])
def test_the_group_of_a_user_alone(broker, tmp_path, reachable):
    """As umask 002 creates files where each user has a group. The broker runs as that user, also if it cannot search
    its working directory."""
    with tempfile.TemporaryDirectory() as open_place:
        place = Path(open_place, "of-daemon") if reachable else tmp_path / "of-daemon"
        os.chmod(open_place, 0o755)
        shutil.copytree(broker.directory, place)
        for path in [place, *place.rglob("*")]:
            os.chown(path, DAEMON, DAEMON)
            Fault.mode(path, 0o060)

        def check():
            return subprocess.run(["setpriv", f"--reuid={DAEMON}", f"--regid={DAEMON}", "--clear-groups", BROKER, "--check",
                                   "-c", "broker.yaml"], cwd=place, env=broker.environment, text=True,
                                  capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        assert check().returncode == 0, check().stderr
        os.chown(place / FILES["acl_file"], STRANGER, -1)
        done = check()
        assert done.returncode == 2 and "only root and daemon are trusted; run: chown daemon" in done.stderr, done.stderr
        os.chown(place / FILES["acl_file"], 0, -1)
        assert check().returncode == 0, check().stderr
        os.chown(place, -1, STRANGER)
        assert "--trust-group 54321" in check().stderr


@ROOT_ONLY
def test_what_lies_beside_a_backup(broker, tmp_path):
    """A data.mdb in a directory that everybody can write: its lock is not opened if another user created it."""
    tmp_path.chmod(0o1777)
    assert tool(broker, STORE, FILES["store"], "backup", str(tmp_path / "data.mdb")).returncode == 0
    assert tool(broker, STORE, str(tmp_path / "data.mdb"), "check").returncode == 0
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "data.mdb-lock").symlink_to(victim)
    lock = tmp_path / "broker.lock"
    lock.write_text("1\n")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert tool(broker, STORE, str(tmp_path / "data.mdb"), "info").returncode == 1
    assert victim.read_text() == "precious"
    (tmp_path / "data.mdb-lock").unlink()
    os.chown(lock, STRANGER, -1)
    done = tool(broker, STORE, str(tmp_path / "data.mdb"), "info")
    assert done.returncode == 1 and "broker.lock: it belongs to 54321" in done.stderr, done.stderr
    tmp_path.chmod(0o700)


def test_a_backup_does_not_follow_links_of_others(broker, tmp_path):
    """In a directory that everybody can write, existing files beside the new one are not touched."""
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("copy.part", "copy.part-lock", "copy-lock"):
        (sticky / name).symlink_to(victim)
    done = tool(broker, STORE, FILES["store"], "backup", str(sticky / "copy"))
    assert done.returncode == 0, done.stderr
    assert victim.read_text() == "precious"
    sticky.chmod(0o777)
    done = tool(broker, STORE, FILES["store"], "backup", str(sticky / "copy2"))
    assert done.returncode == 1 and "chmod o-w" in done.stderr, done.stderr
    assert not (sticky / "copy2").exists()


@ROOT_ONLY
def test_a_backup_that_others_can_write_is_not_restored(broker, tmp_path):
    copy = tmp_path / "copy"
    assert tool(broker, STORE, FILES["store"], "backup", str(copy)).returncode == 0
    copy.chmod(0o606)
    done = tool(broker, STORE, FILES["store"], "restore", str(copy))
    assert done.returncode == 1 and "chmod o-w" in done.stderr, done.stderr
    copy.chmod(0o600)
    os.chown(copy, STRANGER, -1)
    done = tool(broker, STORE, FILES["store"], "restore", str(copy))
    assert done.returncode == 1 and f"--trust-owner {STRANGER}" in done.stderr, done.stderr


def ctl(broker, *words):
    return tool(broker, CTL, "-c", "broker.yaml", *words, "status")


@pytest.mark.parametrize("fault", ["world", "world_directory",
                                   *(pytest.param(f, marks=ROOT_ONLY) for f in ("group", "owner"))])
def test_the_socket_of_broker_ctl(running, fault):
    with Restored(running) as faults:
        getattr(faults, fault)(running.directory / FILES["control"])
        done = ctl(running)
        if fault == "owner":  # root, looking at a broker of somebody else: but root listens there
            assert done.returncode == 0, done.stderr
            return
        assert done.returncode == 1 and "chmod" in done.stderr, done.stderr
    assert ctl(running).returncode == 0


@ROOT_ONLY
def test_another_user_listens(broker):
    """In a trusted directory, a socket on which another user listens is not used."""
    path = broker.directory / FILES["control"] / "s"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        path.chmod(0o666)
        pid = os.fork()
        if pid == 0:
            os.setresuid(STRANGER, STRANGER, STRANGER)
            s.listen()
            os._exit(0)
        os.waitpid(pid, 0)
        asked = []

        def listen():
            with s.accept()[0] as c:
                asked.append(c.recv(100))
        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        done = ctl(broker)
        listener.join(TIMEOUT_S)
        assert done.returncode == 1 and f"user id {STRANGER}" in done.stderr, done.stderr
        assert asked == [b""], asked
    path.unlink()


@ROOT_ONLY
def test_an_audit_file_of_somebody_else(broker):
    """Another user can neither read nor choose the file of the audit log."""
    config = dict(broker.config, log={"audit": "audit.log"})
    audit = broker.write_file("audit.log", "", 0o600)
    broker.write_file("audited.yaml", json.dumps(config), 0o600)
    os.chown(audit, STRANGER, -1)
    for mode, owner in ((0o600, STRANGER), (0o602, 0)):
        os.chown(audit, owner, -1)
        audit.chmod(mode)
        done = tool(broker, BROKER, "-c", "audited.yaml")
        assert done.returncode == 2 and "audit file" in done.stderr, done.stderr
        assert audit.read_text() == ""
    audit.unlink()
    Path(broker.directory / "audited.yaml").unlink()


def test_options_name_who_is_there(broker):
    for words in (["--trust-owner", "no-such-user"], ["--trust-group", "no-such-group"], ["--trust-owner", ""]):
        for command in ([BROKER, "-c", "broker.yaml"], [ACL, "test", "-c", "broker.yaml"],
                        [CTL, "-c", "broker.yaml", "status"], [PASSWD, FILES["password_file"], "list"],
                        [STORE, FILES["store"], "info"]):
            done = tool(broker, *command, *words)
            assert done.returncode == 2 and "no " in done.stderr, done
