"""What the standards say of sessions, of wills and of how connections end, on the wire of both versions."""

import time

import mqtt
import pytest
from broker_fixture import free_bind
from statements import KEEP, answer_of, opened
from wire import Closed, Wire

POOR = 1  # a listener with QoS 0 only and nothing retained
AS_PUBLISHED = 0x08


@pytest.fixture(scope="module")
def broker(new_broker):
    poor = {"max_qos": 0, "retain_available": False, "receive_maximum": 2}
    limits = {"max_packet_size": "64k", "user_properties": 8, "topic_levels": 10, "receive_maximum": 2,
              "receive_maximum_enforcement": "strict", "max_packet_size_enforcement": "strict"}
    with new_broker(config={"listeners": [{"bind": free_bind()}, {"bind": free_bind(), "limits": poor}], "limits": limits},
                   users={"anna": ["all"], "bert": ["all"]}) as broker:
        yield broker


@pytest.fixture
def pub(broker):
    with Wire(broker, 4) as client:
        yield client


# Sessions


def test_state_of_a_session(broker, pub, topic, version):
    """[MQTT5-3.1.2-23], [MQTT3-3.1.2-4], [MQTT3-3.1.2-5], [MQTT3-4.1.0-1], [MQTT-4.5.0-1]: subscriptions, messages that
    wait, what is half acknowledged in both directions"""
    with opened(broker, version, topic, ack=False) as client:
        client.subscribe(f"{topic}/#")
        pub.publish(f"{topic}/1", b"1", qos=1)
        pub.publish(f"{topic}/2", b"2", qos=2)
        held = [client.message(), client.message()]
        client.send(mqtt.publish(version, "elsewhere", b"x", qos=2, packet_id=70))
        client.expect(mqtt.PUBREC, 70)
        client.kill()
    pub.publish(f"{topic}/3", b"3", qos=1)
    pub.publish(f"{topic}/4", b"4", qos=2)
    with opened(broker, version, topic) as client:
        assert client.connack.session_present
        got = [client.message() for _ in range(4)]
        assert [m.payload for m in got] == [b"1", b"2", b"3", b"4"]
        assert [m.packet_id for m in got[:2]] == [m.packet_id for m in held]
        client.send(mqtt.ack(version, mqtt.PUBREL, 70))
        assert client.expect(mqtt.PUBCOMP, 70).reason == 0


def test_qos_0_is_not_queued_for_offline_clients(broker, pub, topic, version):
    """4.1 of both: the server may store it, this one does not; nor what was published with more and granted as 0"""
    with opened(broker, version, topic) as client:
        client.subscribe(f"{topic}/0", qos=0)
        client.subscribe(f"{topic}/2")
        client.kill()
    for qos in (0, 1, 2):
        pub.publish(f"{topic}/0", b"x", qos=qos)
    pub.publish(f"{topic}/2", b"x")
    with opened(broker, version, topic) as client:
        pub.publish(f"{topic}/2", b"end", qos=1)
        assert client.until(b"end") == []


def test_nothing_of_it_in_the_next(broker, pub, topic, version):
    """[MQTT3-3.1.2-6], [MQTT5-3.1.2-4]: no subscription, no message, no packet identifier of the old one"""
    with opened(broker, version, topic, ack=False) as client:
        client.subscribe(topic)
        pub.publish(topic, b"1", qos=2)
        client.message()
        client.send(mqtt.publish(version, f"{topic}/own", b"x", qos=2, packet_id=70))
        client.expect(mqtt.PUBREC, 70)
        client.kill()
    pub.publish(topic, b"2", qos=1)
    with Wire(broker, version, client_id=topic) as client, Wire(broker) as watcher:
        watcher.subscribe(f"{topic}/own")
        assert not client.connack.session_present
        pub.publish(topic, b"3", qos=1)
        client.settle()
        assert client.messages == []
        client.publish(f"{topic}/own", b"new", qos=2, packet_id=70, dup=True)
        assert watcher.message().payload == b"new"


