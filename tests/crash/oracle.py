"""The oracle: feed it events in order; it raises Violation with the events that led to it. It permits what the protocol
leaves open (QoS 1 twice, packets in flight at the crash) and nothing more. Its parts: deliveries.py (D1 to D3,
subscriptions), retained.py (D4), sessions.py (D5), wills.py (D6)."""

from model import Client, Violation
from deliveries import Deliveries
from retained import Retained
from sessions import Sessions
from wills import Wills


class Oracle(Deliveries, Retained, Sessions, Wills):
    """Events are (kind, time in s, arguments); the methods on_KIND document them."""

    def __init__(self):
        self.n, self.t, self.epoch = 0, 0.0, 0
        self.epoch_ns = [0, 0, 0]
        self.messages, self.connections, self.clients, self.groups = {}, {}, {}, {}
        self.topics, self.readings, self.lazy = {}, {}, {}
        self.unsaved_wills = []  # connections whose wills may not be on disk yet
        self.old_wills = []  # wills of clients that have come back
        self.crash_n, self.start_n, self.ready_t = -1, 0, 0.0

    def feed(self, kind, t, *arguments):
        self.n += 1
        self.t = t
        getattr(self, "on_" + kind)(*arguments)

    # starts and crashes of the broker

    def on_crash(self, how):
        """It is dead; the ends of the connections were reported before."""
        self.crash_n = self.n
        for client in self.clients.values():
            client.events.append(f"{self.t:.3f} the broker is gone: {how}")
            for connection in client.waiting:
                self.connection_over(connection)
            if client.session.left_t is not None and client.session.crash_t is None:
                client.session.crash_t = self.t
        self.wills_at_crash()
        self.wills_are_over()
        self.retained_crash()

    def on_ready(self):
        """The first client may connect."""
        self.start_n, self.ready_t = self.n, self.t
        for client in self.clients.values():
            client.events.append(f"{self.t:.3f} the broker is ready")
        self.wills_at_ready()

    def on_tick(self):
        self.wills_by_now()

    def on_check(self):
        """A quiet point: everything that must arrive has arrived."""
        self.check_deliveries()
        self.wills_are_over()
        self.epoch += 1
        self.epoch_ns = [*self.epoch_ns[1:], self.n]
        self.forget_retained()
        self.forget_deliveries()
        self.forget_connections()

    def forget_connections(self):
        kept = {connection.id for client in self.clients.values() for connection in (*client.waiting, client.connection)
                if connection is not None}
        kept |= {message.will for message in self.messages.values() if message.will is not None}
        self.connections = {number: connection for number, connection in self.connections.items() if number in kept or not connection.over}
        for client in self.clients.values():
            del client.events[:-100]

    # bookkeeping

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = Client(name)
        return self.clients[name]

    def note(self, message, text):
        message.events.append(f"{self.t:.3f} #{self.n} message {message.id}: {text}")

    def say(self, name, text):
        self.client(name).events.append(f"{self.t:.3f} #{self.n} {name}: {text}")

    def events_of(self, number):
        message = self.messages.get(number)
        return [] if message is None else [repr(message), *message.events]

    def fail(self, rule, text, events=()):
        raise Violation(rule, text, events)
