"""broker-store on a broker's own store: what a backup that was made while messages came in brings back, to clients."""

import contextlib
import os
import subprocess
import threading

import pytest
from house import PATIENCE_S, ROOT
from wire import Wire

STORE = os.environ.get("VAKT_STORE", str(ROOT / "build/tools/broker-store"))
KEEP = {"session_expiry_interval": 3600}
ENOUGH = 150


@pytest.fixture
def house(new_house):
    """Not running yet; its store is beside its configuration."""
    return new_house(config={"persistence": {"directory": "store"}, "limits": {"queue_messages": 60000}})


def store(house, *words):
    done = subprocess.run([STORE, *words], cwd=house.directory, env=house.environment, text=True, capture_output=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
    assert done.returncode == 0 and done.stderr == "", f"broker-store {words}: {done.stdout}{done.stderr}"
    return done.stdout


class Publisher(threading.Thread):
    """Numbers to queue/1, and each as the retained value of kept/N mod 10, one acknowledged after the other."""

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
        """Until so many more are acknowledged; how many there are then."""
        with self.changed:
            wanted = self.acknowledged + more
            done = self.changed.wait_for(lambda: self.failure or self.acknowledged >= wanted, PATIENCE_S)
            assert done and self.failure is None, self.failure
            return self.acknowledged

    def stop(self):
        self.enough = True
        self.join(PATIENCE_S)
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
    """What waited for it, as numbers; the session is resumed."""
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


def backups_while_publishing(house, count):
    """[(acknowledged before, after, path)], one of each state; then more comes that is in none of them."""
    made = []
    with publishing(house) as publisher:
        for number in range(count):
            before = publisher.wait_for(ENOUGH)
            path = store(house, "store", "backup", f"backup-{number}").strip()
            made.append((before, publisher.wait_for(1), path))
        publisher.wait_for(ENOUGH)
    return made


def assert_state(house, before, after):
    """Of one moment between the two: all that was acknowledged before it, and no gaps."""
    queue = queue_of(house, "away")
    assert before <= len(queue) <= after + 1
    assert queue == list(range(len(queue)))
    values = retained(house)
    assert sorted(values) == list(range(10))
    newest = max(values.values()) + 1
    assert len(queue) - 1 <= newest <= len(queue), "one moment for all tables"
    assert values == {number % 10: number for number in range(newest - 10, newest)}


def test_a_backup_made_while_publishing_comes_back(house):
    """Each of several; the one that was there before a restore is still there."""
    with house:
        leave_a_session(house, "away", "queue/1")
        made = backups_while_publishing(house, 3)
    for before, after, path in reversed(made):
        assert store(house, path, "check").startswith("fine: ")
        assert "what was there is now store/data.mdb.replaced" in store(house, "store", "restore", path)
        with house:
            assert_state(house, before, after)
            assert queue_of(house, "away") == [], "acknowledged, and so it does not come again"
    assert len(list((house.directory / "store").glob("data.mdb.replaced*"))) == len(made)


def test_a_backup_moves_a_house(house, new_house):
    """With the password file, whose entries the sessions belong to; a namesake elsewhere is somebody else."""
    with house:
        leave_a_session(house, "away", "queue/1")
        [(before, after, path)] = backups_while_publishing(house, 1)
    other = new_house(config={key: house.config[key] for key in ("persistence", "limits")})
    backup = str(house.directory / path)
    store(other, "store", "restore", backup)
    with other, Wire(other, client_id="away", clean=False) as client:
        assert not client.connack.session_present
    other.write_file("users.passwd", (house.directory / "users.passwd").read_text())
    store(other, "store", "restore", backup)
    with other:
        assert_state(other, before, after)


def test_a_compacted_store_goes_on(house):
    with house:
        leave_a_session(house, "away", "queue/1")
        leave_a_session(house, "gone", "queue/1")
        with publishing(house) as publisher:
            publisher.wait_for(4 * ENOUGH)
        sent = publisher.acknowledged
        assert len(queue_of(house, "gone")) == sent
        with Wire(house, client_id="gone") as client:  # its session ends
            client.disconnect()
    data = house.directory / "store" / "data.mdb"
    size = data.stat().st_size
    store(house, "store", "compact")
    assert data.stat().st_size < size
    with house:
        assert queue_of(house, "away") == list(range(sent))
