"""PUBLISH on the wire: QoS both ways, properties, aliases, expiry and the limits of both sides."""

import time

import mqtt
import pytest
from wire import Wire

VERSIONS = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
LARGEST = 64 * 1024


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config={"limits": {"max_packet_size": "64k", "receive_maximum": 3, "topic_alias_maximum": 4,
                                      "max_packet_size_enforcement": "strict",
                                      "receive_maximum_enforcement": "strict", "user_properties": 16}}) as broker:
        yield broker


@VERSIONS
@pytest.mark.parametrize("subscribed", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_qos_is_the_lower_of_both(broker, topic, version, published, subscribed):
    """[MQTT3-3.8.4-6], [MQTT5-3.8.4-8]"""
    with Wire(broker, version) as sub, Wire(broker, 9 - version) as pub:
        sub.subscribe(topic, qos=subscribed)
        pub.publish(topic, b"x", qos=published)
        assert sub.message().qos == min(published, subscribed)


def test_payload_is_delivered_unchanged(broker, topic):
    payloads = [b"", b"\x00", bytes(range(256)), b"\xc3\x28 no utf-8", b"x" * (LARGEST - 100)]
    with Wire(broker) as sub, Wire(broker, 4) as pub:
        sub.subscribe(topic)
        for payload in payloads:
            pub.publish(topic, payload, qos=1)
            assert sub.message().payload == payload


def test_order_per_publisher(broker, topic):
    """[MQTT5-4.6.0-6]"""
    with Wire(broker) as sub, Wire(broker) as pub:
        sub.subscribe(topic)
        for number in range(300):
            pub.send(mqtt.publish(5, topic, str(number)))
        pub.publish(topic, b"end", qos=1)
        assert [int(m.payload) for m in sub.until(b"end")] == list(range(300))


def test_qos2_resent_before_pubrel_is_delivered_once(broker, topic):
    """[MQTT5-4.3.3-10]"""
    with Wire(broker) as sub, Wire(broker) as pub:
        sub.subscribe(topic)
        for dup in (False, True):
            pub.send(mqtt.publish(5, topic, "once", qos=2, packet_id=9, dup=dup))
            assert pub.expect(mqtt.PUBREC, 9).reason < 0x80
        pub.send(mqtt.ack(5, mqtt.PUBREL, 9))
        pub.expect(mqtt.PUBCOMP, 9)
        pub.publish(topic, b"end", qos=2)
        assert [m.payload for m in sub.until(b"end")] == [b"once"]


def test_pubrel_for_an_unknown_identifier(broker):
    with Wire(broker) as client:
        client.send(mqtt.ack(5, mqtt.PUBREL, 77))
        assert client.expect(mqtt.PUBCOMP, 77).reason == 0x92


def test_no_matching_subscribers(broker, topic):
    with Wire(broker) as client:
        assert client.publish(topic, qos=1).reason in (0x00, 0x10)


def test_properties_pass_unchanged_and_in_order(broker, topic):
    """[MQTT5-3.3.2-4], [MQTT5-3.3.2-15], [MQTT5-3.3.2-16], [MQTT5-3.3.2-17], [MQTT5-3.3.2-18], [MQTT5-3.3.2-20]"""
    props = {
        "payload_format_indicator": 1,
        "content_type": "text/plain; charset=utf-8",
        "response_topic": "answers/anna",
        "correlation_data": b"\x00\x01\xff",
        "user_property": [("b", "1"), ("a", "2"), ("b", "1"), ("", ""), ("å", "ö")],
    }
    with Wire(broker) as sub, Wire(broker) as pub:
        sub.subscribe(topic)
        pub.publish(topic, "hej".encode(), qos=1, retain=True, props=props)
        assert sub.message().props == props
        with Wire(broker) as late:
            late.subscribe(topic)
            assert late.message().props == props
        pub.publish(topic, b"", qos=1, retain=True)


def test_request_and_response(broker, topic):
    with Wire(broker) as service, Wire(broker) as asker:
        service.subscribe(f"{topic}/ask")
        asker.subscribe(f"{topic}/answer/me")
        asker.publish(f"{topic}/ask", b"2+2", qos=1,
                      props={"response_topic": f"{topic}/answer/me", "correlation_data": b"17"})
        asked = service.message()
        service.publish(asked.props["response_topic"], b"4", qos=1,
                        props={"correlation_data": asked.props["correlation_data"]})
        answer = asker.message()
        assert (answer.payload, answer.props["correlation_data"]) == (b"4", b"17")


def test_properties_do_not_reach_311(broker, topic):
    with Wire(broker, 4) as sub, Wire(broker) as pub:
        sub.subscribe(topic)
        pub.publish(topic, b"x", qos=1, props={"content_type": "text/plain", "user_property": [("a", "b")]})
        assert sub.message().payload == b"x"


def test_topic_alias_of_the_client(broker, topic):
    with Wire(broker) as sub, Wire(broker) as pub:
        assert pub.connack.props["topic_alias_maximum"] == 4
        sub.subscribe(f"{topic}/#")
        pub.publish(f"{topic}/a", b"1", qos=1, props={"topic_alias": 1})
        pub.publish("", b"2", qos=1, props={"topic_alias": 1})
        pub.publish(f"{topic}/b", b"3", qos=1, props={"topic_alias": 1})
        pub.publish("", b"4", qos=1, props={"topic_alias": 1})
        got = [sub.message() for _ in range(4)]
        assert [m.topic.rsplit("/", 1)[1] for m in got] == ["a", "a", "b", "b"]
        assert all("topic_alias" not in m.props for m in got)


@pytest.mark.parametrize("props, alias", [({"topic_alias": 0}, "zero"), ({"topic_alias": 5}, "too high"),
                                          ({"topic_alias": 2}, "never set")], ids=["zero", "too-high", "never-set"])
def test_topic_alias_invalid(broker, topic, props, alias):
    """[MQTT5-3.3.2-8], [MQTT5-3.3.2-9]"""
    with Wire(broker) as client:
        client.send(mqtt.publish(5, "" if alias == "never set" else topic, b"x", props=props))
        said = client.expect_close()
        assert said.reason == (0x82 if alias == "never set" else 0x94)


def test_receive_maximum_of_the_broker(broker, topic):
    """[MQTT5-3.3.4-7]: more QoS 2 in flight than it announced."""
    with Wire(broker) as client:
        assert client.connack.props["receive_maximum"] == 3
        for packet_id in range(1, 5):
            client.send(mqtt.publish(5, topic, b"x", qos=2, packet_id=packet_id))
        assert client.expect_close().reason == 0x93


def test_receive_maximum_of_the_client(broker, topic):
    """[MQTT5-3.3.4-9]"""
    with Wire(broker, props={"receive_maximum": 2}, ack=False) as sub, Wire(broker) as pub:
        sub.subscribe(topic)
        for number in range(5):
            pub.publish(topic, str(number).encode(), qos=1 + number % 2)
        sub.settle()
        assert len(sub.messages) == 2
        sub.acks = True
        for message in list(sub.messages):
            sub.acknowledge(message)
        assert [sub.message().payload for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]


def test_maximum_packet_size_of_the_broker(broker, topic):
    """[MQTT5-3.2.2-15]: the announcement is enough, it need not come."""
    for version in (5, 4):
        with Wire(broker, version) as client:
            assert version == 4 or client.connack.props["maximum_packet_size"] == LARGEST
            client.send(mqtt.publish(version, topic, b"x" * LARGEST)[:100])
            said = client.expect_close()
            assert version == 4 or said.reason == 0x95


def test_maximum_packet_size_of_the_client(broker, topic):
    """[MQTT5-3.1.2-24]: what is too large for it is left out, and the rest still comes."""
    with Wire(broker, props={"maximum_packet_size": 200}) as sub, Wire(broker) as pub:
        sub.subscribe(topic)
        for qos in (0, 1, 2):
            pub.publish(topic, b"x" * 300, qos=qos)
        pub.publish(topic, b"fits", qos=1)
        assert sub.until(b"fits") == []


def test_message_expiry(broker, topic):
    """[MQTT5-3.3.2-5], [MQTT5-3.3.2-6]"""
    name, keep = f"expiry-{topic[-8:]}", {"session_expiry_interval": 3600}
    with Wire(broker, client_id=name, props=keep) as sub:
        sub.subscribe(topic)
        sub.disconnect()
    with Wire(broker) as pub:
        pub.publish(topic, b"short", qos=1, props={"message_expiry_interval": 1})
        pub.publish(topic, b"long", qos=1, props={"message_expiry_interval": 1000})
        pub.publish(f"{topic}/kept", b"retained", qos=1, retain=True, props={"message_expiry_interval": 1})
        expired = time.monotonic() + 1.1
        while time.monotonic() < expired:  # the clock is what is waited for
            pub.settle()
            time.sleep(0.05)
        pub.publish(topic, b"end", qos=1)
        with Wire(broker, client_id=name, clean=False, props=keep) as sub:
            assert sub.connack.session_present
            got = sub.until(b"end")
            assert [m.payload for m in got] == [b"long"]
            assert 990 <= got[0].props["message_expiry_interval"] < 1000
        with Wire(broker) as late:
            late.subscribe(f"{topic}/kept")
            late.settle()
            assert late.messages == []


def test_assigned_client_identifier(broker):
    """[MQTT5-3.1.3-6], [MQTT5-3.1.3-7], [MQTT5-3.2.2-16], [MQTT3-3.1.3-7], [MQTT3-3.1.3-8]"""
    with Wire(broker, client_id="") as one, Wire(broker, client_id="") as two:
        names = {c.connack.props["assigned_client_identifier"] for c in (one, two)}
        assert len(names) == 2 and "" not in names
    with Wire(broker, 4, client_id="") as client:
        client.settle()
    with Wire(broker, 4, client_id="", clean=False, expect=2) as client:
        client.expect_close()


def test_what_connack_announces(broker):
    with Wire(broker, props={"request_response_information": 1}) as client:
        props = client.connack.props
        assert "assigned_client_identifier" not in props
        assert props.get("maximum_qos", 2) == 2 and props.get("retain_available", 1) == 1
        assert props.get("shared_subscription_available", 1) == 1


def test_too_many_user_properties(broker, topic):
    """A setting forbids them: no reason to end the connection."""
    many = {"user_property": [("a", "b")] * 17}
    with Wire(broker) as client:
        client.publish(topic, b"x", props=many)
        assert client.publish(topic, b"x", qos=1, props=many).reason == 0x97
        client.settle()


@VERSIONS
@pytest.mark.parametrize("name", ["a/#", "+/b", "a\0b", ""], ids=["hash", "plus", "nul", "empty"])
def test_topic_name_invalid(broker, version, name):
    """[MQTT-3.3.2-2] and the empty one without an alias"""
    with Wire(broker, version) as client:
        client.send(mqtt.publish(version, name, b"x"))
        said = client.expect_close()
        assert (said is None) if version == 4 else said.reason == (0x81 if name else 0x82)


def test_topic_aliases_for_the_client(broker, topic):
    """For clients that permit them: the topic once, the alias from then on, and never more than they permit."""
    with Wire(broker) as pub, Wire(broker, props={"topic_alias_maximum": 2}, ack=True) as sub, Wire(broker) as plain:
        sub.subscribe(f"{topic}/#", qos=1)
        plain.subscribe(f"{topic}/#", qos=1)
        seen = []
        for name in ("a", "b", "c", "a", "c", "b"):
            pub.publish(f"{topic}/{name}", name.encode(), qos=1)
            message = sub.message()
            assert message.payload == name.encode()
            seen.append((message.topic.rsplit("/", 1)[-1], message.props.get("topic_alias")))
            full = plain.message()
            assert full.topic == f"{topic}/{name}" and "topic_alias" not in full.props
        assert seen == [("a", 1), ("b", 2), ("c", None), ("", 1), ("c", None), ("", 2)]


def test_many_subscription_identifiers(broker, topic):
    filters = [f"{topic}/x", f"{topic}/+", f"{topic}/#", "t/+/x", "t/+/+", "t/#", "+/+/x"]
    with Wire(broker) as client:
        for number, name in enumerate(filters, 1):
            client.subscribe(name, props={"subscription_identifier": number})
        client.publish(f"{topic}/x", b"once", qos=1)
        message = client.message()
        found = message.props["subscription_identifier"]
        assert sorted(found) == list(range(1, len(filters) + 1))
        client.publish(f"{topic}/end", b"end", qos=1)
        assert client.message().payload == b"end"


@pytest.mark.parametrize("moved, code", [(False, 0x9C), (True, 0x9D)], ids=["for-now", "for-good"])
def test_a_listener_that_redirects_its_clients(new_broker, moved, code):
    broker = new_broker()
    broker.config["listeners"][0].update(server_reference="other.example:8883", server_moved=moved)
    broker.write()
    with broker:
        client = Wire(broker, expect=code)
        assert client.connack.props["server_reference"] == "other.example:8883"
        client.expect_close()
        Wire(broker, version=4, expect=3).expect_close()


def test_a_payload_that_contradicts_its_format_indicator(broker, topic):
    """0x99 in the acknowledgement, if there is one; nobody gets it, and valid payloads pass."""
    with Wire(broker) as sub, Wire(broker) as pub:
        sub.subscribe(topic)
        for qos in (1, 2):
            assert pub.publish(topic, b"\xff\xfe", qos=qos, props={"payload_format_indicator": 1}).reason == 0x99
        pub.publish(topic, b"\xff", props={"payload_format_indicator": 1})
        pub.publish(topic, "å".encode(), qos=1, props={"payload_format_indicator": 1})
        pub.publish(topic, b"\xff", qos=1, props={"payload_format_indicator": 0})
        assert [sub.message().payload, sub.message().payload] == ["å".encode(), b"\xff"]