def test_a_session_without_expiry_lasts_as_long_as_its_connection(broker, pub, topic):
    """[MQTT5-4.1.0-1], [MQTT3-4.1.0-2]: longer than the Session Expiry Interval"""
    with Wire(broker, client_id=topic, props={"session_expiry_interval": 1}) as client:
        client.subscribe(topic)
        began = time.monotonic()
        while time.monotonic() < began + 1.3:  # the clock is what is waited for
            client.settle()
            time.sleep(0.05)
        pub.publish(topic, b"x", qos=1)
        assert client.message().payload == b"x"


def test_a_session_ends_after_its_expiry_interval(broker, topic):
    """[MQTT5-4.1.0-2], [MQTT5-3.1.2-23]"""
    with Wire(broker, client_id=topic, props={"session_expiry_interval": 1}) as client:
        client.kill()
    with Wire(broker, client_id=topic, clean=False, props={"session_expiry_interval": 1}) as client:
        assert client.connack.session_present
        client.kill()
    with Wire(broker) as other:
        began = time.monotonic()
        while time.monotonic() < began + 1.3:
            other.settle()
            time.sleep(0.05)
    with Wire(broker, client_id=topic, clean=False) as client:
        assert not client.connack.session_present


def test_retained_messages_are_not_part_of_it(broker, topic, version):
    """[MQTT3-3.1.2-7]"""
    with Wire(broker, version) as client:
        client.publish(topic, b"kept", qos=1, retain=True)
        client.disconnect()
    with Wire(broker, version) as late:
        late.subscribe(topic)
        assert late.message().payload == b"kept"


def test_takeover(broker, topic, version):
    """[MQTT3-3.1.4-2], [MQTT5-3.1.4-3]; the name space is the user's (S5), a documented deviation"""
    first = Wire(broker, version, client_id=topic)
    with Wire(broker, version, client_id=topic, user="bert") as stranger:
        first.settle()
        with Wire(broker, version, client_id=topic):
            said = answer_of(first)
            assert (said is None) if version == 4 else (said.kind, said.reason) == (mqtt.DISCONNECT, 0x8E)
        stranger.settle()


# How a connection ends


# reason, what the client does, listener
CODES = [
    (0x81, "malformed", mqtt.packet(mqtt.PUBLISH, 6, mqtt.text("t") + b"\0\1\0"), 0),
    (0x82, "protocol error", mqtt.packet(mqtt.SUBACK, 0, b"\0\1\0\0"), 0),
    (0x93, "more than Receive Maximum",
     b"".join(mqtt.publish(5, "t", b"x", qos=2, packet_id=i) for i in range(1, 4)), 0),
    (0x94, "topic alias", mqtt.publish(5, "t", b"x", props={"topic_alias": 60000}), 0),
    (0x95, "too large", b"\x30\xff\xff\x7f", 0),
    (0x9A, "retain", mqtt.publish(5, "t", b"x", retain=True), POOR),
    (0x9B, "QoS", mqtt.publish(5, "t", b"x", qos=2, packet_id=1), POOR),
]


@pytest.mark.parametrize("code, name, data, listener", CODES, ids=[f"{row[0]:#x}" for row in CODES])
def test_codes_of_disconnect(broker, topic, code, name, data, listener):
    """[MQTT5-3.14.2-1], [MQTT5-3.14.2-2], [MQTT5-3.14.4-1], [MQTT5-3.14.4-2], [MQTT5-4.13.1-1], [MQTT5-4.13.2-1]: the
    code, nothing behind it, never a Session Expiry Interval; what follows in the stream is not looked at; the will"""
    retain = listener == 0
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        with Wire(broker, props=KEEP, listener=listener, will=mqtt.Will(topic, name.encode(), 0, retain)) as client:
            client.send(data + mqtt.publish(5, topic, b"behind"))
            packets = []
            with pytest.raises(Closed):
                while True:
                    packets.append(client.read())
        assert [p.kind for p in packets if p.kind != mqtt.PUBREC] == [mqtt.DISCONNECT]
        assert packets[-1].reason == code and "session_expiry_interval" not in packets[-1].props
        assert watcher.message().payload == name.encode()


def test_311_gets_no_disconnect(broker, topic):
    """[MQTT3-4.8.0-1]: there is no DISCONNECT from a server in 3.1.1"""
    for data in (mqtt.packet(mqtt.PUBLISH, 6, mqtt.text("t") + b"\0\1"), mqtt.packet(mqtt.SUBACK, 0, b"\0\1\0"),
                 b"\x30\xff\xff\x7f", mqtt.packet(mqtt.AUTH, 0, b""), mqtt.packet(0, 0, b"")):
        with Wire(broker, 4) as client:
            client.send(data + mqtt.packet(mqtt.PINGREQ, 0, b""))
            assert answer_of(client) is None


