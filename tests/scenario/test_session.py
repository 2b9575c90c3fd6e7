"""Sessions: stored, resumed, ended, taken over; each belongs to one user."""

import mqtt
import pytest
from wire import Wire

KEEP = {"session_expiry_interval": 3600}


@pytest.fixture(scope="module")
def broker(new_broker):
    limits = {"queue_messages": 20, "max_session_expiry": "1h"}
    with new_broker(users={"anna": ["all"], "bert": ["all"]}, config={"limits": limits}) as broker:
        yield broker


def opened(broker, version, client_id, **options):
    """A connection whose session outlives it."""
    props = {"props": KEEP} if version == 5 else {}
    return Wire(broker, version, client_id=client_id, clean=False, **props, **options)


def test_messages_are_queued_for_offline_clients(broker, pub, topic, version):
    """[MQTT3-3.1.2-4], [MQTT3-3.1.2-5], [MQTT5-3.1.2-5], [MQTT5-3.1.2-23]"""
    with opened(broker, version, topic) as sub:
        assert not sub.connack.session_present
        sub.subscribe(topic)
        sub.disconnect()
    for number in range(9):
        pub.publish(topic, str(number).encode(), qos=1 + number % 2)
    with opened(broker, version, topic) as sub:
        assert sub.connack.session_present
        pub.publish(topic, b"end", qos=2)
        got = sub.until(b"end")
        for qos in (1, 2):
            assert [int(m.payload) for m in got if m.qos == qos] == [n for n in range(9) if 1 + n % 2 == qos]


def test_unacknowledged_messages_are_sent_again(broker, pub, topic, version):
    """[MQTT-4.4.0-1]: with DUP and the same packet identifier"""
    with opened(broker, version, topic, ack=False) as sub:
        sub.subscribe(topic)
        pub.publish(topic, b"one", qos=1)
        pub.publish(topic, b"two", qos=2)
        first = {m.payload: m.packet_id for m in (sub.message(), sub.message())}
        sub.kill()
    with opened(broker, version, topic) as sub:
        again = [sub.message(), sub.message()]
        assert {m.payload: m.packet_id for m in again} == first
        assert all(m.dup for m in again)


def test_pubrel_is_sent_again(broker, pub, topic, version):
    """[MQTT-4.4.0-1]: a QoS 2 message that was received is not sent twice"""
    with opened(broker, version, topic, ack=False) as sub:
        sub.subscribe(topic)
        pub.publish(topic, b"two", qos=2)
        message = sub.message()
        sub.acknowledge(message)
        assert sub.expect(mqtt.PUBREL).packet_id == message.packet_id
        sub.kill()
    with opened(broker, version, topic) as sub:
        assert sub.expect(mqtt.PUBREL).packet_id == message.packet_id
        pub.publish(topic, b"end", qos=2)
        assert sub.until(b"end") == []


def test_qos2_in_flight_survives_a_reconnect(broker, topic, version):
    """[MQTT5-4.3.3-10] across connections: PUBREC was sent, so the resent PUBLISH is not routed again"""
    with Wire(broker) as sub:
        sub.subscribe(topic)
        with opened(broker, version, topic) as pub:
            pub.send(mqtt.publish(version, topic, b"once", qos=2, packet_id=5))
            pub.expect(mqtt.PUBREC, 5)
            pub.kill()
        with opened(broker, version, topic) as pub:
            pub.send(mqtt.publish(version, topic, b"once", qos=2, packet_id=5, dup=True))
            pub.expect(mqtt.PUBREC, 5)
            pub.send(mqtt.ack(version, mqtt.PUBREL, 5))
            pub.expect(mqtt.PUBCOMP, 5)
            pub.publish(topic, b"end", qos=2)
        assert [m.payload for m in sub.until(b"end")] == [b"once"]


def test_clean_start_ends_the_old_session(broker, pub, topic, version):
    """[MQTT3-3.1.2-6], [MQTT5-3.1.2-4], [MQTT5-3.2.2-2]"""
    with opened(broker, version, topic) as sub:
        sub.subscribe(topic)
    with Wire(broker, version, client_id=topic, clean=True) as sub:
        assert not sub.connack.session_present
        pub.publish(topic, b"x", qos=1)
        sub.settle()
        assert sub.messages == []
    with opened(broker, version, topic) as sub:
        assert not sub.connack.session_present


