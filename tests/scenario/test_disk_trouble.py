"""The disk of the store fails, is full, or writes only part of the data, while clients are connected (failing_disk.py).
"Full store" and "Failed store" in broker(8)."""

import errno
import signal
import time

import failing_disk
import pytest
from clients import MosquittoSub, Paho, mosquitto_options, mosquitto_pub
from broker_fixture import BrokerFixture
from process import TIMEOUT_S, LineProcess
from test_watch import SYS, ctl, rows

TEXT = {errno.EIO: "Input/output error", errno.ENOSPC: "No space left on device"}
CONFIG = {"workers": 2, "control": {"socket": "control.sock"}, "persistence": {"directory": "store"}}


class Publisher(LineProcess):
    """mosquitto_pub with one message, which has been sent after construction, and waits for its acknowledgement."""

    def __init__(self, broker, topic, payload, *, qos=1, version=5, retain=False):
        options = mosquitto_options(broker, version, "anna", None, None, None) + (["-r"] if retain else [])
        super().__init__(["stdbuf", "-oL", "mosquitto_pub", *options, "-d", "-t", topic, "-m", payload, "-q", str(qos)])
        self.wait_line("sending PUBLISH")

    def has(self, packet):
        return any(f"received {packet}" in line for line in self.lines)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


@pytest.fixture
def broker(broker_and_disk):
    with failing_disk.running(*broker_and_disk) as broker:
        yield broker


@pytest.fixture
def name():
    return f"kept-{failing_disk.serial()}"


def session_of(name, version):
    return ["-c", "-i", name, *(["-x", "3600"] if version == 5 else [])]


def leave_session(broker, name, version, topic):
    """A stored session with this subscription, whose client is offline."""
    with MosquittoSub(broker, *session_of(name, version), "-q", "1", "-t", topic, "-E", version=version) as sub:
        assert sub.wait() == 0  # with the SUBACK


def waiting(broker, name, version, topic):
    """The queued messages, in order, after the client has reconnected."""
    with MosquittoSub(broker, *session_of(name, version), "-q", "1", "-t", topic, version=version,
                      subscribed=False) as sub:
        assert mosquitto_pub(broker, "-t", topic, "-m", "end", "-q", "1").returncode == 0
        sub.message(f"1 0 {topic} end")
        head = f"MESSAGE 1 0 {topic} "
        got = [line.removeprefix(head) for line in sub.lines if line.startswith(head)]
        return got[:got.index("end")]


def acknowledged(broker, topic, *payloads, retain=False, **options):
    for payload in payloads:
        done = mosquitto_pub(broker, "-t", topic, "-m", payload, "-q", "1", *(["-r"] if retain else []), **options)
        assert done.returncode == 0, done.stderr


def retained(broker, topic):
    with Paho(broker) as client:
        client.subscribe(topic)
        return client.message().payload


def says(broker, state, error):
    status = rows(broker, "status")[0]
    assert (status["store"], status["store_error"]) == (state, error)
    assert any(line.startswith("store ") and state in line for line in ctl(broker, "status").stdout.splitlines())


def goes_on(broker, topic, version):
    """Messages that need no disk are not affected: QoS 0, and those for no stored session."""
    with Paho(broker, version) as sub, Paho(broker, version) as pub:
        assert sub.subscribe(f"{topic}/live", 1) == [1]
        for qos in (0, 1):
            pub.publish(f"{topic}/live", f"live {qos}", qos)
            assert sub.message().payload == b"live %d" % qos


# the disk fails

FAILS = {"sync": ("sync", errno.EIO), "write": ("write", errno.EIO), "short": ("short", errno.EIO)}


def fails(broker, disk, kind, begin):
    """begin() meets the failure; returns when the broker has reported it."""
    mark = broker.mark()
    disk.begin(*FAILS[kind])
    begun = begin()
    said = broker.wait_log("store-failed", mark)
    assert said["error"] == TEXT[errno.EIO] and said["level"] == "error"
    assert "check the disk, then restart" in said["remedy"]
    return begun


def ends(broker):
    """Within the stop timeout of a service manager, with status 0."""
    since = time.monotonic()
    broker.stop()
    assert time.monotonic() - since < TIMEOUT_S


