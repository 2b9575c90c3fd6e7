"""What the standards say of SUBSCRIBE, UNSUBSCRIBE and the matching of messages, on the wire of both versions."""

import mqtt
import pytest
from statements import ACL, answer_of, opened
from wire import Wire

NO_LOCAL, AS_PUBLISHED = 0x04, 0x08


@pytest.fixture(scope="module")
def broker(new_broker):
    limits = {"subscriptions": 30, "topic_levels": 20}
    with new_broker(config={"limits": limits}, acl=ACL, users={"anna": ["all"], "mute": ["mute"]}) as broker:
        yield broker


# The fixed header


BODIES = {
    mqtt.PUBACK: b"\0\1", mqtt.PUBREC: b"\0\1", mqtt.PUBREL: b"\0\1", mqtt.PUBCOMP: b"\0\1", mqtt.PINGREQ: b"",
    mqtt.DISCONNECT: b"", mqtt.SUBSCRIBE: mqtt.text("t") + b"\0", mqtt.UNSUBSCRIBE: mqtt.text("t"),
}
RIGHT = {mqtt.PUBREL: 2, mqtt.SUBSCRIBE: 2, mqtt.UNSUBSCRIBE: 2}


@pytest.mark.parametrize("kind", BODIES, ids=[mqtt.NAMES[kind] for kind in BODIES])
def test_reserved_flags(broker, version, kind):
    """[MQTT3-2.2.2-1], [MQTT3-2.2.2-2], [MQTT5-2.1.3-1], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1],
    [MQTT-3.14.1-1]: every value but the right one"""
    head = b"" if kind not in (mqtt.SUBSCRIBE, mqtt.UNSUBSCRIBE) else b"\0\1" + (b"\0" if version == 5 else b"")
    for flags in range(16):
        if flags == RIGHT.get(kind, 0):
            continue
        with Wire(broker, version) as client:
            client.send(mqtt.packet(kind, flags, head + BODIES[kind]))
            said = answer_of(client)
            assert (said is None) if version == 4 else (said.kind, said.reason) == (mqtt.DISCONNECT, 0x81)


def test_reserved_bits_of_the_options(broker, topic, version):
    """[MQTT3-3.8.3-4], [MQTT5-3.8.3-5]; QoS 3 and Retain Handling 3 are Protocol Errors in 5.0 (3.8.3.1)"""
    bits = [(1 << n, 0x81) for n in range(2, 8)] + [(3, 0x81)] if version == 4 else \
           [(0x40, 0x81), (0x80, 0x81), (3, 0x82), (0x30, 0x82)]
    for wrong, reason in bits:
        with Wire(broker, version) as client:
            client.send(mqtt.subscribe(version, 1, [(topic, 0), (topic, wrong)]))
            said = answer_of(client)
            assert (said is None) if version == 4 else (said.kind, said.reason) == (mqtt.DISCONNECT, reason)


def test_no_filter(broker, version):
    """[MQTT3-3.8.3-3], [MQTT5-3.8.3-2], [MQTT-3.10.3-2]"""
    for build in (mqtt.subscribe, mqtt.unsubscribe):
        with Wire(broker, version) as client:
            client.send(build(version, 1, []))
            said = answer_of(client)
            assert (said is None) if version == 4 else (said.kind, said.reason) == (mqtt.DISCONNECT, 0x82)


# SUBACK


def test_one_code_for_each_filter(broker, topic, version):
    """[MQTT-3.8.4-1], [MQTT3-3.8.4-4], [MQTT3-3.8.4-5], [MQTT5-3.8.4-5], [MQTT5-3.8.4-6], [MQTT5-3.8.4-7],
    [MQTT-3.9.3-1], [MQTT3-3.9.3-2], [MQTT5-3.9.3-2]: one SUBACK, each code in the place of its filter, the same as from
    single packets"""
    deep = "/".join("x" * 30)
    filters = [(f"{topic}/a", 2), ("mute/x", 1), (f"{topic}/b", 0), (deep, 0), (f"{topic}/c", 1), (f"{topic}/a", 1)]
    wanted = [2, 0x87, 0, 0x8F, 1, 1] if version == 5 else [2, 0x80, 0, 0x80, 1, 1]
    with Wire(broker, version, user="mute") as client:
        client.send(mqtt.subscribe(version, 9, filters) + mqtt.packet(mqtt.PINGREQ, 0, b""))
        answer = client.read()
        assert (answer.kind, answer.packet_id, answer.reasons) == (mqtt.SUBACK, 9, wanted)
        assert client.read().kind == mqtt.PINGRESP
    with Wire(broker, version, user="mute") as client:
        single = []
        for number, one in enumerate(filters):
            client.send(mqtt.subscribe(version, number + 1, [one]))
            single += client.expect(mqtt.SUBACK, number + 1).reasons
        assert single == wanted


