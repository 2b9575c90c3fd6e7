"""What the standards say of PUBLISH and its acknowledgements: DUP, packet identifiers, the flows of QoS 1 and 2, order,
aliases, sizes."""

import time

import mqtt
import pytest
from broker_fixture import free_bind
from statements import ACL, closed_with, opened
from wire import Wire

POOR = 1  # a listener without topic aliases


@pytest.fixture(scope="module")
def broker(new_broker):
    listeners = [{"bind": free_bind()}, {"bind": free_bind(), "limits": {"topic_alias_maximum": 0}}]
    limits = {"receive_maximum": 50, "topic_alias_maximum": 4, "max_packet_size": "64k"}
    with new_broker(config={"listeners": listeners, "limits": limits}, acl=ACL,
                   users={"anna": ["all"], "mute": ["mute"]}) as broker:
        yield broker


def wait(client, seconds):
    """Wait for the clock, and use the connection meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.settle()
        time.sleep(0.05)


# DUP and the fixed header


def test_dup_of_the_publisher_is_its_own(broker, topic, version):
    """[MQTT-3.3.1-3]; what goes out for the first time has DUP 0: [MQTT3-4.3.2-1], [MQTT5-4.3.2-2], [MQTT5-4.3.3-2],
    [MQTT-4.3.1-1]"""
    with Wire(broker, version) as sub, Wire(broker, version) as pub:
        for qos in (0, 1, 2):
            sub.subscribe(topic, qos=qos)
            for dup in (False, True):
                pub.publish(topic, b"x", qos=2, dup=dup)
                got = sub.message()
                assert (got.dup, got.qos, got.retain) == (False, qos, False)


def test_dup_with_qos_0(broker, topic, version):
    """[MQTT-3.3.1-2]"""
    with Wire(broker, version) as client:
        client.send(mqtt.publish(version, topic, b"x", dup=True))
        closed_with(client, 0x81)


def test_qos_3(broker, topic, version):
    """[MQTT-3.3.1-4]"""
    for dup in (False, True):
        with Wire(broker, version) as client:
            client.send(mqtt.publish(version, topic, b"x", qos=3, packet_id=1, dup=dup))
            closed_with(client, 0x81)


def test_no_identifier_with_qos_0(broker, topic, version):
    """[MQTT3-2.3.1-5], [MQTT5-2.2.1-2]: what would be one belongs to the payload, both ways"""
    with Wire(broker, version) as sub, Wire(broker, version) as pub:
        sub.subscribe(topic)
        pub.send(mqtt.packet(mqtt.PUBLISH, 0, mqtt.text(topic) + (b"\0" if version == 5 else b"") + b"\x12\x34x"))
        assert sub.message().payload == b"\x12\x34x"


# Packet identifiers


IDENTIFIED = [
    ("PUBLISH 1", lambda version, i: mqtt.publish(version, "t", b"x", qos=1, packet_id=i)),
    ("PUBLISH 2", lambda version, i: mqtt.publish(version, "t", b"x", qos=2, packet_id=i)),
    ("SUBSCRIBE", lambda version, i: mqtt.subscribe(version, i, [("t", 0)])),
    ("UNSUBSCRIBE", lambda version, i: mqtt.unsubscribe(version, i, ["t"])),
    *[(mqtt.NAMES[kind], lambda version, i, kind=kind: mqtt.ack(version, kind, i))
      for kind in (mqtt.PUBACK, mqtt.PUBREC, mqtt.PUBREL, mqtt.PUBCOMP)],
]


@pytest.mark.parametrize("build", [row[1] for row in IDENTIFIED], ids=[row[0] for row in IDENTIFIED])
def test_identifier_zero(broker, version, build):
    """[MQTT3-2.3.1-1], [MQTT5-2.2.1-3]"""
    with Wire(broker, version) as client:
        client.send(build(version, 0))
        closed_with(client, 0x81, 0x82)


ANSWERS = {"PUBLISH 1": [mqtt.PUBACK], "PUBLISH 2": [mqtt.PUBREC], "SUBSCRIBE": [mqtt.SUBACK],
           "UNSUBSCRIBE": [mqtt.UNSUBACK], "PUBREC": [mqtt.PUBREL], "PUBREL": [mqtt.PUBCOMP]}


def test_answers_carry_the_identifier(broker, version):
    """[MQTT5-2.2.1-5], [MQTT5-2.2.1-6], [MQTT3-2.3.1-6], [MQTT3-2.3.1-7], [MQTT-3.8.4-2], [MQTT5-3.10.4-5],
    [MQTT3-3.10.4-4], [MQTT-3.3.4-1], [MQTT3-4.3.2-2], [MQTT5-4.3.2-4], [MQTT5-4.3.3-8], [MQTT5-4.3.3-11]"""
    rows = dict(IDENTIFIED)
    for name, kinds in ANSWERS.items():
        for packet_id in (1, 255, 256, 65535):
            with Wire(broker, version) as client:
                client.send(rows[name](version, packet_id))
                for kind in kinds:
                    answer = client.read()
                    assert (answer.kind, answer.packet_id) == (kind, packet_id)


def test_nothing_is_answered_to_qos_0(broker, topic, version):
    """[MQTT-3.3.4-1]"""
    with Wire(broker, version) as client:
        client.send(mqtt.publish(version, topic, b"x") + mqtt.packet(mqtt.PINGREQ, 0, b""))
        assert client.read().kind == mqtt.PINGRESP


def test_identifiers_of_the_broker(broker, pub, topic, version):
    """[MQTT5-2.2.1-4], [MQTT3-2.3.1-4], [MQTT5-4.3.2-1], [MQTT5-4.3.3-1], [MQTT3-4.3.2-1], [MQTT3-4.3.3-1]: never 0,
    never one that is in use"""
    with Wire(broker, version, ack=False) as sub:
        sub.subscribe(topic)
        in_use = {}
        for number in range(300):
            pub.publish(topic, b"%d" % number, qos=1 + number % 2)
            got = sub.message()
            assert got.packet_id not in in_use and got.packet_id > 0
            in_use[got.packet_id] = got
            if number % 3 and got.qos == 1:
                sub.acknowledge(in_use.pop(got.packet_id))


def test_packet_identifiers_wrap_around(broker, topic):
    """[MQTT5-2.2.1-4]: more messages than identifiers, while one of them stays unacknowledged"""
    with Wire(broker, ack=False) as sub, Wire(broker, 4) as pub:
        sub.subscribe(topic, qos=1)
        pub.publish(topic, b"held", qos=1)
        held = sub.message().packet_id
        seen = set()
        for batch in range(67):
            ids = range(1, 1001)
            pub.send(b"".join(mqtt.publish(4, topic, b"%d" % batch, qos=1, packet_id=i) for i in ids))
            got = [sub.message() for _ in ids]
            sub.send(b"".join(mqtt.ack(5, mqtt.PUBACK, m.packet_id) for m in got))
            assert held not in {m.packet_id for m in got} and 0 not in {m.packet_id for m in got}
            seen.update(m.packet_id for m in got)
            while pub.read().packet_id != 1000:
                pass
        assert len(seen) > 60_000


# The flows


def test_after_puback_the_identifier_is_free(broker, topic, version):
    """[MQTT5-4.3.2-5], [MQTT3-4.3.2-2]: a new message, whatever DUP says"""
    with Wire(broker, version) as sub, Wire(broker, version) as pub:
        sub.subscribe(topic)
        for payload, dup in ((b"1", False), (b"1", False), (b"1", True)):
            pub.publish(topic, payload, qos=1, packet_id=7, dup=dup)
        pub.publish(topic, b"end", qos=1)
        assert [m.payload for m in sub.until(b"end")] == [b"1"] * 3


def test_after_pubcomp_the_identifier_is_free(broker, topic, version):
    """[MQTT5-4.3.3-12], [MQTT3-4.3.3-2]"""
    with Wire(broker, version) as sub, Wire(broker, version) as pub:
        sub.subscribe(topic)
        for dup in (False, False, True):
            pub.publish(topic, b"1", qos=2, packet_id=7, dup=dup)
        pub.publish(topic, b"end", qos=1)
        assert [m.payload for m in sub.until(b"end")] == [b"1"] * 3


def test_before_pubrel_it_is_the_same_message(broker, topic, version):
    """[MQTT5-4.3.3-10], [MQTT3-4.3.3-2]: PUBREC each time, delivered once"""
    with Wire(broker, version) as sub, Wire(broker, version) as pub:
        sub.subscribe(topic)
        for dup in (False, True, True, False):
            pub.send(mqtt.publish(version, topic, b"1", qos=2, packet_id=7, dup=dup))
            assert pub.expect(mqtt.PUBREC, 7).reason in (0, 0x10)
        pub.send(mqtt.ack(version, mqtt.PUBREL, 7))
        pub.expect(mqtt.PUBCOMP, 7)
        pub.publish(topic, b"end", qos=1)
        assert [m.payload for m in sub.until(b"end")] == [b"1"]


def test_after_a_refusing_pubrec_the_identifier_is_free(broker):
    """[MQTT5-4.3.3-9]; and it does not count any more: [MQTT5-4.9.0-2]"""
    with Wire(broker, user="mute") as pub, Wire(broker) as sub:
        sub.subscribe("loud/refusing")
        for _ in range(60):
            pub.send(mqtt.publish(5, "mute/x", b"no", qos=2, packet_id=9))
            assert pub.expect(mqtt.PUBREC, 9).reason == 0x87
        pub.publish("loud/refusing", b"yes", qos=2, packet_id=9)
        assert sub.message().payload == b"yes"


def test_a_denied_publish_of_311_is_acknowledged(broker):
    """[MQTT3-3.3.5-2]: positively, for there is no other way, and nobody gets it"""
    with Wire(broker, 4, user="mute") as pub, Wire(broker) as sub:
        sub.subscribe("mute/x")
        for qos in (0, 1, 2):
            pub.publish("mute/x", b"no", qos=qos)
        with Wire(broker) as other:
            other.publish("mute/x", b"end", qos=1)
        assert sub.until(b"end") == []


def test_pubrec_and_pubrel(broker, pub, topic, version):
    """[MQTT5-4.3.3-4], [MQTT5-4.3.3-6], [MQTT3-4.3.3-1]: PUBREL with the same identifier, as often as PUBREC comes, and
    PUBLISH never again"""
    with opened(broker, version, topic, ack=False) as sub:
        sub.subscribe(topic)
        pub.publish(topic, b"x", qos=2)
        message = sub.message()
        for _ in range(3):
            sub.send(mqtt.ack(version, mqtt.PUBREC, message.packet_id))
            released = sub.read()
            assert (released.kind, released.packet_id) == (mqtt.PUBREL, message.packet_id)
        sub.kill()
    with opened(broker, version, topic, ack=False) as sub:  # [MQTT5-4.3.3-5]
        assert sub.read().kind == mqtt.PUBREL
        sub.send(mqtt.ack(version, mqtt.PUBCOMP, message.packet_id))
        sub.settle()
        sub.kill()
    with opened(broker, version, topic) as sub:
        sub.settle()
        assert sub.messages == []


def test_unacknowledged_until_the_acknowledgement(broker, pub, topic, version):
    """[MQTT3-4.3.2-1], [MQTT5-4.3.2-3], [MQTT5-4.3.3-3], [MQTT-4.4.0-1], [MQTT-3.3.1-1]: again at each reconnect, never
    else, DUP and identifier as they must be, in the old order: [MQTT3-4.6.0-1], [MQTT5-4.6.0-1]"""
    with opened(broker, version, topic, ack=False) as sub:
        sub.subscribe(topic)
        for number in range(6):
            pub.publish(topic, b"%d" % number, qos=1 + number % 2)
        first = [sub.message() for _ in range(6)]
        for _ in range(3):
            sub.settle()
        assert sub.messages == [] and not any(m.dup for m in first)
        sub.kill()
    for _ in range(2):
        with opened(broker, version, topic, ack=False) as sub:
            again = [sub.message() for _ in range(6)]
            assert [(m.packet_id, m.payload, m.qos) for m in again] == [(m.packet_id, m.payload, m.qos) for m in first]
            assert all(m.dup for m in again)
            sub.settle()
            assert sub.messages == []
            sub.kill()
    with opened(broker, version, topic) as sub:
        assert len([sub.message() for _ in range(6)]) == 6
        sub.settle()
        sub.kill()
    with opened(broker, version, topic) as sub:
        sub.settle()
        assert sub.messages == []


@pytest.mark.parametrize("qos, kind", [(1, mqtt.PUBACK), (2, mqtt.PUBREC)], ids=["PUBACK", "PUBREC"])
def test_a_negative_answer_is_an_answer(broker, pub, topic, qos, kind):
    """[MQTT5-4.4.0-2], [MQTT5-4.3.3-4]: not sent again, no PUBREL, and the window is free for the next"""
    with opened(broker, 5, topic, ack=False, more={"receive_maximum": 1}) as sub:
        sub.subscribe(topic, qos=qos)
        for payload in (b"1", b"2"):
            pub.publish(topic, payload, qos=2)
        message = sub.message()
        sub.settle()
        assert sub.messages == []
        sub.send(mqtt.ack(5, kind, message.packet_id, 0x83))
        assert sub.read().payload == b"2"
        sub.kill()
    with opened(broker, 5, topic) as sub:
        assert sub.message().payload == b"2"
        sub.settle()
        assert sub.messages == []


def test_a_negative_pubrec_not_in_use_gets_no_answer(broker, version):
    """[MQTT5-4.3.3-4]: PUBREL is for a PUBREC below 0x80 only"""
    with Wire(broker, version, ack=False) as sub:
        if version == 5:
            sub.send(mqtt.ack(5, mqtt.PUBREC, 77, 0x83) + mqtt.packet(mqtt.PINGREQ, 0, b""))
            assert sub.read().kind == mqtt.PINGRESP
        sub.send(mqtt.ack(version, mqtt.PUBREC, 77))
        released = sub.read()
        assert (released.kind, released.packet_id, released.reason) == (mqtt.PUBREL, 77, 0x92 if version == 5 else 0)


def test_expiry_does_not_end_a_flow(broker, pub, topic):
    """[MQTT5-4.3.3-7]: what was sent is sent again, expired or not; [MQTT5-4.3.3-13]: and PUBREL finds its PUBCOMP"""
    with opened(broker, 5, topic, ack=False) as sub:
        sub.subscribe(topic)
        pub.send(mqtt.publish(5, topic, b"x", qos=2, packet_id=500, props={"message_expiry_interval": 1}))
        pub.expect(mqtt.PUBREC, 500)
        message = sub.message()
        wait(sub, 1.2)
        sub.kill()
    pub.send(mqtt.ack(5, mqtt.PUBREL, 500))
    assert pub.expect(mqtt.PUBCOMP, 500).reason == 0
    with opened(broker, 5, topic) as sub:
        again = sub.message()
        assert (again.packet_id, again.dup, again.payload) == (message.packet_id, True, b"x")


# Order


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_order(broker, topic, version, qos):
    """[MQTT5-4.6.0-5], [MQTT5-4.6.0-6], [MQTT3-4.6.0-5], [MQTT3-4.6.0-6], [MQTT-4.5.0-1]; acknowledgements too:
    [MQTT-4.6.0-2], [MQTT-4.6.0-3], [MQTT-4.6.0-4]"""
    with Wire(broker, version) as sub, Wire(broker, 4) as one, Wire(broker, 4) as two:
        sub.subscribe(topic, qos=qos)
        for start in range(0, 200, 40):
            for name, client in ((b"a", one), (b"b", two)):
                ids = range(start + 1, start + 41)
                client.send(b"".join(mqtt.publish(4, topic, name + b"%d" % i, qos=qos, packet_id=i) for i in ids))
                if qos == 2:
                    assert [client.expect(mqtt.PUBREC).packet_id for _ in ids] == list(ids)
                    client.send(b"".join(mqtt.ack(4, mqtt.PUBREL, i) for i in ids))
                if qos:
                    last = mqtt.PUBACK if qos == 1 else mqtt.PUBCOMP
                    assert [client.expect(last).packet_id for _ in ids] == list(ids)
        got = [sub.message().payload for _ in range(400)]
        for name in (b"a", b"b"):
            assert [int(p[1:]) for p in got if p.startswith(name)] == list(range(1, 201))


# Aliases


def test_every_alias_that_was_announced(broker, topic):
    """[MQTT5-3.3.2-12]; above it and 0: [MQTT5-3.3.2-8], [MQTT5-3.3.2-9], [MQTT5-3.2.2-17]; none announced:
    [MQTT5-3.2.2-18]"""
    with Wire(broker) as sub, Wire(broker) as pub:
        sub.subscribe(f"{topic}/+")
        for alias in range(1, 5):
            pub.publish(f"{topic}/{alias}", b"x", qos=1, props={"topic_alias": alias})
        for alias in range(1, 5):
            pub.publish("", b"y", qos=1, props={"topic_alias": alias})
        got = [sub.message() for _ in range(8)]
        assert [m.topic[-1] for m in got] == list("1234") * 2
    for listener, alias in ((0, 0), (0, 5), (0, 65535), (POOR, 1)):
        with Wire(broker, listener=listener) as client:
            client.send(mqtt.publish(5, topic, b"x", props={"topic_alias": alias}))
            closed_with(client, 0x94)
    with Wire(broker, listener=POOR) as client:
        assert client.connack.props.get("topic_alias_maximum", 0) == 0


def test_aliases_end_with_the_connection(broker, topic):
    """[MQTT5-3.3.2-7], also where the session goes on; an alias never set is a protocol error (3.3.2.3.4)"""
    with opened(broker, 5, topic) as client:
        client.publish(topic, b"x", qos=1, props={"topic_alias": 1})
        client.kill()
    with opened(broker, 5, topic) as client:
        client.send(mqtt.publish(5, "", b"x", props={"topic_alias": 1}))
        closed_with(client, 0x82)


@pytest.mark.parametrize("most", [None, 0, 1, 2])
def test_aliases_of_the_broker(broker, pub, topic, most):
    """[MQTT5-3.1.2-26], [MQTT5-3.1.2-27], [MQTT5-3.3.2-8], [MQTT5-3.3.2-11]"""
    with Wire(broker, props={} if most is None else {"topic_alias_maximum": most}) as sub:
        sub.subscribe(f"{topic}/+")
        known = {}
        for number in range(40):
            pub.publish(f"{topic}/{number % 4}", b"x", qos=number % 3)
            got = sub.message()
            alias = got.props.get("topic_alias")
            assert alias is None or 1 <= alias <= (most or 0)
            if got.topic and alias:
                known[alias] = got.topic
            assert (got.topic or known[alias]) == f"{topic}/{number % 4}"


def test_a_subscription_identifier_from_a_client(broker, topic):
    """[MQTT5-3.3.4-6]"""
    with Wire(broker) as client:
        client.send(mqtt.publish(5, topic, b"x", props={"subscription_identifier": 1}))
        closed_with(client, 0x82)


# Flow control and sizes


def test_send_quota(broker, pub, topic):
    """[MQTT5-4.9.0-1], [MQTT5-4.9.0-2], [MQTT5-3.3.4-9]: as many as Receive Maximum; PUBREC alone gives nothing back"""
    with Wire(broker, props={"receive_maximum": 3}, ack=False) as sub:
        sub.subscribe(topic)
        for number in range(8):
            pub.publish(topic, b"%d" % number, qos=2)
        sub.settle()
        assert [m.payload for m in sub.messages] == [b"0", b"1", b"2"]
        first = sub.messages[0]
        sub.acknowledge(first)
        sub.expect(mqtt.PUBREL, first.packet_id)
        sub.settle()
        assert len(sub.messages) == 3
        sub.send(mqtt.ack(5, mqtt.PUBCOMP, first.packet_id))
        sub.settle()
        assert [m.payload for m in sub.messages] == [b"0", b"1", b"2", b"3"]


def test_a_closed_window_holds_up_nothing_else(broker, pub, topic):
    """[MQTT5-4.9.0-3], [MQTT5-3.3.4-10]: PINGRESP, SUBACK, UNSUBACK, acknowledgements, PUBREL, and QoS 0"""
    with Wire(broker, props={"receive_maximum": 1}, ack=False) as sub:
        sub.subscribe(topic)
        for payload in (b"1", b"2"):
            pub.publish(topic, payload, qos=2)
        message = sub.message()
        sub.settle()
        sub.subscribe(f"{topic}/more")
        sub.publish(f"{topic}/other", b"x", qos=1)
        sub.publish(f"{topic}/other", b"x", qos=2)
        pub.publish(f"{topic}/more", b"qos 0")
        assert sub.message().payload == b"qos 0"
        sub.unsubscribe(f"{topic}/more")
        sub.acknowledge(message)
        sub.expect(mqtt.PUBREL, message.packet_id)
        assert sub.messages == []


def test_pubrel_does_not_wait_for_the_window(broker, pub, topic):
    """[MQTT5-3.3.4-10]: after a reconnect with a smaller Receive Maximum, behind a PUBLISH that fills it"""
    with opened(broker, 5, topic, ack=False) as sub:
        sub.subscribe(topic)
        for number in range(4):
            pub.publish(topic, b"%d" % number, qos=1 if number == 0 else 2)
        messages = [sub.message() for _ in range(4)]
        for message in messages[2:]:
            sub.acknowledge(message)
            sub.expect(mqtt.PUBREL, message.packet_id)
        sub.kill()
    with opened(broker, 5, topic, ack=False, more={"receive_maximum": 1}) as sub:
        released = [sub.expect(mqtt.PUBREL).packet_id for _ in range(2)]
        assert released == [m.packet_id for m in messages[2:]]
        sub.settle()
        assert len(sub.messages) <= 1


SIZES = [16, 17, 20, 24, 40, 80, 300]


def test_acknowledgements_within_the_maximum_packet_size(broker):
    """[MQTT5-3.1.2-24], [MQTT5-3.4.2-2], [MQTT5-3.4.2-3], [MQTT5-3.5.2-2], [MQTT5-3.5.2-3], [MQTT5-3.9.2-1],
    [MQTT5-3.6.2-2], [MQTT5-3.6.2-3], [MQTT5-3.7.2-2], [MQTT5-3.7.2-3], [MQTT5-3.9.2-2], [MQTT5-3.11.2-1],
    [MQTT5-3.11.2-2], [MQTT5-3.14.2-3], [MQTT5-3.14.2-4]: words are left out where they do not fit, and never come as
    User Properties"""
    spoken = {}
    for most in SIZES:
        with Wire(broker, user="mute", props={"maximum_packet_size": most}) as client:
            client.send(mqtt.publish(5, "mute/x", b"x", qos=1, packet_id=1)
                        + mqtt.publish(5, "mute/x", b"x", qos=2, packet_id=2)
                        + mqtt.subscribe(5, 3, [("mute/x", 0)]) + mqtt.unsubscribe(5, 4, ["mute/x"])
                        + mqtt.ack(5, mqtt.PUBREC, 98) + mqtt.ack(5, mqtt.PUBREL, 99)
                        + mqtt.publish(5, "mute/x", b"x", qos=3, packet_id=5))
            for kind in (mqtt.PUBACK, mqtt.PUBREC, mqtt.SUBACK, mqtt.UNSUBACK, mqtt.PUBREL, mqtt.PUBCOMP,
                         mqtt.DISCONNECT):
                packet = client.read()
                assert packet.kind == kind and packet.size <= most and "user_property" not in packet.props
                spoken[kind, most] = "reason_string" in packet.props
    assert not any(spoken[kind, 16] for kind in (mqtt.PUBACK, mqtt.PUBREC, mqtt.SUBACK, mqtt.DISCONNECT))
    assert all(spoken[kind, 300] for kind in (mqtt.PUBACK, mqtt.PUBREC, mqtt.SUBACK, mqtt.DISCONNECT))


def test_a_suback_larger_than_the_maximum_packet_size(broker, topic):
    """[MQTT5-3.1.2-24]: more codes than the client can take; it is told so, in a packet that it can"""
    with Wire(broker, props={"maximum_packet_size": 30}) as client:
        client.send(mqtt.subscribe(5, 1, [(f"{topic}/{n}", 0) for n in range(100)]))
        closed_with(client, 0x95)


def test_no_reason_strings_without_request_problem_information(broker):
    """[MQTT5-3.1.2-29]"""
    with Wire(broker, user="mute", props={"request_problem_information": 0}) as client:
        client.send(mqtt.publish(5, "mute/x", b"x", qos=1, packet_id=1)
                    + mqtt.publish(5, "mute/x", b"x", qos=2, packet_id=2)
                    + mqtt.subscribe(5, 3, [("mute/x", 0)]) + mqtt.unsubscribe(5, 4, ["mute/x"])
                    + mqtt.ack(5, mqtt.PUBREL, 99))
        for _ in range(5):
            assert client.read().props == {}
