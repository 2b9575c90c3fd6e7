"""Those who attack, in a process of their own: load.py NAME, started by `run`.

A line of JSON on standard input says where the broker is. "ready" is printed when they are connected; one more line starts
them, and the end of standard input ends them: then a line of JSON says what they did."""

import asyncio
import collections
import contextlib
import itertools
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenario"))
import abuse
import memory_attacks
import mqtt
import test_half_open
import turn_load
import wire
from broker_fixture import BrokerFixture, Pki
from wire import Closed, Wire, tls_context

RETAINED, POURING = 100_000, 20
SILENT = (Closed, OSError, ssl.SSLError, AssertionError)
FAR = bytes(65_000)

stopped = threading.Event()
did = collections.Counter()
held = []  # connections that stay open


def where(said):
    """The broker that `run` has started: as much of it as clients need."""
    broker = BrokerFixture.__new__(BrokerFixture)
    broker.directory, broker.config = Path(said["directory"]), said["config"]
    broker.pki = Pki.__new__(Pki)
    broker.pki.directory = Path(said["pki"])
    broker.port, broker.pid = broker.addresses[0][1], said["pid"]
    return broker


def again(what, threads=1):
    """Each thread calls it until the end; it gets the number of the thread. What the broker ends is begun anew."""
    def run(number):
        while not stopped.is_set():
            try:
                what(number)
                did["done"] += 1
            except SILENT:
                did["ended"] += 1
    for number in range(threads):
        threading.Thread(target=run, args=(number,), daemon=True).start()


def socket_of(broker):
    return broker.addresses[1]


def pour(stream, data):
    """To one who may take none of it for a while; what it answers is not read."""
    view, stream_end = memoryview(data), time.monotonic() + 1
    stream.setblocking(False)
    while len(view) > 0 and not stopped.is_set() and time.monotonic() < stream_end:
        if select.select([], [stream], [], 0.05)[1]:
            with contextlib.suppress(BlockingIOError):
                view = view[stream.send(view[:65536]):]
    did["bytes"] += len(data) - len(view)


def retain(broker, count, topic="wide/{}", payload=b"x" * 32):
    stream = turn_load.connection(socket_of(broker))
    for begin in range(0, count, 1000):
        stream.sendall(b"".join(mqtt.publish(5, topic.format(n), payload, retain=True) for n in range(begin, min(count, begin + 1000))))
    turn_load.wait_for(stream, mqtt.packet(mqtt.PINGREQ, 0, b""), mqtt.PINGRESP)
    stream.close()


# --- malformed, deep, large ---

def malformed(broker):
    """P, C: packets that no client should send, each on a connection of its own."""
    rows = itertools.cycle([row for row in [*abuse.truncations(), *abuse.headers()] if row.version == 5 and len(row.data) < 1000])
    context = tls_context(broker.pki)
    yield

    def one(_):
        with Wire(broker, context=context) as client:
            client.send(next(rows).data)
            client.settle()
    again(one, 4)


def depth(broker):
    """D: topics of 32,000 levels, thousands of properties and of filters in one packet."""
    levels = "a/" * 32_000
    filters = [(f"depth/{n}/+/#", 0) for n in range(5000)]
    packets = [mqtt.publish(5, levels, b""), mqtt.subscribe(5, 1, [(levels + "#", 0)]), mqtt.subscribe(5, 1, filters),
               mqtt.packet(mqtt.PUBLISH, 0, mqtt.text("t") + abuse.block(5, abuse.USER * 30_000))]
    context, turn = tls_context(broker.pki), itertools.count()
    yield

    def one(_):
        with Wire(broker, context=context) as client:
            client.send(packets[next(turn) % len(packets)])
            client.settle()
    again(one, 4)


def memory(broker):
    """L: everything a client can size, one kind after the other, by one user."""
    yield

    def all_kinds(_):
        for attack in memory_attacks.ATTACKS:
            if stopped.is_set():
                return
            with contextlib.suppress(*SILENT):
                for one in attack(broker, 10, 2_000_000):
                    one.close()
            did[attack.__name__] += 1
    again(all_kinds)


def names(broker):
    """X: client ids that look like topics, log lines and control characters."""
    ids = itertools.cycle(["+/#", "a\x7fb", 'x" event=ready peer=192.0.2.1', "$SYS/#", "i" * 60_000, "\x1b[2J", "../../etc"])
    context = tls_context(broker.pki)
    yield
    again(lambda _: Wire(broker, client_id=next(ids), context=context, expect=None).close(), 4)


# --- before the login ---

def addresses(count):
    return [f"127.9.{n >> 8}.{n & 255}" for n in range(1, count + 1)]


def guess(broker, count):
    sources, context, turn = addresses(count), tls_context(broker.pki), itertools.count()

    def one(_):
        n = next(turn)
        Wire(broker, user="anna", password=f"guess {os.getpid()} {n}", source=sources[n % count], context=context, expect=None).close()
        did["answers"] += 1
    again(one, 32)


