"""`user:` in broker.yaml: root starts the broker, which binds to ports below 1024 and becomes another user before it reads a key."""

import grp
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from wire import Wire

NOBODY = "nobody"

if os.getuid() != 0:
    pytest.skip("only root can become somebody else", allow_module_level=True)


def give(path, uid, gid, mode):
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def write(broker):
    """The files of the configuration, as its group may read them."""
    broker.write()
    for path in broker.directory.iterdir():
        if path.is_file():
            give(path, 0, pwd.getpwnam(NOBODY).pw_gid, 0o640)


def low_port():
    """A port below 1024 that is free now."""
    for port in range(1023, 600, -1):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port below 1024 is free")


@pytest.fixture
def owned(new_broker, tmp_path_factory):
    """A broker that is not started yet: its files are root's, and nobody's group may read them."""
    user = pwd.getpwnam(NOBODY)
    broker = new_broker(users={"anna": ["all"]}, config={"user": NOBODY, "persistence": {"directory": "store"},
                                                          "control": {"socket": "run/control.sock"}})
    keys = broker.directory / "tls"
    keys.mkdir(mode=0o755)
    for row in broker.config["tls"]["certificates"]:
        for name, path in row.items():
            row[name] = str(shutil.copy(path, keys))
            give(row[name], 0, user.pw_gid, 0o640)
    write(broker)
    for path in [broker.directory, *broker.directory.parents][:-1]:
        if str(path).startswith("/tmp/"):
            path.chmod(path.stat().st_mode | 0o011)
    for name in ("store", "run"):
        (broker.directory / name).mkdir(mode=0o700)
        os.chown(broker.directory / name, user.pw_uid, user.pw_gid)
    yield broker


def status_of(broker):
    text = Path(f"/proc/{broker.process.pid}/status").read_text(encoding="utf-8")
    return {line.split(":")[0]: line.split()[1:] for line in text.splitlines() if ":" in line}


def test_it_is_that_user_in_every_respect(owned):
    """Real, effective and saved ids, groups and capabilities; all of its threads."""
    user = pwd.getpwnam(NOBODY)
    with owned as broker:
        broker.wait_log("user-changed", user=NOBODY)
        for task in Path(f"/proc/{broker.process.pid}/task").iterdir():
            text = (task / "status").read_text(encoding="utf-8")
            assert re.search(r"^Uid:\s+(.*)$", text, re.M)[1].split() == [str(user.pw_uid)] * 4
            assert re.search(r"^Gid:\s+(.*)$", text, re.M)[1].split() == [str(user.pw_gid)] * 4
            assert {int(g) for g in re.search(r"^Groups:(.*)$", text, re.M)[1].split()} <= set(os.getgrouplist(NOBODY, user.pw_gid))
            assert {re.search(rf"^{name}:\s+(\S+)", text, re.M)[1] for name in ("CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
        with Wire(broker, user="anna") as anna:
            anna.publish("a", b"1", qos=1, retain=True)
        assert (broker.directory / "store").stat().st_uid == user.pw_uid


def test_a_reload_and_a_restart_still_work(owned):
    user = pwd.getpwnam(NOBODY)
    with owned as broker:
        broker.add_user("bertil", ["all"])
        give(broker.directory / "users.passwd", 0, user.pw_gid, 0o640)
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded", mark)
        Wire(broker, user="bertil").close()
        broker.stop()
        broker.start()
        Wire(broker, user="bertil").close()


def test_a_reload_of_what_only_root_can_read_is_refused(owned):
    with owned as broker:
        give(broker.directory / "acl.yaml", 0, 0, 0o600)
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        assert "acl.yaml" in broker.wait_log("config-error", mark)["where"]
        broker.wait_log("reload-failed", mark)
        Wire(broker, user="anna").close()


def test_ports_below_1024_are_bound_before(owned):
    port = low_port()
    owned.config["listeners"].append({"bind": f"127.0.0.1:{port}"})
    write(owned)
    checked = owned.command("--check")
    assert checked.returncode == 0 and f"User: {NOBODY}" in checked.stdout, checked.stdout + checked.stderr
    assert "below 1024" not in checked.stderr
    with owned as broker:
        assert broker.logged("socket-inherited") == []
        Wire(broker, listener=1, user="anna").close()
        checked = owned.command("--check")
        assert checked.returncode == 0 and "below 1024" not in checked.stderr, checked.stderr


def test_a_port_that_another_program_has_is_refused(owned):
    port = low_port()
    owned.config["listeners"].append({"bind": f"127.0.0.1:{port}"})
    write(owned)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        refused = owned.command()
    assert refused.returncode == 2 and f"port {port} is in use" in refused.stderr, refused.stderr


@pytest.mark.parametrize("check", [True, False])
def test_a_key_that_the_user_cannot_read_is_refused_with_the_remedy(owned, check):
    key = owned.config["tls"]["certificates"][0]["key"]
    give(key, 0, 0, 0o600)
    refused = owned.command(*(["--check"] if check else []))
    assert refused.returncode == 2 and key in refused.stderr, refused.stderr
    assert f"reads all files as {NOBODY}" in refused.stderr and "chgrp" in refused.stderr


@pytest.mark.parametrize("name, said", [("root", "nothing would be given up"), ("nobody-of-that-name", "no user 'nobody-of-that-name'")])
def test_users_that_it_cannot_become(owned, name, said):
    owned.config["user"] = name
    write(owned)
    for options in ([], ["--check"]):
        refused = owned.command(*options)
        assert refused.returncode == 2 and said in refused.stderr, refused.stderr


def test_somebody_else_than_root_cannot(owned):
    owned.config["user"] = "daemon"
    write(owned)
    command = ["setpriv", "--reuid", NOBODY, "--regid", grp.getgrgid(pwd.getpwnam(NOBODY).pw_gid).gr_name, "--clear-groups",
               os.environ["VAKT_BROKER"], "--check", "-c", "broker.yaml"]
    refused = subprocess.run(command, cwd=owned.directory, env=owned.environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "only root can become daemon" in refused.stderr, refused.stderr


def test_whoever_is_that_user_already_stays(owned):
    command = ["setpriv", "--reuid", NOBODY, "--regid", grp.getgrgid(pwd.getpwnam(NOBODY).pw_gid).gr_name, "--clear-groups",
               os.environ["VAKT_BROKER"], "--check", "-c", "broker.yaml"]
    checked = subprocess.run(command, cwd=owned.directory, env=owned.environment, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "User:" not in checked.stdout


def test_another_user_needs_a_restart(owned):
    with owned as broker:
        broker.write_file("broker.yaml", json.dumps({**broker.config, "user": str(pwd.getpwnam(NOBODY).pw_uid)}))
        give(broker.directory / "broker.yaml", 0, pwd.getpwnam(NOBODY).pw_gid, 0o640)
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("config-warning", mark, warning=lambda text: text.startswith("user: takes effect when the broker is restarted"))
