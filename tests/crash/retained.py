"""D4: what a fresh subscriber is given is the last acknowledged value or a later one, and nothing deleted returns."""


class Change:
    """One writing of a topic's value: a sending of QoS 0 or 1, all sendings of one of QoS 2, a will.

    It was carried out, if at all, between first_n and end_n (None: it still may be). sure_n: from then on it
    surely was; durable: a crash cannot undo that."""

    __slots__ = ("message", "life", "first_n", "end_n", "sure_n", "durable", "read")

    def __init__(self, message, life, n):
        self.message, self.life, self.first_n = message, life, n
        self.end_n = self.sure_n = None
        self.durable = self.read = False

    @property
    def empty(self):
        return self.message is None or self.message.empty

    def is_before(self, other):
        if self.life is not None and self.life == other.life:
            return self.first_n < other.first_n
        return self.end_n is not None and self.end_n < other.first_n


def nothing():
    change = Change(None, None, -1)
    change.end_n = change.sure_n = -1
    change.durable = True
    return change


class Retained:
    """Part of the oracle (oracle.py)."""

    def changes(self, topic):
        if topic not in self.topics:
            self.topics[topic] = [nothing()]
        return self.topics[topic]

    def retained_sent(self, life, message):
        """Resent with QoS 2 it is the same change: the broker carried it out when it first came, and knows it, or
        does it now. So its place among those of its connection tells nothing."""
        changes = self.changes(message.topic)
        again = message.qos == 2 and message.sends > 1
        if again:
            changes[:] = [change for change in changes if change.message is not message]
        changes.append(Change(message, None if again else life.id, message.first_n if again else self.n))
        if message.qos == 0:
            self.lazy.setdefault(life.id, set()).add(message.topic)

    def retained_acked(self, life, message):
        changes = self.changes(message.topic)
        for change in changes:
            if change.message is message and (change.life == life.id or message.qos == 2):
                change.end_n = change.sure_n = self.n
                change.durable = True

    def retained_seen(self, life, before):
        """An acknowledgement of what was sent at `before`: what was sent earlier with QoS 0 was taken too."""
        for topic in self.lazy.get(life.id, ()):
            for change in self.topics[topic]:
                if (change.life == life.id and change.sure_n is None and change.message.qos == 0
                        and change.first_n < before):
                    change.end_n = change.sure_n = self.n

    def retained_over(self, life, ended):
        """Nothing that was sent on this connection can be carried out any more."""
        self.lazy.pop(life.id, None)
        for changes in self.topics.values():
            for change in changes:
                if change.end_n is None and change.message and (
                        change.message in ended if change.message.qos == 2 else change.life == life.id):
                    change.end_n = self.n

    def retained_crash(self):
        """What was only seen, and not acknowledged, may be gone."""
        for changes in self.topics.values():
            for change in changes:
                if not change.durable:
                    change.sure_n = None

    def candidates(self, topic, since):
        """What may be the value for one who asked at `since`."""
        changes = self.changes(topic)
        sure = [change for change in changes if change.sure_n is not None and change.sure_n < since]
        return [change for change in changes if not any(change is not later and change.is_before(later)
                                                        for later in sure)]

    def values(self):
        """The messages that may be the value of some topic."""
        return {change.message.id for changes in self.topics.values() for change in changes if change.message}

    def must_be_there(self, since):
        """Topics that surely have a value."""
        return [topic for topic in self.topics
                if not any(change.empty for change in self.candidates(topic, since))]

    # reading

    def on_read(self, reader):
        """A fresh subscriber asks now."""
        self.readings[reader] = self.n

    def on_values(self, reader, values):
        """What it was given: {topic: message number}; after a drain or before anybody writes."""
        since = self.readings.pop(reader)
        for topic in {*self.topics, *values}:
            self.judge_value(topic, since, values.get(topic))

    def judge_value(self, topic, since, number):
        legal = self.candidates(topic, since)
        found = [change for change in legal
                 if (change.empty if number is None else change.message and change.message.id == number)]
        if not found:
            self.fail("D4", f"{topic} has {'no value' if number is None else f'the value {number}'}; it must have "
                      f"one of {[change.message for change in legal]}", self.retained_story(topic, number, legal))
        # What was there after the last start is on disk: what is older cannot come again.
        if all(change.first_n < self.start_n for change in found):
            self.topics[topic] = [change for change in self.changes(topic)
                                  if change in found or change.end_n is None or change.end_n >= self.start_n]
            for change in found:
                change.sure_n, change.durable = self.n if change.sure_n is None else change.sure_n, True

    def retained_story(self, topic, number, legal):
        story = self.story_of(number) if number is not None else []
        for change in self.changes(topic)[-10:]:
            story.append(f"change {change.message!r} on connection {change.life}, n {change.first_n} to {change.end_n}, "
                         f"sure {change.sure_n}{' possible' if change in legal else ''}")
            story += change.message.story if change.message is not None else []
        return story

    def forget_retained(self):
        """After a check: what a durable later change surely replaced."""
        for topic, changes in self.topics.items():
            durable = [change for change in changes if change.durable and change.sure_n is not None]
            self.topics[topic] = [change for change in changes if not any(
                change is not later and change.is_before(later) for later in durable)]