def guessing(count):
    def begin(broker):
        yield
        guess(broker, count)
    begin.__doc__ = f"U: passwords are guessed from {count} {'address' if count == 1 else 'addresses'}."
    return begin


def hold(broker, number, count):
    crowd = test_half_open.Holders(broker.port, number, addresses(count))
    crowd.start()
    return crowd


def half_open(broker):
    """S: 1,500 half-open connections of 16 addresses that come again, beside 8 slow devices."""
    yield
    crowd = hold(broker, 1500, 16)

    def devices(_):
        got_in = asyncio.run(test_half_open.all_devices(broker, [f"127.8.0.{n}" for n in range(1, 9)], 1.5))
        did["slow devices in"] += sum(got_in)
        did["slow devices"] += len(got_in)
        did["half-open closed"] = crowd.closed
    again(devices)


def flood(broker):
    """S, U: passwords are guessed from one address, and 1,000 half-open connections come again."""
    crowd = hold(broker, 1000, 16)
    time.sleep(1)
    yield
    guess(broker, 1)
    held.append(crowd)


def connect_loop(broker):
    """N: connect and disconnect in a loop, from 8 addresses; the log has few lines of each."""
    sources, context = addresses(8), tls_context(broker.pki)
    yield
    again(lambda n: Wire(broker, user="eve", source=sources[n], context=context).close(), 8)


def reconnect(broker):
    """5,000 clients come back at one instant."""
    crowd = os.environ["VAKT_TLS_CROWD"]
    yield

    def come(_):
        with subprocess.Popen([crowd, "127.0.0.1", str(broker.port), "5000", "50", "60", "anna", broker.password("anna")],
                              stdout=subprocess.PIPE, text=True) as child:
            said = child.stdout.read()
        for word in said.split():
            name, value = word.split("=")
            did[name] = int(value)
        did["times"] += 1
    again(come)


# --- after the login ---

def pouring(text, packets, prepare=lambda broker: None):
    """The same packets again and again on 20 connections, and nothing is read."""
    def begin(broker):
        prepare(broker)
        streams = [turn_load.connection(socket_of(broker)) for _ in range(POURING)]
        yield

        def one(number):
            try:
                pour(streams[number], packets)
            except OSError:
                streams[number] = turn_load.connection(socket_of(broker))
                raise
        again(one, POURING)
    begin.__doc__ = f"Packets without end on {POURING} connections, and nothing is read: {text}."
    return begin


POURED = {
    "pings": ("PINGREQ", mqtt.packet(mqtt.PINGREQ, 0, b"") * 200),
    "publishes": ("short messages that nobody receives", mqtt.publish(5, "eve/none", b"1") * 50),
    "acknowledged": ("messages of QoS 1 that nobody receives", mqtt.publish(5, "eve/none", b"1", qos=1, packet_id=1) * 50),
    "deep-publishes": ("messages of 100 levels", mqtt.publish(5, "eve" + "/a" * 100, b"1") * 20),
    "retained-publishes": ("one retained value", mqtt.publish(5, "eve/kept", b"1", retain=True) * 50),
    "denied-publishes": ("messages to $SYS, which are refused", mqtt.publish(5, "$SYS/eve", b"1", qos=1, packet_id=1) * 50),
    "unknown-releases": ("PUBREL of nothing", mqtt.ack(5, mqtt.PUBREL, 7) * 100),
    "unsubscribes": ("UNSUBSCRIBE of nothing", mqtt.unsubscribe(5, 1, ["eve/none"]) * 50),
    "refused-subscribes": ("SUBSCRIBE that is refused", mqtt.subscribe(5, 1, [("$share/eve", 0), ("eve/" * 300, 0)])),
    "new-subscribes": ("SUBSCRIBE and UNSUBSCRIBE of a deep filter",
                       (mqtt.subscribe(5, 1, [("+/eve" * 20, 0)]) + mqtt.unsubscribe(5, 1, ["+/eve" * 20])) * 10),
    "properties": ("User Properties", mqtt.publish(5, "eve/none", b"1", props={"user_property": [("a", "b")] * 100})),
}


def wide_subscribe(broker):
    """A wide filter is subscribed to again and again over 100,000 retained values, and nothing is read."""
    return pouring("", mqtt.subscribe(5, 1, [("wide/#", 0)]) * 20, lambda at: retain(at, RETAINED))(broker)


def retained_wills(broker):
    """1,000 wills of 60 kB, retained, that fire at one instant to 100 subscribers."""
    readers = turn_load.Readers()
    for _ in range(100):
        readers.add(turn_load.subscribed(socket_of(broker), [("will/#", 0)]))
    streams = [turn_load.connection(socket_of(broker), will=mqtt.Will(f"will/{n}", b"x" * 60_000, retain=True)) for n in range(1000)]
    yield
    for stream in streams:
        stream.close()
    did["wills"] = len(streams)


