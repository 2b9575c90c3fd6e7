"""What an administrator does by day: look, delete a retained message or a session, while files may have errors."""

import errno
import os
import pty
import subprocess

import mqtt
import pytest
from control import CTL, ctl, row, rows, run_ctl
from failing_disk import new_broker_and_disk
from process import TIMEOUT_S
from wire import Wire

ACL = {"roles": {"all": ["allow all #"], "device": ["allow publish device/+ own", "allow subscribe #"]}}
USERS = {"anna": ["all"], "porch": ["device"], "attic": ["device"]}
CONFIG = {"workers": 2, "control": {"socket": "control.sock"}, "persistence": {"directory": "store"},
          "log": {"audit": "audit.log"}}
AWAY = {"session_expiry_interval": 600}


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(acl=ACL, users=USERS, config=CONFIG) as broker:
        yield broker


def retain(broker, topic, payload=b"x", **more):
    with Wire(broker, **more) as client:
        client.publish(topic, payload, qos=1, retain=True)


def topics(broker, found="#"):
    return [r["topic"] for r in rows(broker, "retained", found)]


def away(broker, client_id, *filters, user="anna", qos=1, props=None):
    with Wire(broker, client_id=client_id, user=user, clean=False, props=props or AWAY) as client:
        if filters:
            client.subscribe(*filters, qos=qos)
        client.disconnect()


# figures

def test_what_is_on_disk_is_counted(broker, topic):
    """Messages that are queued for an offline client are on disk only."""
    before, _ = rows(broker, "status")
    away(broker, "figures", topic)
    with Wire(broker) as client:
        for number in range(20):
            client.publish(topic, b"x" * 10_000, qos=1)
    after, _ = rows(broker, "status")
    shown = row(broker, "figures", "sessions")
    assert (shown["queued"], after["queued"] - before["queued"]) == (20, 20)
    assert shown["queued_bytes"] > 200_000
    assert after["queued_bytes"] - before["queued_bytes"] == shown["queued_bytes"]
    assert after["queued_disk_bytes"] - before["queued_disk_bytes"] == shown["queued_bytes"]
    ctl(broker, "delete-session", "figures")
    last, _ = rows(broker, "status")
    assert (last["queued_bytes"], last["queued_disk_bytes"]) == (before["queued_bytes"], before["queued_disk_bytes"])


def test_bytes_in_flight_are_counted(broker, topic):
    before, _ = rows(broker, "status")
    with Wire(broker, client_id="in-flight", ack=False) as slow, Wire(broker) as client:
        slow.subscribe(topic, qos=1)
        client.publish(topic, b"x" * 50_000, qos=1)
        slow.message()
        shown = row(broker, "in-flight", "sessions")
        assert (shown["in_flight"], shown["queued"]) == (1, 0) and shown["queued_bytes"] > 50_000
        assert rows(broker, "status")[0]["queued_bytes"] - before["queued_bytes"] == shown["queued_bytes"]


def test_an_empty_broker_has_no_retained_messages(new_broker):
    """Its own are counted apart, also for those who watch $SYS."""
    acl = {"roles": {"all": ["allow all #", "allow subscribe $SYS/#"]}}
    with new_broker(config={"control": {"socket": "control.sock"}}, acl=acl) as broker:
        status, _ = rows(broker, "status")
        assert (status["retained"], status["retained_bytes"]) == (0, 0)
        assert status["retained_system"] > 10 and status["retained_system_bytes"] > 1000
        retain(broker, "a", b"12345")
        status, _ = rows(broker, "status")
        assert status["retained"] == 1 and 0 < status["retained_bytes"] < 1000
        with Wire(broker) as client:
            client.subscribe("$SYS/broker/retained messages/count")
            while client.message().payload != b"1":
                pass
        ctl(broker, "delete-retained", "a")
        status, _ = rows(broker, "status")
        assert (status["retained"], status["retained_bytes"]) == (0, 0)


# without a valid configuration

