"""The oracle can fail: histories that are right, and the same ones doctored, each of which it must report."""

import pytest
from facts import Message, Violation
from oracle import Oracle


class Tale(list):
    """A history in the making: one event each tenth of a second."""

    def add(self, kind, *arguments, at=None):
        t = at if at is not None else (self[-1][1] + 0.1 if self else 0.0)
        self.append((kind, t, *arguments))
        return self

    def joins(self, life, name, *, version=5, clean=False, expiry=None, will=None, delay=0, present=False, at=None):
        self.add("connect", life, name, version, clean, expiry, will, delay, at=at)
        return self.add("connack", life, present)

    def subscribes(self, life, *filters, qos=2):
        for one in filters:
            self.add("subscribe", life, one, qos).add("suback", life, one)
        return self

    def sends(self, life, message, ack=True):
        self.add("publish", life, message)
        return self.add("ack", life, message.id) if ack else self

    def gives(self, life, message, qos=None, retain=False, dup=False):
        return self.add("deliver", life, message.id, message.topic, message.qos if qos is None else qos, retain, dup)

    def crashes(self, *lives):
        for life in lives:
            self.add("end", life, "dead")
        return self.add("crash", "killed").add("ready")

    def reads(self, **values):
        topics = {f"r/{name}": message.id for name, message in values.items()}
        return self.add("read", "reader").add("values", "reader", topics)


def message(number, topic="t/1", qos=1, **more):
    return Message(number, "pub", topic, qos, **more)


def judge(tale):
    oracle = Oracle()
    for event in tale:
        oracle.feed(*(one.copy() if isinstance(one, Message) else one for one in event))


def without(tale, kind, at=0):
    """The same history, but this never happened."""
    found = [place for place, event in enumerate(tale) if event[0] == kind][at]
    return Tale(tale[:found] + tale[found + 1:])


def again(tale, kind, at=0):
    """The same history, but this happened twice."""
    found = [place for place, event in enumerate(tale) if event[0] == kind][at]
    return Tale(tale[:found + 1] + tale[found:])


def swapped(tale, kind):
    """The same history, but the first two of these came the other way round."""
    first, second = [place for place, event in enumerate(tale) if event[0] == kind][:2]
    done = Tale(tale)
    done[first], done[second] = (tale[second][0], tale[first][1], *tale[second][2:]), (
        tale[first][0], tale[second][1], *tale[first][2:])
    return done


def house(qos=1, topic="t/1"):
    """A subscriber, a publisher, two messages, a crash between them and their arrival."""
    one, two = message(1, topic, qos), message(2, topic, qos)
    tale = Tale().add("ready").joins(1, "sub").subscribes(1, "t/#").joins(2, "pub").sends(2, one).sends(2, two)
    tale.crashes(1, 2).joins(3, "sub", present=True).gives(3, one).gives(3, two)
    return tale.add("check")


def group():
    one = message(1, "s/1", 2)
    tale = Tale().add("ready").joins(1, "m0").subscribes(1, "$share/g/s/#").joins(2, "m1").subscribes(2, "$share/g/s/#")
    return tale.joins(3, "pub").sends(3, one).crashes(1, 2, 3).joins(4, "m0", present=True).gives(4, one).add("check")


def values(*, deleted=False):
    one, two = message(1, "r/a", retain=True), message(2, "r/a", retain=True, size=-1 if deleted else 0)
    tale = Tale().add("ready").joins(1, "pub").sends(1, one).sends(1, two).crashes(1)
    return tale, one, two


def dying(*, delay=0, qos=2, keeps=True):
    """A watcher, and one with a will."""
    will = Message(1, "w", "w/1", qos, will=2)
    tale = Tale().add("ready").joins(1, "watch").subscribes(1, "w/#")
    return tale.joins(2, "w", clean=not keeps, expiry=None if keeps else 0, will=will, delay=delay), will


def unacknowledged_repeats():
    """The publisher sends again what the crash left open; the broker had it."""
    one, two = message(1), message(2)
    tale = Tale().add("ready").joins(1, "sub").subscribes(1, "t/#").joins(2, "pub")
    tale.sends(2, one, ack=False).sends(2, two, ack=False).crashes(1, 2)
    tale.joins(3, "pub", present=True).sends(3, one).sends(3, two).joins(4, "sub", present=True)
    return tale.gives(4, one).gives(4, two).gives(4, one).gives(4, two).add("check"), one, two


