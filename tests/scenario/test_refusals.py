"""Whatever is refused, the log and the Reason String say what was wrong: the field, or the setting that decided."""

import mqtt
import pytest
from wire import Wire

LIMITS = {"max_packet_size": "8k", "max_connect_size": "1k", "max_qos": 1, "retain_available": False, "topic_levels": 6,
          "user_properties": 3, "topic_alias_maximum": 3, "receive_maximum": 4, "subscriptions": 2, "sessions_per_user": 1}
ID = mqtt.u16(1)
T = mqtt.text("t")
MANY = {"user_property": [("a", "b")] * 4}


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config={"limits": LIMITS}) as broker:
        yield broker


def raw(kind, flags, *pieces):
    return mqtt.packet(kind, flags, b"".join(pieces))


# What a 5.0 client sends, the code, and words of the cause.
PACKETS = [
    (mqtt.publish(5, "t", b"x" * 8192), 0x95, "limits.max_packet_size"),
    (mqtt.publish(5, "t", qos=2, packet_id=1), 0x9B, "limits.max_qos"),
    (mqtt.publish(5, "t", retain=True), 0x9A, "limits.retain_available"),
    (mqtt.publish(5, "1/2/3/4/5/6/7"), 0x90, "limits.topic_levels"),
    (mqtt.publish(5, "t", props=MANY), 0x97, "limits.user_properties"),
    (mqtt.subscribe(5, 1, [("t", 0)], MANY), 0x97, "limits.user_properties"),
    (mqtt.publish(5, "t", props={"topic_alias": 4}), 0x94, "limits.topic_alias_maximum"),
    (mqtt.publish(5, "a/#"), 0x81, "the topic name contains a wildcard"),
    (mqtt.publish(5, ""), 0x82, "the topic name is empty"),
    (mqtt.publish(5, "", props={"topic_alias": 2}), 0x82, "the Topic Alias was never set"),
    (mqtt.publish(5, "t", props={"payload_format_indicator": 2}), 0x82, "Payload Format Indicator"),
    (mqtt.publish(5, "t", b"\xff", props={"payload_format_indicator": 1}), 0x99, "the payload is not"),
    (raw(mqtt.PUBLISH, 6, T, ID, b"\0"), 0x81, "the QoS is 3"),
    (raw(mqtt.PUBLISH, 8, T, b"\0"), 0x81, "DUP"),
    (raw(mqtt.PUBLISH, 2, T, b"\0\0", b"\0"), 0x81, "the packet identifier is 0"),
    (raw(mqtt.PUBLISH, 2, T), 0x81, "the packet identifier is missing"),
    (raw(mqtt.PUBLISH, 0, b"\0\x09a"), 0x81, "the topic name is longer than the packet"),
    (raw(mqtt.PUBLISH, 0, T, b"\x02\x7e\x00"), 0x81, "unknown identifier"),
    (raw(mqtt.PUBLISH, 0, T, b"\x04\x01\x00\x01\x00"), 0x82, "Payload Format Indicator occurs more than once"),
    (raw(mqtt.PUBLISH, 0, T, b"\x03\x21\x00\x01"), 0x81, "Receive Maximum is not allowed in this packet"),
    (raw(mqtt.SUBSCRIBE, 0, ID, b"\0", T, b"\0"), 0x81, "the flags of the fixed header"),
    (raw(mqtt.SUBSCRIBE, 2, ID, b"\0", T, b"\x30"), 0x82, "Retain Handling"),
    (raw(mqtt.SUBSCRIBE, 2, ID, b"\0", mqtt.text("a/#/b"), b"\0"), 0x81, "a topic filter is not valid"),
    (raw(mqtt.SUBSCRIBE, 2, ID, b"\0"), 0x82, "there is no topic filter"),
    (raw(mqtt.UNSUBSCRIBE, 2, ID, b"\0"), 0x82, "there is no topic filter"),
    (raw(mqtt.PUBREL, 0, ID), 0x81, "the flags of the fixed header"),
    (raw(mqtt.PINGREQ, 0, b"x"), 0x81, "bytes after the last field"),
    (raw(mqtt.AUTH, 0), 0x82, "Authentication Method"),
    (raw(mqtt.CONNACK, 0, b"\0\0"), 0x82, "must not send this packet type"),
    (b"\x30\xff\xff\xff\xff\x01", 0x81, "the Remaining Length"),
    (mqtt.connect(5, "again"), 0x82, "a second CONNECT"),
]

