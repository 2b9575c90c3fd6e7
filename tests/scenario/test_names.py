"""Control characters and noncharacters: a Malformed Packet in names, allowed in values, escaped wherever they are printed."""

import mqtt
import pytest
from statements import answer_of
from wire import Wire

BAD = ["\x01", "\t", "\n", "\x1f", "\x7f", "\x80", "\x9f", "\ufdd0", "\ufdef", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff"]
GOOD = [" ", "~", "\xa0", "\ufdcf", "\ufdf0", "\ufeff", "\ufffd", "\U0001fffd", "é"]
ACL = {"roles": {"all": ["allow all #"]}}


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(acl=ACL) as broker:
        yield broker


PACKETS = [
    ("topic of QoS 0", (4, 5), lambda version, bad: mqtt.publish(version, f"a{bad}", b"x")),
    ("topic of QoS 1", (4, 5), lambda version, bad: mqtt.publish(version, f"{bad}a-longer-topic", b"x", qos=1, packet_id=7)),
    ("topic of QoS 2", (4, 5), lambda version, bad: mqtt.publish(version, f"a-longer-topic{bad}", b"x", qos=2, packet_id=7)),
    ("retained topic", (4, 5), lambda version, bad: mqtt.publish(version, f"a/{bad}", b"x", retain=True)),
    ("retained message that is not there", (4, 5), lambda version, bad: mqtt.publish(version, f"a/{bad}", b"", retain=True)),
    ("topic with an alias", (5,), lambda version, bad: mqtt.publish(5, f"a/{bad}", b"", retain=True, props={"topic_alias": 1})),
    ("filter", (4, 5), lambda version, bad: mqtt.subscribe(version, 1, [(f"a/{bad}/#", 0)])),
    ("second filter", (4, 5), lambda version, bad: mqtt.subscribe(version, 1, [("a", 0), (f"{bad}", 0)])),
    ("group of a shared subscription", (5,), lambda version, bad: mqtt.subscribe(5, 1, [(f"$share/g{bad}/a", 0)])),
    ("response topic", (5,), lambda version, bad: mqtt.publish(5, "t", b"x", props={"response_topic": f"r{bad}"})),
]


@pytest.mark.parametrize("version, build", [pytest.param(version, build, id=f"{name}-{version}")
                                            for name, versions, build in PACKETS for version in versions])
def test_names_in_packets(broker, version, build):
    """Section 1.5.4: what SHOULD NOT be there is a Malformed Packet, whatever the QoS."""
    for bad in BAD:
        mark = broker.mark()
        with Wire(broker, version, client_id="named") as client:
            client.send(build(version, bad))
            said = answer_of(client)
            assert (said is None) if version == 4 else (said.kind == mqtt.DISCONNECT and said.reason == 0x81), repr(bad)
        assert "control character" in broker.wait_log("client-disconnected", mark, client_id="named")["cause"]


CONNECTS = [
    ("client id", lambda broker, version, bad: mqtt.connect(version, f"x{bad}", user="anna", password=broker.password("anna"))),
    ("user name", lambda broker, version, bad: mqtt.connect(version, "x", user=f"an{bad}na", password="x")),
    ("will topic", lambda broker, version, bad: mqtt.connect(version, "x", user="anna", password=broker.password("anna"),
                                                             will=mqtt.Will(f"w{bad}", b"x"))),
]


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("build", [build for _, build in CONNECTS], ids=[name for name, _ in CONNECTS])
def test_names_in_connect(broker, version, build):
    for bad in BAD:
        with Wire(broker, version, connect=False) as client:
            client.send(build(broker, version, bad))
            said = answer_of(client)
            assert (said is None) if version == 4 else (said.kind == mqtt.CONNACK and said.reason == 0x81), repr(bad)


def test_other_characters_are_welcome(broker):
    with Wire(broker, client_id="".join(GOOD)) as client:
        for good in GOOD:
            client.subscribe(f"ok/{good}/+")
            client.publish(f"ok/{good}/a", b"x", qos=1, props={"response_topic": f"r{good}"})
            got = client.message()
            assert (got.topic, got.props["response_topic"]) == (f"ok/{good}/a", f"r{good}")


def test_values_are_not_names(broker):
    """User Properties, Content Type and payload arrive as they were sent."""
    with Wire(broker) as client:
        client.subscribe("values")
        for bad in BAD:
            props = {"content_type": f"c{bad}", "user_property": (f"n{bad}", f"v{bad}")}
            client.publish("values", bad.encode(), qos=1, props=props)
            got = client.message()
            assert got.payload == bad.encode() and got.props["content_type"] == props["content_type"]
            assert got.props["user_property"] in (props["user_property"], [props["user_property"]])


def test_unsubscribe_closes_nobody(broker):
    """A subscription in the store may have such a filter."""
    with Wire(broker) as client:
        assert client.unsubscribe("a/\x01/#").reasons == [0x11]
        client.settle()


def test_the_log_escapes(new_broker):
    """Nothing that a client sends steers a terminal or splits a line."""
    with new_broker() as broker, Wire(broker, connect=False) as client:
        client.send(mqtt.connect(5, "esc\x1b[31m\ufffe\U0001ffff\n", user="an\x9bna", password="x"))
        answer_of(client)
        line = broker.wait_log("connect-refused")
        raw = [text for text in broker.process.lines if "connect-refused" in text][0]
        assert r'client_id="esc\x1b[31m\ufffe\U0001ffff\n"' in raw and r'user="an\x9bna"' in raw
        assert line["client_id"] == "esc\x1b[31m\ufffe\U0001ffff\n" and "control character" in line["cause"]