def right():
    """[(name, history)] of what the protocol allows."""
    value, one, two = values()
    deleted, *_ = values(deleted=True)
    will, last = dying()
    delayed, late = dying(delay=3600)
    yield "messages", house()
    yield "messages of QoS 2", house(2)
    yield "a group", group()
    yield "QoS 1 twice, as it was sent twice", unacknowledged_repeats()[0]
    yield "the last value", Tale(value).reads(a=two)
    yield "a deleted value", Tale(deleted).reads()
    yield "a later value that nobody acknowledged", without(value, "ack", 1).reads(a=two)
    yield "nor kept", without(value, "ack", 1).reads(a=one)
    meets = Tale().add("ready").joins(1, "pub").sends(1, message(1)).joins(2, "new", clean=True, expiry=0)
    yield "a message on its way to whom is not kept", meets.subscribes(2, "t/#").gives(2, message(1))
    yield "a will after a crash", Tale(will).crashes(1, 2).joins(3, "watch", present=True).gives(3, last).add("check")
    yield "a will that was cancelled", Tale(will).add("disconnect", 2, 0, None).add("end", 2, "eof").add("check")
    yield "a will whose cancelling the crash met", Tale(will).add("disconnect", 2, 0, None).crashes(1, 2).joins(
        3, "watch", present=True).gives(3, last).add("check")
    leaves = Tale(will).add("end", 2, "closed")
    yield "a will that came behind the end of a subscription", Tale(leaves).add("unsubscribe", 1, "w/#").add(
        "unsuback", 1, "w/#").add("check")
    yield "a will that waits", Tale(delayed).add("end", 2, "closed").add("check")
    yield "a will of a session that starts anew", Tale(delayed).add("end", 2, "closed").joins(
        3, "w", clean=True).gives(1, late).add("check")
    yield "an end that the crash met", Tale().joins(1, "e").add("disconnect", 1, 0, 0).crashes(1).joins(
        2, "e", present=True)
    yield "a session that has expired", Tale().joins(1, "e", expiry=2).add("end", 1, "eof").joins(2, "e", at=9.0)
    yield "a session that may have started clean", Tale().joins(1, "e").add("end", 1, "eof").add(
        "connect", 2, "e", 5, True, None, None, 0).crashes(2).joins(3, "e", present=True)


def wrong():
    """[(name, rule, history)] of what must be reported."""
    value, one, _ = values()
    deleted, *_ = values(deleted=True)
    will, last = dying()
    delayed, late = dying(delay=3600)
    back = Tale(will).crashes(1, 2).joins(3, "watch", present=True)
    yield "a lost message", "D1", without(house(), "deliver", 1)
    yield "a lost message of QoS 2", "D1", without(house(2), "deliver")
    yield "a message that a group lost", "D1", without(group(), "deliver")
    yield "QoS 2 twice", "D2", again(house(2), "deliver")
    yield "QoS 1 more often than it was sent", "D2", again(house(), "deliver")
    yield "QoS 2 to two of a group", "D2", group().joins(5, "m1", present=True).gives(5, message(1, "s/1", 2))
    yield "a message that nobody sent", "D2", house().gives(3, message(9))
    yield "messages the other way round", "D3", swapped(house(), "deliver")
    yield "QoS 2 the other way round", "D3", swapped(house(2), "deliver")
    repeated, first, second = unacknowledged_repeats()
    yield "repeats the other way round", "D3", Tale(repeated[:-4]).gives(4, first).gives(4, second).gives(
        4, second).gives(4, first)
    yield "an older value", "D4", Tale(value).reads(a=one)
    yield "no value", "D4", Tale(value).reads()
    yield "a value that was deleted", "D4", Tale(deleted).reads(a=one)
    yield "a value that comes again after it was seen gone", "D4", without(value, "ack", 1).reads(a=one).crashes(
        ).reads(a=message(2, "r/a", retain=True))
    yield "a session that is gone", "D5", Tale(house()[:-3]).add("end", 3, "eof").joins(4, "sub")
    yield "a ghost of a clean session", "D5", Tale().joins(1, "e", clean=True, expiry=0).crashes(1).joins(
        2, "e", present=True)
    ended = Tale().joins(1, "e").add("disconnect", 1, 0, 0).add("end", 1, "eof")
    yield "a ghost of an ended session", "D5", Tale(ended).joins(2, "e", present=True)
    yield "a ghost whom a crash brings back", "D5", Tale(ended).crashes().joins(2, "e", present=True)
    yield "a ghost of an expired session", "D5", Tale().joins(1, "e", expiry=2).add("end", 1, "eof").joins(
        2, "e", present=True, at=9.0)
    yield "a ghost of a subscription", "D5", Tale().joins(1, "sub").subscribes(1, "t/#").add(
        "unsubscribe", 1, "t/#").add("unsuback", 1, "t/#").joins(2, "pub").sends(2, message(1)).gives(1, message(1))
    early = Tale().add("ready").joins(1, "pub").sends(1, message(1)).joins(2, "new").subscribes(2, "t/#")
    yield "a message from before the subscription", "D5", early.gives(2, message(1))
    yield "a message from long before", "D5", Tale().add("ready").joins(1, "pub").sends(1, message(1)).joins(
        2, "new", clean=True, expiry=0, at=9.0).subscribes(2, "t/#").gives(2, message(1))
    yield "a lost will", "D6", Tale(back).add("check")
    seen = Tale(will).joins(3, "other").subscribes(3, "w/#").add("end", 2, "closed").gives(3, last)
    yield "a lost will that another one had got", "D6", seen.add("unsubscribe", 1, "w/#").add("unsuback", 1, "w/#").add(
        "check")
    yield "a will twice", "D2", Tale(back).gives(3, last).gives(3, last)
    yield "a will that was cancelled", "D6", Tale(will).add("disconnect", 2, 0, None).add("end", 2, "eof").gives(1, last)
    yield "a will of one who is alive", "D6", Tale(will).gives(1, last)
    yield "a will before its time", "D6", Tale(delayed).add("end", 2, "closed").gives(1, late)
    yield "a will of one who came back", "D6", Tale(delayed).add("end", 2, "closed").joins(
        3, "w", present=True).gives(1, late)


@pytest.mark.parametrize("name, tale", right(), ids=lambda it: it if isinstance(it, str) else "")
def test_right(name, tale):
    judge(tale)


@pytest.mark.parametrize("name, rule, tale", wrong(), ids=lambda it: it if isinstance(it, str) else "")
def test_wrong(name, rule, tale):
    with pytest.raises(Violation) as caught:
        judge(tale)
    assert caught.value.rule == rule, f"{name}: {caught.value}"
