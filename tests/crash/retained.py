"""D4: a fresh subscriber gets the last acknowledged value or a later one, and nothing deleted returns."""


class Change:
    """One write of a topic's value: one transmission of QoS 0 or 1, all transmissions of QoS 2, or a will. It took
    effect, if at all, between first_n and end_n (None: it still may). certain_n: since then it certainly had; durable:
    a crash cannot undo it."""

    __slots__ = ("message", "connection", "first_n", "end_n", "certain_n", "durable", "read")

    def __init__(self, message, connection, n):
        self.message, self.connection, self.first_n = message, connection, n
        self.end_n = self.certain_n = None
        self.durable = self.read = False

    @property
    def empty(self):
        return self.message is None or self.message.empty

    def is_before(self, other):
        if self.connection is not None and self.connection == other.connection:
            return self.first_n < other.first_n
        return self.end_n is not None and self.end_n < other.first_n


def nothing():
    change = Change(None, None, -1)
    change.end_n = change.certain_n = -1
    change.durable = True
    return change


class Retained:
    """Part of the oracle (oracle.py)."""

    def changes(self, topic):
        if topic not in self.topics:
            self.topics[topic] = [nothing()]
        return self.topics[topic]

    def retained_sent(self, connection, message):
        """A QoS 2 message that is sent again is the same change: the broker carried it out when it first arrived, or
        does it now. So its position on its connection says nothing."""
        changes = self.changes(message.topic)
        again = message.qos == 2 and message.sends > 1
        if again:
            changes[:] = [change for change in changes if change.message is not message]
        changes.append(Change(message, None if again else connection.id, message.first_n if again else self.n))
        if message.qos == 0:
            self.lazy.setdefault(connection.id, set()).add(message.topic)

    def retained_acked(self, connection, message):
        changes = self.changes(message.topic)
        for change in changes:
            if change.message is message and (change.connection == connection.id or message.qos == 2):
                change.end_n = change.certain_n = self.n
                change.durable = True

    def retained_seen(self, connection, before):
        """An acknowledgement of what was sent at `before`: earlier QoS 0 messages were processed too."""
        for topic in self.lazy.get(connection.id, ()):
            for change in self.topics[topic]:
                if (change.connection == connection.id and change.certain_n is None and change.message.qos == 0
                        and change.first_n < before):
                    change.end_n = change.certain_n = self.n

    def retained_over(self, connection, ended):
        """Nothing that was sent on this connection can take effect any more."""
        self.lazy.pop(connection.id, None)
        for changes in self.topics.values():
            for change in changes:
                if change.end_n is None and change.message and (
                        change.message in ended if change.message.qos == 2 else change.connection == connection.id):
                    change.end_n = self.n

    def retained_crash(self):
        """Values that were only seen, and not acknowledged, may be lost."""
        for changes in self.topics.values():
            for change in changes:
                if not change.durable:
                    change.certain_n = None

    def candidates(self, topic, since):
        """The values that a reader may get that asked at `since`."""
        changes = self.changes(topic)
        certain = [change for change in changes if change.certain_n is not None and change.certain_n < since]
        return [change for change in changes if not any(change is not later and change.is_before(later)
                                                        for later in certain)]

    def values(self):
        """The messages that may be the value of some topic."""
        return {change.message.id for changes in self.topics.values() for change in changes if change.message}

    def must_be_there(self, since):
        """Topics that certainly have a value."""
        return [topic for topic in self.topics
                if not any(change.empty for change in self.candidates(topic, since))]

    # reading

    def on_read(self, reader):
        """A fresh subscriber subscribes now."""
        self.readings[reader] = self.n

    def on_values(self, reader, values):
        """What it got: {topic: message number}; at a quiet point, or before any publisher writes."""
        since = self.readings.pop(reader)
        for topic in {*self.topics, *values}:
            self.check_value(topic, since, values.get(topic))

    def check_value(self, topic, since, number):
        legal = self.candidates(topic, since)
        found = [change for change in legal
                 if (change.empty if number is None else change.message and change.message.id == number)]
        if not found:
            self.fail("D4", f"{topic} has {'no value' if number is None else f'the value {number}'}; it must have "
                      f"one of {[change.message for change in legal]}", self.retained_story(topic, number, legal))
        # What was there after the last start is on disk: older values cannot return.
        if all(change.first_n < self.start_n for change in found):
            self.topics[topic] = [change for change in self.changes(topic)
                                  if change in found or change.end_n is None or change.end_n >= self.start_n]
            for change in found:
                change.certain_n, change.durable = self.n if change.certain_n is None else change.certain_n, True

    def retained_story(self, topic, number, legal):
        story = self.events_of(number) if number is not None else []
        for change in self.changes(topic)[-10:]:
            story.append(f"change {change.message!r} on connection {change.connection}, n {change.first_n} to {change.end_n}, "
                         f"certain {change.certain_n}{' possible' if change in legal else ''}")
            story += change.message.events if change.message is not None else []
        return story

    def forget_retained(self):
        """At a quiet point: drop what a durable later change certainly replaced."""
        for topic, changes in self.topics.items():
            durable = [change for change in changes if change.durable and change.certain_n is not None]
            self.topics[topic] = [change for change in changes if not any(
                change is not later and change.is_before(later) for later in durable)]
