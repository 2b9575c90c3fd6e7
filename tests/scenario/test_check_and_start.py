"""`broker --check` and a start run the same code: in each broken environment both refuse, and say the same."""

import ctypes
import json
import os
import re
import signal
import socket
import subprocess

import pytest
from broker_fixture import BROKER, free_port, logfmt
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


def both_in_one(broker, mode):
    """A certificate file that has its private key, too."""
    key = broker.pki.path("server-ec.key").read_text()
    broker.write_file("both.pem", broker.pki.path("server-ec.crt").read_text() + key, mode)
    broker.write_file("both.key", key)


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
    "the password file was never made":
        ({"authentication": {"password_file": "first.passwd"}}, None,
         "make it with 'broker-passwd -c "),
    "log.audit is the password file": ({"log": {"audit": "users.passwd"}}, None,
                                       "log.audit and authentication.password_file are one file"),
    "log.audit is the ACL file": ({"log": {"audit": "acl.yaml"}}, None, "log.audit and authorization.acl_file are one file"),
    "log.audit is this configuration, by another name":
        ({"log": {"audit": "./broker.yaml"}}, None, "log.audit and this configuration are one file"),
    "the ACL file is the password file": ({"authorization": {"acl_file": "users.passwd"}}, None,
                                          "authorization.acl_file and authentication.password_file are one file"),
    "control.socket is the ACL file": ({"control": {"socket": "acl.yaml"}}, None,
                                       "control.socket and authorization.acl_file are one file"),
    "listener at the path of the audit file": ({**unix("unix:a.log"), "log": {"audit": "a.log"}}, None,
                                               "bind and log.audit are one file"),
    "listener at the path of the store": ({**unix("unix:store"), "persistence": {"directory": "store"}}, None,
                                          "bind and persistence.directory are one file"),
    "private key in a certificate file that others may read":
        ({"tls": {"certificates": [{"certificate": "both.pem", "key": "both.key"}]}}, lambda b: both_in_one(b, 0o644),
         "this certificate has a private key in it, too: others may read it (mode 0644"),
    "directory in the place of a private key":
        ({"tls": {"certificates": [{"certificate": "d", "key": "d"}]}}, directory_at("d", 0o755),
         "private key: cannot be read: this is a directory, a file is wanted"),
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
                                                "bind and control.socket are one file"),
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
        broker.wait_log("config-warning", mark,
                        warning=lambda text: text.startswith("log.audit: takes effect when the broker is restarted"))


OPEN = {"roles": {"all": ["allow all #"]}}
ANNA = {"anna": ["all"]}


def rules(*lines, **more):
    return {"roles": {"all": ["allow all #"], "some": list(lines)}, "users": {"anna": {"roles": ["some"]}}, **more}


def acl(*lines):
    return {"acl": rules(*lines)}


def limits(**values):
    return {"config": {"limits": values}}


def certificate(*arguments):
    """A certificate of its own, by tools/pki."""
    def make(broker):
        if not broker.pki.path(f"{arguments[0]}.crt").exists():
            broker.pki.run("leaf", "ca", *arguments)
        pair = {kind: str(broker.pki.path(f"{arguments[0]}.{ending}")) for kind, ending in (("certificate", "crt"), ("key", "key"))}
        broker.config["tls"]["certificates"] = [pair]
        broker.write()
    return make


def locked(broker):
    broker.passwd("lock", "anna")


def certificates_for_a_socket(broker):
    ca = broker.pki.authority("clients")
    broker.config["tls"].update(client_certificates="required", client_ca=str(ca))
    broker.config["listeners"].append({"bind": "unix:local.sock"})
    broker.write()


