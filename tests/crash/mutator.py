"""Mutations of a history that really happened: the oracle must report each. Another rule may report it first (a missing
message may first be missed by its group), so only that it is reported counts."""

from model import Message, Violation
from oracle import Oracle

STEADY = ("watch", "sub1", "sub3")


def verdict_on(history):
    """The violation that the oracle reports, or None."""
    oracle = Oracle()
    try:
        for event in history:
            oracle.feed(*(one.copy() if isinstance(one, Message) else one for one in event))
    except Violation as wrong:
        return wrong
    return None


class Mutator:
    """Mutations of one history. Each returns a changed history, or None if it does not apply."""

    def __init__(self, history, rng):
        self.history, self.rng = history, rng
        self.names = {event[2]: event[3] for event in history if event[0] == "connect"}
        self.sent, self.acked, self.given, self.early = {}, set(), {}, set()
        for at, event in enumerate(history):
            if event[0] == "publish":
                self.sent.setdefault(event[3].id, event[3])
            elif event[0] == "suback" and self.names[event[2]] in STEADY:
                self.early = set(self.sent)
            elif event[0] == "ack":
                self.acked.add(event[3])
            elif event[0] == "deliver" and not event[6]:
                self.given.setdefault((self.names[event[2]], event[3]), []).append(at)

    def is_owed(self, number):
        """Sent after the steady subscribers had all their subscriptions, to a topic that may not be refused."""
        return number not in self.early and number in self.sent and not self.sent[number].topic.startswith("g/")

    def pick(self, found):
        found = list(found)
        return self.rng.choice(found) if found else None

    def without(self, places):
        gone = set(places)
        return [event for at, event in enumerate(self.history) if at not in gone]

    def lost_message(self):
        """All copies of one message of a steady subscriber."""
        key = self.pick(key for key, places in self.given.items() if key[0] in STEADY and key[1] in self.acked
                        and self.is_owed(key[1]) and self.history[places[0]][5] > 0)
        return key and self.without(self.given[key])

    def second_copy(self):
        at = self.pick(places[0] for places in self.given.values() if self.history[places[0]][5] == 2)
        return at and self.history[:at + 1] + self.history[at:]

    def other_order(self):
        """Two successive messages of one publisher, to one connection."""
        last, found = {}, []
        for at, event in enumerate(self.history):
            message = self.sent.get(event[3]) if event[0] == "deliver" and not event[6] else None
            if (message is None or event[5] == 0 or not self.is_owed(event[3])
                    or self.names[event[2]] not in STEADY):
                continue
            key = (event[2], message.by, message.qos, event[5])
            if key in last and self.is_first(at) and self.is_first(last[key]):
                found.append((last[key], at))
            last[key] = at
        pair = self.pick(found)
        return pair and self.exchanged(*pair)

    def is_first(self, at):
        event = self.history[at]
        return self.given[self.names[event[2]], event[3]][0] == at

    def exchanged(self, first, second):
        done = list(self.history)
        done[first], done[second] = (*done[first][:2], *done[second][2:]), (*done[second][:2], *done[first][2:])
        return done

    def older_value(self):
        """A reader is given a value that its writer had replaced or deleted, with an acknowledgement."""
        at = self.pick(at for at, event in enumerate(self.history) if event[0] == "values")
        if not at:
            return None
        topic = f"r/{self.rng.randrange(4)}"  # topics of one writer
        old = [event[3].id for event in self.history[:at] if event[0] == "publish" and event[3].topic == topic]
        settled = [number for number in old if number in self.acked]
        if len(settled) < 2:
            return None
        older = [number for number in old[:old.index(settled[-1])] if number != settled[-1]
                 and not self.sent[number].empty]
        return older and self.with_value(at, topic, self.rng.choice(older))

    def with_value(self, at, topic, number):
        kind, t, reader, values = self.history[at]
        return [*self.history[:at], (kind, t, reader, {**values, topic: number}), *self.history[at + 1:]]

    def lost_value(self):
        places = [at for at, event in enumerate(self.history) if event[0] == "values" and event[3]]
        at = self.pick(places)
        if not at:
            return None
        kind, t, reader, values = self.history[at]
        topic = self.rng.choice(sorted(values))
        message = self.sent.get(values[topic])
        if message is None or message.id not in self.acked:
            return None
        return [*self.history[:at], (kind, t, reader, {name: value for name, value in values.items() if name != topic}),
                *self.history[at + 1:]]

    def lost_session(self):
        at = self.pick(at for at, event in enumerate(self.history) if event[0] == "connack" and event[3]
                       and self.names[event[2]] in STEADY)
        return at and [*self.history[:at], (*self.history[at][:3], False), *self.history[at + 1:]]

    def unexpected_session(self):
        at = self.pick(at for at, event in enumerate(self.history) if event[0] == "connack" and not event[3])
        return at and [*self.history[:at], (*self.history[at][:3], True), *self.history[at + 1:]]

    def lost_subscription(self):
        """It was acknowledged, and afterwards its messages do not arrive."""
        place = self.pick(at for at, event in enumerate(self.history) if event[0] == "suback"
                          and self.names[event[2]] == "sub1" and event[3] == "t/#")
        gone = [at for (name, number), places in self.given.items() for at in places
                if name == "sub1" and number in self.sent and self.sent[number].topic.startswith("t/")]
        return self.without(gone) if place is not None and len(gone) > 10 else None

    def will_of_the_living(self):
        """It is published as soon as its client is accepted."""
        watch = self.pick(at for at, event in enumerate(self.history) if event[0] == "connect" and event[7] is not None
                          and any(later[0] == "connack" and later[2] == event[2]
                                  for later in self.history[at:at + 50]))
        if watch is None:
            return None
        connection, will = self.history[watch][2], self.history[watch][7]
        accepted = next(at for at in range(watch, len(self.history)) if self.history[at][0] == "connack"
                        and self.history[at][2] == connection)
        reader = next((event[2] for event in reversed(self.history[:accepted]) if event[0] == "connack"
                       and self.names[event[2]] == "watch"), None)
        return reader and [*self.history[:accepted + 1],
                           ("deliver", self.history[accepted][1], reader, will.id, will.topic, will.qos, False, False),
                           *self.history[accepted + 1:]]


MUTATIONS = [name for name in vars(Mutator) if name.split("_")[0] in ("lost", "second", "other", "older", "unexpected", "will")]


def undetected(history, rng, each):
    """(number of mutations, {mutation: how often it was not reported})"""
    assert verdict_on(history) is None
    mutator, tried, missed = Mutator(history, rng), 0, {}
    for name in MUTATIONS:
        for _ in range(each):
            mutated = getattr(mutator, name)()
            if not mutated:
                continue
            tried += 1
            if verdict_on(mutated) is None:
                missed[name] = missed.get(name, 0) + 1
    return tried, missed
