"""Monitoring: $SYS for users whose rules name it, and broker-ctl over the control socket."""

import json
import os
import re
import select
import shlex
import socket
import stat
import subprocess

import mqtt
import pytest
from broker_fixture import ROOT
from clients import MosquittoSub
from control import CTL, ctl, row, rows
from process import TIMEOUT_S
from wire import Wire

SYS = "$SYS/broker/"
NAMES = """version timestamp uptime certificates/days_left clients/total clients/connected clients/disconnected clients/maximum clients/expired
messages/received messages/sent messages/stored publish/messages/received publish/messages/sent
publish/messages/dropped bytes/received bytes/sent subscriptions/count store/messages/count store/messages/bytes
store/commits store/commits/mean store/commits/max store/messages/written store/pending/groups store/pending/bytes
store/bytes/used store/bytes/map store/bytes/max store/state store/error
load/messages/received/1min load/publish/sent/5min load/bytes/received/15min load/connections/1min""".split()
ACL = {
    "roles": {"all": ["allow all #"], "watch": ["allow subscribe $SYS/#", "allow all home/#"],
              "device": ["allow publish device/+ own", "allow subscribe home/#"]},
    "anonymous": {"rules": ["allow all home/#"]},
}
USERS = {"anna": ["all"], "watcher": ["watch"], "porch": ["device"], "attic": ["device"]}
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(acl=ACL, users=USERS, config={"workers": 2, "control": {"socket": "control.sock"},
                                                 "persistence": {"directory": "store", "max_size": "100M"},
                                                 "authentication": {"anonymous": True}}) as broker:
        yield broker


@pytest.mark.parametrize("addresses, cause", [
    (("127.0.0.2", "127.0.0.3"), "two devices use this client id"),
    (("127.0.0.2", "127.0.0.2"), "two devices behind one address use this client id, or one device starts anew"),
], ids=["two addresses", "one address"])
def test_two_devices_with_one_client_id(broker, topic, addresses, cause):
    """Each connects again when it was thrown out. The log says it once, with both addresses; so do status and clients."""
    mark = broker.mark()
    clients = [MosquittoSub(broker, "-A", address, "-t", topic, version=4, client_id=topic, subscribed=False) for address in addresses]
    try:
        line = broker.wait_log("client-id-shared", mark, client_id=topic, user="anna")
        broker.wait_log("session-taken-over", broker.mark(), client_id=topic)
        assert line["cause"].startswith(cause)
        assert sorted(line[key].split(":")[0] for key in ("peer", "old_peer")) == sorted(addresses)
        assert rows(broker, "status")[0]["client_ids_shared"] >= 1
        while (shown := row(broker, topic)) is None:  # between two of them nobody is in
            pass
        assert shown["takeovers"] >= 5
    finally:
        for client in clients:
            client.kill()
    assert len([line for line in broker.logged("client-id-shared", mark) if line["client_id"] == topic]) == 1


def ask(broker, data, size=1 << 20):
    """Write to the socket directly: what other programs than broker-ctl may send."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(TIMEOUT_S)
        s.connect(str(broker.directory / "control.sock"))
        s.sendall(data)
        said = b""
        try:
            while piece := s.recv(size):
                said += piece
        except ConnectionResetError:
            pass
        return said


def hung_up(connection):
    """True if the other end has closed, without reading."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(TIMEOUT_S * 1000))


# $SYS

