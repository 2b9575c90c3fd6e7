"""Malformed packets: closed with the standard's reason code, one line in the log, and no other client is affected."""

import mqtt
import pytest
from wire import Closed, Wire

BOTH = (4, 5)
EITHER = {0x81, 0x82}


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker() as broker:
        yield broker


@pytest.fixture(autouse=True)
def bystander(broker):
    """Another client, connected before and not affected after."""
    with Wire(broker) as client:
        client.subscribe("bystander")
        yield client
        client.publish("bystander", b"alive", qos=1)
        assert client.message().payload == b"alive"


def raw(kind, flags, *pieces):
    return mqtt.packet(kind, flags, b"".join(pieces))


T = mqtt.text("t")
ID = mqtt.u16(1)
# name, versions, bytes, reasons of 5.0
ROWS = [
    ("reserved packet type", BOTH, raw(0, 0), EITHER),
    ("AUTH out of the blue", (5,), raw(mqtt.AUTH, 0), EITHER),
    ("AUTH in 3.1.1", (4,), raw(mqtt.AUTH, 0), EITHER),
    ("CONNACK from a client", BOTH, raw(mqtt.CONNACK, 0, b"\0\0"), EITHER),
    ("SUBACK from a client", BOTH, raw(mqtt.SUBACK, 0, ID, b"\0"), EITHER),
    ("PINGRESP from a client", BOTH, raw(mqtt.PINGRESP, 0), EITHER),
    ("remaining length of five bytes", BOTH, b"\x30\xff\xff\xff\xff\x01", EITHER),
    ("qos 3", BOTH, raw(mqtt.PUBLISH, 6, T, ID, b"\0"), EITHER),
    ("dup with qos 0", BOTH, raw(mqtt.PUBLISH, 8, T, b"\0"), EITHER),
    ("packet identifier 0", BOTH, raw(mqtt.PUBLISH, 2, T, b"\0\0", b"\0"), EITHER),
    ("topic runs past the end", BOTH, raw(mqtt.PUBLISH, 0, b"\0\x09a"), EITHER),
    ("topic is not utf-8", BOTH, raw(mqtt.PUBLISH, 0, mqtt.text(b"\xff\xfe"), b"\0"), EITHER),
    ("topic with a surrogate", BOTH, raw(mqtt.PUBLISH, 0, mqtt.text(b"\xed\xa0\x80"), b"\0"), EITHER),
    ("property length runs past the end", (5,), raw(mqtt.PUBLISH, 0, T, b"\x7f"), EITHER),
    ("unknown property", (5,), raw(mqtt.PUBLISH, 0, T, b"\x02\x7e\x00"), EITHER),
    ("property of another packet", (5,), raw(mqtt.PUBLISH, 0, T, mqtt.properties({"receive_maximum": 1})), EITHER),
    ("property twice", (5,), raw(mqtt.PUBLISH, 0, T, b"\x04\x01\x00\x01\x00"), EITHER),
    ("subscription identifier from a client", (5,),
     raw(mqtt.PUBLISH, 0, T, mqtt.properties({"subscription_identifier": 1})), EITHER),
    ("response topic with a wildcard", (5,),
     raw(mqtt.PUBLISH, 0, T, mqtt.properties({"response_topic": "a/#"})), EITHER),
    ("payload format 2", (5,), raw(mqtt.PUBLISH, 0, T, mqtt.properties({"payload_format_indicator": 2})), EITHER),
    ("SUBSCRIBE with flags 0", BOTH, raw(mqtt.SUBSCRIBE, 0, ID, T, b"\0"), EITHER),
    ("SUBSCRIBE qos 3", (4,), raw(mqtt.SUBSCRIBE, 2, ID, T, b"\3"), EITHER),
    ("SUBSCRIBE reserved option bits", (5,), raw(mqtt.SUBSCRIBE, 2, ID, b"\0", T, b"\xc0"), EITHER),
    ("SUBSCRIBE retain handling 3", (5,), raw(mqtt.SUBSCRIBE, 2, ID, b"\0", T, b"\x30"), EITHER),
    ("SUBSCRIBE ends after the filter", BOTH, raw(mqtt.SUBSCRIBE, 2, ID, b"\0\x01"), EITHER),
    ("SUBSCRIBE identifier 0", BOTH, raw(mqtt.SUBSCRIBE, 2, b"\0\0", b"\0", T, b"\0"), EITHER),
    ("PUBREL with flags 0", BOTH, raw(mqtt.PUBREL, 0, ID), EITHER),
    ("PUBACK too short", BOTH, raw(mqtt.PUBACK, 0, b"\0"), EITHER),
    ("PINGREQ with a body", BOTH, raw(mqtt.PINGREQ, 0, b"x"), EITHER),
    ("PINGREQ with flags", BOTH, raw(mqtt.PINGREQ, 1), EITHER),
    ("DISCONNECT with flags", BOTH, raw(mqtt.DISCONNECT, 1), EITHER),
    ("DISCONNECT with an unknown code", (5,), raw(mqtt.DISCONNECT, 0, b"\x03"), EITHER),
    ("UNSUBSCRIBE without a filter", BOTH, raw(mqtt.UNSUBSCRIBE, 2, ID, b""), EITHER),
]
CASES = [pytest.param(version, data, reasons, id=f"{name}-{'3.1.1' if version == 4 else '5.0'}")
         for name, versions, data, reasons in ROWS for version in versions]