# name: what the broker is made with, what is done to it, what check, start and reload warn of
SUSPICIOUS = {
    "user of the ACL who does not exist": ({"acl": {**OPEN, "users": {"bertil": {"roles": ["all"]}}}}, None,
                                           "user 'bertil' cannot log in: there is no user 'bertil' in "),
    "user of the ACL whose name is spelt otherwise": ({"acl": {**OPEN, "users": {"annna": {"roles": ["all"]}}}}, None,
                                                      "user 'annna' cannot log in: there is no such user in "),
    "user without role and rules": ({"users": {**ANNA, "cleo": []}}, None, "user 'cleo' has no role and no rules"),
    "role of a user that the ACL lacks": ({"users": {**ANNA, "cleo": ["al"]}}, None,
                                          "user 'cleo' has the role 'al', which the ACL file does not define: it grants "
                                          "nothing"),
    "role that nobody has": ({"acl": {"roles": {"all": ["allow all #"], "idle": ["allow all a"]}}}, None,
                             "nobody has the role 'idle'"),
    "role of denies": (acl("deny all a"), None, "role 'some' only denies"),
    "rule that an earlier one covers": (acl("deny all a/#", "allow publish a/b"), None, "never decides"),
    "topic with a blank": (acl("allow publish home/living room/x"), None, "must be in single quotes: 'home/living room/x'"),
    "placeholder of another broker": (acl("allow publish dev/${username}/#"), None, "'${username}' is taken as it is written"),
    "nobody can log in: no users": ({"config": {"authentication": {"password_file": None}}}, None,
                                    "nobody can log in here: authentication.password_file is not set"),
    "nobody can log in: all are locked": ({}, locked, "nobody can log in here: there is no unlocked user with a password in "),
    "nobody can log in: a Unix socket has no certificates": ({}, certificates_for_a_socket,
                                                             "nobody can log in here: client_certificates: required holds"),
    "anonymous clients without rules": ({"config": {"authentication": {"anonymous": True}}}, None,
                                        "anonymous clients can log in here, and everything is denied to them"),
    "no rules at all": ({"config": {"authorization": {"acl_file": None}}}, None,
                        "authorization.acl_file is not set: everything is denied"),
    "user without password or certificate": ({}, lambda b: b.add_user("dora", ["all"], password=False),
                                             "user 'dora' has no password, and no listener takes names from certificates"),
    "certificate without subjectAltName": ({}, certificate("bare", "server", "ec", "localhost"),
                                           "has no DNS name or IP address in subjectAltName"),
    "address that is not there": ({"config": {"listeners": [{"bind": f"192.0.2.1:{free_port()}"}]}}, None,
                                  "this machine has no address 192.0.2.1 now: clients can connect as soon as it has it"),
    "audit file in the store": ({"config": {**STORE, "log": {"audit": "store/audit"}}}, directory_at("store"),
                                "log.audit (store/audit) is in persistence.directory"),
    "topics that an earlier row covers":
        ({"config": {"persistence": {"directory": "store", "topics": [{"filter": "a/#", "durability": "none"},
                                                                      {"filter": "a/b", "durability": "ack"}]}}}, None,
         "persistence.topics: 'a/b' never decides: 'a/#' comes first"),
    "share of memory above memory": (limits(memory="64M", memory_per_user="65M"), None, "memory_per_user is larger than memory"),
    "retained share above all": (limits(retained_messages=10, retained_per_user=11), None,
                                 "retained_per_user is larger than retained_messages"),
    "address above all connections": (limits(connections=10, connections_per_address=11, unauthenticated=5), None,
                                      "connections_per_address is larger than connections"),
    "anonymous sessions without anonymous clients": ({"config": {"authentication": {"anonymous_sessions": True}}}, None,
                                                     "anonymous_sessions does nothing without anonymous: true"),
    "server_moved without server_reference":
        ({"config": {"listeners": [{"bind": f"127.0.0.1:{free_port()}", "server_moved": True}]}}, None,
         "server_moved does nothing without server_reference"),
    "socket that nobody may write": ({"config": unix("unix:l.sock", mode="0444")}, None, "mode 0444: nobody but root can connect"),
    "two listeners, one certificate without names":
        ({"config": {"listeners": [{"bind": f"127.0.0.1:{free_port()}"}, {"bind": f"127.0.0.1:{free_port()}"}]}},
         certificate("bare", "server", "ec", "localhost"), "has no DNS name or IP address in subjectAltName"),
}


def warnings(broker, lines):
    """However they are printed, and without the directory, which a start gets with -c."""
    found = []
    for line in (line.replace(f"{broker.directory}/", "") for line in lines):
        event = logfmt(line)
        if event.get("event") == "config-warning":
            found.append(event["warning"])
        elif ": warning: " in line and not event:
            found.append(line.split(": warning: ", 1)[1])
    return found


@pytest.mark.parametrize("name", SUSPICIOUS)
def test_what_is_surely_not_meant_is_warned_of_once_by_check_start_and_reload(new_broker, name):
    options, prepare, want = SUSPICIOUS[name]
    broker = new_broker(**options)
    if prepare is not None:
        prepare(broker)
    check = broker.command("--check")
    assert check.returncode == 0, check.stderr
    said = warnings(broker, check.stderr.splitlines())
    assert sum(want in text for text in said) == 1, check.stderr
    assert len(said) == len(set(said)), check.stderr
    with broker:
        assert sorted(warnings(broker, broker.process.lines)) == sorted(said)
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded", mark)
        again = warnings(broker, broker.process.lines[mark:])
        if "no address" not in want: # it is bound already
            assert sorted(again) == sorted(said)


