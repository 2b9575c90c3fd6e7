"""The oracle's data: messages, connections, subscriptions, sessions. Time is the number of the event (`n`): the driver
has one thread, so it sent a packet before it received those of later events."""

from functools import lru_cache

FOREVER = 1 << 60
ON_ITS_WAY_S = 0.5


@lru_cache(maxsize=1 << 16)
def matches(topic_filter, topic):
    """True if this filter (without $share) matches this topic. Supports what the driver uses."""
    if topic_filter == topic:
        return True
    levels, names = topic_filter.split("/"), topic.split("/")
    for at, level in enumerate(levels):
        if level == "#":
            return True
        if at >= len(names) or level not in ("+", names[at]):
            return False
    return len(levels) == len(names)


def shared(topic_filter):
    """(group, filter); group is None for an ordinary filter."""
    if topic_filter.startswith("$share/"):
        _, group, rest = topic_filter.split("/", 2)
        return f"{group}/{rest}", rest
    return None, topic_filter


class Message:
    """One application message. `by` is the client, or the client's will. Empty: the deletion of a retained value."""

    __slots__ = ("id", "by", "topic", "qos", "retain", "size", "will", "seq", "sends", "positions", "first_n", "sent_n",
                 "sent_t", "acked_n", "over_n", "epoch", "events")

    def __init__(self, number, by, topic, qos, *, retain=False, size=0, will=None):
        self.id, self.by, self.topic, self.qos, self.retain, self.size = number, by, topic, qos, retain, size
        self.will = will
        self.seq = self.epoch = self.sends = 0
        self.sent_t = 0.0
        self.positions, self.events = [], []
        self.first_n = self.sent_n = self.acked_n = self.over_n = None

    @property
    def empty(self):
        return self.size < 0

    def payload(self):
        return b"" if self.empty else b"%d:" % self.id + b"x" * self.size

    def copy(self):
        return Message(self.id, self.by, self.topic, self.qos, retain=self.retain, size=self.size, will=self.will)

    def __repr__(self):
        kind = "deletion" if self.empty else "will" if self.will is not None else "message"
        return (f"{kind} {self.id} of {self.by} to {self.topic} QoS {self.qos}{' retained' if self.retain else ''}"
                f" ({self.size} bytes)")


class Connection:
    """One network connection, from its CONNECT on."""

    __slots__ = ("id", "client", "version", "clean", "durable", "expiry", "will", "delay", "start_n", "start_t", "ack_n",
                 "ack_t", "end_n", "end_t", "how", "reason", "left_t", "over", "will_state", "will_op", "will_stored",
                 "counts", "positions", "open", "kept", "doubts")

    def __init__(self, number, client, version, clean, expiry, will, delay):
        self.id, self.client, self.version, self.clean, self.expiry = number, client, version, clean, expiry
        self.will, self.delay = will, delay
        self.durable = not clean if version == 4 else expiry > 0
        self.start_n = self.start_t = self.ack_n = self.ack_t = self.end_n = self.end_t = None
        self.how = self.reason = self.left_t = self.will_op = None
        self.over = self.will_stored = self.doubts = False
        self.kept = self.durable
        self.will_state = "armed" if will is not None else None
        self.counts, self.positions, self.open = {}, {}, {}


class Subscription:
    """A subscription of a session: requested, acknowledged (certain), perhaps being removed."""

    __slots__ = ("filter", "group", "bare", "qos", "asked_n", "asked_t", "certain_n", "leaving_n", "gone_n")

    def __init__(self, topic_filter, qos, n, t):
        self.filter, self.qos, self.asked_n, self.asked_t = topic_filter, qos, n, t
        self.group, self.bare = shared(topic_filter)
        self.certain_n = self.leaving_n = self.gone_n = None

    def is_certain(self, since):
        return self.certain_n is not None and self.certain_n < since and self.leaving_n is None

    def may_take(self, message, *, is_durable=True):
        """True if there was a moment at which the broker may have routed this message to it. A message for a group may
        go to a member that joined later, when another one leaves. Sessions that are not durable get it by their
        filters: a subscription made while it is in flight may match it."""
        if self.group is not None:
            return self.gone_n is None and matches(self.bare, message.topic)
        over = FOREVER if message.over_n is None else message.over_n
        met = not is_durable and self.asked_t - message.sent_t < ON_ITS_WAY_S
        return ((self.asked_n <= over or met) and (self.gone_n is None or self.gone_n >= message.first_n)
                and matches(self.bare, message.topic))


class Session:
    """What the broker stores for a client, as far as the client can know."""

    __slots__ = ("client", "state", "subs", "past", "owed", "got", "qos2_got", "last", "expiry", "left_t", "crash_t")

    def __init__(self, client, state="none"):
        self.client, self.state = client, state
        self.subs, self.past, self.owed, self.got, self.qos2_got, self.last = {}, [], {}, {}, set(), {}
        self.expiry, self.left_t, self.crash_t = None, None, None

    def doubt(self):
        """It may have ended: nothing is expected of it until it is certain again. The client has discarded its part of
        it."""
        self.state = "unknown"
        for known in (self.owed, self.got, self.qos2_got, self.last):
            known.clear()
        for sub in self.subs.values():
            sub.certain_n = None

    def granted(self, message, since):
        """The QoS at which this message must arrive; -1 if it need not."""
        return max((min(sub.qos, message.qos) for sub in self.subs.values()
                    if sub.group is None and sub.is_certain(since) and matches(sub.bare, message.topic)), default=-1)


class Client:
    """A client id: its session, its connections, and what it published."""

    __slots__ = ("name", "session", "connection", "seq", "positions", "events", "waiting")

    def __init__(self, name):
        self.name, self.session, self.connection = name, Session(name), None
        self.seq, self.positions = 0, 0
        self.events, self.waiting = [], []


class Group:
    """A $share group. Its members keep their sessions for the whole round."""

    __slots__ = ("name", "owed", "got")

    def __init__(self, name):
        self.name, self.owed, self.got = name, {}, {}


class Violation(Exception):
    """An invariant does not hold."""

    def __init__(self, rule, text, events=()):
        super().__init__(f"{rule}: {text}")
        self.rule, self.text, self.events = rule, text, list(events)
