"""The oracle is tested with correct histories, which it must accept, and with mutated ones, which it must report."""

import pytest
from model import Message, Violation
from oracle import Oracle


class History(list):
    """A history under construction: one event each tenth of a second."""

    def add(self, kind, *arguments, at=None):
        t = at if at is not None else (self[-1][1] + 0.1 if self else 0.0)
        self.append((kind, t, *arguments))
        return self

    def joins(self, connection, name, *, version=5, clean=False, expiry=None, will=None, delay=0, present=False, at=None):
        self.add("connect", connection, name, version, clean, expiry, will, delay, at=at)
        return self.add("connack", connection, present)

    def subscribes(self, connection, *filters, qos=2):
        for one in filters:
            self.add("subscribe", connection, one, qos).add("suback", connection, one)
        return self

    def sends(self, connection, message, ack=True):
        self.add("publish", connection, message)
        return self.add("ack", connection, message.id) if ack else self

    def gives(self, connection, message, qos=None, retain=False, dup=False):
        return self.add("deliver", connection, message.id, message.topic, message.qos if qos is None else qos, retain, dup)

    def crashes(self, *connections):
        for connection in connections:
            self.add("end", connection, "dead")
        return self.add("crash", "killed").add("ready")

    def reads(self, **values):
        topics = {f"r/{name}": message.id for name, message in values.items()}
        return self.add("read", "reader").add("values", "reader", topics)


def message(number, topic="t/1", qos=1, **more):
    return Message(number, "pub", topic, qos, **more)


def check_history(history):
    oracle = Oracle()
    for event in history:
        oracle.feed(*(one.copy() if isinstance(one, Message) else one for one in event))


def without(history, kind, at=0):
    """The same history, but this never happened."""
    found = [place for place, event in enumerate(history) if event[0] == kind][at]
    return History(history[:found] + history[found + 1:])


def again(history, kind, at=0):
    """The same history, but this happened twice."""
    found = [place for place, event in enumerate(history) if event[0] == kind][at]
    return History(history[:found + 1] + history[found:])


def swapped(history, kind):
    """The same history, but the first two of these are swapped."""
    first, second = [place for place, event in enumerate(history) if event[0] == kind][:2]
    done = History(history)
    done[first], done[second] = (history[second][0], history[first][1], *history[second][2:]), (
        history[first][0], history[second][1], *history[first][2:])
    return done


def after_crash(qos=1, topic="t/1"):
    """A subscriber, a publisher, two messages, a crash between them and their arrival."""
    one, two = message(1, topic, qos), message(2, topic, qos)
    history = History().add("ready").joins(1, "sub").subscribes(1, "t/#").joins(2, "pub").sends(2, one).sends(2, two)
    history.crashes(1, 2).joins(3, "sub", present=True).gives(3, one).gives(3, two)
    return history.add("check")


def group():
    one = message(1, "s/1", 2)
    history = History().add("ready").joins(1, "m0").subscribes(1, "$share/g/s/#").joins(2, "m1").subscribes(2, "$share/g/s/#")
    return history.joins(3, "pub").sends(3, one).crashes(1, 2, 3).joins(4, "m0", present=True).gives(4, one).add("check")


def values(*, deleted=False):
    one, two = message(1, "r/a", retain=True), message(2, "r/a", retain=True, size=-1 if deleted else 0)
    history = History().add("ready").joins(1, "pub").sends(1, one).sends(1, two).crashes(1)
    return history, one, two


def dying(*, delay=0, qos=2, durable=True):
    """A watcher, and a client with a will."""
    will = Message(1, "w", "w/1", qos, will=2)
    history = History().add("ready").joins(1, "watch").subscribes(1, "w/#")
    return history.joins(2, "w", clean=not durable, expiry=None if durable else 0, will=will, delay=delay), will


def unacknowledged_repeats():
    """The publisher sends again what the crash left open; the broker had it already."""
    one, two = message(1), message(2)
    history = History().add("ready").joins(1, "sub").subscribes(1, "t/#").joins(2, "pub")
    history.sends(2, one, ack=False).sends(2, two, ack=False).crashes(1, 2)
    history.joins(3, "pub", present=True).sends(3, one).sends(3, two).joins(4, "sub", present=True)
    return history.gives(4, one).gives(4, two).gives(4, one).gives(4, two).add("check"), one, two


def right():
    """[(name, history)] that the protocol permits."""
    value, one, two = values()
    deleted, *_ = values(deleted=True)
    will, last = dying()
    delayed, late = dying(delay=3600)
    yield "messages", after_crash()
    yield "messages of QoS 2", after_crash(2)
    yield "a group", group()
    yield "QoS 1 twice, as it was sent twice", unacknowledged_repeats()[0]
    yield "the last value", History(value).reads(a=two)
    yield "a deleted value", History(deleted).reads()
    yield "a later value that nobody acknowledged", without(value, "ack", 1).reads(a=two)
    yield "nor kept", without(value, "ack", 1).reads(a=one)
    meets = History().add("ready").joins(1, "pub").sends(1, message(1)).joins(2, "new", clean=True, expiry=0)
    yield "a message on its way to whom is not kept", meets.subscribes(2, "t/#").gives(2, message(1))
    yield "a will after a crash", History(will).crashes(1, 2).joins(3, "watch", present=True).gives(3, last).add("check")
    yield "a will that was cancelled", History(will).add("disconnect", 2, 0, None).add("end", 2, "eof").add("check")
    yield "a will whose cancelling the crash met", History(will).add("disconnect", 2, 0, None).crashes(1, 2).joins(
        3, "watch", present=True).gives(3, last).add("check")
    leaves = History(will).add("end", 2, "closed")
    yield "a will that came behind the end of a subscription", History(leaves).add("unsubscribe", 1, "w/#").add(
        "unsuback", 1, "w/#").add("check")
    yield "a will that waits", History(delayed).add("end", 2, "closed").add("check")
    yield "a will of a session that starts anew", History(delayed).add("end", 2, "closed").joins(
        3, "w", clean=True).gives(1, late).add("check")
    yield "an end that the crash met", History().joins(1, "e").add("disconnect", 1, 0, 0).crashes(1).joins(
        2, "e", present=True)
    yield "a session that has expired", History().joins(1, "e", expiry=2).add("end", 1, "eof").joins(2, "e", at=9.0)
    yield "a session that may have started clean", History().joins(1, "e").add("end", 1, "eof").add(
        "connect", 2, "e", 5, True, None, None, 0).crashes(2).joins(3, "e", present=True)


