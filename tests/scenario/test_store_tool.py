"""broker-store on a broker's own store: what a backup made during publishing restores for clients."""

import contextlib
import os
import subprocess
import threading

import pytest
from broker_fixture import TIMEOUT_S, ROOT
from mqtt import Will
from wire import Wire

STORE = os.environ.get("VAKT_STORE", str(ROOT / "build/tools/broker-store"))
KEEP = {"session_expiry_interval": 3600}
ENOUGH = 150


@pytest.fixture
def broker(new_broker):
    """Not running yet; its store is beside its configuration."""
    return new_broker(config={"persistence": {"directory": "store"}, "limits": {"queue_messages": 60000}})


def store(broker, *words):
    done = subprocess.run([STORE, *words], cwd=broker.directory, env=broker.environment, text=True, capture_output=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
    assert done.returncode == 0 and done.stderr == "", f"broker-store {words}: {done.stdout}{done.stderr}"
    return done.stdout


class Publisher(threading.Thread):
    """Publishes numbers to queue/1, and each as the retained message of kept/N mod 10, one acknowledged after the
    other."""

    def __init__(self, broker):
        super().__init__(daemon=True)
        self.broker, self.changed = broker, threading.Condition()
        self.acknowledged, self.enough, self.failure = 0, False, None

    def run(self):
        try:
            with Wire(self.broker) as client:
                while not self.enough:
                    number = self.acknowledged
                    client.publish("queue/1", str(number).encode(), qos=1 + number % 2)
                    client.publish(f"kept/{number % 10}", str(number).encode(), qos=1, retain=True)
                    with self.changed:
                        self.acknowledged += 1
                        self.changed.notify_all()
        except BaseException as failure:  # pylint: disable=broad-except
            with self.changed:
                self.failure = failure
                self.changed.notify_all()

    def wait_for(self, more):
        """Wait until so many more are acknowledged; returns how many there are then."""
        with self.changed:
            wanted = self.acknowledged + more
            done = self.changed.wait_for(lambda: self.failure or self.acknowledged >= wanted, TIMEOUT_S)
            assert done and self.failure is None, self.failure
            return self.acknowledged

    def stop(self):
        self.enough = True
        self.join(TIMEOUT_S)
        assert not self.is_alive() and self.failure is None, self.failure
        return self.acknowledged


@contextlib.contextmanager
def publishing(broker):
    publisher = Publisher(broker)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()


def leave_a_session(broker, name, topic):
    with Wire(broker, client_id=name, clean=False, props=KEEP) as client:
        client.subscribe(topic)
        client.disconnect()


def queue_of(broker, name):
    """Its queued messages, as numbers; the session is resumed."""
    with Wire(broker, client_id=name, clean=False, props=KEEP) as client, Wire(broker) as other:
        assert client.connack.session_present
        other.publish("queue/1", b"end", qos=1)
        got = client.until(b"end")
        client.disconnect()
        assert [m.qos for m in got] == [1 + int(m.payload) % 2 for m in got]
        return [int(m.payload) for m in got]


def retained(broker):
    with Wire(broker) as client:
        client.subscribe("kept/#")
        got = [client.message() for _ in range(10)]
        client.settle()
        assert client.messages == []
        return {int(m.topic[5:]): int(m.payload) for m in got}


def backups_while_publishing(broker, count):
    """[(acknowledged before, after, path)], one of each state; then more messages that are in none of them."""
    made = []
    with publishing(broker) as publisher:
        for number in range(count):
            before = publisher.wait_for(ENOUGH)
            path = store(broker, "store", "backup", f"backup-{number}").strip()
            made.append((before, publisher.wait_for(1), path))
        publisher.wait_for(ENOUGH)
    return made


def assert_state(broker, before, after):
    """The state of one moment between the two: everything acknowledged before it, and no gaps."""
    queue = queue_of(broker, "away")
    assert before <= len(queue) <= after + 1
    assert queue == list(range(len(queue)))
    values = retained(broker)
    assert sorted(values) == list(range(10))
    newest = max(values.values()) + 1
    assert len(queue) - 1 <= newest <= len(queue), "one moment for all tables"
    assert values == {number % 10: number for number in range(newest - 10, newest)}


def test_a_backup_made_while_publishing_comes_back(broker):
    """Each of several backups; the store from before a restore is still there."""
    with broker:
        leave_a_session(broker, "away", "queue/1")
        made = backups_while_publishing(broker, 3)
    for before, after, path in reversed(made):
        assert store(broker, path, "check").startswith("ok: ")
        assert "the old store is now store/data.mdb.replaced" in store(broker, "store", "restore", path)
        with broker:
            assert_state(broker, before, after)
            assert queue_of(broker, "away") == [], "acknowledged, and so it does not come again"
    assert len(list((broker.directory / "store").glob("data.mdb.replaced*"))) == len(made)


def test_a_backup_moves_to_another_broker(broker, new_broker):
    """With the password file, to whose entries the sessions belong; a user of the same name elsewhere is another
    one."""
    with broker:
        leave_a_session(broker, "away", "queue/1")
        [(before, after, path)] = backups_while_publishing(broker, 1)
    other = new_broker(config={key: broker.config[key] for key in ("persistence", "limits")})
    backup = str(broker.directory / path)
    store(other, "store", "restore", backup)
    with other, Wire(other, client_id="away", clean=False) as client:
        assert not client.connack.session_present
    other.write_file("users.passwd", (broker.directory / "users.passwd").read_text())
    store(other, "store", "restore", backup)
    with other:
        assert_state(other, before, after)


def test_a_compacted_store_goes_on(broker):
    with broker:
        leave_a_session(broker, "away", "queue/1")
        leave_a_session(broker, "gone", "queue/1")
        with publishing(broker) as publisher:
            publisher.wait_for(4 * ENOUGH)
        sent = publisher.acknowledged
        assert len(queue_of(broker, "gone")) == sent
        with Wire(broker, client_id="gone") as client:  # its session ends
            client.disconnect()
    data = broker.directory / "store" / "data.mdb"
    size = data.stat().st_size
    store(broker, "store", "compact")
    assert data.stat().st_size < size
    with broker:
        assert queue_of(broker, "away") == list(range(sent))


def leave_everything(broker):
    """A session that has a queue, one that waits for a QoS 2 message, a retained message with properties, a will that waits."""
    leave_a_session(broker, "away", "queue/1")
    with Wire(broker, client_id="half", clean=False, props=KEEP) as half, Wire(broker) as other:
        half.subscribe("half/1", qos=2)
        other.publish("queue/1", b"0", qos=1)
        other.publish("queue/1", b"1", qos=2)
        other.publish("kept/1", b"\x00\xff", qos=1, retain=True, props={"content_type": "bytes", "user_property": [("a", "b")]})
        half.disconnect()
        other.publish("half/1", b"later", qos=2)
    will = Will("will/1", b"gone", qos=1, props={"will_delay_interval": 3600})
    with Wire(broker, client_id="mortal", clean=False, props=KEEP, will=will):
        pass


def assert_everything(broker):
    assert queue_of(broker, "away") == [0, 1]
    with Wire(broker, client_id="half", clean=False, props=KEEP) as half:
        assert half.connack.session_present
        found = half.message()
        assert (found.topic, found.payload, found.qos) == ("half/1", b"later", 2)
    with Wire(broker) as late:
        late.subscribe("kept/#")
        found = late.message()
        assert (found.payload, found.retain) == (b"\x00\xff", True)
        assert found.props["content_type"] == "bytes" and found.props["user_property"] == [("a", "b")], found.props
        late.subscribe("will/#")
        # Whoever ends the session ends the delay, too: [MQTT5-3.1.3-9]
        with Wire(broker, client_id="mortal", clean=True) as heir:
            assert not heir.connack.session_present
        assert late.message().payload == b"gone"


@pytest.mark.parametrize("running", [True, False], ids=["beside-the-broker", "at-rest"])
def test_a_dump_moves_to_another_machine(broker, new_broker, running):
    """Sessions, subscriptions, queues, retained values and wills, seen by clients."""
    with broker:
        leave_everything(broker)
        if running:
            broker.wait_log("client-disconnected", client_id="mortal")
            text = store(broker, "store", "dump")
    if not running:
        text = store(broker, "store", "dump")
    other = new_broker(config={key: broker.config[key] for key in ("persistence", "limits")})
    other.write_file("users.passwd", (broker.directory / "users.passwd").read_text())
    other.write_file("dump", text)
    assert store(other, "store", "load", "dump") == ""
    with other:
        assert_everything(other)


def test_a_dump_made_while_publishing_is_of_one_moment(broker, new_broker):
    with broker:
        leave_a_session(broker, "away", "queue/1")
        with publishing(broker) as publisher:
            before = publisher.wait_for(ENOUGH)
            text = store(broker, "store", "dump")
            after = publisher.wait_for(1)
    other = new_broker(config={key: broker.config[key] for key in ("persistence", "limits")})
    other.write_file("users.passwd", (broker.directory / "users.passwd").read_text())
    other.write_file("dump", text)
    store(other, "store", "load", "dump")
    with other:
        assert_state(other, before, after)