@pytest.mark.parametrize("version, data, reasons", CASES)
def test_after_connect(broker, version, data, reasons):
    """[MQTT5-4.13.1-1], [MQTT3-4.8.0-1]"""
    mark = broker.mark()
    with Wire(broker, version) as client:
        client.send(data)
        said = client.expect_close()
        assert (said is None) if version == 4 else (said is not None and said.reason in reasons)
    assert broker.wait_log("client-disconnected", mark, client_id=client.client_id)["reason"]


FIRST = [
    ("PINGREQ", mqtt.packet(mqtt.PINGREQ, 0, b"")),
    ("PUBLISH", mqtt.publish(5, "t", b"x")),
    ("SUBSCRIBE", mqtt.subscribe(5, 1, [("#", 0)])),
    ("a large PUBLISH that is only announced", b"\x30\xff\xff\xff\x7f"),
    ("a large CONNECT that is only announced", b"\x10\xff\xff\xff\x7f"),
    ("AUTH", raw(mqtt.AUTH, 0)),
    ("CONNECT with flags", raw(mqtt.CONNECT, 1, mqtt.text("MQTT"), b"\x04\x02\0\x3c", mqtt.text("x"))),
    ("CONNECT reserved flag", raw(mqtt.CONNECT, 0, mqtt.text("MQTT"), b"\x04\x03\0\x3c", mqtt.text("x"))),
    ("CONNECT will qos 3", raw(mqtt.CONNECT, 0, mqtt.text("MQTT"), b"\x04\x1e\0\x3c", mqtt.text("x") * 3)),
    ("CONNECT will qos without a will", raw(mqtt.CONNECT, 0, mqtt.text("MQTT"), b"\x04\x0a\0\x3c", mqtt.text("x"))),
    ("CONNECT password without a name", raw(mqtt.CONNECT, 0, mqtt.text("MQTT"), b"\x04\x42\0\x3c", mqtt.text("x") * 2)),
    ("CONNECT another protocol", raw(mqtt.CONNECT, 0, mqtt.text("MQTX"), b"\x04\x02\0\x3c", mqtt.text("x"))),
    ("CONNECT with bytes behind", raw(mqtt.CONNECT, 0, mqtt.text("MQTT"), b"\x04\x02\0\x3c", mqtt.text("x"), b"yz")),
    ("CONNECT cut off", raw(mqtt.CONNECT, 0, mqtt.text("MQTT"), b"\x04\x02\0")),
]


@pytest.mark.parametrize("data", [row[1] for row in FIRST], ids=[row[0] for row in FIRST])
def test_instead_of_connect(broker, data):
    """[MQTT-3.1.0-1], [MQTT3-3.1.2-3], [MQTT5-3.1.2-3]"""
    with Wire(broker, 4, connect=False) as client:
        client.send(data)
        client.expect_close()