def test_a_sound_configuration_has_no_warnings(new_broker):
    done = new_broker().command("--check")
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_many_of_a_kind_are_counted(new_broker):
    acl_of = {**OPEN, "users": {f"missing-{i}": {"roles": ["all"]} for i in range(50)}}
    done = new_broker(acl=acl_of).command("--check")
    assert len(done.stderr.splitlines()) == 6 and "45 more users here are not in " in done.stderr, done.stderr


def test_file_limit_below_the_connections_is_warned_of(new_broker):
    broker = new_broker()
    done = subprocess.run(["prlimit", "--nofile=1000:1000", BROKER, "--check", "-c", "broker.yaml"], cwd=broker.directory,
                          env=broker.environment, text=True, capture_output=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert "limits.connections is 10000, and this process may have 1000 open files" in done.stderr
    assert "LimitNOFILE=10064" in done.stderr


def drop_right_to_low_ports():
    PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE = 24, 10
    ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE, 0, 0, 0)


def test_port_below_1024_without_the_right(new_broker):
    """Who checks may be somebody else than who starts: a warning. The start is refused."""
    first = int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii").read())
    if first < 900:
        pytest.skip("everybody may use low ports here")
    broker = new_broker(config={"listeners": [{"bind": "127.0.0.1:883"}]})
    done = {}
    for options in (("--check",), ()):
        done[options] = subprocess.run([BROKER, *options, "-c", "broker.yaml"], cwd=broker.directory, env=broker.environment,
                                       text=True, capture_output=True, check=False, timeout=20,
                                       preexec_fn=drop_right_to_low_ports)
    assert done[("--check",)].returncode == 0, done[("--check",)].stderr
    assert "warning: 127.0.0.1:883: this user may not listen on port 883" in done[("--check",)].stderr
    assert done[()].returncode == 2 and "port 883 needs a permission" in done[()].stderr, done[()].stderr


def test_an_address_that_comes_later_is_served_then(new_broker):
    if os.geteuid() != 0 or subprocess.run(["which", "ip"], capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can add an address, by ip(8)")
    address = "198.51.100.77"
    broker = new_broker(config={"listeners": [{"bind": f"{address}:{free_port()}"}]})
    with broker:
        done = subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"no address can be added here: {done.stderr}")
        try:
            with Wire(broker) as client:
                client.publish("a", b"1", qos=1)
        finally:
            subprocess.run(["ip", "address", "delete", f"{address}/32", "dev", "lo"], check=True)


def test_json_is_all_that_a_start_prints_where_json_is_asked_for(new_broker):
    good = new_broker(config={"log": {"format": "json"}}, users={**ANNA, "cleo": []})
    assert any(line["event"] == "config-warning" and "user 'cleo' has no role" in line["warning"] for line in good_lines(good))
    bad = new_broker(config={"log": {"format": "json"}, "authentication": {"password_file": "nothing"}})
    done = bad.command()
    assert done.returncode == 2
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()][-1] == "config-error"


def good_lines(broker):
    """Start and stop it, and give what it printed, each line read as JSON."""
    process = subprocess.Popen([BROKER, "-c", "broker.yaml"], cwd=broker.directory, env=broker.environment, text=True,
                               stderr=subprocess.PIPE)
    lines = []
    for line in process.stderr:
        lines.append(json.loads(line))
        if lines[-1]["event"] == "ready":
            break
    process.send_signal(signal.SIGTERM)
    lines += [json.loads(line) for line in process.stderr]
    assert process.wait(20) == 0
    return lines


@pytest.mark.parametrize("container", [True, False])
def test_a_store_in_the_layer_of_a_container(new_broker, tmp_path, container):
    """Where the upper directory of overlayfs stays when the machine starts again, as on a router, nothing is said."""
    broker = new_broker()
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir(mode=0o700)
    broker.config["persistence"] = {"directory": str(tmp_path / "merged/store")}
    broker.write()
    options = ",".join(f"{option}dir={tmp_path / name}" for option, name in
                       (("lower", "lower"), ("upper", "upper"), ("work", "work")))
    script = f"mount -t overlay overlay -o {options} {tmp_path}/merged || exit 77; exec {BROKER} --check -c broker.yaml"
    environment = {**broker.environment, **({"container": "oci"} if container else {})}
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=broker.directory, env=environment, text=True,
                          capture_output=True, check=False, timeout=60)
    if done.returncode == 77 or done.stderr.startswith("unshare"):
        pytest.skip("no overlayfs may be mounted here")
    if not container and os.path.exists("/.dockerenv"):
        pytest.skip("this is a container")
    assert done.returncode == 0, done.stderr
    assert ("in the container's own layer" in done.stderr + done.stdout) == container