def test_more_than_one_may_hold(broker, topic, version):
    """[MQTT5-3.9.3-2], [MQTT3-3.9.3-2]: beyond limits.subscriptions"""
    with Wire(broker, version) as client:
        client.send(mqtt.subscribe(version, 1, [(f"{topic}/{n}", 0) for n in range(33)]))
        assert client.expect(mqtt.SUBACK).reasons == [0] * 30 + [0x97 if version == 5 else 0x80] * 3


def test_qos_is_the_lower_of_both(broker, topic, version):
    """[MQTT3-3.8.4-6], [MQTT5-3.8.4-8]"""
    with Wire(broker, version) as sub, Wire(broker, 9 - version) as pub:
        for granted in (0, 1, 2):
            sub.subscribe(topic, qos=granted)
            for published in (0, 1, 2):
                pub.publish(topic, b"x", qos=published)
                assert sub.message().qos == min(published, granted)


def test_overlapping_filters_give_the_highest_qos(broker, pub, topic, version):
    """[MQTT3-3.3.5-1], [MQTT5-3.3.4-2]: whichever came first"""
    for number, order in enumerate(((0, 1, 2), (2, 1, 0), (1, 2, 0))):
        with Wire(broker, version) as sub:
            for pattern, qos in zip((f"{topic}/{number}/#", f"{topic}/+/x", f"{topic}/{number}/x"), order):
                sub.subscribe(pattern, qos=qos)
            pub.publish(f"{topic}/{number}/x", b"x", qos=2)
            sub.settle()
            assert max(m.qos for m in sub.messages) == 2


def test_all_identifiers_of_overlapping_filters(broker, pub, topic):
    """[MQTT5-3.3.4-3], [MQTT5-3.3.4-4], [MQTT5-3.3.4-5]: twenty of them, live and from a queue"""
    with opened(broker, 5, topic) as sub:
        for number in range(20):
            pattern = "/".join([topic, *("+" if number >> bit & 1 else "x" for bit in range(5))])
            sub.subscribe(pattern, props={"subscription_identifier": 1000 + number})
        name = "/".join([topic, *"xxxxx"])
        pub.publish(name, b"live", qos=1)
        pub.publish(f"{topic}/none", b"", qos=1)
        assert sorted(sub.message().props["subscription_identifier"]) == list(range(1000, 1020))
        sub.kill()
    pub.publish(name, b"queued", qos=1)
    with opened(broker, 5, topic) as sub:
        assert sorted(sub.message().props["subscription_identifier"]) == list(range(1000, 1020))


# The same filter again


def test_replacing_loses_nothing(broker, topic, version):
    """[MQTT3-3.8.4-3], [MQTT5-3.8.4-3], [MQTT5-3.8.4-4]: messages flow all the time, none is lost, none comes twice"""
    with Wire(broker, version) as sub, Wire(broker, 4) as pub:
        sub.subscribe(topic, qos=1)
        for number in range(60):
            pub.send(mqtt.publish(4, topic, b"%d" % number, qos=1, packet_id=number + 1))
            if number % 3 == 0:
                sub.send(mqtt.subscribe(version, 1000 + number, [(topic, 1 + number % 2)]))
        answers = 0
        while len(sub.messages) < 60 or answers < 20:
            kind = sub.take().kind
            assert kind in (mqtt.PUBLISH, mqtt.PUBREL, mqtt.SUBACK)
            answers += kind == mqtt.SUBACK
        sub.settle()
        assert [int(m.payload) for m in sub.messages] == list(range(60))