@pytest.mark.parametrize("kind", FAILS)
def test_a_failed_disk_stops_acknowledgements(broker, disk, version, topic, name, kind):
    """Messages that are not stored are not acknowledged, neither then nor at the stop; acknowledged ones survive."""
    leave_session(broker, name, version, topic)
    acknowledged(broker, topic, "one", "two", version=version)
    with MosquittoSub(broker, "-t", topic, "-q", "1", version=version) as live, \
            fails(broker, disk, kind, lambda: Publisher(broker, topic, "lost?", version=version)) as pub:
        says(broker, "failed", TEXT[errno.EIO])
        disk.heal()  # too late
        assert mosquitto_pub(broker, "-t", topic, "-m", "zero", version=version).returncode == 0
        live.message(f"0 0 {topic} zero")
        goes_on(broker, topic, version)
        says(broker, "failed", TEXT[errno.EIO])
        assert pub.child.poll() is None
        ends(broker)
        assert pub.wait() != 0 and not pub.has("PUBACK"), pub.lines
    broker.start()
    says(broker, "ok", None)
    assert waiting(broker, name, version, topic) in (["one", "two"], ["one", "two", "lost?"])


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_a_disk_fails_with_messages_in_flight(broker, disk, topic, name, end):
    """QoS 2, a retained message, and messages sent after the failure; nothing waits for them at the stop."""
    leave_session(broker, name, 5, topic)
    acknowledged(broker, f"{topic}/value", "old", retain=True)
    with fails(broker, disk, "sync", lambda: Publisher(broker, topic, "twice?", qos=2)) as first, \
            Publisher(broker, f"{topic}/value", "new", retain=True) as second, \
            Publisher(broker, topic, "late", version=4) as third:
        goes_on(broker, topic, 5)
        assert all(pub.child.poll() is None for pub in (first, second, third))
        {"stop": ends, "crash": BrokerFixture.crash}[end](broker)
        assert all(pub.wait() != 0 for pub in (first, second, third))
        assert not any(pub.has(packet) for pub in (first, second, third) for packet in ("PUBACK", "PUBREC"))
    disk.heal()
    broker.start()
    assert retained(broker, f"{topic}/value") in (b"old", b"new")
    assert set(waiting(broker, name, 5, topic)) <= {"twice?", "late"}


def refused(broker, version, client_id, **options):
    Paho(broker, version, client_id=client_id, expect=0x88 if version == 5 else 3, **options).client.loop_stop()


def test_a_client_that_needs_a_session_is_refused(broker, disk, version, topic, name):
    """A new session, or a stored one, whose end would be uncertain too. Connected clients stay connected."""
    keep = {"clean": False, "expiry": 3600 if version == 5 else None}
    leave_session(broker, name, version, topic)
    with MosquittoSub(broker, *session_of(f"{name}-here", version), "-t", topic, version=version) as here:
        with fails(broker, disk, "sync", lambda: Publisher(broker, topic, "lost?")):
            for client_id, how in ((f"{name}-new", keep), (name, keep), (f"{name}-here", keep), (name, {"clean": True})):
                mark = broker.mark()
                refused(broker, version, client_id, **how)
                broker.wait_log("connect-refused", mark, client_id=client_id,
                                cause=lambda cause: "the store has failed" in cause)
            with Paho(broker, version, client_id=f"{name}-clean") as client:
                client.publish(topic, "zero")
            here.message(f"0 0 {topic} zero")
    broker.stop()
    disk.heal()
    broker.start()
    mark = broker.mark()
    with MosquittoSub(broker, *session_of(name, version), "-t", topic, version=version):
        broker.wait_log("client-connected", mark, client_id=name, session_present=1)


# there is no room

NO_ROOM = ["write", "sync"]


def full(broker, disk, kind, begin):
    """begin() finds no space; returns when the broker has reported it."""
    mark = broker.mark()
    disk.begin(kind, errno.ENOSPC)
    begun = begin()
    said = broker.wait_log("store-full", mark)
    assert said["error"] == TEXT[errno.ENOSPC] and said["level"] == "error"
    assert "free some space on its file system" in said["remedy"]
    says(broker, "full", TEXT[errno.ENOSPC])
    return begun


def resumes(broker, disk, mark):
    disk.heal()
    broker.wait_log("store-resumed", mark)
    says(broker, "ok", TEXT[errno.ENOSPC])
    assert len(broker.logged("store-full", mark)) == len(broker.logged("store-resumed", mark)) == 1


