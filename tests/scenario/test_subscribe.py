"""SUBSCRIBE and UNSUBSCRIBE: options, identifiers, shared subscriptions, invalid filters."""

import mqtt
import pytest
from wire import Wire

NO_LOCAL = 0x04
VERSIONS = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config={"limits": {"subscriptions": 50, "topic_levels": 20}}) as broker:
        yield broker


@VERSIONS
@pytest.mark.parametrize("pattern, yes, no", [
    ("{}/a/b", ["{}/a/b"], ["{}/a", "{}/a/b/c", "{}/A/b", "/{}/a/b"]),
    ("{}/+/b", ["{}/a/b", "{}//b"], ["{}/a/c", "{}/a/a/b", "{}/b"]),
    ("{}/#", ["{}", "{}/a", "{}/a/b", "{}/"], ["x{}"]),
    ("{}/+", ["{}/a", "{}/"], ["{}", "{}/a/b"]),
    ("+/{}/#", ["x/{}", "x/{}/y", "/{}"], ["{}/y"]),
], ids=["exact", "plus", "hash", "last-plus", "plus-hash"])
def test_matching(broker, pub, topic, version, pattern, yes, no):
    with Wire(broker, version) as sub:
        sub.subscribe(pattern.format(topic.replace("/", "-")), f"end/{topic}")
        for name in yes + no:
            pub.publish(name.format(topic.replace("/", "-")), b"x", qos=1)
        pub.publish(f"end/{topic}", b"end", qos=1)
        assert [m.topic for m in sub.until(b"end")] == [n.format(topic.replace("/", "-")) for n in yes]


def test_unsubscribe(broker, pub, topic):
    """[MQTT-3.10.4-2]; reason codes of 5.0"""
    with Wire(broker) as sub:
        sub.subscribe(f"{topic}/a", f"{topic}/b")
        assert sub.unsubscribe(f"{topic}/a", f"{topic}/never").reasons == [0x00, 0x11]
        pub.publish(f"{topic}/a", b"x", qos=1)
        pub.publish(f"{topic}/b", b"end", qos=1)
        assert sub.until(b"end") == []


def test_a_filter_again_replaces_its_options(broker, pub, topic):
    """[MQTT3-3.8.4-3], [MQTT5-3.8.4-3]"""
    with Wire(broker) as sub:
        sub.subscribe(topic, qos=2)
        sub.subscribe(topic, qos=0)
        pub.publish(topic, b"x", qos=2)
        pub.publish(topic, b"end", qos=2)
        got = sub.until(b"end")
        assert [(m.payload, m.qos) for m in got] == [(b"x", 0)]


def test_overlapping_filters_and_their_identifiers(broker, pub, topic):
    """[MQTT5-3.3.4-2], [MQTT5-3.3.4-3], [MQTT5-3.3.4-4]: once with all identifiers, or once for each"""
    with Wire(broker) as sub:
        sub.subscribe(f"{topic}/#", qos=1, props={"subscription_identifier": 7})
        sub.subscribe(f"{topic}/a", qos=2, props={"subscription_identifier": 268_435_455})
        sub.subscribe(f"{topic}/end", qos=1)
        pub.publish(f"{topic}/a", b"x", qos=2)
        pub.publish(f"{topic}/end", b"end", qos=1)
        got = sub.until(b"end")
        identifiers = sorted(i for m in got for i in m.props.get("subscription_identifier", []))
        assert identifiers == [7, 268_435_455]
        assert max(m.qos for m in got) == 2


def test_identifier_zero_is_a_protocol_error(broker, topic):
    with Wire(broker) as client:
        client.send(mqtt.subscribe(5, 1, [(topic, 0)], {"subscription_identifier": 0}))
        assert client.expect_close().reason in (0x81, 0x82)


def test_no_local(broker, topic):
    """[MQTT5-3.8.3-3]"""
    with Wire(broker) as client, Wire(broker) as other:
        client.subscribe(topic, options=NO_LOCAL, expect=[2])
        client.publish(topic, b"mine", qos=1)
        other.publish(topic, b"end", qos=1)
        assert client.until(b"end") == []


def test_no_local_and_own_retained_messages(broker, topic):
    """[MQTT5-3.8.3-3]: nor those of an earlier connection with the same client id."""
    with Wire(broker, client_id="owner") as client:
        client.publish(f"{topic}/mine", b"mine", qos=1, retain=True)
    with Wire(broker, client_id="owner") as client, Wire(broker) as other:
        other.publish(f"{topic}/other", b"end", qos=1, retain=True)
        client.subscribe(f"{topic}/+", options=NO_LOCAL, expect=[2])
        assert client.until(b"end") == []
        client.settle()
        assert client.messages == []
        client.subscribe(f"{topic}/+")
        assert {client.message().payload for _ in range(2)} == {b"mine", b"end"}
        other.subscribe(f"{topic}/mine", options=NO_LOCAL, expect=[2])
        assert other.message().payload == b"mine"


