"""The simulated clients: publishers, subscribers, clients with short sessions, clients with wills. Each acts when
asked, by the round's random numbers; `connect_again` is how it connects when all must be present."""

from peer import Peer

TOPICS = 6
VALUES = 10
SIZES = [0, 5, 20, 100, 100, 300, 1400, 1500, 1600, 5000]
AWAY_S = 1000


class Actor:
    """One client id."""

    rate = 0.02     # how often it acts, per turn of the round
    stays = True    # has a session that must get everything

    def __init__(self, world, name, version, *, tls=False, wanted=None):
        self.world, self.rng = world, world.rng
        self.peer = Peer(world, name, version, tls=tls)
        self.peer.wanted = dict(wanted or {})

    def connect_again(self):
        return self.peer.connect(clean=False)

    def act(self):
        """By chance: connect, disconnect, break, or be taken over by its own next connection."""
        peer = self.peer
        if peer.sock is None:
            self.connect_again()
            peer.lazy = self.rng.random() < 0.3
        elif peer.up and not peer.leaving:
            self.act_connected()

    def act_connected(self):
        chance = self.rng.random()
        if chance < 0.1:
            self.connect_again()
        elif chance < 0.3:
            self.peer.end("closed")
        elif chance < 0.5:
            self.peer.disconnect()


class Subscriber(Actor):
    """Keeps its session and its subscriptions for the whole round."""

    rate = 0.01


class Publisher(Actor):
    """Sends numbered messages, and the values of its retained topics."""

    rate = 0.25

    def __init__(self, world, name, version, number, *, durable=True):
        super().__init__(world, name, version)
        self.number, self.durable = number, durable

    def connect_again(self):
        if self.durable:
            return self.peer.connect(clean=False)
        return self.peer.connect(clean=True, expiry=0)

    def act_connected(self):
        if self.rng.random() < 0.02:
            super().act_connected()
            return
        for _ in range(self.rng.choice([1, 1, 2, 4, 8])):
            self.peer.publish(self.message(self.rng.choice([0, 1, 1, 2, 2]) if self.peer.fits() else 0))

    def message(self, qos):
        chance = self.rng.random()
        size = self.rng.choice(SIZES)
        if chance < 0.6:
            return self.world.message(self.peer.name, f"t/{self.rng.randrange(TOPICS)}", qos, size=size)
        if chance < 0.75:
            return self.world.message(self.peer.name, f"s/{self.rng.randrange(3)}", qos, size=size)
        if chance < 0.78:
            return self.world.message(self.peer.name, "g/0", qos, size=size)
        return self.world.message(self.peer.name, self.value_topic(), qos, retain=True,
                                  size=-1 if self.rng.random() < 0.25 else size)

    def value_topic(self):
        """Most topics have one writer, the last two have two."""
        if self.number < 2 and self.rng.random() < 0.2:
            return f"r/{VALUES - 1 - self.rng.randrange(2)}"
        return f"r/{self.rng.randrange(2) * 4 + self.number}"


class Resubscriber(Actor):
    """Subscribes and unsubscribes, starts clean, ends its session."""

    rate = 0.03
    filters = {"t/0": 1, "t/1": 2, "t/+": 1, "t/#": 2, "r/+": 1, "w/+": 1}

    def connect_again(self):
        return self.peer.connect(clean=self.rng.random() < 0.25)

    def act_connected(self):
        chance, peer = self.rng.random(), self.peer
        name = self.rng.choice(sorted(self.filters))
        if chance < 0.4:
            peer.wanted[name] = self.filters[name]
            peer.subscribe(name)
        elif chance < 0.7 and name in peer.granted and name in peer.wanted:
            del peer.wanted[name]
            peer.unsubscribe(name)
        elif chance < 0.8 and peer.version == 5:
            peer.disconnect(expiry=0)
        else:
            super().act_connected()


class ExpiringClient(Actor):
    """Its session lasts some seconds; sometimes it stays away for longer."""

    stays = False

    def __init__(self, world, name, expiry):
        super().__init__(world, name, 5, wanted={"t/2": 1, "t/3": 2})
        self.expiry, self.back_at = expiry, 0

    def connect_again(self):
        return self.peer.connect(clean=False, expiry=self.expiry)

    def act(self):
        if self.peer.sock is None and self.world.now() < self.back_at:
            return
        was_there = self.peer.sock is not None
        super().act()
        if was_there and (self.peer.sock is None or self.peer.leaving):
            self.back_at = self.world.now() + self.rng.choice([0, 0.1, self.expiry + 2])


class WillClient(Actor):
    """Has a will, and ends its connections in every way there is."""

    stays = False
    rate = 0.04

    def __init__(self, world, name, version, *, durable):
        super().__init__(world, name, version)
        self.durable, self.back_at = durable, 0

    def connect_again(self):
        """Different each time; a session that ends with the connection starts clean, so that the outcome is certain."""
        clean = not self.durable or self.rng.random() < 0.15
        will = self.world.message(self.peer.name, f"w/{self.peer.name}", self.rng.choice([0, 1, 2, 2]),
                                  retain=self.rng.random() < 0.5, size=self.rng.choice(SIZES), will=True)
        delay = self.rng.choice([0, 0, 1, 3600]) if self.peer.version == 5 else 0
        return self.peer.connect(clean=clean, expiry=None if self.durable else 0, will=will, delay=delay)

    def act(self):
        if self.peer.sock is None and self.world.now() < self.back_at:
            return
        super().act()

    def act_connected(self):
        chance, peer = self.rng.random(), self.peer
        if chance < 0.4:
            if peer.fits():
                peer.publish(self.world.message(peer.name, f"w/{peer.name}", self.rng.choice([1, 2]), retain=True,
                                                size=5))
            return
        if chance < 0.6:
            peer.disconnect()
        elif chance < 0.7 and peer.version == 5:
            peer.disconnect(reason=4)
        elif chance < 0.8:
            self.connect_again()
        elif chance < 0.95:
            peer.end("closed")
        self.back_at = self.world.now() + self.rng.choice([0, 0, 0.05, 4])


def create_actors(world):
    """All of them. Those that must stay come first."""
    actors = [
        Subscriber(world, "watch", 5, wanted={"t/#": 2, "r/#": 1, "w/#": 2, "g/#": 1}),
        Subscriber(world, "sub1", 4, tls=True, wanted={"t/#": 1, "t/0": 2, "w/+": 1}),
        Subscriber(world, "sub2", 5, wanted={"t/+": 0, "t/1": 2, "r/+": 2}),
        Subscriber(world, "sub3", 4, wanted={"t/2": 1, "t/3": 2, "r/+": 2}),
    ]
    actors[3].rate = 0.003
    actors += [Subscriber(world, f"member{i}", 4 + i % 2, wanted={"$share/g/s/#": 2}) for i in range(3)]
    actors += [Publisher(world, f"pub{i}", 4 + i % 2, i, durable=i != 3) for i in range(4)]
    actors += [Resubscriber(world, f"fickle{i}", 4 + i % 2) for i in range(3)]
    actors += [ExpiringClient(world, f"expiring{i}", i + 1) for i in range(2)]
    actors += [WillClient(world, f"mortal{i}", 4 + i % 2, durable=i < 3) for i in range(6)]
    return actors