def wrong():
    """[(name, rule, history)] of what must be reported."""
    value, one, _ = values()
    deleted, *_ = values(deleted=True)
    will, last = dying()
    delayed, late = dying(delay=3600)
    back = History(will).crashes(1, 2).joins(3, "watch", present=True)
    yield "a lost message", "D1", without(after_crash(), "deliver", 1)
    yield "a lost message of QoS 2", "D1", without(after_crash(2), "deliver")
    yield "a message that a group lost", "D1", without(group(), "deliver")
    yield "QoS 2 twice", "D2", again(after_crash(2), "deliver")
    yield "QoS 1 more often than it was sent", "D2", again(after_crash(), "deliver")
    yield "QoS 2 to two of a group", "D2", group().joins(5, "m1", present=True).gives(5, message(1, "s/1", 2))
    yield "a message that nobody sent", "D2", after_crash().gives(3, message(9))
    yield "messages the other way round", "D3", swapped(after_crash(), "deliver")
    yield "QoS 2 the other way round", "D3", swapped(after_crash(2), "deliver")
    repeated, first, second = unacknowledged_repeats()
    yield "repeats the other way round", "D3", History(repeated[:-4]).gives(4, first).gives(4, second).gives(
        4, second).gives(4, first)
    yield "an older value", "D4", History(value).reads(a=one)
    yield "no value", "D4", History(value).reads()
    yield "a value that was deleted", "D4", History(deleted).reads(a=one)
    yield "a value that comes again after it was seen gone", "D4", without(value, "ack", 1).reads(a=one).crashes(
        ).reads(a=message(2, "r/a", retain=True))
    yield "a session that is gone", "D5", History(after_crash()[:-3]).add("end", 3, "eof").joins(4, "sub")
    yield "a ghost of a clean session", "D5", History().joins(1, "e", clean=True, expiry=0).crashes(1).joins(
        2, "e", present=True)
    ended = History().joins(1, "e").add("disconnect", 1, 0, 0).add("end", 1, "eof")
    yield "a ghost of an ended session", "D5", History(ended).joins(2, "e", present=True)
    yield "a ghost whom a crash brings back", "D5", History(ended).crashes().joins(2, "e", present=True)
    yield "a ghost of an expired session", "D5", History().joins(1, "e", expiry=2).add("end", 1, "eof").joins(
        2, "e", present=True, at=9.0)
    yield "a ghost of a subscription", "D5", History().joins(1, "sub").subscribes(1, "t/#").add(
        "unsubscribe", 1, "t/#").add("unsuback", 1, "t/#").joins(2, "pub").sends(2, message(1)).gives(1, message(1))
    early = History().add("ready").joins(1, "pub").sends(1, message(1)).joins(2, "new").subscribes(2, "t/#")
    yield "a message from before the subscription", "D5", early.gives(2, message(1))
    yield "a message from long before", "D5", History().add("ready").joins(1, "pub").sends(1, message(1)).joins(
        2, "new", clean=True, expiry=0, at=9.0).subscribes(2, "t/#").gives(2, message(1))
    yield "a lost will", "D6", History(back).add("check")
    seen = History(will).joins(3, "other").subscribes(3, "w/#").add("end", 2, "closed").gives(3, last)
    yield "a lost will that another one had got", "D6", seen.add("unsubscribe", 1, "w/#").add("unsuback", 1, "w/#").add(
        "check")
    yield "a will twice", "D2", History(back).gives(3, last).gives(3, last)
    yield "a will that was cancelled", "D6", History(will).add("disconnect", 2, 0, None).add("end", 2, "eof").gives(1, last)
    yield "a will of one who is alive", "D6", History(will).gives(1, last)
    yield "a will before its time", "D6", History(delayed).add("end", 2, "closed").gives(1, late)
    yield "a will of one who came back", "D6", History(delayed).add("end", 2, "closed").joins(
        3, "w", present=True).gives(1, late)


@pytest.mark.parametrize("name, history", right(), ids=lambda it: it if isinstance(it, str) else "")
def test_right(name, history):
    check_history(history)


@pytest.mark.parametrize("name, rule, history", wrong(), ids=lambda it: it if isinstance(it, str) else "")
def test_wrong(name, rule, history):
    with pytest.raises(Violation) as caught:
        check_history(history)
    assert caught.value.rule == rule, f"{name}: {caught.value}"
