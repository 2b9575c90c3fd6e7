"""Attacks on memory by a user with a valid login ("eve"): one for each thing that a client can size. Each function takes a broker, a
number of connections and the bytes that each of them asks for, and returns what has to stay open."""

import contextlib
import socket

import mqtt
from wire import Closed, Wire, tls_context

KEEP = {"session_expiry_interval": 1000}
PIECE = 12_000  # arrives whole, in one record
LONG = 60_000


def attackers(broker, count, **options):
    context = tls_context(broker.pki)
    for _ in range(count):
        with contextlib.suppress(Closed):  # a CONNECT that is too large to wait for its end
            yield Wire(broker, user="eve", context=context, expect=None, **options)


def accepted(broker, count, **options):
    """The connections that are accepted."""
    return [wire for wire in attackers(broker, count, **options) if wire.connack.reason == 0]


def subscriptions(broker, count, size):
    """Filters that no other client has, level by level."""
    wires = accepted(broker, count)
    for number, wire in enumerate(wires):
        for batch in range(0, size // 700, 100):
            filters = [f"eve/{number}/{n}/" + "/".join(f"{n}.{m}" for m in range(5)) + "/#" for n in range(batch, batch + 100)]
            wire.send(mqtt.subscribe(5, 1, [(f, 0) for f in filters]))
            answer = wire.expect(mqtt.SUBACK)
            assert set(answer.reasons) <= {0, 0x97}, answer
            if 0x97 in answer.reasons:
                break
    return wires


def no_reader(wire):
    wire.acks = False
    wire.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return wire


def slow_readers(broker, count, size, qos=0):
    """QoS 0 messages for clients that do not read; the kernel takes some MB of them."""
    wires = [no_reader(wire) for wire in accepted(broker, count)]
    for wire in wires:
        wire.subscribe("eve/flood", qos=qos, expect=[0] if qos == 0 else [qos])
    with Wire(broker, user="alice") as sender:
        for _ in range((size + 6_000_000) // PIECE):
            sender.publish("eve/flood", b"x" * PIECE, qos=1)
    return wires


def in_flight(broker, count, size):
    """Messages that are never acknowledged."""
    return slow_readers(broker, count, size, qos=1)


def queues(broker, count, size):
    """Sessions of offline clients, and messages for them."""
    for number in range(count):
        for wire in accepted(broker, 1, client_id=f"eve-{number}", props=KEEP):
            wire.subscribe(f"eve/queue/{number}", qos=1)
            wire.disconnect()
    wires = accepted(broker, 1)
    for wire in wires:
        for number in range(count):
            for n in range(size // PIECE):
                wire.publish(f"eve/queue/{number}", bytes([n & 255]) * PIECE, qos=1)
    return wires


def unfinished(broker, count, size):
    """A PUBLISH without its end."""
    wires = accepted(broker, count)
    body = b"\0\3eve\0" + b"x" * min(size, 1_900_000)
    header = bytes([mqtt.PUBLISH << 4]) + mqtt.varint(len(body) + 1)
    for wire in wires:
        with contextlib.suppress(Closed):
            wire.send(header + body)
    return wires


def unfinished_connects(broker, count, size):
    """The same from clients that have not logged in."""
    wires = []
    for _ in range(count):
        wire = Wire(broker, connect=False)
        wires.append(wire)
        with contextlib.suppress(Closed):
            wire.send(bytes([mqtt.CONNECT << 4]) + mqtt.varint(65_000) + b"\0\4MQTT\5\2\0\x3c\0" + b"x" * min(size, 64_000))
    return wires


def aliases(broker, count, size):
    """Aliases of long topics, also set by denied messages. A client above its limit is disconnected in the middle of
    one."""
    wires = accepted(broker, count)
    for wire in wires:
        with contextlib.suppress(Closed, AssertionError):
            for n in range(1, 1 + min(10, size // LONG)):
                wire.publish(f"secret/{n}/" + "a" * (LONG - 20), b"", props={"topic_alias": n})
            wire.settle()
    return wires


def aliases_out(broker, count, size):
    """The same in the other direction."""
    wires = accepted(broker, count, props={"topic_alias_maximum": 100})
    for wire in wires:
        wire.subscribe("alice/+/out", qos=0)
    with Wire(broker, user="alice") as sender:
        for n in range(min(16, size // LONG)):
            sender.publish(f"alice/{n}{'a' * (LONG - 20)}/out", b"", qos=1)
    for wire in wires:
        wire.settle()
    return wires


def wills(broker, count, size):
    return list(attackers(broker, count, will=mqtt.Will("eve/will", b"x" * min(size, LONG))))


def client_ids(broker, count, size):
    return [wire for n in range(count)
            for wire in attackers(broker, 1, client_id=f"{n}-" + "i" * min(size, LONG), props=KEEP)]


def identifiers(broker, count, size):
    """QoS 2 messages that are never released."""
    wires = accepted(broker, count)
    for wire in wires:
        for packet_id in range(1, 1 + min(80, size // 100)):
            wire.send(mqtt.publish(5, "eve/2", b"", qos=2, packet_id=packet_id))
            wire.expect(mqtt.PUBREC)
            if packet_id % 20 == 0:
                break
    return wires


def retained(broker, count, size):
    wires = accepted(broker, count)
    for number, wire in enumerate(wires):
        for n in range(size // PIECE):
            wire.publish(f"eve/retained/{number}/{n}", b"x" * PIECE, qos=1, retain=True)
    return wires


# Subscriptions go on until one is refused, so they come last where all follow each other on one broker.
ATTACKS = [slow_readers, in_flight, queues, unfinished, unfinished_connects, aliases, aliases_out, wills, client_ids,
           identifiers, retained, subscriptions]