def test_replacing_replaces_everything(broker, pub, topic):
    """[MQTT5-3.8.4-3]: QoS, identifier, Retain As Published, and the retained message comes again [MQTT5-3.8.4-4]"""
    pub.publish(topic, b"kept", qos=1, retain=True)
    with Wire(broker) as sub:
        sub.subscribe(topic, props={"subscription_identifier": 5})
        first = sub.message()
        assert (first.qos, first.retain, first.props["subscription_identifier"]) == (1, True, [5])
        sub.subscribe(topic, qos=0, options=AS_PUBLISHED, expect=[0])
        second = sub.message()
        assert (second.qos, second.retain, second.props) == (0, True, {})
        pub.publish(topic, b"new", qos=1, retain=True)
        third = sub.message()
        assert (third.qos, third.retain, third.props) == (0, True, {})
        sub.settle()
        assert sub.messages == []


def test_no_local_replaced(broker, topic):
    """[MQTT5-3.8.3-3], [MQTT5-3.8.4-3]"""
    with Wire(broker) as client:
        for options, heard in ((NO_LOCAL, False), (0, True), (NO_LOCAL, False)):
            client.subscribe(topic, options=options, expect=[2])
            client.publish(topic, b"mine", qos=1)
            client.settle()
            assert [m.payload for m in client.messages] == [b"mine"] * heard
            client.messages.clear()


# UNSUBSCRIBE


def test_only_the_same_filter_goes(broker, pub, topic, version):
    """[MQTT-3.10.4-1], [MQTT-3.10.4-2]: compared character by character, wildcards are characters like others"""
    with Wire(broker, version) as sub:
        sub.subscribe(f"{topic}/+", f"{topic}/a")
        answer = sub.unsubscribe(f"{topic}/#", f"{topic}/b", f"{topic}/A", f"{topic}/a/")
        assert version == 4 or answer.reasons == [0x11] * 4  # [MQTT5-3.11.3-2]
        pub.publish(f"{topic}/a", b"1", qos=1)
        assert sub.message().payload == b"1"
        sub.unsubscribe(f"{topic}/+")
        pub.publish(f"{topic}/b", b"2", qos=1)
        pub.publish(f"{topic}/a", b"3", qos=1)
        assert sub.message().payload == b"3"
        sub.unsubscribe(f"{topic}/a")
        pub.publish(f"{topic}/a", b"4", qos=1)
        sub.settle()
        assert sub.messages == []


def test_one_unsuback_for_all(broker, topic, version):
    """[MQTT5-3.10.4-4], [MQTT5-3.10.4-5], [MQTT3-3.10.4-4], [MQTT3-3.10.4-5], [MQTT-3.10.4-6], [MQTT5-3.11.3-1],
    [MQTT5-3.11.3-2]: codes in the order of the filters; one also where there is nothing to delete"""
    with Wire(broker, version) as client:
        client.subscribe(f"{topic}/a", f"{topic}/b")
        filters = [f"{topic}/never", f"{topic}/b", f"{topic}/a", f"{topic}/a"]
        client.send(mqtt.unsubscribe(version, 7, filters) + mqtt.unsubscribe(version, 8, [topic])
                    + mqtt.packet(mqtt.PINGREQ, 0, b""))
        answers = [client.read(), client.read()]
        assert [(a.kind, a.packet_id) for a in answers] == [(mqtt.UNSUBACK, 7), (mqtt.UNSUBACK, 8)]
        assert [a.reasons for a in answers] == ([[0x11, 0, 0, 0x11], [0x11]] if version == 5 else [[], []])
        assert client.read().kind == mqtt.PINGRESP


@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_begun_is_completed(broker, pub, topic, version, qos):
    """[MQTT-3.10.4-3]: also over a reconnect"""
    with opened(broker, version, topic, ack=False) as sub:
        sub.subscribe(topic, qos=qos)
        pub.publish(topic, b"x", qos=2)
        first = sub.message()
        sub.unsubscribe(topic)
        sub.kill()
    with opened(broker, version, topic, ack=False) as sub:
        again = sub.message()
        assert (again.packet_id, again.dup) == (first.packet_id, True)
        sub.acknowledge(again)
        if qos == 2:
            sub.expect(mqtt.PUBREL, first.packet_id)


