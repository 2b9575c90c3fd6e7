"""Whatever is refused, the log and the Reason String say what was wrong: the field, or the setting that decided."""

import mqtt
import pytest
from wire import Closed, Wire

LIMITS = {"max_packet_size": "8k", "max_connect_size": "1k", "max_qos": 1, "retain_available": False, "topic_levels": 6,
          "user_properties": 3, "topic_alias_maximum": 3, "receive_maximum": 4, "subscriptions": 2, "sessions_per_user": 1}
ID = mqtt.u16(1)
T = mqtt.text("t")
MANY = {"user_property": [("a", "b")] * 4}


@pytest.fixture(scope="module")
def broker(new_broker):
    made = new_broker(config={"limits": LIMITS}, users={"anna": ["all"], "closed": ["all"]})
    made.passwd("lock", "closed")
    with made as broker:
        yield broker


def raw(kind, flags, *pieces):
    return mqtt.packet(kind, flags, b"".join(pieces))


# What a 5.0 client sends, the code, and words of the cause.
PACKETS = [
    (mqtt.subscribe(5, 1, [("t" * 8192, 0)]), 0x95, "limits.max_packet_size"),
    (mqtt.publish(5, "t", qos=2, packet_id=1), 0x9B, "limits.max_qos"),
    (mqtt.publish(5, "t", retain=True), 0x9A, "limits.retain_available"),
    (mqtt.publish(5, "t", props={"topic_alias": 4}), 0x94, "limits.topic_alias_maximum"),
    (mqtt.publish(5, "a/#"), 0x81, "the topic name contains a wildcard"),
    (mqtt.publish(5, ""), 0x82, "the topic name is empty"),
    (mqtt.publish(5, "", props={"topic_alias": 2}), 0x82, "the Topic Alias was never set"),
    (mqtt.publish(5, "t", props={"payload_format_indicator": 2}), 0x82, "Payload Format Indicator"),
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


HTTP = b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"
FIRST = [
    (HTTP, "WebSocket"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY header"),
    (b"\r\n\r\n\0\r\nQUIT\n!", "PROXY header"),
    (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "the client sent TLS"),
    (mqtt.publish(5, "t", b"x"), "the first packet was PUBLISH"),
    (b"\0\0", "not MQTT"),
]


@pytest.mark.only_over("tls", "websocket", "proxy")    # a Unix socket has no SNI and no address
@pytest.mark.parametrize("first, words", FIRST, ids=[row[1] for row in FIRST])
def test_something_else_than_connect(broker, first, words):
    """The log says what speaks there, from where, and by which name it asked for us."""
    mark = broker.mark()
    with Wire(broker, connect=False) as client:
        client.send(first)
        assert client.expect_close() is None
    line = broker.wait_log("connection-closed-before-connect", mark)
    assert words in line["cause"] and line["sni"] == "localhost" and line["peer"].startswith("127.0.0.1:")


@pytest.mark.only_over("tls", "websocket", "proxy")    # a Unix socket has no SNI and no address
@pytest.mark.parametrize("packet, code, words", [
    (mqtt.connect(4, "", user="anna", password="x", clean=False), 0x02, "Clean Session is 0"),
    (mqtt.connect(5, "device", user="anna", password="x", props=MANY), 0x97, "limits.user_properties"),
    (mqtt.connect(5, "device", user="anna", password="x", will=mqtt.Will("a/#")), 0x81, "the will's topic"),
    (mqtt.connect(5, "device", user="anna", password="x", props={"receive_maximum": 0}), 0x82, "Receive Maximum"),
    (mqtt.packet(mqtt.CONNECT, 0, mqtt.connect(5, "device", user="anna", password="x")[2:] + b"!"), 0x81, "bytes after the last field"),
], ids=["no-client-id", "properties", "will", "receive-maximum", "surplus"])
def test_who_is_refused(broker, packet, code, words):
    """Every refusal before the session exists names the device, as far as it said so itself."""
    mark = broker.mark()
    with Wire(broker, 4 if code == 0x02 else 5, connect=False) as client:
        client.send(packet)
        assert client.expect(mqtt.CONNACK).reason == code
    line = broker.wait_log("connect-refused", mark)
    assert words in line["cause"] and line["user"] == "anna" and line["sni"] == "localhost"
    assert line["client_id"] == ("" if code == 0x02 else "device") and line["protocol_level"] == ("4" if code == 0x02 else "5")
    assert line["peer"].startswith("127.0.0.1:") and line["listener"]


@pytest.mark.parametrize("name, level, version, client_id, words", [
    ("MQIsdp", 3, 4, "oldie", "MQTT 3.1 (protocol name MQIsdp, level 3)"),
    ("MQTT", 3, 4, "oldie", "another protocol or version (protocol name MQTT, level 3)"),
    ("MQTT", 6, 5, "", "another protocol or version (protocol name MQTT, level 6)"),
    ("mqtt", 4, 4, "", "another protocol or version (protocol name mqtt, level 4)"),
    ("mqtt", 5, 5, "", "another protocol or version (protocol name mqtt, level 5)"),
    ("x" * 500, 5, 5, "", f"(protocol name {'x' * 32}, level 5)"),
], ids=["3.1", "level-3", "level-6", "name", "name-5.0", "long-name"])
def test_another_version(broker, name, level, version, client_id, words):
    """The log has the name and the level that came, and those that are spoken; the client the code."""
    mark = broker.mark()
    with Wire(broker, version, connect=False) as client:
        client.send(mqtt.packet(mqtt.CONNECT, 0, mqtt.text(name) + bytes([level]) + b"\x02\0\x3c" + mqtt.text("oldie")))
        assert client.expect(mqtt.CONNACK).reason == (0x01 if version == 4 else 0x84)
    line = broker.wait_log("connect-refused", mark)
    assert (line["client_id"], line["protocol_level"]) == (client_id, str(level))
    assert words in line["cause"] and "the broker speaks MQTT 3.1.1 (MQTT, level 4) and 5.0" in line["cause"]


@pytest.mark.parametrize("step", [1, 3, 5000], ids=["byte by byte", "in pieces", "at once"])
def test_a_will_that_is_too_large(broker, step):
    """CONNACK 0x95 as soon as the version is known, and who it was. [MQTT5-3.1.4-2]"""
    packet = mqtt.connect(5, "device", user="anna", password="x", will=mqtt.Will("t", b"x" * 4096))
    mark = broker.mark()
    with Wire(broker, connect=False) as client:
        for at in range(0, 24 if step < 100 else len(packet), step):
            try:
                client.send(packet[at:at + step])
            except Closed:
                break
        answer = client.expect(mqtt.CONNACK)
        assert answer.reason == 0x95 and "limits.max_connect_size" in answer.props["reason_string"]
    line = broker.wait_log("connect-refused", mark)
    assert "limits.max_connect_size" in line["cause"] and line["protocol_level"] == "5"
    if step > 100:
        assert (line["client_id"], line["user"]) == ("device", "anna")


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


def test_no_user_name(broker):
    mark = broker.mark()
    with Wire(broker, client_id="refused", user=None, password=None, expect=0x87):
        pass
    cause = broker.wait_log("connect-refused", mark, client_id="refused")["cause"]
    assert cause == "the client sent no user name, and authentication.anonymous is false"


@pytest.mark.parametrize("user, password, words", [
    ("anna", "wrong", "wrong password"),
    ("nobody", "wrong", "no such user"),
    ("anna", None, "a user name without a password"),
    ("closed", "wrong", "the user is locked"),
], ids=["password", "unknown", "none", "locked"])
def test_the_log_says_which(broker, user, password, words):
    """The same for the client; the owner reads what it is."""
    mark = broker.mark()
    with Wire(broker, client_id="refused", user=user, password=password, expect=0x86) as client:
        assert client.connack.props == {}
    line = broker.wait_log("connect-refused", mark)
    assert (line["user"], line["cause"]) == (user, words)


# What only the broker's settings refuse: a client cannot know them, and would send it again after each reconnect.
SETTINGS = [
    ("1/2/3/4/5/6/7", b"x", {}, 0x90, "limits.topic_levels"),
    ("t", b"x", MANY, 0x97, "limits.user_properties"),
    ("t", b"\xff", {"payload_format_indicator": 1}, 0x99, "the payload is not"),
]


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("topic, payload, props, code, words", SETTINGS, ids=["levels", "properties", "payload"])
def test_a_publish_against_a_setting(broker, topic, payload, props, code, words, qos):
    """PUBACK has the code, the log the cause, nobody the message, and the connection stays. [MQTT5-3.4.2-1]"""
    mark = broker.mark()
    with Wire(broker, client_id="refused") as client:
        client.subscribe("#", qos=1)
        answer = client.publish(topic, payload, qos=qos, props=props)
        if qos > 0:
            assert answer.reason == code and words in answer.props["reason_string"]
        client.settle()
        assert client.messages == []
    line = broker.wait_log("publish-refused", mark, client_id="refused")
    assert line["topic"] == topic and words in line["cause"] and line["user"] == "anna"


@pytest.mark.parametrize("code, topic, payload, props", [(row[3], *row[:3]) for row in SETTINGS], ids=["levels", "properties", "payload"])
def test_a_qos2_publish_against_a_setting(new_broker, code, topic, payload, props):
    """PUBREC has the code and ends the flow: the identifier is free. [MQTT5-4.3.3-9]"""
    with new_broker(config={"limits": {**LIMITS, "max_qos": 2}}) as broker, Wire(broker) as client:
        for _ in range(3):
            assert client.publish(topic, payload, qos=2, props=props, packet_id=7).reason == code
        assert client.publish("t", b"fine", qos=2, packet_id=7).reason < 0x80


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("setting, topic, retain", [("levels", "1/2/3/4/5/6/7", False), ("retain", "t", True), ("qos", "t", False)],
                         ids=["levels", "retain", "qos"])
def test_a_publish_against_a_setting_in_3_1_1(broker, setting, topic, retain, qos):
    """3.1.1 has no codes, and announces no limits: acknowledged where due, dropped, logged. [MQTT3-3.3.5-2]"""
    if setting == "qos" and qos < 2:
        pytest.skip("it is allowed")
    mark = broker.mark()
    with Wire(broker, 4, client_id="refused") as client:
        client.subscribe("#", qos=1)
        client.publish(topic, b"x", qos=qos, retain=retain)
        client.settle()
        assert client.messages == []
    assert "limits." in broker.wait_log("publish-refused", mark, client_id="refused")["cause"]


def test_a_subscribe_with_many_user_properties(broker):
    """SUBACK refuses each filter; the connection stays."""
    mark = broker.mark()
    with Wire(broker, client_id="refused") as client:
        answer = client.subscribe("a", "b", props=MANY, expect=[0x97, 0x97])
        assert "limits.user_properties" in answer.props["reason_string"]
        client.settle()
    assert "limits.user_properties" in broker.wait_log("subscribe-refused", mark, client_id="refused")["cause"]


def test_user_properties_that_cost_nothing(broker):
    """In packets whose User Properties nobody gets, they are no reason to close anybody, or to publish a will."""
    with Wire(broker) as watcher:
        watcher.subscribe("will", "t", qos=1)
        with Wire(broker, will=mqtt.Will("will", b"gone"), ack=False) as client:
            client.subscribe("t", qos=1)
            client.publish("t", b"x", qos=1)
            got = client.message()
            client.send(mqtt.packet(mqtt.PUBACK, 0, mqtt.u16(got.packet_id) + b"\0" + mqtt.properties(MANY)))
            client.send(mqtt.packet(mqtt.UNSUBSCRIBE, 2, mqtt.u16(9) + mqtt.properties(MANY) + mqtt.text("t")))
            assert client.expect(mqtt.UNSUBACK, 9).reasons == [0]
            client.disconnect(0, MANY)
        assert watcher.message().payload == b"x"
        watcher.settle()
        assert watcher.messages == []


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