def test_reserved_bits_of_disconnect(broker, version):
    """[MQTT-3.14.1-1]"""
    for flags in (1, 2, 4, 8, 15):
        with Wire(broker, version) as client:
            client.send(mqtt.packet(mqtt.DISCONNECT, flags, b""))
            said = answer_of(client)
            assert (said is None) if version == 4 else said.reason == 0x81


def test_ping(broker, version):
    """[MQTT-3.12.4-1]"""
    with Wire(broker, version) as client:
        client.send(mqtt.packet(mqtt.PINGREQ, 0, b"") * 3)
        assert [client.read().kind for _ in range(3)] == [mqtt.PINGRESP] * 3


# Wills


CLIENT_CODES = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]


@pytest.mark.parametrize("code", CLIENT_CODES, ids=[f"{code:#04x}" for code in CLIENT_CODES])
def test_will_and_the_code_of_disconnect(broker, pub, topic, code):
    """[MQTT5-3.14.4-3], [MQTT5-3.1.2-8], [MQTT5-3.1.2-10]: only 0x00 takes the will back"""
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        Wire(broker, will=mqtt.Will(topic, b"gone", 1)).disconnect(code)
        pub.publish(topic, b"end", qos=1)
        assert [m.payload for m in watcher.until(b"end")] == ([] if code == 0 else [b"gone"])


def test_disconnect_of_311(broker, pub, topic):
    """[MQTT3-3.14.4-3], [MQTT3-3.1.2-10]; in 5.0 an empty DISCONNECT is 0x00"""
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        for version in (4, 5):
            Wire(broker, version, will=mqtt.Will(topic, b"gone", 1)).disconnect()
        pub.publish(topic, b"end", qos=1)
        assert watcher.until(b"end") == []


def test_a_will_is_published_once(broker, pub, topic, version):
    """[MQTT3-3.1.2-8], [MQTT3-3.1.2-10], [MQTT5-3.1.2-7], [MQTT5-3.1.2-10]: not again when the session is resumed or
    ends"""
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        with opened(broker, version, topic, will=mqtt.Will(topic, b"gone", 1)) as client:
            client.kill()
        assert watcher.message().payload == b"gone"
        with opened(broker, version, topic) as client:
            assert client.connack.session_present
            client.kill()
        with Wire(broker, version, client_id=topic):
            pub.publish(topic, b"end", qos=1)
            assert watcher.until(b"end") == []


def test_no_will_no_message(broker, pub, topic, version):
    """[MQTT3-3.1.2-12]"""
    with Wire(broker) as watcher:
        watcher.subscribe("#")
        mark = broker.mark()
        client = Wire(broker, version)
        client.kill()
        broker.wait_log("client-disconnected", mark, client_id=client.client_id)
        pub.publish(topic, b"end", qos=1)
        assert [m for m in watcher.until(b"end") if not m.retain] == []


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_will_properties_and_flags(broker, topic, version, qos):
    """[MQTT-3.1.2-9], [MQTT3-3.1.2-16], [MQTT3-3.1.2-17], [MQTT5-3.1.2-14], [MQTT5-3.1.2-15], [MQTT5-3.1.2-12],
    [MQTT3-3.1.2-14], [MQTT5-3.1.3-10]: QoS and RETAIN as they were asked for, properties in their order"""
    props = {"content_type": "x", "user_property": [("b", "1"), ("a", "2"), ("b", "3")]} if version == 5 else {}
    for retain in (False, True):
        with Wire(broker) as watcher:
            watcher.subscribe(topic, options=AS_PUBLISHED, expect=[2])
            Wire(broker, version, will=mqtt.Will(topic, b"gone", qos, retain, props)).kill()
            got = watcher.message()
            assert (got.qos, got.retain, got.payload, got.props) == (qos, retain, b"gone", props)
        with Wire(broker) as late:
            late.subscribe(topic)
            late.settle()
            assert [m.payload for m in late.messages] == ([b"gone"] if retain else [])

