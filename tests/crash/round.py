"""One store from its first start to its last: the broker is killed again and again, the clients continue, and the
oracle gets every event. One seed decides what can be decided; the scheduling of the machine is not part of it."""

import random
import select
import ssl
import time

from broker import Refused
from model import Message, Violation
from oracle import Oracle
from timeouts import scaled_timeout
from actors import create_actors
from peer import Peer, check_properties

START_S, DRAIN_S, QUIET_TURNS = scaled_timeout(60), scaled_timeout(40), 3


class Died(Exception):
    """The broker has ended, as intended."""


class GaveUp(Exception):
    """Its store is damaged, and it says so."""


class World:
    """The clients' side: sockets, numbers, events for the oracle."""

    def __init__(self, broker, seed, *, record=False):
        self.broker, self.seed = broker, seed
        self.rng = random.Random(seed)
        self.oracle = Oracle()
        self.history = [] if record else None
        self.began = time.monotonic()
        self.poller, self.peers = select.poll(), {}
        self.messages, self.connections = {}, 0
        self.tls_context = ssl.create_default_context(cafile=str(broker.directory / "ca.crt"))
        self.is_reached = False
        self.tolerant = False  # the broker may close connections and be silent: its disk fails
        self.acknowledged = self.delivered = self.lazy_delivered = 0
        self.promises = []  # the numbers of the messages acknowledged while the disk fails
        self.pings = set()

    def now(self):
        return time.monotonic() - self.began

    def feed(self, kind, *arguments):
        t = self.now()
        if self.history is not None:
            self.history.append((kind, t, *(one.copy() if isinstance(one, Message) else one for one in arguments)))
        self.oracle.feed(kind, t, *arguments)

    def message(self, by, topic, qos, *, retain=False, size=0, will=False):
        number = len(self.messages) + 1
        made = Message(number, by, topic, qos, retain=retain, size=size, will=self.connections + 1 if will else None)
        self.messages[number] = made
        return made

    def number_of(self, peer, packet):
        """The number of this message; its payload must be complete."""
        if packet.topic.startswith("$"):
            return None
        number = packet.payload.split(b":", 1)[0]
        message = self.messages.get(int(number)) if number.isdigit() else None
        if message is None or message.payload() != packet.payload:
            raise Violation("D1", f"{peer.name} got {packet}: nobody sent this", [])
        self.delivered += 1
        self.lazy_delivered += message.qos == 0
        return message.id

    def check_properties(self, peer, packet, number):
        message = self.messages[number]
        check_properties(peer, packet, message, self.versions.get(message.by))

    # what peers ask for

    def session_is_certain(self, peer):
        """True if the broker's session is certainly the one that the client knows. After a lost CONNACK that is
        unknown."""
        return self.oracle.client(peer.name).session.state == "certain"

    def next_connection(self):
        self.connections += 1
        return self.connections

    def register(self, peer):
        self.peers[peer.sock.fileno()] = peer
        self.poller.register(peer.sock, select.POLLIN)

    def unregister(self, peer):
        self.poller.unregister(peer.sock)
        del self.peers[peer.sock.fileno()]

    def reached(self):
        """The first connection since the start: the broker accepts clients."""
        if not self.is_reached:
            self.is_reached = True
            self.feed("ready")

    def surprise(self, text):
        if not self.tolerant and not self.broker.is_dying():
            raise Violation("protocol", text, self.broker.said().splitlines()[-20:])

    def acked(self, number):
        self.acknowledged += 1
        if self.tolerant:
            self.promises.append(number)

    def pinged(self, peer):
        self.pings.discard(peer)

    # time passes

    def turn(self, timeout_ms=1):
        for peer in list(self.peers.values()):
            peer.flush()
        for fd, _ in self.poller.poll(timeout_ms):
            peer = self.peers.get(fd)
            if peer is not None and not peer.read():
                peer.on_eof()

    def broker_gone(self, how, unread=0.2):
        """The broker is dead: what it had sent is still in the sockets; sometimes it is not read."""
        for peer in list(self.peers.values()):
            while self.rng.random() >= unread and peer.read():
                pass
            peer.end("dead")
        self.feed("crash", how)
        self.is_reached = False