@pytest.mark.parametrize("level", [0, 3, 6, 0x7F])
def test_another_version(broker, level):
    """[MQTT3-3.1.2-2], [MQTT5-3.1.2-2]: code 1 for those below 5, 0x84 for those above, or nothing"""
    with Wire(broker, 4, connect=False) as client:
        client.send(raw(mqtt.CONNECT, 0, mqtt.text("MQTT"), mqtt.u8(level), b"\x02\0\x3c", mqtt.text("x")))
        with pytest.raises(Closed):
            while True:
                client.fill()
        assert client.buffer in (b"", b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00")


@pytest.mark.parametrize("version", BOTH, ids=["3.1.1", "5.0"])
def test_second_connect(broker, version):
    """[MQTT3-3.1.0-2], [MQTT5-3.1.0-2]"""
    with Wire(broker, version, will=mqtt.Will("t/will", b"gone")) as client:
        client.send(mqtt.connect(version, client.client_id, user="anna", password=broker.password("anna")))
        said = client.expect_close()
        assert version == 4 or said.reason == 0x82


def padded(data):
    """The same packet, its Remaining Length in four bytes."""
    at = 1
    while data[at] & 0x80:
        at += 1
    return data[:at] + bytes([data[at] | 0x80]) + b"\x80" * (3 - at) + b"\0" + data[at + 1:]


@pytest.mark.parametrize("version", BOTH, ids=["3.1.1", "5.0"])
def test_a_length_that_is_not_the_shortest(broker, version):
    """[MQTT5-1.5.5-1]: 5.0 forbids it, in CONNECT and in AUTH too; 3.1.1 does not."""
    connect = padded(mqtt.connect(version, f"padded-{version}", user="anna", password=broker.password("anna")))
    client = Wire(broker, version, connect=False)
    client.send(connect)
    if version == 5:
        assert client.expect(mqtt.CONNACK).reason == 0x81
        client.expect_close()
        return
    assert client.expect(mqtt.CONNACK).reason == 0
    client.send(padded(mqtt.subscribe(4, 7, [("padded/x", 1)])))
    assert client.expect(mqtt.SUBACK, 7).reasons == [1]
    client.send(padded(mqtt.publish(4, "padded/x", b"x" * 200, qos=1, packet_id=8)))
    client.expect(mqtt.PUBACK, 8)
    assert client.message().payload == b"x" * 200
    client.send(b"\xc0\x80\x80\x80\0")
    client.expect(mqtt.PINGRESP)
    client.send(padded(mqtt.disconnect(4)))
    assert client.expect_close() is None


def test_packets_in_single_bytes(broker):
    """[MQTT3-7.1.1-1], [MQTT5-4.2.0-1]"""
    with Wire(broker) as client:
        client.subscribe("slow/x")
        for byte in mqtt.publish(5, "slow/x", b"in pieces", qos=1, packet_id=1000):
            client.send(bytes([byte]))
        assert client.expect(mqtt.PUBACK, 1000)
        assert client.message().payload == b"in pieces"


def test_many_packets_at_once(broker):
    with Wire(broker) as client:
        client.subscribe("many/x", qos=0)
        client.send(b"".join(mqtt.publish(5, "many/x", str(n)) for n in range(1000)))
        assert [int(client.message().payload) for _ in range(1000)] == list(range(1000))


def test_too_deep_a_topic(broker):
    with Wire(broker) as client:
        client.send(mqtt.publish(5, "/".join("x" * 1000), b"x"))
        assert client.publish("/".join("x" * 1000), b"x", qos=1).reason == 0x90
        client.settle()


def test_a_refused_packet_changes_nothing(broker):
    """Hundreds of times: memory that a refusal does not free is reported by the leak checker at the end."""
    will = mqtt.Will("t/will", b"x" * 30_000, props={"user_property": [("a", "b" * 1000)] * 20})
    for number in range(60):
        client = Wire(broker, connect=False)
        data = mqtt.connect(5, f"leak-{number}", user="anna", password="wrong", will=will)
        client.send(data if number % 2 else data[:-number - 1])
        client.kill()