def test_no_local_on_a_shared_subscription(broker, topic):
    """[MQTT5-3.8.3-4]"""
    with Wire(broker) as client:
        client.send(mqtt.subscribe(5, 1, [(f"$share/g/{topic}", NO_LOCAL)]))
        assert client.expect_close().reason == 0x82


def test_each_message_goes_to_one_member(broker, pub, topic):
    """One member in each of several groups, and every ordinary subscriber."""
    with Wire(broker) as a, Wire(broker) as b, Wire(broker) as lone, Wire(broker) as plain:
        for member in (a, b):
            member.subscribe(f"$share/pair/{topic}", f"end/{topic}")
        lone.subscribe(f"$share/lone/{topic}", f"end/{topic}")
        plain.subscribe(topic, f"end/{topic}")
        for number in range(40):
            pub.publish(topic, str(number).encode(), qos=number % 3)
        pub.publish(f"end/{topic}", b"end", qos=2)
        got = {name: [int(m.payload) for m in c.until(b"end")]
               for name, c in {"a": a, "b": b, "lone": lone, "plain": plain}.items()}
        everything = list(range(40))
        assert sorted(got["a"] + got["b"]) == everything and got["a"] and got["b"]
        assert sorted(got["lone"]) == everything and sorted(got["plain"]) == everything
        for qos in range(3):
            assert [n for n in got["plain"] if n % 3 == qos] == everything[qos::3]


def test_a_member_that_leaves_leaves_its_messages_to_the_others(broker, pub, topic):
    """QoS 1 that was not acknowledged goes to another member."""
    with Wire(broker) as stays, Wire(broker, ack=False, client_id="leaves") as leaves:
        leaves.subscribe(f"$share/crew/{topic}", qos=1)
        pub.publish(topic, b"x", qos=1)
        leaves.message()
        stays.subscribe(f"$share/crew/{topic}", qos=1)
        leaves.kill()
        assert stays.message().payload == b"x"


@pytest.mark.parametrize("topic_filter", ["$share/g", "$share//x", "$share/g/", "$share/g+/x", "$share/#/x"])
def test_malformed_share(broker, topic_filter):
    """[MQTT5-4.8.2-1], [MQTT5-4.8.2-2]"""
    refused(broker, 5, topic_filter)


@VERSIONS
@pytest.mark.parametrize("topic_filter", ["", "a/#/b", "a#", "a/b+", "+a", "a\0b"],
                         ids=["empty", "hash-inside", "hash-glued", "plus-glued", "glued-plus", "nul"])
def test_not_a_filter(broker, version, topic_filter):
    """[MQTT3-4.7.1-2], [MQTT3-4.7.1-3], [MQTT5-4.7.1-1], [MQTT5-4.7.1-2], [MQTT-4.7.3-1], [MQTT-4.7.3-2]"""
    refused(broker, version, topic_filter)


def refused(broker, version, topic_filter):
    """It does not conform, so the connection ends."""
    with Wire(broker, version) as client:
        client.send(mqtt.subscribe(version, 1, [(topic_filter, 0)]))
        said = client.expect_close()
        assert (said is None) if version == 4 else said.reason == 0x81


def test_one_suback_code_for_each_filter(broker, topic):
    """[MQTT3-3.8.4-5], [MQTT5-3.8.4-6]: a deep filter is refused, the others are granted"""
    deep = "/".join("x" * 30)
    with Wire(broker) as client:
        reasons = client_subscribe(client, [f"{topic}/a", deep, f"{topic}/b"])
        assert reasons[0] == 1 and reasons[1] >= 0x80 and reasons[2] == 1


def client_subscribe(client, filters):
    client.send(mqtt.subscribe(client.version, 900, [(f, 1) for f in filters]))
    return client.expect(mqtt.SUBACK, 900).reasons


def test_more_subscriptions_than_allowed(broker, topic):
    with Wire(broker) as client:
        reasons = client_subscribe(client, [f"{topic}/{n}" for n in range(60)])
        assert reasons == [1] * 50 + [0x97] * 10
        client.settle()


@VERSIONS
def test_no_filter_at_all(broker, version):
    """[MQTT3-3.8.3-3], [MQTT5-3.8.3-2], [MQTT-3.10.3-2]"""
    for build in (mqtt.subscribe, mqtt.unsubscribe):
        with Wire(broker, version) as client:
            client.send(build(version, 1, []))
            said = client.expect_close()
            assert version == 4 or said.reason == 0x82