BROKEN = {
    "unknown key": 'listners: []\ncontrol:\n  socket: control.sock\n',
    "no YAML": 'listeners: [\n# control: { socket: other.sock }\ncontrol: { socket: "control.sock" }\n',
    "wrong indentation": 'control:\n    socket: control.sock   # here\n   listeners: []\n',
    "as JSON": '{"listners": [],\n "control": {"socket": "control.sock"}}\n',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_the_running_broker_is_asked_while_its_file_has_errors(broker, text):
    good = (broker.directory / "broker.yaml").read_text()
    try:
        broker.write_file("broker.yaml", text)
        done = ctl(broker, "status")
        assert "clients" in done.stdout and "broker.yaml:" in done.stderr
        assert "the running broker is asked all the same, at control.sock" in done.stderr
    finally:
        broker.write_file("broker.yaml", good)


def test_a_broken_file_without_a_socket(broker):
    good = (broker.directory / "broker.yaml").read_text()
    try:
        for text in ("control:\n", "control: { sock: x }\n", "listeners: [ socket: x\n", "control: { socket: }\n", ""):
            broker.write_file("broker.yaml", text)
            assert "--socket PATH" in ctl(broker, "status", status=2).stderr, text
        assert run_ctl(broker, "--socket", "control.sock", "status").stderr == ""
        broker.write_file("broker.yaml", "control: { socket: control.sock }\n", mode=0o666)
        assert "others may write" in ctl(broker, "status", status=2).stderr
    finally:
        broker.write_file("broker.yaml", good)
    assert "not running" in run_ctl(broker, "--socket", "nowhere.sock", "status", status=1).stderr


# payloads

PAYLOADS = {
    "plain": (b"21.5 \xc2\xb0C", "21.5 °C", {"payload": "21.5 °C"}),
    "control": (b"a\x1b[2J\x00\\", "a\\x1b[2J\\x00\\\\", {"payload_hex": "611b5b324a005c"}),
    "binary": (b"\xff\x00\x01", "0xff0001", {"payload_hex": "ff0001"}),
    "lines": (b"1\n2\n", "1\\x0a2\\x0a", {"payload": "1\n2\n"}),
}


@pytest.mark.parametrize("payload, shown, members", PAYLOADS.values(), ids=PAYLOADS)
def test_a_payload_is_shown(broker, topic, payload, shown, members):
    retain(broker, topic, payload)
    found = rows(broker, "retained", topic, "--payload")[0]
    assert {k: v for k, v in found.items() if k.startswith("payload")} == members
    title, line = ctl(broker, "retained", topic, "--payload").stdout.splitlines()
    if "payload_hex" in members:
        shown = "0x" + members["payload_hex"]
    assert title.endswith("PAYLOAD") and line.endswith("  " + shown)
    assert "PAYLOAD" not in ctl(broker, "retained", topic).stdout and "payload" not in rows(broker, "retained", topic)[0]
    assert ctl(broker, "retained", topic, "--raw", text=False).stdout == payload


def test_raw_is_for_one_message(broker, topic):
    retain(broker, f"{topic}/1")
    retain(broker, f"{topic}/2")
    assert "matches 2 retained messages" in ctl(broker, "retained", f"{topic}/+", "--raw", status=1).stderr
    assert "nothing is retained at" in ctl(broker, "retained", f"{topic}/3", "--raw", status=1).stderr


def test_large_payloads_come_in_slices(broker, topic):
    for number in range(6):
        retain(broker, f"{topic}/{number}", bytes([number]) * 300_000)
    found = rows(broker, "retained", f"{topic}/#", "--payload")
    assert sorted(len(r.get("payload", r.get("payload_hex"))) for r in found) in ([300_000] * 6, [300_000] * 5 + [600_000])
    ctl(broker, "delete-retained", f"{topic}/#", "--yes")


# retained messages

def test_a_retained_message_is_deleted(broker, topic):
    """Who is there hears of it, who is away with QoS 1 later; the topic has no owner any more."""
    name = f"device/{topic.replace('/', '-')}"
    away(broker, f"{topic}-away", name)
    retain(broker, name, user="porch", client_id="porch-1")
    with Wire(broker) as watcher, Wire(broker, user="attic") as attic:
        watcher.subscribe(name, qos=1)
        assert watcher.message().payload == b"x"
        assert attic.publish(name, b"mine", qos=1, retain=True).reason == 0x87
        mark = broker.mark()
        assert rows(broker, "delete-retained", name) == [{"topic": name, "writer": "porch", "client_id": "porch-1"}]
        gone = watcher.message()
        assert (gone.payload, gone.qos, gone.retain) == (b"", 1, False)
        broker.wait_log("control-command", mark, command="delete-retained", filter=name)
        broker.wait_log("retained-deleted", mark, filter=name, count="1")
        assert "retained-deleted" in (broker.directory / "audit.log").read_text()
        assert name not in topics(broker)
        assert attic.publish(name, b"mine", qos=1, retain=True).reason in (0, 0x10)
    with Wire(broker, client_id=f"{topic}-away", clean=False, props=AWAY) as client:
        assert [client.message().payload for _ in range(3)] == [b"x", b"", b"mine"]
    ctl(broker, "delete-retained", name)
    assert "no retained message" in ctl(broker, "delete-retained", name, status=1).stderr


def test_wildcards_need_a_yes(broker, topic):
    for number in range(3):
        retain(broker, f"{topic}/{number}")
    done = ctl(broker, "delete-retained", f"{topic}/#", status=2)
    assert "has wildcards" in done.stderr and "--yes" in done.stderr
    assert len(topics(broker, f"{topic}/#")) == 3
    for answer, left in ((b"n\n", 3), (b"\n", 3), (b"y\n", 0)):
        assert b"Delete these" in on_terminal(broker, answer, "delete-retained", f"{topic}/#")
        assert len(topics(broker, f"{topic}/#")) == left
    assert "no retained message" in ctl(broker, "delete-retained", f"{topic}/#", "--yes", status=1).stderr
    assert "not a topic filter" in ctl(broker, "delete-retained", "a/#/b", "--yes", status=1).stderr


def on_terminal(broker, answer, *words):
    """Standard input is a terminal. What was said on standard output and standard error."""
    master, slave = pty.openpty()
    try:
        with subprocess.Popen([CTL, "-c", "broker.yaml", *words], cwd=broker.directory, env=broker.environment, stdin=slave,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            os.write(master, answer)
            return process.communicate(timeout=TIMEOUT_S)[0]
    finally:
        os.close(master)
        os.close(slave)


def test_many_are_deleted_in_slices(broker, topic):
    with Wire(broker) as client:
        for number in range(1000):
            client.publish(f"{topic}/{number}", b"x", retain=True)
        client.settle()
    found = rows(broker, "delete-retained", f"{topic}/+", "--yes")
    assert len({r["topic"] for r in found}) == 1000 == len(found)
    assert topics(broker, f"{topic}/#") == []


def test_the_topics_of_the_broker_stay(broker):
    assert "of a client" in ctl(broker, "delete-retained", "$SYS/#", "--yes", status=1).stderr
    assert "$SYS/broker/version" in topics(broker, "$SYS/#")


def test_names_as_the_tables_print_them(broker, topic):
    """Blanks, and what turns a line; a backslash is itself without --escaped."""
    names = [f"{topic}/living room", f"{topic}/\u202e", f"{topic}/a\\b", f"{topic}/\U0001f4a1"]
    for name in names:
        retain(broker, name)
    table = ctl(broker, "retained", f"{topic}/#").stdout
    for name, printed in zip(names, (names[0], f"{topic}/\\u202e", f"{topic}/a\\\\b", names[3])):
        assert printed in table
        ctl(broker, "delete-retained", "--escaped", printed)
    assert topics(broker, f"{topic}/#") == []
    retain(broker, names[2])
    assert "with --escaped, a backslash begins" in ctl(broker, "delete-retained", "--escaped", names[2], status=2).stderr
    ctl(broker, "delete-retained", names[2])
    for wrong in ("\\", "\\x1", "\\xzz", "\\ud800", "\\U00110000", "\\n"):
        assert "backslash" in ctl(broker, "retained", "--escaped", wrong, status=2).stderr, wrong
    assert ctl(broker, "retained", "--escaped", f"{topic}/\\u00e4\\x1b").returncode == 0


# sessions

def test_a_session_is_deleted(broker, topic):
    away(broker, f"{topic}-gone", topic)
    with Wire(broker) as client:
        client.publish(topic, b"queued", qos=1)
    mark = broker.mark()
    assert rows(broker, "delete-session", f"{topic}-gone") == [
        {"client_id": f"{topic}-gone", "user": "anna", "was_connected": False, "deleted": True}]
    assert row(broker, f"{topic}-gone", "sessions") is None
    broker.wait_log("control-command", mark, command="delete-session", client_id=f"{topic}-gone")
    broker.wait_log("session-deleted", mark, client_id=f"{topic}-gone", user="anna", queued="1", subscriptions="1")
    assert "no session" in ctl(broker, "delete-session", f"{topic}-gone", status=1).stderr
    with Wire(broker, client_id=f"{topic}-gone", clean=False, props=AWAY) as client:
        assert not client.connack.session_present


@pytest.mark.parametrize("expiry", [0, 600])
def test_the_session_of_a_connected_client_is_deleted(broker, topic, expiry):
    """It is disconnected first, and its will is published at once, whatever its delay."""
    with Wire(broker) as watcher:
        watcher.subscribe(topic, qos=1)
        with Wire(broker, client_id=f"{topic}-live", will=mqtt.Will(topic, b"will", 1, False, {"will_delay_interval": 300}),
                  props={"session_expiry_interval": expiry}) as client:
            assert rows(broker, "delete-session", f"{topic}-live")[0]["was_connected"] is True
            assert client.expect_close().reason == 0x98
        assert watcher.message().payload == b"will"
    assert row(broker, f"{topic}-live", "sessions") is None


def test_sessions_of_several_users(broker, topic):
    for user in ("porch", "attic"):
        away(broker, topic, user=user)
    assert "--user" in ctl(broker, "delete-session", topic, status=1).stderr
    ctl(broker, "delete-session", topic, "--user", "porch")
    assert row(broker, topic, "sessions")["user"] == "attic"
    assert "no session" in ctl(broker, "delete-session", topic, "--user", "porch", status=1).stderr
    ctl(broker, "delete-session", topic)


def test_what_was_deleted_does_not_come_back(new_broker):
    """The answer is given when it is stored: a crash right after it."""
    with new_broker(acl=ACL, users=USERS, config=CONFIG) as broker:
        for number in range(5):
            retain(broker, f"kept/{number}", client_id="writer")
            away(broker, f"away-{number}", "kept/#")
        with Wire(broker, client_id="live", props=AWAY) as client:
            client.subscribe("kept/#", qos=1)
            for name in ("away-1", "live"):
                ctl(broker, "delete-session", name)
            ctl(broker, "delete-retained", "kept/1")
            ctl(broker, "delete-retained", "kept/+", "--yes")
            retain(broker, "kept/4", b"new")
            broker.crash()
        broker.start()
        assert topics(broker) == ["kept/4"]
        assert sorted(r["client_id"] for r in rows(broker, "sessions")) == ["away-0", "away-2", "away-3", "away-4"]
        broker.stop()
        broker.start()
        assert topics(broker) == ["kept/4"] and len(rows(broker, "sessions")) == 4


def test_the_answer_waits_for_the_store(new_broker):
    """While the disk has no space, nothing is said; then that it is done."""
    broker, disk = new_broker_and_disk(new_broker, {"control": {"socket": "control.sock"}, "persistence": {"directory": "store"}})
    with broker:
        retain(broker, "kept/1")
        mark = broker.mark()
        disk.begin("write", errno.ENOSPC)
        with subprocess.Popen([CTL, "-c", "broker.yaml", "delete-retained", "kept/1"], cwd=broker.directory,
                              env={**os.environ, "ASAN_OPTIONS": broker.environment["ASAN_OPTIONS"]}) as process:
            try:
                broker.wait_log("retained-deleted", mark)
                broker.wait_log("store-full", mark)
                assert topics(broker) == [] and process.poll() is None
            finally:
                disk.heal()
            assert process.wait(TIMEOUT_S) == 0
        broker.crash()
        broker.start()
        assert topics(broker) == []


@pytest.mark.parametrize("durability", ["interval", "none"])
def test_deletions_where_messages_are_less_durable(new_broker, durability):
    """Nobody's session publishes them, and they are stored like those of a client."""
    config = {**CONFIG, "persistence": {"directory": "store", "durability": durability}}
    with new_broker(acl=ACL, users=USERS, config=config) as broker:
        away(broker, "away", "kept/#")
        retain(broker, "kept/1")
        assert topics(broker) == ["kept/1"]
        ctl(broker, "delete-retained", "kept/1")
        assert topics(broker) == [] and row(broker, "away", "sessions")["queued"] == 2
        ctl(broker, "delete-session", "away")
        broker.crash()
        broker.start()
        assert topics(broker) == [] and rows(broker, "sessions") == []


def test_the_broker_stops_while_it_deletes(new_broker):
    """Whoever asked is told, or loses the connection; nothing is left behind (the sanitizer looks)."""
    with new_broker(acl=ACL, users=USERS, config=CONFIG) as broker:
        with Wire(broker) as client:
            for number in range(2000):
                client.publish(f"many/{number}", b"x", retain=True)
            client.settle()
        with subprocess.Popen([CTL, "-c", "broker.yaml", "delete-retained", "many/#", "--yes"], cwd=broker.directory,
                              env=broker.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            broker.wait_log("control-command", command="delete-retained")
            broker.stop()
            assert process.wait(TIMEOUT_S) in (0, 1)
        broker.start()
        broker.stop()
