"""One house from its first start to its last: the broker dies again and again, everybody goes on, and the oracle is
told everything. One seed decides what can be decided; the scheduling of the machine is not among it."""

import random
import select
import ssl
import time

from broker import Refused
from facts import Message, Violation
from oracle import Oracle
from timeouts import scaled_timeout
from people import move_in
from peer import Peer, check_properties

START_S, DRAIN_S, QUIET_TURNS = scaled_timeout(60), scaled_timeout(40), 3


class Died(Exception):
    """The broker is gone, as was meant."""


class GaveUp(Exception):
    """Its store is damaged, and it says so."""


class World:
    """The clients' side: sockets, numbers, the oracle's ear."""

    def __init__(self, broker, seed, *, record=False):
        self.broker, self.seed = broker, seed
        self.rng = random.Random(seed)
        self.oracle = Oracle()
        self.history = [] if record else None
        self.began = time.monotonic()
        self.poller, self.peers = select.poll(), {}
        self.messages, self.lives = {}, 0
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
        made = Message(number, by, topic, qos, retain=retain, size=size, will=self.lives + 1 if will else None)
        self.messages[number] = made
        return made

    def number_of(self, peer, packet):
        """Which message this is; its bytes must be all there."""
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

    # what peers ask

    def session_is_sure(self, peer):
        """Is the broker's session surely the one that the client knows? Where a CONNACK was lost nobody can tell."""
        return self.oracle.client(peer.name).session.state == "sure"

    def next_life(self):
        self.lives += 1
        return self.lives

    def register(self, peer):
        self.peers[peer.sock.fileno()] = peer
        self.poller.register(peer.sock, select.POLLIN)

    def unregister(self, peer):
        self.poller.unregister(peer.sock)
        del self.peers[peer.sock.fileno()]

    def reached(self):
        """The first connection since the start: the broker takes clients."""
        if not self.is_reached:
            self.is_reached = True
            self.feed("ready")

    def surprise(self, text):
        if not self.tolerant and not self.broker.is_dying():
            raise Violation("peace", text, self.broker.said().splitlines()[-20:])

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

    def bury(self, how, unread=0.2):
        """The broker is dead: what it had sent is still in the sockets; sometimes nobody reads it."""
        for peer in list(self.peers.values()):
            while self.rng.random() >= unread and peer.read():
                pass
            peer.end("dead")
        self.feed("crash", how)
        self.is_reached = False


class Round(World):
    """The order of things."""

    def __init__(self, broker, seed, *, record=False, environment=None):
        super().__init__(broker, seed, record=record)
        self.people = move_in(self)
        self.versions = {person.peer.name: person.peer.version for person in self.people}
        self.trigger = None
        self.environment = environment
        self.killed_by_itself = False  # the power-loss library does it
        self.is_damaged, self.look_at = False, 0.0
        self.reloads = self.readers = self.checks = 0
        self.tried, self.damages = 0, {}  # doctored histories; kinds of damage to the store
        self.gate = True

    # the broker's life

    def start(self):
        self.broker.start(self.environment() if self.environment else None)

    def step(self, timeout_ms=1):
        """Time passes; the broker may have to die."""
        self.turn(timeout_ms)
        if not self.broker.is_alive():
            self.die_by_itself()
        if self.is_damaged and self.now() > self.look_at:
            self.look_at = self.now() + 0.1
            if "event=store-failed" in self.broker.said():
                raise GaveUp
        if self.trigger is not None and self.trigger():
            self.broker.kill()
            self.bury("killed")
            raise Died

    def die_by_itself(self):
        status = self.broker.reap()
        was_reached = self.is_reached
        self.bury(f"ended with {status}")
        if status == 2 and not was_reached:
            raise self.broker.refused()
        if status == -9 and self.killed_by_itself:
            raise Died
        raise Violation("life", f"the broker ended with {status}", self.broker.said().splitlines()[-40:])

    def wait(self, condition, timeout_s):
        """False: in vain."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.step()
        return True

    def come_in(self):
        """Wait for the broker to take somebody: the first one knocks until it does."""
        first = self.people[0]

        def knock():
            if first.peer.sock is None:
                first.come()
            return first.peer.up
        if not self.wait(knock, START_S):
            raise Refused(None, "nobody can connect\n" + self.broker.said()[-3000:])

    def stop(self):
        """The clean end."""
        self.broker.ask_stop()
        deadline = time.monotonic() + START_S
        while self.broker.is_alive() and time.monotonic() < deadline:
            for peer in list(self.peers.values()):
                peer.leaving = True
            self.turn()
            self.knock_off()
        status = self.broker.kill()
        self.bury(f"stopped with {status}")
        said = self.broker.said()
        if status != 0 or "Sanitizer" in said or "runtime error" in said:
            raise Violation("life", f"the broker stopped with {status}", said.splitlines()[-40:])

    def knock_off(self):
        """Kill it within its stop, when the plan says so."""
        if self.trigger is not None and self.trigger():
            self.broker.kill()
            self.bury("killed while it stopped")
            raise Died

    # everybody's life

    def live(self):
        """One turn in which people do what they do."""
        for person in self.people:
            if self.rng.random() < person.rate:
                person.act()
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
        """Everybody who must be there comes, and everything that is owed arrives."""
        self.feed("tick")

        def is_done():
            for person in self.people:
                person.peer.lazy = False
                if person.stays and person.peer.sock is None:
                    person.come()
            here = [person.peer for person in self.people if person.peer.sock is not None]
            return (all(person.peer.up for person in self.people if person.stays)
                    and not any(peer.leaving or peer.is_busy() for peer in here) and not self.oracle.missing())
        if not self.wait(is_done, DRAIN_S):
            self.complain()
        for _ in range(QUIET_TURNS):
            self.ping_all()

    def ping_all(self):
        """A round trip of everybody: what the broker sent before it is here now."""
        self.pings = {peer for peer in self.peers.values() if peer.up and not peer.leaving}
        for peer in self.pings:
            peer.ping()
        if not self.wait(lambda: not any(peer.up and not peer.leaving for peer in self.pings), DRAIN_S):
            raise Violation("peace", f"no answer to PINGREQ of {[peer.name for peer in self.pings]}", [])

    def complain(self):
        self.feed("check")  # says which message is missing
        stuck = [(peer.name, list(peer.inflight.items())[:3], peer.asked, len(peer.out)) for peer in
                 self.peers.values() if not peer.up or peer.leaving or peer.is_busy()]
        raise Violation("D1", f"the broker leaves these without an answer for {DRAIN_S} s: {stuck}",
                        self.broker.said().splitlines()[-30:])

    def check(self):
        """Quiet, and everything as it must be."""
        self.settle()
        self.feed("check")
        self.read_values()
        self.checks += 1

    def read_values(self):
        """A fresh subscriber asks for everything that is retained."""
        self.readers += 1
        reader = Peer(self, f"reader{self.readers}", 5)
        reader.seen, reader.wanted = [], {}

        def knock():
            if reader.sock is None:
                reader.connect(clean=True, expiry=0)
            return reader.up
        if not self.wait(knock, START_S):
            raise Violation("peace", "a reader cannot connect", [])
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
