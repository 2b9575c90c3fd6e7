"""Retained values: set, replaced, deleted, replayed with every option of a subscription."""

import mqtt
import pytest
from wire import Wire

RETAIN_AS_PUBLISHED = 0x08
HANDLING_IF_NEW, HANDLING_NEVER = 0x10, 0x20


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker() as broker:
        yield broker


@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_newest_is_kept(broker, pub, topic, version, qos):
    """[MQTT3-3.3.1-5], [MQTT3-3.3.1-7], [MQTT3-3.3.1-8], [MQTT3-3.3.1-12], [MQTT5-3.3.1-5], [MQTT5-3.3.1-8]"""
    for value in (b"old", b"new"):
        pub.publish(topic, value, qos=qos, retain=True)
    pub.publish(topic, b"not kept", qos=1)
    with Wire(broker, version) as late:
        late.subscribe(topic)
        got = late.message()
        assert (got.payload, got.retain, got.qos) == (b"new", True, qos)
        late.settle()
        assert late.messages == []


def test_an_empty_payload_deletes(broker, pub, topic):
    """[MQTT3-3.3.1-10], [MQTT3-3.3.1-11], [MQTT5-3.3.1-6], [MQTT5-3.3.1-7]"""
    with Wire(broker) as live:
        live.subscribe(topic)
        pub.publish(topic, b"x", qos=1, retain=True)
        pub.publish(topic, b"", qos=1, retain=True)
        got = [live.message(), live.message()]
        assert [(m.payload, m.retain) for m in got] == [(b"x", False), (b"", False)]
    with Wire(broker) as late:
        late.subscribe(topic)
        late.settle()
        assert late.messages == []


def test_live_messages_are_not_marked_retained(broker, pub, topic):
    """[MQTT3-3.3.1-9], [MQTT5-3.3.1-12]"""
    with Wire(broker) as live, Wire(broker, 4) as old:
        live.subscribe(topic)
        old.subscribe(topic)
        pub.publish(topic, b"x", qos=1, retain=True)
        assert not live.message().retain
        assert not old.message().retain


def test_retain_as_published(broker, pub, topic):
    """[MQTT5-3.3.1-13]"""
    with Wire(broker) as live:
        live.subscribe(topic, options=RETAIN_AS_PUBLISHED, expect=[2])
        pub.publish(topic, b"kept", qos=1, retain=True)
        pub.publish(topic, b"plain", qos=1)
        assert [live.message().retain, live.message().retain] == [True, False]


def test_retain_handling(broker, pub, topic):
    """[MQTT5-3.3.1-9], [MQTT5-3.3.1-10], [MQTT5-3.3.1-11]"""
    pub.publish(topic, b"kept", qos=1, retain=True)
    with Wire(broker) as client:
        client.subscribe(topic, options=HANDLING_NEVER, expect=[2])
        client.settle()
        assert client.messages == []
        client.subscribe(topic, options=HANDLING_IF_NEW, expect=[2])
        client.settle()
        assert client.messages == []
        client.subscribe(topic)
        assert client.message().payload == b"kept"
        client.unsubscribe(topic)
        client.subscribe(topic, options=HANDLING_IF_NEW, expect=[2])
        assert client.message().payload == b"kept"


def test_resubscribing_replays_again_in_311(broker, pub, topic):
    """[MQTT3-3.8.4-3]"""
    pub.publish(topic, b"kept", qos=1, retain=True)
    with Wire(broker, 4) as client:
        for _ in range(2):
            client.subscribe(topic)
            assert client.message().retain


def test_wildcards_replay_everything_below(broker, pub, topic):
    """[MQTT3-3.3.1-6]"""
    for number in range(200):
        pub.send(mqtt.publish(5, f"{topic}/{number % 7}/{number}", str(number), retain=True))
    pub.settle()
    with Wire(broker) as late:
        late.subscribe(f"{topic}/#")
        got = [late.message() for _ in range(200)]
        assert {int(m.payload) for m in got} == set(range(200)) and all(m.retain for m in got)
    with Wire(broker) as late:
        late.subscribe(f"{topic}/3/+")
        wanted = {n for n in range(200) if n % 7 == 3}
        assert {int(late.message().payload) for _ in wanted} == wanted


def test_suback_before_the_replay(broker, pub, topic):
    """W8: nothing of a subscription arrives before its SUBACK."""
    pub.publish(topic, b"kept", qos=1, retain=True)
    with Wire(broker, ack=False) as late:
        late.send(mqtt.subscribe(5, 1, [(topic, 1)]))
        assert [late.read().kind, late.read().kind] == [mqtt.SUBACK, mqtt.PUBLISH]


def test_no_replay_for_shared_subscriptions(broker, pub, topic):
    pub.publish(topic, b"kept", qos=1, retain=True)
    with Wire(broker) as member:
        member.subscribe(f"$share/group/{topic}")
        pub.publish(topic, b"live", qos=1)
        assert member.until(b"live") == []


def test_wildcards_do_not_show_dollar_topics(broker, topic):
    """[MQTT-4.7.2-1]"""
    with Wire(broker) as client, Wire(broker) as pub:
        client.subscribe("#")
        client.subscribe("+/+/#")
        pub.publish(topic, b"end", qos=1)
        assert all(not m.topic.startswith("$") for m in client.until(b"end"))


MANY = 3000


@pytest.fixture(scope="module")
def many_values(broker):
    with Wire(broker) as pub:
        pub.send(b"".join(mqtt.publish(5, f"many/{number}", str(number), retain=True) for number in range(MANY)))
        pub.settle()
        yield "many/+"
        pub.send(b"".join(mqtt.publish(5, f"many/{number}", b"", retain=True) for number in range(MANY)))
        pub.settle()


@pytest.mark.parametrize("qos", [0, 1])
def test_unsubscribing_ends_a_replay(broker, many_values, qos):
    """[MQTT5-3.10.4-2]: nothing more is added, however many values were still to come."""
    with Wire(broker) as late:
        late.send(mqtt.subscribe(5, 1, [(many_values, qos)]) + mqtt.unsubscribe(5, 2, [many_values]))
        late.expect(mqtt.SUBACK, 1)
        assert late.expect(mqtt.UNSUBACK, 2).reasons == [0]
        assert len(late.messages) < MANY
        late.messages.clear()
        late.settle()
        assert late.messages == []


def test_replacing_a_subscription_continues_its_replay(broker, many_values):
    """[MQTT5-3.8.4-4]: the rest comes, by the new subscription."""
    with Wire(broker) as late:
        late.send(mqtt.subscribe(5, 1, [(many_values, 0)], {"subscription_identifier": 1})
                  + mqtt.subscribe(5, 2, [(many_values, HANDLING_NEVER)], {"subscription_identifier": 2}))
        late.expect(mqtt.SUBACK, 1)
        late.expect(mqtt.SUBACK, 2)
        before = len(late.messages)
        got = [late.message() for _ in range(MANY)]
        assert sorted(int(m.payload) for m in got) == list(range(MANY))
        assert before < MANY and all(m.props["subscription_identifier"] == [2] for m in got[before:])
        late.settle()
        assert late.messages == []