class Round(World):
    """The order of a round."""

    def __init__(self, broker, seed, *, record=False, environment=None):
        super().__init__(broker, seed, record=record)
        self.actors = create_actors(self)
        self.versions = {actor.peer.name: actor.peer.version for actor in self.actors}
        self.trigger = None
        self.environment = environment
        self.killed_by_itself = False  # the power-loss library does it
        self.is_damaged, self.look_at = False, 0.0
        self.reloads = self.readers = self.checks = 0
        self.tried, self.damages = 0, {}  # mutations of the history; kinds of damage to the store
        self.gate = True

    # start and end of the broker

    def start(self):
        self.broker.start(self.environment() if self.environment else None)

    def step(self, timeout_ms=1):
        """Time passes; the broker may have to be killed."""
        self.turn(timeout_ms)
        if not self.broker.is_alive():
            self.die_by_itself()
        if self.is_damaged and self.now() > self.look_at:
            self.look_at = self.now() + 0.1
            if "event=store-failed" in self.broker.said():
                raise GaveUp
        if self.trigger is not None and self.trigger():
            self.broker.kill()
            self.broker_gone("killed")
            raise Died

    def die_by_itself(self):
        status = self.broker.reap()
        was_reached = self.is_reached
        self.broker_gone(f"ended with {status}")
        if status == 2 and not was_reached:
            raise self.broker.refused()
        if status == -9 and self.killed_by_itself:
            raise Died
        raise Violation("process", f"the broker ended with {status}", self.broker.said().splitlines()[-40:])

    def wait(self, condition, timeout_s):
        """False after a timeout."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.step()
        return True

    def wait_until_reachable(self):
        """Wait until the broker accepts a client: the first one tries again until it does."""
        first = self.actors[0]

        def try_to_connect():
            if first.peer.sock is None:
                first.connect_again()
            return first.peer.up
        if not self.wait(try_to_connect, START_S):
            raise Refused(None, "nobody can connect\n" + self.broker.said()[-3000:])

    def stop(self):
        """Stop it with SIGTERM."""
        self.broker.ask_stop()
        deadline = time.monotonic() + START_S
        while self.broker.is_alive() and time.monotonic() < deadline:
            for peer in list(self.peers.values()):
                peer.leaving = True
            self.turn()
            self.die_while_stopping()
        status = self.broker.kill()
        self.broker_gone(f"stopped with {status}")
        said = self.broker.said()
        if status != 0 or "Sanitizer" in said or "runtime error" in said:
            raise Violation("process", f"the broker stopped with {status}", said.splitlines()[-40:])

    def die_while_stopping(self):
        """Kill it while it stops, when the plan says so."""
        if self.trigger is not None and self.trigger():
            self.broker.kill()
            self.broker_gone("killed while it stopped")
            raise Died

    # what the clients do

    def run_turn(self):
        """One turn in which the actors act."""
        for actor in self.actors:
            if self.rng.random() < actor.rate:
                actor.act()
        if self.rng.random() < 0.002:
            self.reload()
        self.oracle_tick()
        self.step()

    def oracle_tick(self):
        if self.rng.random() < 0.05:
            self.feed("tick")

    def reload(self):
        if not self.broker.is_ready():
            return  # SIGHUP would end it before it is ready to take it
        self.reloads += 1
        self.gate = not self.gate
        self.broker.write_acl(self.gate, self.reloads)
        self.broker.reload()

    def settle(self):
        """All that must be present connect, and everything that is owed arrives."""
        self.feed("tick")

        def is_done():
            for actor in self.actors:
                actor.peer.lazy = False
                if actor.stays and actor.peer.sock is None:
                    actor.connect_again()
            here = [actor.peer for actor in self.actors if actor.peer.sock is not None]
            return (all(actor.peer.up for actor in self.actors if actor.stays)
                    and not any(peer.leaving or peer.is_busy() for peer in here) and not self.oracle.missing())
        if not self.wait(is_done, DRAIN_S):
            self.report_stuck()
        for _ in range(QUIET_TURNS):
            self.ping_all()

    def ping_all(self):
        """A round trip of every client: what the broker sent before it has arrived."""
        self.pings = {peer for peer in self.peers.values() if peer.up and not peer.leaving}
        for peer in self.pings:
            peer.ping()
        if not self.wait(lambda: not any(peer.up and not peer.leaving for peer in self.pings), DRAIN_S):
            raise Violation("protocol", f"no answer to PINGREQ of {[peer.name for peer in self.pings]}", [])

    def report_stuck(self):
        self.feed("check")  # says which message is missing
        stuck = [(peer.name, list(peer.inflight.items())[:3], peer.asked, len(peer.out)) for peer in
                 self.peers.values() if not peer.up or peer.leaving or peer.is_busy()]
        raise Violation("D1", f"the broker leaves these without an answer for {DRAIN_S} s: {stuck}",
                        self.broker.said().splitlines()[-30:])

    def check(self):
        """A quiet point: check everything."""
        self.settle()
        self.feed("check")
        self.read_values()
        self.checks += 1

    def read_values(self):
        """A fresh subscriber asks for all retained values."""
        self.readers += 1
        reader = Peer(self, f"reader{self.readers}", 5)
        reader.seen, reader.wanted = [], {}

        def try_to_connect():
            if reader.sock is None:
                reader.connect(clean=True, expiry=0)
            return reader.up
        if not self.wait(try_to_connect, START_S):
            raise Violation("protocol", "a reader cannot connect", [])
        self.feed("read", reader.name)
        since = self.oracle.n
        reader.wanted = {"r/#": 1, "w/#": 1}
        reader.subscribe("r/#", "w/#")
        self.wait(lambda: not reader.asked and {topic for topic, _ in reader.seen} >= set(
            self.oracle.must_be_there(since)), DRAIN_S / 4)
        for _ in range(QUIET_TURNS):
            self.pings = {reader}
            reader.ping()
            self.wait(lambda: not self.pings, START_S)
        self.feed("values", reader.name, dict(reader.seen))
        reader.end("closed")