def test_sys_topics_exist_for_permitted_clients(broker):
    with Wire(broker, user="watcher") as client:
        client.subscribe("$SYS/#", qos=1)
        found = {}
        while not all(SYS + name in found for name in [*NAMES, "retained messages/count"]):
            one = client.message()
            assert one.topic.startswith(SYS) and one.retain and one.qos == 0
            found[one.topic] = one.payload.decode()
    assert found[SYS + "version"].startswith("vakt version ")
    assert re.fullmatch(r"\d+ seconds", found[SYS + "uptime"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found[SYS + "timestamp"])
    assert re.fullmatch(r"\d+\.\d\d", found[SYS + "load/messages/received/1min"])
    for name in NAMES[3:NAMES.index("store/state")]:
        assert found[SYS + name].isdigit(), name
    assert (found[SYS + "store/state"], found[SYS + "store/error"]) == ("ok", "none")
    assert 0 < int(found[SYS + "store/bytes/used"]) < int(found[SYS + "store/bytes/map"])
    assert int(found[SYS + "store/bytes/max"]) == 100 << 20
    assert int(found[SYS + "store/commits/mean"]) <= int(found[SYS + "store/commits/max"])


def test_sys_topics_are_hidden_from_others(broker, topic):
    """Neither by a wildcard at the start [MQTT-4.7.2-1], nor by a rule that does not name them."""
    with Wire(broker, user="porch") as client:
        client.subscribe("$SYS/#", SYS + "version", expect=[0x87, 0x87])
    with Wire(broker) as client:  # `allow all #` does not cover $SYS
        client.subscribe("$SYS/#", "+/broker/#", "#", expect=[0x87, 2, 2])
        client.publish(f"{topic}/end", b"end", qos=1)
        assert not [m for m in client.until(b"end") if m.topic.startswith("$")]


def test_sys_topics_are_read_only(broker):
    with Wire(broker) as client:
        assert client.publish(SYS + "version", b"mine", qos=1, retain=True).reason == 0x87


def test_changed_figures_are_published(broker):
    """A client that connects is counted within the interval."""
    with Wire(broker, user="watcher") as client:
        client.subscribe(SYS + "clients/connected", SYS + "subscriptions/count", SYS + "messages/received")
        wanted, seen = {SYS + "clients/connected", SYS + "messages/received"}, {}
        others = [Wire(broker) for _ in range(3)]
        while not wanted <= seen.keys():
            one = client.message()
            if not one.retain:
                seen[one.topic] = int(one.payload)
        assert seen[SYS + "clients/connected"] >= 4
        for other in others:
            other.disconnect()


# broker-ctl

def test_a_client_is_shown(broker):
    with Wire(broker, 4, client_id="shown-3", user="anna", keep_alive=30), \
            Wire(broker, client_id="shown-anonymous", user=None) as client:
        client.subscribe("home/#", "home/x")
        first, second = row(broker, "shown-3"), row(broker, "shown-anonymous")
        assert (first["user"], first["version"], first["keep_alive_s"]) == ("anna", "3.1.1", 30)
        assert (second["user"], second["version"], second["subscriptions"]) == (None, "5.0", 2)
        assert first["peer"].startswith("127.0.0.1:") and first["tls"].startswith("TLSv1.")
        table = ctl(broker, "clients").stdout.splitlines()
        assert table[0].split()[:2] == ["CLIENT", "ID"]
        assert any(re.match(r"shown-3 +anna +127\.0\.0\.1:\d+ +3\.1\.1 +\d{4}-", line) for line in table)


def test_queued_messages_are_shown(broker, topic):
    with Wire(broker, client_id="slow", ack=False, props={"receive_maximum": 2}) as slow, Wire(broker) as pub:
        slow.subscribe(topic, qos=1)
        for number in range(5):
            pub.publish(topic, str(number), qos=1)
        shown = row(broker, "slow")
        assert (shown["in_flight"], shown["queued"], shown["dropped"]) == (2, 3, 0)
        assert shown["queued_bytes"] > 0


def test_a_session_whose_client_is_away(broker):
    with Wire(broker, client_id="away", props={"session_expiry_interval": 600}) as client:
        assert row(broker, "away", "sessions")["connected"] is True
        client.disconnect()
    shown = row(broker, "away", "sessions")
    assert shown["connected"] is False and shown["expiry_s"] == 600 and 0 < shown["ends_in_s"] <= 600
    assert row(broker, "away") is None


def test_retained_values_and_their_owner(broker):
    with Wire(broker, user="porch", client_id="porch-1") as porch, Wire(broker) as anna:
        porch.publish("device/lamp", b"12345", qos=1, retain=True)
        anna.publish("kept/ä", b"x", qos=2, retain=True, props={"message_expiry_interval": 500})
        found = {r["topic"]: r for r in rows(broker, "retained", "#")}
        assert found["device/lamp"]["owner"] == found["device/lamp"]["writer"] == "porch"
        assert (found["device/lamp"]["client_id"], found["device/lamp"]["size"]) == ("porch-1", 5)
        assert found["kept/ä"]["owner"] is None and 0 < found["kept/ä"]["expires_in_s"] <= 500
        assert not [t for t in found if t.startswith("$")]
        assert [r["topic"] for r in rows(broker, "retained", "+/lamp")] == ["device/lamp"]
        assert SYS + "version" in [r["topic"] for r in rows(broker, "retained", "$SYS/#")]
    assert "topic filter" in ctl(broker, "retained", "a/#/b", status=1).stderr


def test_kick(broker):
    with Wire(broker, client_id="unwanted") as client:
        mark = broker.mark()
        assert rows(broker, "kick", "unwanted") == [{"client_id": "unwanted", "user": "anna", "disconnected": True}]
        assert client.expect_close().reason == 0x98
        broker.wait_log("control-command", mark, command="kick", client_id="unwanted")
    assert "no client" in ctl(broker, "kick", "unwanted", status=1).stderr


def test_kick_one_of_two_namesakes(broker):
    """Each user has client ids of his own."""
    with Wire(broker, client_id="twin", user="porch") as porch, Wire(broker, client_id="twin", user=None) as nobody, \
            Wire(broker, client_id="twin", user="attic") as attic:
        assert "--user" in ctl(broker, "kick", "twin", status=1).stderr
        ctl(broker, "kick", "twin", "--user", "attic")
        assert attic.expect_close().reason == 0x98
        ctl(broker, "kick", "--user", "", "twin")
        assert nobody.expect_close().reason == 0x98
        porch.settle()


def test_a_name_that_turns_the_line(broker):
    """Control characters are refused (test_names.py); what turns the direction of a line is escaped wherever it is printed."""
    mark = broker.mark()
    with Wire(broker, client_id="x\u202e", user="anna"):
        assert row(broker, "x\u202e")
        table = ctl(broker, "clients").stdout
        assert "\u202e" not in table and "x\\u202e" in table
        broker.wait_log("client-connected", mark, client_id="x\u202e")
        assert not any("\u202e" in line for line in broker.process.lines[mark:])


def test_status(broker):
    with Wire(broker) as client:
        client.settle()
        status, listener = rows(broker, "status")
        assert status["workers"] == 2 and status["clients"] >= 1 and status["memory_bytes"] > 0
        assert status["policy_generation"] >= 1
        assert listener["listener"] == f"127.0.0.1:{broker.port}"
        assert "policy generation" in ctl(broker, "status").stdout


def test_status_of_the_store(broker, topic):
    """Commits are counted, and messages that were written."""
    before, _ = rows(broker, "status")
    assert (before["store"], before["store_error"]) == ("ok", None)
    with Wire(broker, client_id="status-away", props={"session_expiry_interval": 600}) as away:
        away.subscribe(topic, qos=1)
        away.disconnect()
    with Wire(broker) as client:
        for number in range(3):
            client.publish(topic, str(number), qos=1)
    after, _ = rows(broker, "status")
    assert after["store_messages"] == before["store_messages"] + 3
    assert before["store_commits"] + 2 <= after["store_commits"]
    assert 0 < after["store_commit_mean_us"] <= after["store_commit_max_us"]
    assert 0 < after["store_commit_p99_us"] <= after["store_commit_max_us"] * 33 / 32    # it comes from buckets
    assert (after["store_pending"], after["store_pending_bytes"]) == (0, 0)
    assert 0 < after["store_used_bytes"] < after["store_map_bytes"] <= after["store_max_bytes"] == 100 << 20
    assert row(broker, "status-away", "sessions")["queued"] == 3


def test_status_without_a_store(new_broker):
    with new_broker(config={"control": {"socket": "control.sock"}}, acl=ACL, users=USERS) as broker:
        status, _ = rows(broker, "status")
        assert status["store"] == "off" and "store_commits" not in status
        with Wire(broker, user="watcher") as client:
            client.subscribe(SYS + "store/state")
            assert client.message().payload == b"off"


def test_reload(broker):
    before, _ = rows(broker, "status")
    mark = broker.mark()
    assert "in force" in ctl(broker, "reload").stdout
    broker.wait_log("reloaded", mark)
    assert rows(broker, "status")[0]["policy_generation"] > before["policy_generation"]


def test_a_reload_with_errors(broker):
    good = (broker.directory / "acl.yaml").read_text()
    try:
        broker.write_file("acl.yaml", "roles: [\n")
        assert "log" in ctl(broker, "reload", status=1).stderr
    finally:
        broker.write_file("acl.yaml", good)
    ctl(broker, "reload")


def test_the_commands_of_the_manual(broker):
    page = (ROOT / "man/broker-ctl.1.in").read_text()
    commands = re.findall(r"^\.Dl (broker-ctl .*)$", page, re.M)
    assert len(commands) >= 3
    with Wire(broker, client_id="porch-lamp", user="porch"), Wire(broker, client_id="old-phone") as client:
        for name in ("porch", "attic"):
            client.publish(f"current/{name}/lamp/on", b"on", qos=1, retain=True)
        for command in commands:
            ctl(broker, *shlex.split(command)[3:])


def test_many_come_in_slices(new_broker):
    """More than fits into a socket's buffers, from several workers; a reader that does not read does not affect
    others."""
    with new_broker(config={"workers": 2, "control": {"socket": "control.sock"}}) as broker:
        with Wire(broker) as client:
            for number in range(3000):
                client.publish(f"many/{number:04}/{'x' * 100}", b"x", retain=True)
            client.settle()
            with socket.socket(socket.AF_UNIX) as idle:
                idle.connect(str(broker.directory / "control.sock"))
                idle.sendall(b'{"command":"retained","filter":"many/#"}\n')
                topics = [r["topic"] for r in rows(broker, "retained", "many/#")]
                assert len(topics) == 3000 == len(set(topics))
                client.settle()
                assert hung_up(idle)
            away = [Wire(broker, client_id=f"away-{n}", props={"session_expiry_interval": 600}) for n in range(300)]
            for one in away:
                one.disconnect()
            names = [r["client_id"] for r in rows(broker, "sessions") if not r["connected"]]
            assert sorted(names) == sorted(f"away-{n}" for n in range(300))
            with socket.socket(socket.AF_UNIX) as idle:  # the broker stops all the same
                idle.connect(str(broker.directory / "control.sock"))
                idle.sendall(b'{"command":"retained","filter":"many/#"}\n')
                broker.stop()


# who may

def test_the_socket_is_the_owners(broker):
    mode = stat.S_IMODE((broker.directory / "control.sock").stat().st_mode)
    assert mode == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_gets_no_answer(broker):
    """By the mode of the socket; and if that is wrong, by the peer's user id from the kernel."""
    path = broker.directory / "control.sock"
    outside = broker.directory
    program = ("import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.settimeout(20)\n"
               "try:\n s.connect(sys.argv[1])\nexcept PermissionError:\n sys.exit(77)\n"
               "try:\n s.sendall(b'{\"command\":\"status\"}\\n')\n sys.exit(len(s.recv(100)))\n"
               "except OSError:\n sys.exit(0)\n")

    def as_nobody():
        return subprocess.run([*AS_NOBODY, "/usr/bin/python3", "-c", program, str(path)], check=False,
                              capture_output=True, timeout=TIMEOUT_S).returncode

    opened = []
    while outside != outside.parent and outside.stat().st_mode & 0o001 == 0:
        opened.append((outside, outside.stat().st_mode))
        outside.chmod(stat.S_IMODE(outside.stat().st_mode) | 0o001)
        outside = outside.parent
    try:
        assert as_nobody() == 77
        mark = broker.mark()
        path.chmod(0o666)
        assert as_nobody() == 0
        broker.wait_log("control-refused", mark, peer="unix:uid=65534")
    finally:
        path.chmod(0o600)
        for directory, mode in opened:
            directory.chmod(stat.S_IMODE(mode))


@pytest.mark.parametrize("request_line, says", [
    (b"clients\n", "JSON object"),
    (b"{}\n", "unknown command"),
    (b'{"command":"clients","id":"x"}\n', "does not take"),
    (b'{"command":"kick"}\n', "needs an argument"),
    (b'{"command":"kick","id":7}\n', "must be strings"),
    (b'{"command":"status"}\n{"command":"status"}\n', "one request"),
    (b'{"command":"status","command":"kick"}\n', "JSON object"),
], ids=["word", "empty", "too-much", "too-little", "number", "two", "twice"])
def test_malformed_requests_are_refused(broker, request_line, says):
    assert says in json.loads(ask(broker, request_line))["error"]


def test_a_request_without_end(broker):
    assert ask(broker, b"x" * (300 << 10)) == b""
    ctl(broker, "status")


# what to do

def test_no_broker_no_socket_no_use(new_broker):
    broker = new_broker()
    assert "control: { socket:" in ctl(broker, "status", status=2).stderr
    # An unknown command is named, even where something else is missing as well.
    done = subprocess.run([CTL, "statsu"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "there is no command 'statsu'" in done.stderr and "-c broker.yaml" not in done.stderr
    broker.config["control"] = {"socket": "control.sock"}
    broker.write()
    assert "is not running" in ctl(broker, "status", status=1).stderr
    for words, says in (([], "a command is needed"), (["frob"], "no command 'frob'"), (["retained"], "needs FILTER"),
                        (["kick"], "needs CLIENT_ID"), (["status", "x"], "unexpected argument 'x'"),
                        (["clients", "--user", "anna"], "'clients' does not take --user, which is for client, explain, kick and delete-session"),
                        (["--frob"], "no option '--frob'"), (["--usr", "anna"], "did you mean --user?"),
                        (["kick", "x", "--user"], "--user needs a value"), (["status", "--json=1"], "--json takes no value"),
                        (["status", "--t", "x"], "can be --trust-owner or --trust-group"), (["-x"], "no option '-x'"),
                        (["retained", "a", "--raw", "--json"], "--raw cannot be combined"),
                        (["status", "--socket", "x"], "not both")):
        done = ctl(broker, *words, status=2)
        assert says in done.stderr and done.stderr.count("\n") == 1 and "(see broker-ctl --help)" in done.stderr and done.stdout == "", (words, done.stderr)
    broker.write_file("broker.yaml", "listners: []\n")
    assert "did you mean 'listeners'" in ctl(broker, "status", status=2).stderr


def test_a_socket_that_cannot_be_created(new_broker):
    """The start says why, and nothing is left behind."""
    broker = new_broker(config={"control": {"socket": "open/control.sock"}})
    (broker.directory / "open").mkdir()
    (broker.directory / "open").chmod(0o777)
    done = broker.command()
    assert done.returncode == 2 and "control.socket" in done.stderr and "others may write it (mode 0777" in done.stderr
    broker.config["control"]["socket"] = "broker.yaml"
    broker.write()
    assert broker.command().returncode == 2
    assert (broker.directory / "broker.yaml").read_text().startswith("{")


def test_the_socket_goes_with_the_broker(new_broker):
    with new_broker(config={"control": {"socket": "control.sock"}}) as broker:
        path = broker.directory / "control.sock"
        assert path.is_socket()
        with Wire(broker) as client:
            assert client.connack.reason == 0 and mqtt.CONNACK == client.connack.kind
        broker.stop()
        assert not path.exists()
