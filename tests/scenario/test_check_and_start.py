"""`broker --check` and a start run the same code: in each broken environment both refuse, and say the same."""

import json
import os
import re
import socket

import pytest
from broker_fixture import logfmt
from wire import Wire

UNTRUSTED = 54321
WORDS = re.compile(r"^(?P<place>[^ ]*?): error: (?P<text>.*)$")
LONG = "x" * 100


def file_at(name):
    return lambda broker: broker.write_file(name, "not a socket\n")


def directory_at(name, mode=0o700):
    def make(broker):
        (broker.directory / name).mkdir(parents=True)
        (broker.directory / name).chmod(mode)
    return make


def with_store(damage):
    """An environment that had a store, with a retained value in it."""
    def make(broker):
        with broker, Wire(broker) as client:
            client.publish("kept", b"x" * 20000, qos=1, retain=True)
        damage(broker.directory / "store")
    return make


def cut_in_half(store):
    os.truncate(store / "data.mdb", os.path.getsize(store / "data.mdb") // 2 // 4096 * 4096)


def directory_in_place_of(name):
    def damage(store):
        (store / name).unlink()
        (store / name).mkdir()
    return damage


def given_away(name):
    def make(broker):
        os.chown(broker.write_file(name, ""), UNTRUSTED, UNTRUSTED)
    return make


def unix(bind, **options):
    return {"listeners": [{"bind": bind, **options}]}


STORE = {"persistence": {"directory": "store"}}
# name: configuration, what is done to it, what both say
BROKEN = {
    "directory of log.audit is missing":
        ({"log": {"audit": "no/audit.log"}}, None, "log.audit: cannot be opened: No such file or directory"),
    "log.audit is a directory": ({"log": {"audit": "audit"}}, directory_at("audit"), "log.audit: cannot be opened: Is a directory"),
    "log.audit is a link": ({"log": {"audit": "audit"}}, lambda b: (b.directory / "audit").symlink_to("other"),
                            "log.audit: cannot be opened: Too many levels of symbolic links"),
    "log.audit is of somebody else": ({"log": {"audit": "audit"}}, given_away("audit"), "log.audit: the audit file belongs to"),
    "log.audit is a pipe without a reader": ({"log": {"audit": "audit"}}, lambda b: os.mkfifo(b.directory / "audit"),
                                             "log.audit: cannot be opened: No such device or address"),
    "log.audit is below a file": ({"log": {"audit": "acl.yaml/audit"}}, None, "log.audit: cannot be opened: Not a directory"),
    "log.audit is the password file": ({"log": {"audit": "users.passwd"}}, None,
                                       "log.audit: the file is authentication.password_file, too"),
    "log.audit is the ACL file": ({"log": {"audit": "acl.yaml"}}, None, "log.audit: the file is authorization.acl_file, too"),
    "directory of control.socket is missing": ({"control": {"socket": "no/c.sock"}}, None, "install -d"),
    "directory of control.socket is writable by others":
        ({"control": {"socket": "open/c.sock"}}, directory_at("open", 0o777), "others may write it (mode 0777"),
    "path of control.socket is too long": ({"control": {"socket": f"{LONG}/{LONG}.sock"}}, directory_at(LONG),
                                           "a Unix socket's may have 107"),
    "regular file in the place of control.socket": ({"control": {"socket": "c.sock"}}, file_at("c.sock"),
                                                    "a file of that name exists and is not a socket"),
    "directory in the place of control.socket": ({"control": {"socket": "c"}}, directory_at("c"),
                                                 "a file of that name exists and is not a socket"),
    "regular file in the place of a listener": (unix("unix:l.sock"), file_at("l.sock"),
                                                "a file of that name exists and is not a socket"),
    "directory of a listener is missing": (unix("unix:no/l.sock"), None, "install -d"),
    "owner of a listener is unknown": (unix("unix:l.sock", owner="nobody-of-this-name"), None, "there is no user"),
    "listener and control.socket at one path": ({**unix("unix:c.sock"), "control": {"socket": "c.sock"}}, None,
                                                "is the path of control.socket, too"),
    "address of another machine": (unix("192.0.2.1:18883"), None, "this machine has no address 192.0.2.1 now"),
    "parent of persistence.directory is missing": ({"persistence": {"directory": "no/store"}}, None,
                                                   "the directory cannot be made: No such file or directory"),
    "parent of persistence.directory is a file": ({"persistence": {"directory": "acl.yaml/store"}}, None,
                                                  "this is not a directory, one is wanted"),
    "store without data.mdb": (STORE, with_store(lambda store: (store / "data.mdb").unlink()),
                               "data.mdb is missing, although there was a store"),
    "store with an empty data.mdb": (STORE, with_store(lambda store: os.truncate(store / "data.mdb", 0)),
                                     "data.mdb is empty, although there was a store"),
    "store cut in half": (STORE, with_store(cut_in_half), "data.mdb is damaged"),
    "directory in the place of data.mdb": (STORE, with_store(directory_in_place_of("data.mdb")), "is not a regular file"),
    "directory in the place of the lock": (STORE, with_store(directory_in_place_of("broker.lock")), "Is a directory"),
    "store of nonsense": (STORE, lambda b: [directory_at("store")(b), b.write_file("store/data.mdb", "nonsense" * 4096)],
                          "data.mdb is damaged"),
}


def said(done):
    """What is wrong, however it is printed: as an error of the configuration, or as an event of the log."""
    found = set()
    for line in done.stderr.splitlines():
        event, plain = logfmt(line), WORDS.match(line)
        if event.get("event") in ("config-error", "store-refused", "listen-failed"):
            found.add(event["error"])
        elif plain:
            found.add(plain["text"].removeprefix("persistence.directory: "))
    return found


def tree(directory):
    return {str(path.relative_to(directory)): path.lstat().st_mtime_ns for path in directory.rglob("*")}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_environment_is_refused_by_check_and_start_in_the_same_words(new_broker, name):
    config, prepare, want = BROKEN[name]
    if "of somebody else" in name and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    broker = new_broker(config=config)
    if prepare is not None:
        prepare(broker)
    before = tree(broker.directory)
    check = broker.command("--check")
    assert tree(broker.directory) == before, "--check changes nothing"
    start = broker.command()
    assert (check.returncode, start.returncode) == (2, 2), (check.stderr, start.stderr)
    assert any(want in text for text in said(check)), check.stderr
    assert said(check) == said(start)


SOUND = {
    "nothing there yet": ({**STORE, "log": {"audit": "audit.log"}, "control": {"socket": "c.sock"}}, None),
    "a store": (STORE, with_store(lambda store: None)),
    "an empty directory for the store": (STORE, directory_at("store")),
    "stale sockets": ({**unix("unix:l.sock"), "control": {"socket": "c.sock"}},
                      lambda b: [socket.socket(socket.AF_UNIX).bind(str(b.directory / name)) for name in ("l.sock", "c.sock")]),
    "an audit file": ({"log": {"audit": "audit.log"}}, lambda b: b.write_file("audit.log", "old\n")),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_environment_is_accepted_by_check_and_start(new_broker, name):
    config, prepare = SOUND[name]
    broker = new_broker(config=config)
    if prepare is not None:
        prepare(broker)
    before = tree(broker.directory)
    check = broker.command("--check")
    assert check.returncode == 0, check.stderr
    assert tree(broker.directory) == before, "--check changes nothing"
    with broker:
        pass


def test_check_beside_the_running_broker_is_content(new_broker):
    with new_broker(config={**STORE, "control": {"socket": "c.sock"}, "log": {"audit": "audit.log"}}) as broker:
        mark = broker.mark()
        done = broker.command("--check")
        assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
        assert "a broker runs there: the store is not verified" in done.stdout
        assert broker.logged("store-refused", mark) == []


def test_check_warns_of_a_port_that_another_program_has(new_broker):
    broker = new_broker(config=STORE)
    with socket.socket() as other:
        other.bind(("127.0.0.1", broker.port))
        other.listen()
        check, start = broker.command("--check"), broker.command()
    assert check.returncode == 0 and f"port {broker.port} is in use by another program" in check.stderr, check.stderr
    assert start.returncode == 2 and f"port {broker.port} is in use by another program" in start.stderr, start.stderr


def test_reload_does_not_wait_for_what_only_a_start_needs(new_broker):
    config = {"control": {"socket": "run/c.sock"}, "log": {"audit": "run/audit.log"}}
    broker = new_broker(config=config)
    (broker.directory / "run").mkdir(0o700)
    with broker:
        (broker.directory / "run").rename(broker.directory / "elsewhere")
        mark = broker.mark()
        broker.add_user("late")
        broker.wait_log("reloaded", mark)
        broker.config["log"]["audit"] = "other.log"
        mark = broker.mark()
        broker.write_file("broker.yaml", json.dumps(broker.config))
        broker.process.signal(1)
        assert any(w["warning"].startswith("log.audit: takes effect when the broker is restarted")
                   for w in [broker.wait_log("config-warning", mark)])