def deep_filters(broker):
    """10,000 overlapping filters of one client match one deep topic."""
    names = ["/".join("+" if n >> level & 1 else "a" for level in range(turn_load.LEVELS)) for n in range(10_000)]
    readers = turn_load.Readers()
    stream = turn_load.connection(socket_of(broker))
    for begin in range(0, len(names), 1000):
        turn_load.wait_for(stream, mqtt.subscribe(5, 1, [(name, 0) for name in names[begin:begin + 1000]]), mqtt.SUBACK)
    readers.add(stream)
    yield
    for _ in range(8):
        turn_load.acknowledged(socket_of(broker), turn_load.TOPIC, b"x" * 48)


def byte_flood(broker):
    """Bytes without end, of 8 clients: limits.byte_rate is 1 MB per second."""
    packet = mqtt.publish(5, "eve/bytes", b"x" * 60_000) * 4
    streams = [turn_load.connection(socket_of(broker)) for _ in range(8)]
    yield

    def one(number):
        pour(streams[number], packet)
    again(one, len(streams))


def slow_readers(broker):
    """100 MB are queued for readers that take nothing."""
    streams = [turn_load.subscribed(socket_of(broker), [("slow/x", 1)]) for _ in range(100)]
    held.extend(streams)
    yield
    for _ in range(4):
        turn_load.acknowledged(socket_of(broker), "slow/x", b"x" * 20_000)


def one_user(broker):
    """A million retained topics, and 100,000 sessions, of one user."""
    context, turn = tls_context(broker.pki), itertools.count()
    yield

    def topics(number):
        with Wire(broker, user="eve", context=context) as client:
            for _ in range(100):
                batch = [next(turn) for _ in range(100)]
                client.send(b"".join(mqtt.publish(5, f"eve/{n}/{number}", b"x", retain=True) for n in batch))
                client.settle()
                did["retained"] += len(batch)

    def sessions(_):
        Wire(broker, user="eve", client_id=f"session-{next(turn)}", context=context, clean=False,
             props={"session_expiry_interval": 1000}, expect=None).close()
        did["sessions"] += 1
    again(topics, 2)
    again(sessions, 2)


def mixed(kind):
    """A kind of turn_load.py."""
    def begin(broker):
        return turn_load.KINDS[kind](socket_of(broker), turn_load.Readers())
    begin.__doc__ = f"turn_load.py: {kind}."
    return begin


def records(kind):
    """A kind of the driver tls_attack, 50 connections that never log in."""
    def begin(broker):
        child = subprocess.Popen([os.environ["VAKT_TLS_ATTACK"], "127.0.0.1", str(broker.port), kind, "50", "262144"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "ready\n"
        held.append(child)
        yield
        child.stdin.write("\n")
        child.stdin.flush()
    begin.__doc__ = f"T: TLS records that cost and move nothing: {kind}, 50 connections."
    return begin


@dataclass
class Attack:
    begin: object  # a generator function of the broker: up to its `yield` it prepares
    config: dict = field(default_factory=dict)

    @property
    def text(self):
        return self.begin.__doc__


def limits(**values):
    return {"limits": values}


MANY = limits(retained_messages=200_000, retained_per_user=200_000)
ATTACKS = {
    "malformed": Attack(malformed),
    "depth": Attack(depth),
    "memory": Attack(memory),
    "names": Attack(names),
    **{f"tls-{kind}": Attack(records(kind), limits(connect_timeout="120s"))
       for kind in ("key-updates", "warnings", "empty", "bytes", "renegotiation")},
    "half-open": Attack(half_open),
    "guessing-1": Attack(guessing(1)),
    "guessing-8": Attack(guessing(8)),
    "guessing-64": Attack(guessing(64)),
    "flood": Attack(flood),
    "connect-loop": Attack(connect_loop),
    "reconnect": Attack(reconnect),
    "wide-subscribe": Attack(wide_subscribe, MANY),
    **{f"pour-{name}": Attack(pouring(*poured)) for name, poured in POURED.items()},
    "retained-wills": Attack(retained_wills),
    "deep-filters": Attack(deep_filters),
    "byte-flood": Attack(byte_flood, limits(byte_rate="1M")),
    "slow-readers": Attack(slow_readers),
    "one-user": Attack(one_user),
    **{kind: Attack(mixed(kind), limits(sessions_per_user=10_000)) for kind in ("overlapping", "fan-out", "replays", "takeovers", "expiry", "reload")},
}


def main():
    said = json.loads(sys.stdin.readline())
    sys.argv = [sys.argv[0], "", sys.argv[1], str(said["pid"])]  # as turn_load.py has it
    broker = where(said)
    wire.serial = itertools.count(100_000)  # client ids that the good pair does not have
    steps = ATTACKS[sys.argv[2]].begin(broker)
    next(steps)
    print("ready", flush=True)
    sys.stdin.readline()
    next(steps, None)
    sys.stdin.read()
    stopped.set()
    turn_load.stopped.set()
    for one in held:
        if isinstance(one, subprocess.Popen):
            one.kill()
    print(json.dumps(did), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
