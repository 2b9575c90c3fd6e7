"""What a client may send while its answers wait for a store that is full, or slow: at most the Receive Maximum of
PUBLISH packets and 64 other answers are owed, and no acknowledgement that makes space stays unread. broker(8), "What is
kept, and when"."""

import errno
import select
import time

import failing_disk
import mqtt
import pytest
from test_watch import row, rows
from websocket import WOULD_BLOCK
from wire import TIMEOUT_S, Wire

OTHERS_MAX = 64
RECEIVE_MAXIMUM = 20
QUOTA = 0x97
KEEP = {"session_expiry_interval": 3600}
CONFIG = {"workers": 2, "control": {"socket": "control.sock"}, "persistence": {"directory": "store"},
          "limits": {"receive_maximum": RECEIVE_MAXIMUM}}
PINGREQ = mqtt.packet(mqtt.PINGREQ, 0, b"")


@pytest.fixture
def broker(broker_and_disk):
    with failing_disk.running(*broker_and_disk) as broker:
        yield broker


@pytest.fixture
def name():
    return f"limit-{failing_disk.serial()}"


class Stuffer:
    """A client that sends as much as the broker reads, and ignores what it gets meanwhile."""

    def __init__(self, wire):
        self.wire, self.unsent, self.got = wire, b"", []
        wire.stream.setblocking(False)

    def push(self, data):
        self.unsent += data

    def move(self):
        """Move some bytes, in either direction, or wait a moment."""
        moved = False
        try:
            if self.unsent:
                self.unsent = self.unsent[self.wire.stream.send(self.unsent[:65536]):]
                moved = True
        except WOULD_BLOCK:
            pass
        try:
            self.wire.fill()
            moved = True
        except WOULD_BLOCK:
            pass
        while (whole := self.wire.split()) is not None:
            self.got.append(mqtt.parse(self.wire.version, *whole))
        if not moved:
            select.select([self.wire.stream], [self.wire.stream] if self.unsent else [], [], 0.02)

    def until(self, ready, what):
        end = time.monotonic() + 3 * TIMEOUT_S
        while not ready():
            assert time.monotonic() < end, f"no {what}: {len(self.unsent)} bytes unsent, {len(self.got)} packets came"
            self.move()

    def count(self, kind):
        return sum(packet.kind == kind for packet in self.got)


def persistent(version):
    return {"clean": version == 5, "props": KEEP if version == 5 else None}


def join(broker, version, name, **more):
    return Wire(broker, version, client_id=name, **persistent(version), **more)


def stop_store(broker, disk, how):
    """Full: no commit finds space. Slow: no commit ends."""
    disk.begin(*{"full": ("write", errno.ENOSPC), "slow": ("hold", 0)}[how])


def owed_stays(broker, stuffer, name, most):
    """The broker reads up to the bound, and no further: nothing more is owed after many turns of its loop."""
    seen = []

    def settled():
        told = row(broker, name)
        seen.append(told["owed"] if told else -1)
        return len(seen) >= 5 and len(set(seen[-5:])) == 1 and seen[-1] > 0

    stuffer.until(settled, f"stand-still: {seen[-10:]}")
    assert seen[-1] <= most, seen[-10:]
    return seen[-1]


both_stores = pytest.mark.parametrize("how", ["full", "slow"])


@both_stores
def test_pings_behind_a_connect(broker, disk, version, name, how):
    """PINGRESP waits for CONNACK; each PINGREQ is answered, once, but only a few may wait. [MQTT-3.12.4-1]"""
    pings = 300_000
    stop_store(broker, disk, how)
    mark = broker.mark()
    wire = Wire(broker, version, client_id=name, connect=False)
    stuffer = Stuffer(wire)
    stuffer.push(mqtt.connect(version, name, user="anna", password=broker.password("anna"), **persistent(version)))
    stuffer.push(PINGREQ * pings)
    while not broker.logged("client-connected", mark):
        stuffer.move()
    owed_stays(broker, stuffer, name, OTHERS_MAX)
    assert stuffer.got == []
    disk.heal()
    stuffer.until(lambda: stuffer.count(mqtt.PINGRESP) >= pings, "PINGRESPs")
    assert stuffer.got[0].kind == mqtt.CONNACK and len(stuffer.got) == pings + 1
    wire.close()