def cut(broker, disk, topic):
    """A power cut: what was written and not synced may be on the disk or not."""
    disk.begin("cut", 0)
    mosquitto_pub(broker, "-t", topic, "-m", "cut", "-q", "1")
    assert broker.process.wait() == -signal.SIGKILL
    broker.crash()
    disk.heal()
    broker.start()


@pytest.mark.parametrize("kind", NO_ROOM)
@pytest.mark.parametrize("qos", [1, 2])
def test_no_room(broker, disk, version, topic, name, kind, qos):
    """Publishers wait, and get their acknowledgements when there is space; nothing is lost or duplicated."""
    packet = "PUBACK" if qos == 1 else "PUBREC"
    leave_session(broker, name, version, topic)
    acknowledged(broker, topic, "one", version=version)
    mark = broker.mark()
    with full(broker, disk, kind, lambda: Publisher(broker, topic, "two", qos=qos, version=version)) as pub, \
            Publisher(broker, f"{topic}/value", "new", retain=True, version=version) as other:
        goes_on(broker, topic, version)
        assert not pub.has(packet) and not other.has("PUBACK")
        assert pub.child.poll() is None and other.child.poll() is None
        resumes(broker, disk, mark)
        assert pub.wait() == 0 and other.wait() == 0
        assert pub.has(packet) and other.has("PUBACK")
    acknowledged(broker, topic, "three", version=version)
    cut(broker, disk, topic)
    assert retained(broker, f"{topic}/value") == b"new"
    assert [one for one in waiting(broker, name, version, topic) if one != "cut"] == ["one", "two", "three"]


def test_no_room_for_a_session(broker, disk, version, topic, name):
    """Its CONNACK waits like an acknowledgement; a client without a session does not wait."""
    leave_session(broker, f"{name}-away", version, topic)
    acknowledged(broker, topic, "zero", version=version)  # and what was before it is on disk
    mark = broker.mark()
    with full(broker, disk, "write", lambda: Publisher(broker, topic, "one", version=version)) as pub, \
            MosquittoSub(broker, *session_of(name, version), "-q", "1", "-t", topic, version=version,
                         subscribed=False) as sub:
        broker.wait_log("client-connected", mark, client_id=name)
        goes_on(broker, topic, version)
        assert not any("CONNACK" in line for line in sub.lines)
        resumes(broker, disk, mark)
        sub.wait_line("Subscribed (")
        assert pub.wait() == 0
        acknowledged(broker, topic, "two", version=version)
        sub.message(f"1 0 {topic} two")
        cut(broker, disk, f"{topic}/other")
    assert waiting(broker, f"{name}-away", version, topic) == ["zero", "one", "two"]


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_stop_with_a_full_disk(broker, disk, version, topic, name, end):
    """In time, with status 0, and without an acknowledgement."""
    leave_session(broker, name, version, topic)
    acknowledged(broker, topic, "one", version=version)
    with full(broker, disk, "write", lambda: Publisher(broker, topic, "lost?", version=version)) as pub:
        {"stop": ends, "crash": BrokerFixture.crash}[end](broker)
        assert pub.wait() != 0 and not pub.has("PUBACK"), pub.lines
    disk.heal()
    broker.start()
    acknowledged(broker, topic, "two", version=version)
    assert waiting(broker, name, version, topic) in (["one", "two"], ["one", "lost?", "two"])


# and $SYS tells

def test_monitoring_shows_the_state_of_the_store(broker, disk, topic, name):
    leave_session(broker, name, 5, topic)
    mark = broker.mark()
    with MosquittoSub(broker, "-t", f"{SYS}store/state", "-t", f"{SYS}store/error") as watcher:
        watcher.message(f"0 1 {SYS}store/state ok")
        with full(broker, disk, "write", lambda: Publisher(broker, topic, "one")) as pub:
            watcher.message(f"0 0 {SYS}store/state full")
            watcher.message(f"0 0 {SYS}store/error {TEXT[errno.ENOSPC]}")
            resumes(broker, disk, mark)
            assert pub.wait() == 0
        watcher.message(f"0 0 {SYS}store/state ok")
        with fails(broker, disk, "sync", lambda: Publisher(broker, topic, "lost?")):
            watcher.message(f"0 0 {SYS}store/state failed")
            watcher.message(f"0 0 {SYS}store/error {TEXT[errno.EIO]}")