@pytest.mark.parametrize("packet, code, words", PACKETS, ids=[f"{n}-{row[2]}" for n, row in enumerate(PACKETS)])
def test_a_packet(broker, packet, code, words):
    """DISCONNECT and the log have the same words. [MQTT5-4.13.2-1]"""
    mark = broker.mark()
    with Wire(broker, client_id="refused") as client:
        client.send(packet)
        said = client.expect_close()
    assert (said.kind, said.reason) == (mqtt.DISCONNECT, code)
    assert words in said.props["reason_string"]
    line = broker.wait_log("client-disconnected", mark, client_id="refused")
    assert line["cause"] == said.props["reason_string"]


CONNECTS = [
    ({"props": MANY}, 0x97, "limits.user_properties"),
    ({"will": mqtt.Will("1/2/3/4/5/6/7")}, 0x90, "limits.topic_levels"),
    ({"will": mqtt.Will("t", qos=2)}, 0x9B, "limits.max_qos"),
    ({"will": mqtt.Will("t", retain=True)}, 0x9A, "limits.retain_available"),
    ({"will": mqtt.Will("a/#")}, 0x81, "the will's topic"),
    ({"props": {"receive_maximum": 0}}, 0x82, "Receive Maximum"),
    ({"props": {"authentication_data": b"x"}}, 0x82, "Authentication Data"),
]


@pytest.mark.parametrize("connect, code, words", CONNECTS, ids=[f"{n}-{row[2]}" for n, row in enumerate(CONNECTS)])
def test_a_connect(broker, connect, code, words):
    """CONNACK and the log have the same words. [MQTT5-3.1.4-2]"""
    mark = broker.mark()
    with Wire(broker, expect=code, **connect) as client:
        assert words in client.connack.props["reason_string"]
        assert broker.wait_log("connect-refused", mark)["cause"] == client.connack.props["reason_string"]


def test_a_connect_that_does_not_want_the_words(broker):
    """The code alone; the log has the words."""
    mark = broker.mark()
    with Wire(broker, will=mqtt.Will("t", qos=2), props={"request_problem_information": 0}, expect=0x9B) as client:
        assert client.connack.props == {}
    assert "limits.max_qos" in broker.wait_log("connect-refused", mark)["cause"]


def test_a_wrong_password_is_not_explained(broker):
    """[MQTT5-3.1.3-8] What is refused about names and passwords has its code alone."""
    with Wire(broker, password="wrong", expect=0x86) as client:
        assert client.connack.props == {}


@pytest.mark.parametrize("filters, code, words", [
    (["1/2/3/4/5/6/7"], 0x8F, "limits.topic_levels"),
    (["a", "b", "c"], 0x97, "limits.subscriptions"),
], ids=["topic_levels", "subscriptions"])
def test_a_subscription(broker, filters, code, words):
    """SUBACK and the log name the setting."""
    mark = broker.mark()
    with Wire(broker, client_id="refused") as client:
        client.send(mqtt.subscribe(5, 7, [(f, 0) for f in filters]))
        said = client.expect(mqtt.SUBACK, 7)
    assert said.reasons[-1] == code
    assert words in said.props["reason_string"]
    line = broker.wait_log("subscribe-refused", mark, client_id="refused")
    assert (line["filter"], line["cause"]) == (filters[-1], said.props["reason_string"])


def test_a_session_too_many(broker):
    keep = {"session_expiry_interval": 100}
    words = "limits.sessions_per_user is reached"
    mark = broker.mark()
    with Wire(broker, client_id="one", props=keep) as one:
        with Wire(broker, client_id="two", props=keep, expect=0x97) as two:
            assert two.connack.props["reason_string"] == words
        one.disconnect(0, {"session_expiry_interval": 0})
    assert broker.wait_log("connect-refused", mark)["cause"] == words