# Shared subscriptions


def test_granted_qos_of_each_member(broker, pub, topic):
    """[MQTT5-4.8.2-3]"""
    with Wire(broker) as low, Wire(broker) as high:
        low.subscribe(f"$share/g/{topic}", qos=0)
        high.subscribe(f"$share/g/{topic}", qos=1)
        for _ in range(20):
            pub.publish(topic, b"x", qos=2)
        low.settle()
        high.settle()
        assert {m.qos for m in low.messages} == {0} and {m.qos for m in high.messages} == {1}
        assert len(low.messages) + len(high.messages) == 20


def test_qos_2_that_was_begun_stays_with_its_member(broker, pub, topic):
    """[MQTT5-4.8.2-4]: completed when it is back; another member does not get it"""
    with opened(broker, 5, topic, ack=False) as member, Wire(broker) as other:
        member.subscribe(f"$share/g/{topic}")
        pub.publish(topic, b"x", qos=2)
        first = member.message()
        other.subscribe(f"$share/g/{topic}")
        member.kill()
        with opened(broker, 5, topic) as member_again:
            again = member_again.message()
            assert (again.packet_id, again.dup, again.payload) == (first.packet_id, True, b"x")
        other.settle()
        assert other.messages == []


def test_qos_2_that_was_begun_ends_with_its_session(broker, pub, topic):
    """[MQTT5-4.8.2-5]: nobody else gets it"""
    with Wire(broker, ack=False) as member, Wire(broker) as other:
        member.subscribe(f"$share/g/{topic}")
        pub.publish(topic, b"x", qos=2)
        member.message()
        other.subscribe(f"$share/g/{topic}")
        mark = broker.mark()
        member.kill()
        broker.wait_log("client-disconnected", mark, client_id=member.client_id)
        pub.publish(topic, b"end", qos=1)
        assert other.until(b"end") == []


@pytest.mark.parametrize("qos, kind", [(1, mqtt.PUBACK), (2, mqtt.PUBREC)], ids=["PUBACK", "PUBREC"])
def test_a_member_that_refuses(broker, pub, topic, qos, kind):
    """[MQTT5-4.8.2-6]: discarded, not tried at another member, also not when the first one leaves"""
    with Wire(broker, ack=False) as member, Wire(broker) as other:
        member.subscribe(f"$share/g/{topic}", qos=qos)
        pub.publish(topic, b"x", qos=qos)
        member.send(mqtt.ack(5, kind, member.message().packet_id, 0x80))
        other.subscribe(f"$share/g/{topic}")
        member.settle()
        mark = broker.mark()
        member.kill()
        broker.wait_log("client-disconnected", mark, client_id=member.client_id)
        pub.publish(topic, b"end", qos=1)
        assert other.until(b"end") == []


def test_topic_and_filter(broker, pub, topic, version):
    """[MQTT-3.3.2-3], [MQTT3-3.8.3-2]: every name that arrives matches, wildcards are supported"""
    with Wire(broker, version) as sub:
        sub.subscribe(f"{topic}/+/a/#", f"{topic}/end")
        for name in ("x/a", "x/a/b/c", "x/b", "a", "x/y/a", "/a", "x/a/"):
            pub.publish(f"{topic}/{name}", b"x", qos=1)
        pub.publish(f"{topic}/end", b"end", qos=1)
        assert [m.topic.removeprefix(f"{topic}/") for m in sub.until(b"end")] == ["x/a", "x/a/b/c", "/a", "x/a/"]


def test_share_in_311(broker, pub, topic):
    """3.1.1, 3.8.3: $share is not special there, so such a filter is valid; this broker refuses it"""
    with Wire(broker, 4) as client:
        client.subscribe("$share/g", "$share//x", topic, qos=1, expect=[0x80, 0x80, 1])
        pub.publish(topic, b"x", qos=1)
        assert client.message().payload == b"x"