@both_stores
@pytest.mark.parametrize("what", ["subscribe", "unsubscribe"])
def test_small_packets(broker, disk, version, name, how, what):
    count = 3000
    wire = join(broker, version, name)
    if what == "unsubscribe":
        for first in range(0, count, 500):
            wire.subscribe(*(f"u/{name}/{n}" for n in range(first, first + 500)))
    stop_store(broker, disk, how)
    stuffer = Stuffer(wire)
    for n in range(count):
        filter_ = f"u/{name}/{n}"
        stuffer.push(mqtt.subscribe(version, n + 10, [(filter_, 1)]) if what == "subscribe"
                     else mqtt.unsubscribe(version, n + 10, [filter_]))
    owed_stays(broker, stuffer, name, OTHERS_MAX)
    assert stuffer.got == []
    disk.heal()
    kind = {"subscribe": mqtt.SUBACK, "unsubscribe": mqtt.UNSUBACK}[what]
    stuffer.until(lambda: stuffer.count(kind) >= count, "answers")
    assert [packet.packet_id for packet in stuffer.got] == list(range(10, count + 10))
    wire.close()


@both_stores
@pytest.mark.parametrize("qos", [1, 2])
def test_publishes_of_311(broker, disk, name, topic, how, qos):
    """3.1.1 has no Receive Maximum: the client is not read beyond it, and loses nothing."""
    count, version = 500, 4
    join(broker, version, f"{name}-away").subscribe(topic, qos=qos)
    wire = Wire(broker, version, client_id=name)
    stop_store(broker, disk, how)
    stuffer = Stuffer(wire)
    for n in range(1, count + 1):
        stuffer.push(mqtt.publish(version, topic, b"%d" % n, qos=qos, packet_id=n))
    assert owed_stays(broker, stuffer, name, RECEIVE_MAXIMUM) == RECEIVE_MAXIMUM
    assert stuffer.got == []
    disk.heal()
    kind = mqtt.PUBACK if qos == 1 else mqtt.PUBREC
    stuffer.until(lambda: stuffer.count(kind) >= count, "acknowledgements")
    assert [packet.packet_id for packet in stuffer.got] == list(range(1, count + 1))
    wire.close()


def test_qos2_identifiers_do_not_stop_reading(broker, version, name, topic):
    """As many identifiers as the Receive Maximum permits wait for PUBREL: everything else is read, and the PUBRELs that
    end them."""
    with Wire(broker, version, client_id=name) as wire:
        for n in range(1, RECEIVE_MAXIMUM + 1):
            wire.send(mqtt.publish(version, topic, b"x", qos=2, packet_id=n))
            wire.expect(mqtt.PUBREC, n)
        wire.settle()
        wire.subscribe(topic)
        for n in range(1, RECEIVE_MAXIMUM + 1):
            wire.send(mqtt.ack(version, mqtt.PUBREL, n))
            wire.expect(mqtt.PUBCOMP, n)
        wire.publish(topic, b"y", qos=2)


# the store is full, and what frees it stands behind what cannot be kept

SKIPPED = "the store is full, and messages were skipped: connect again to send them"
SMALL = {"workers": 2, "control": {"socket": "control.sock"},
         "persistence": {"directory": "store", "max_size": "1M"},
         "limits": {"queue_messages": 3000, "max_packet_size": "256k", "receive_maximum": 65535}}


def body(number):
    return b"%06d " % number + b"x" * 4000