def test_expiry_zero_ends_with_the_connection(broker, topic):
    with Wire(broker, client_id=topic, clean=False) as client:
        client.disconnect()
    with Wire(broker, client_id=topic, clean=False) as client:
        assert not client.connack.session_present


def test_expiry_may_be_changed_at_disconnect(broker, topic):
    with Wire(broker, client_id=topic, props=KEEP) as client:
        client.disconnect(props={"session_expiry_interval": 0})
    with Wire(broker, client_id=topic, clean=False) as client:
        assert not client.connack.session_present
        client.send(mqtt.disconnect(5, 0, {"session_expiry_interval": 10}))
        assert client.expect_close().reason == 0x82


def test_expiry_is_capped_and_announced(broker, topic):
    with Wire(broker, client_id=topic, props={"session_expiry_interval": 0xFFFFFFFF}) as client:
        assert client.connack.props["session_expiry_interval"] == 3600
        client.disconnect(props={"session_expiry_interval": 0})


def test_takeover(broker, topic, version):
    """[MQTT3-3.1.4-2], [MQTT5-3.1.4-3]"""
    mark = broker.mark()
    first = Wire(broker, version, client_id=topic)
    with Wire(broker, version, client_id=topic) as second:
        said = first.expect_close()
        assert version == 4 or said.reason == 0x8E
        second.settle()
    broker.wait_log("session-taken-over", mark, client_id=topic)


def test_takeover_keeps_the_session(broker, pub, topic):
    first = opened(broker, 5, topic)
    first.subscribe(topic)
    with opened(broker, 5, topic) as second:
        assert second.connack.session_present
        assert first.expect_close().reason == 0x8E
        pub.publish(topic, b"x", qos=1)
        assert second.message().payload == b"x"


def test_another_user_with_the_same_client_id(broker, topic):
    """S5: each user has a name space of client ids; neither takes over, sees, or ends the other's session."""
    with opened(broker, 5, topic, user="anna") as anna:
        anna.subscribe(topic)
        with opened(broker, 5, topic, user="bert") as bert:
            assert not bert.connack.session_present
            anna.settle()
            bert.publish(topic, b"x", qos=1)
            assert anna.message().payload == b"x"
            bert.settle()
            assert bert.messages == []
        with Wire(broker, client_id=topic, user="bert", clean=True):
            anna.settle()


def test_a_refused_connect_touches_nothing(broker, pub, topic):
    """Neither the session of that name nor the will is touched: NanoMQ 2330 and 2333."""
    with opened(broker, 5, topic) as anna, Wire(broker) as watcher:
        watcher.subscribe(f"{topic}/will")
        anna.subscribe(topic)
        Wire(broker, client_id=topic, password="wrong", clean=True, will=mqtt.Will(f"{topic}/will", b"gone"),
             expect=0x86).expect_close()
        pub.publish(topic, b"x", qos=1)
        assert anna.message().payload == b"x"
        pub.publish(f"{topic}/will", b"end", qos=1)
        assert watcher.until(b"end") == []


def test_a_full_queue_drops_the_newest_and_logs_it(broker, pub, topic):
    with opened(broker, 5, topic) as sub:
        sub.subscribe(topic)
        sub.disconnect()
    mark = broker.mark()
    for number in range(30):
        pub.publish(topic, str(number).encode(), qos=1)
    dropped = broker.wait_log("message-dropped", mark, client_id=topic)
    assert int(dropped["dropped"]) >= 1
    with opened(broker, 5, topic) as sub:
        assert [int(sub.message().payload) for _ in range(20)] == list(range(20))
        pub.publish(topic, b"end", qos=1)
        assert sub.until(b"end") == []


def test_keep_alive(broker, topic, version):
    """[MQTT3-3.1.2-24], [MQTT5-3.1.2-22], [MQTT5-3.2.2-22]: one and a half times, then the will"""
    with Wire(broker) as watcher, Wire(broker, version, keep_alive=1, will=mqtt.Will(topic, b"silent")) as silent:
        watcher.subscribe(topic)
        assert watcher.message().payload == b"silent"
        said = silent.expect_close()
        assert version == 4 or said.reason == 0x8D