def fill(broker, filler, topic):
    """Publish until the store is full; returns how many were acknowledged."""
    mark = broker.mark()
    for number in range(1, 10_000):
        filler.push(mqtt.publish(5, f"{topic}/queue", body(number), qos=1, packet_id=number))
        filler.until(lambda: filler.count(mqtt.PUBACK) == number or broker.logged("store-full", mark), "PUBACK")
        if filler.count(mqtt.PUBACK) < number:
            return number - 1
    raise AssertionError("the store is never full")


@pytest.fixture
def small(new_broker):
    with new_broker(config=SMALL, acl=failing_disk.ACL) as broker:
        yield broker


def queue_up(broker, version, name, topic):
    """A session with a queue that fills the store. Returns its publisher, its client, and the messages that the client
    has got so far and not acknowledged. A second session subscribes to what this client publishes."""
    for session, filter_ in ((name, f"{topic}/queue"), (f"{name}-2", f"{topic}/mine")):
        away = join(broker, version, session)
        away.subscribe(filter_, qos=1)
        away.disconnect()
    filler = Wire(broker, client_id=f"{name}-filler")
    fill(broker, Stuffer(filler), topic)
    props = {**KEEP, "receive_maximum": 10} if version == 5 else None
    back = Wire(broker, version, client_id=name, clean=False, props=props, ack=False)
    got = [back.message()]
    return filler, back, got + back.messages


def drain(stuffer, version, topic):
    """Acknowledge messages until the broker closes the connection; returns the payloads, and its last packet."""
    seen, done = [], 0
    try:
        while True:
            stuffer.move()
            for packet in stuffer.got[done:]:
                if packet.kind == mqtt.PUBLISH:
                    assert packet.topic == f"{topic}/queue"
                    seen.append(packet.payload)
                    stuffer.push(mqtt.ack(version, mqtt.PUBACK, packet.packet_id))
            done = len(stuffer.got)
    except Exception as end:  # noqa: BLE001
        if type(end).__name__ != "Closed":
            raise
    return seen, [packet for packet in stuffer.got if packet.kind == mqtt.DISCONNECT]


def test_the_queue_drains(small, version, name, topic):
    """2,000 PUBLISHes precede the first PUBACK: the queue drains all the same, and the end of the connection says that
    packets were skipped."""
    filler, back, got = queue_up(small, version, name, topic)
    mark = small.mark()
    stuffer = Stuffer(back)
    for n in range(1, 2001):
        stuffer.push(mqtt.publish(version, f"{topic}/mine", b"%04d" % n + b"y" * 50, qos=1, packet_id=n))
    stuffer.push(mqtt.publish(version, "zero/after", b"dropped"))
    for packet in got:
        stuffer.push(mqtt.ack(version, mqtt.PUBACK, packet.packet_id))
    with Wire(small) as live:
        live.subscribe(f"{topic}/mine", "zero/#", qos=1)
        seen, said = drain(stuffer, version, topic)
        told = small.wait_log("client-disconnected", mark, client_id=name)
        assert told["cause"] == SKIPPED and told["reason"] == "Quota exceeded"
        assert [packet.reason for packet in said] == ([QUOTA] if version == 5 else [])
        assert len(got) + len(seen) > 100 and len(set(seen)) == len(seen)
        small.wait_log("store-resumed", mark)
        # What was acknowledged is a prefix of what was sent, and subscribers have exactly that, in order.
        acknowledged = [p.packet_id for p in stuffer.got if p.kind == mqtt.PUBACK]
        assert acknowledged == list(range(1, len(acknowledged) + 1)) and len(acknowledged) < 2000
        live.publish("zero/end", b"end", qos=1)
        assert [m.payload[:4] for m in live.until(b"end")] == [b"%04d" % n for n in acknowledged]
    assert rows(small, "status")[0]["store"] == "ok"
    filler.close()
    with join(small, version, name) as again:
        again.publish(f"{topic}/mine", b"again", qos=1)
