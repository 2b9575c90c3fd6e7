"""What survives the end of the broker: it is killed or stopped, and started again on the same directory. "PERSISTENCE"
in broker(8), sentence by sentence."""

import itertools
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import mqtt
import pytest
from clients import MosquittoSub, MqttJs, Paho, mosquitto_pub
from broker_fixture import BROKER
from process import TIMEOUT_S
from test_watch import AS_NOBODY, rows
from wire import Wire

HOUR = {"session_expiry_interval": 3600}
NO_LOCAL, RETAIN_AS_PUBLISHED = 0x04, 0x08
serial = itertools.count(1)


def config(**persistence):
    return {"control": {"socket": "control.sock"}, "persistence": {"directory": "store", **persistence}}


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config=config(), users={"anna": ["all"], "bert": ["all"]}) as broker:
        yield broker


def killed(broker):
    broker.crash()
    broker.start()


def stopped(broker):
    broker.stop()
    broker.start()


@pytest.fixture(params=[killed, stopped], ids=["killed", "stopped"])
def again(request):
    """again(broker): stop it, and start it again."""
    return request.param


@pytest.fixture
def name():
    """A client id of this test's own."""
    return f"kept-{next(serial)}"


def kept(broker, client_id, version=5, *, present=None, props=None, **options):
    """A connection whose session outlives it."""
    props = {**HOUR, **(props or {})} if version == 5 else None
    client = Wire(broker, version, client_id=client_id, clean=False, props=props, **options)
    assert present is None or client.connack.session_present == present, client.connack
    return client


def publish(broker, topic, *payloads, qos=1, **options):
    with Wire(broker) as pub:
        return [pub.publish(topic, payload, qos=qos, **options) for payload in payloads]


def commit(broker):
    """A barrier: when it is acknowledged, everything before it is on disk, also what nobody waited for."""
    publish(broker, f"commit/{next(serial)}", b"x", retain=True)


def retained(broker, topic):
    with Wire(broker) as client:
        client.subscribe(topic)
        client.settle()
        return client.messages


def wait_until(moment):
    """For what depends on the clock alone: an interval that must have passed."""
    while (left := moment - time.monotonic()) > 0:
        time.sleep(left)


# sessions and queues

def test_queue(broker, again, version, topic, name):
    """[MQTT3-4.1.0-1], [MQTT5-3.1.2-23]"""
    with kept(broker, name, version, present=False) as sub:
        sub.subscribe(topic)
        sub.disconnect()
    with Wire(broker) as pub:
        for number in range(20):
            pub.publish(topic, str(number), qos=1 + number % 2)
    again(broker)
    with kept(broker, name, version, present=True) as sub:
        publish(broker, topic, b"end", qos=2)
        got = sub.until(b"end")
        for qos in (1, 2):
            assert [int(m.payload) for m in got if m.qos == qos] == [n for n in range(20) if 1 + n % 2 == qos]
        sub.disconnect()
    commit(broker)
    again(broker)  # what was acknowledged does not come again
    with kept(broker, name, version, present=True) as sub:
        publish(broker, topic, b"end", qos=1)
        assert not sub.until(b"end")


def test_properties_of_what_waits(broker, again, topic, name):
    props = {"payload_format_indicator": 1, "message_expiry_interval": 1000, "content_type": "text/plain",
             "response_topic": "answer/here", "correlation_data": b"\x00\x01", "user_property": [("a", "1"), ("a", "2")]}
    with kept(broker, name) as sub:
        sub.subscribe(topic)
        sub.disconnect()
    publish(broker, topic, b"x", props=props)
    again(broker)
    with kept(broker, name, present=True) as sub:
        got = sub.message().props
        assert 0 < got.pop("message_expiry_interval") <= props.pop("message_expiry_interval")
        assert got == props


def test_a_message_that_expires_while_the_broker_is_down(broker, topic, name):
    with kept(broker, name) as sub:
        sub.subscribe(topic)
        sub.disconnect()
    publish(broker, topic, b"short", props={"message_expiry_interval": 2})
    publish(broker, topic, b"long", props={"message_expiry_interval": 600})
    over = time.monotonic() + 2
    broker.crash()
    wait_until(over)
    broker.start()
    with kept(broker, name, present=True) as sub:
        got = sub.message()
        assert got.payload == b"long" and got.props["message_expiry_interval"] <= 598


def test_subscriptions(broker, again, topic, name):
    """Options and identifiers; removed subscriptions stay removed."""
    with kept(broker, name) as sub:
        sub.subscribe(f"{topic}/rap", options=RETAIN_AS_PUBLISHED, props={"subscription_identifier": 268435455})
        sub.subscribe(f"{topic}/own", options=NO_LOCAL)
        sub.subscribe(f"{topic}/once", qos=1)
        sub.subscribe(f"{topic}/gone")
        assert sub.unsubscribe(f"{topic}/gone").reasons == [0]
    again(broker)
    with kept(broker, name, present=True) as sub:
        sub.publish(f"{topic}/own", b"own", qos=2)
        publish(broker, f"{topic}/gone", b"gone")
        publish(broker, f"{topic}/rap", b"rap", retain=True)
        publish(broker, f"{topic}/once", b"once", qos=2)
        publish(broker, f"{topic}/own", b"end", qos=2)
        one, two = sub.until(b"end")
        assert (one.payload, one.qos, one.retain, one.props) == (
            b"rap", 1, True, {"subscription_identifier": [268435455]})
        assert (two.payload, two.qos, two.retain, two.props) == (b"once", 1, False, {})
        assert sub.unsubscribe(f"{topic}/own", f"{topic}/gone").reasons == [0, 0x11]


@pytest.mark.parametrize("qos", [1, 2])
def test_messages_in_flight_are_sent_again(broker, again, version, topic, name, qos):
    """Unacknowledged messages are sent again; QoS 2 with DUP and the same packet identifier, whenever the broker
    crashed. [MQTT-4.4.0-1]"""
    with kept(broker, name, version, ack=False) as sub:
        sub.subscribe(topic)
        publish(broker, topic, b"one", b"two", qos=qos)
        first = [sub.message() for _ in range(2)]
    again(broker)
    with kept(broker, name, version, present=True) as sub:
        second = [sub.message() for _ in range(2)]
        assert [m.payload for m in second] == [b"one", b"two"] == [m.payload for m in first]
        if qos == 2:
            assert all(m.dup for m in second) and [m.packet_id for m in first] == [m.packet_id for m in second]
        publish(broker, topic, b"end", qos=qos)
        assert not sub.until(b"end")


@pytest.mark.parametrize("left", [True, False], ids=["left", "connected"])
def test_qos_1_in_flight_is_sent_again_with_dup(broker, again, version, topic, name, left):
    """[MQTT-4.4.0-1], [MQTT-3.3.1-1]: again with DUP and its identifier; in a crash the broker forgets them of who is
    connected."""
    with kept(broker, name, version, ack=False) as sub:
        sub.subscribe(topic, qos=1)
        publish(broker, topic, *(b"%d" % number for number in range(5)))
        first = [sub.message() for _ in range(5)]
        if left:
            mark = broker.mark()
            sub.kill()
            broker.wait_log("client-disconnected", mark, client_id=name)
            commit(broker)
        again(broker)
    for _ in "12":
        with kept(broker, name, version, present=True, ack=False) as sub:
            second = [sub.message() for _ in range(5)]
            sub.settle()
            assert not sub.messages and [m.payload for m in second] == [m.payload for m in first]
            if left or again is stopped:
                assert all(m.dup for m in second) and [m.packet_id for m in first] == [m.packet_id for m in second]
            sub.kill()
    with kept(broker, name, version, present=True) as sub:
        assert len([sub.message() for _ in range(5)]) == 5
        publish(broker, topic, b"end")
        assert sub.until(b"end") == []
        sub.disconnect()


def test_between_pubrec_and_pubcomp(broker, again, version, topic, name):
    """PUBREL is sent again with its packet identifier, the message is not. [MQTT-4.4.0-1]"""
    with kept(broker, name, version, ack=False) as sub:
        sub.subscribe(topic)
        publish(broker, topic, b"one", qos=2)
        first = sub.message()
        sub.send(mqtt.ack(version, mqtt.PUBREC, first.packet_id))
        assert sub.expect(mqtt.PUBREL).packet_id == first.packet_id
    again(broker)
    with kept(broker, name, version, present=True) as sub:
        assert sub.read().kind == mqtt.PUBREL
        sub.send(mqtt.ack(version, mqtt.PUBCOMP, first.packet_id))
        publish(broker, topic, b"end", qos=2)
        assert not sub.until(b"end")


def test_between_publish_and_pubrel(broker, again, version, topic, name):
    """The publisher sends it again, and it is the same message until PUBREL. [MQTT3-4.3.3-2], [MQTT5-4.3.3-10]"""
    with kept(broker, f"{name}-away") as sub:
        sub.subscribe(topic)
        sub.disconnect()
    with kept(broker, name, version) as pub:
        pub.send(mqtt.publish(version, topic, b"one", qos=2, packet_id=77))
        pub.expect(mqtt.PUBREC, 77)
    again(broker)
    with kept(broker, name, version, present=True) as pub:
        pub.send(mqtt.publish(version, topic, b"one", qos=2, packet_id=77, dup=True))
        pub.expect(mqtt.PUBREC, 77)
        pub.send(mqtt.ack(version, mqtt.PUBREL, 77))
        pub.expect(mqtt.PUBCOMP, 77)
    again(broker)
    with kept(broker, name, version, present=True) as pub:
        pub.send(mqtt.ack(version, mqtt.PUBREL, 77))  # the PUBCOMP was lost
        pub.expect(mqtt.PUBCOMP, 77)
        pub.publish(topic, b"two", qos=2, packet_id=77)
    with kept(broker, f"{name}-away", present=True) as sub:
        publish(broker, topic, b"end", qos=2)
        assert [m.payload for m in sub.until(b"end")] == [b"one", b"two"]


def test_clean_start_ends_a_session_for_good(broker, again, version, topic, name):
    """[MQTT3-3.1.2-6], [MQTT5-3.1.2-4]"""
    with kept(broker, name, version) as sub:
        sub.subscribe(topic)
        sub.disconnect()
    publish(broker, topic, b"old")
    with Wire(broker, version, client_id=name):
        pass
    again(broker)
    with kept(broker, name, version, present=False) as sub:
        publish(broker, topic, b"new")
        sub.settle()
        assert not sub.messages


def test_disconnect_ends_a_session_for_good(broker, again, name):
    with kept(broker, name) as sub:
        sub.disconnect(props={"session_expiry_interval": 0})
    again(broker)
    kept(broker, name, present=False).close()


def test_sessions_that_are_not_kept(broker, again, name):
    """Of a client that was connected: MQTT 5.0 without an expiry, 3.1.1 with a clean session."""
    client = Wire(broker, client_id=name, clean=False)
    other = Wire(broker, 4, client_id=f"{name}-311")
    again(broker)
    client.close()
    other.close()
    kept(broker, name, present=False).close()
    kept(broker, f"{name}-311", 4, present=False).close()


def test_expiry_continues_while_the_broker_is_down(broker, name):
    """[MQTT5-4.1.0-2]"""
    kept(broker, f"{name}-short", props={"session_expiry_interval": 2}).disconnect()
    kept(broker, f"{name}-long", props={"session_expiry_interval": 600}).disconnect()
    in_use = kept(broker, f"{name}-in-use", props={"session_expiry_interval": 600})
    over = time.monotonic() + 2.5  # store time may be a little behind
    broker.crash()
    in_use.close()
    wait_until(over)
    broker.start()
    shown = {r["client_id"]: r for r in rows(broker, "sessions")}
    assert f"{name}-short" not in shown
    assert shown[f"{name}-long"]["ends_in_s"] <= 598 and 0 < shown[f"{name}-in-use"]["ends_in_s"] <= 600
    kept(broker, f"{name}-short", present=False).close()
    kept(broker, f"{name}-long", present=True).close()


def test_another_number_of_workers(new_broker, again):
    """Sessions are at the owner of their client id, whichever worker that is now."""
    with new_broker(config={"workers": 1, **config()}) as broker:
        for number in range(12):
            with kept(broker, f"away-{number}") as sub:
                sub.subscribe(f"all/{number % 3}")
        publish(broker, "all/0", b"zero", retain=True)
        for workers in (3, 2):
            publish(broker, "all/1", str(workers))
            broker.config["workers"] = workers
            broker.write()
            again(broker)
        publish(broker, "all/1", b"end")
        publish(broker, "all/0", b"end")
        for number in range(12):
            with kept(broker, f"away-{number}", present=True) as sub:
                want = {0: [b"zero"], 1: [b"3", b"2"]}.get(number % 3)
                assert want is None or [m.payload for m in sub.until(b"end")] == want


def test_a_shared_subscription(broker, again, topic, name):
    """Messages queued for a member stay with it."""
    with kept(broker, name) as sub:
        sub.subscribe(f"$share/group/{topic}")
        sub.disconnect()
    publish(broker, topic, b"one", b"two")
    again(broker)
    with kept(broker, name, present=True) as sub, Wire(broker) as other:
        assert [sub.message().payload for _ in range(2)] == [b"one", b"two"]
        other.subscribe(f"$share/group/{topic}")
        publish(broker, topic, *(str(n) for n in range(8)))
        sub.settle()
        other.settle()
        assert len(sub.messages) + len(other.messages) == 8


def test_a_queue_larger_than_memory_is_delivered(new_broker, again):
    """It is on disk only, and is read in pages."""
    count = 1500
    with new_broker(config=config(durability="interval") | {"limits": {"queue_messages": 5000}}) as broker:
        with kept(broker, "away") as sub:
            sub.subscribe("many", qos=1)
        with Wire(broker) as pub:
            for number in range(count):
                pub.send(mqtt.publish(5, "many", str(number), qos=1, packet_id=number % 10 + 1))
                pub.expect(mqtt.PUBACK, number % 10 + 1)
        stopped(broker)
        again(broker)
        assert [r["queued"] for r in rows(broker, "sessions") if r["client_id"] == "away"] == [count]
        with kept(broker, "away", present=True) as sub:
            assert [int(sub.message().payload) for _ in range(count)] == list(range(count))


# retained values

def test_retained_value(broker, again, topic):
    """[MQTT3-3.3.1-5], [MQTT5-3.3.1-5]"""
    props = {"payload_format_indicator": 1, "message_expiry_interval": 1000, "content_type": "application/json",
             "response_topic": "ask/here", "correlation_data": b"42", "user_property": [("room", "hall"), ("x", "ü")]}
    publish(broker, topic, b'{"on":true}', retain=True, qos=2, props=props)
    publish(broker, f"{topic}/deleted", b"old", b"", retain=True)
    publish(broker, f"{topic}/changed", b"old", b"new", retain=True)
    again(broker)
    value, = retained(broker, topic)
    assert (value.payload, value.qos, value.retain) == (b'{"on":true}', 2, True)
    assert 0 < value.props.pop("message_expiry_interval") <= props.pop("message_expiry_interval")
    assert value.props == props
    assert not retained(broker, f"{topic}/deleted")
    assert [m.payload for m in retained(broker, f"{topic}/changed")] == [b"new"]


def test_a_value_that_expires_while_the_broker_is_down(broker, topic):
    publish(broker, f"{topic}/short", b"x", retain=True, props={"message_expiry_interval": 2})
    publish(broker, f"{topic}/long", b"x", retain=True, props={"message_expiry_interval": 600})
    over = time.monotonic() + 2
    broker.crash()
    wait_until(over)
    broker.start()
    assert not retained(broker, f"{topic}/short")
    assert retained(broker, f"{topic}/long")[0].props["message_expiry_interval"] <= 598


def test_a_value_of_qos_0(broker, topic):
    """Nobody waits for it: it goes with the next commit, that of the QoS 1 message."""
    with Wire(broker) as pub:
        pub.publish(topic, b"zero", retain=True)
        pub.publish(f"{topic}/next", b"x", qos=1, retain=True)
    killed(broker)
    assert [m.payload for m in retained(broker, topic)] == [b"zero"]


# wills

@pytest.mark.parametrize("clean", [True, False], ids=["clean", "kept"])
def test_a_will_is_published_before_the_first_client_connects(broker, again, version, topic, name, clean):
    """Of a client that was connected when the broker ended. [MQTT3-3.1.2-8], [MQTT5-3.1.2-8]"""
    will = mqtt.Will(topic, b"offline", 1, True)
    with kept(broker, f"{name}-watcher") as watcher:
        watcher.subscribe(topic)
        watcher.disconnect()
    if clean:
        client = Wire(broker, version, client_id=name, will=will)
        commit(broker)  # its CONNACK did not wait for the disk
    else:
        client = kept(broker, name, version, will=will)
    again(broker)
    client.close()
    assert [m.payload for m in retained(broker, topic)] == [b"offline"]
    with kept(broker, f"{name}-watcher", present=True) as watcher:
        publish(broker, topic, b"end")
        assert [m.payload for m in watcher.until(b"end")] == [b"offline"]
    commit(broker)
    killed(broker)  # not again
    assert [m.payload for m in retained(broker, topic)] == [b"offline"]
    with kept(broker, f"{name}-watcher", present=True) as watcher:
        watcher.settle()
        assert not watcher.messages


def test_a_delayed_will_survives_a_restart(broker, again, topic, name):
    """It is neither published early, nor does its delay begin again."""
    will = mqtt.Will(topic, b"offline", 1, True, {"will_delay_interval": 2})
    client = kept(broker, name, will=will)
    late = kept(broker, f"{name}-late", will=mqtt.Will(topic, b"late", 1, True, {"will_delay_interval": 600}))
    client.kill()
    since = time.monotonic()
    again(broker)
    late.close()
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        assert watcher.message().payload == b"offline"
        assert 1.5 < time.monotonic() - since < TIMEOUT_S
        watcher.settle()
        assert not watcher.messages


def test_a_delayed_will_that_came_due_while_the_broker_was_down(broker, topic, name):
    """It is published at the start: its delay does not begin again."""
    client = kept(broker, name, will=mqtt.Will(topic, b"offline", 1, True, {"will_delay_interval": 2}))
    client.kill()
    over = time.monotonic() + 2.5  # store time may be a little behind
    commit(broker)
    broker.crash()
    wait_until(over)
    broker.start()
    assert [m.payload for m in retained(broker, topic)] == [b"offline"]


def test_a_delayed_will_is_cancelled_by_reconnecting(broker, again, topic, name):
    client = kept(broker, name, will=mqtt.Will(topic, b"offline", 1, True, {"will_delay_interval": 600}))
    again(broker)
    client.close()
    kept(broker, name, present=True).disconnect()
    killed(broker)
    assert not retained(broker, topic)


def test_a_cancelled_will(broker, again, version, topic, name):
    client = kept(broker, name, version, will=mqtt.Will(topic, b"offline", 1, True))
    client.disconnect()  # returns when the broker has closed: the cancelling is on disk
    again(broker)
    assert not retained(broker, topic)


# who is who

def test_a_user_removed_meanwhile(new_broker):
    """The session ends a day later; a later user of the same name never gets it."""
    day_s = 24 * 3600
    with new_broker(config=config(), users={"anna": ["all"], "bert": ["all"]}) as broker:
        for user in ("anna", "bert"):
            with kept(broker, "phone", user=user, props={"session_expiry_interval": 7 * day_s}) as sub:
                sub.subscribe("x")
        publish(broker, "x", b"for them")
        broker.crash()
        broker.passwd("remove", "bert")
        broker.start()
        ends = {r["user"]: r["ends_in_s"] for r in rows(broker, "sessions")}
        assert day_s < ends["anna"] <= 7 * day_s and day_s - 60 < ends["bert"] <= day_s
        broker.crash()
        broker.add_user("bert", ["all"])
        broker.start()
        kept(broker, "phone", user="bert", present=False).close()
        with kept(broker, "phone", user="anna", present=True) as sub:
            assert sub.message().payload == b"for them"


# durability

def away(broker, *filters):
    with kept(broker, "away") as sub:
        sub.subscribe(*filters)
        sub.disconnect()


def waiting(broker):
    with kept(broker, "away", present=True) as sub:
        publish(broker, "end", b"end", qos=2)
        return [(m.topic, m.payload) for m in sub.until(b"end")]


def test_durability_none(new_broker, again):
    """Messages and retained messages are lost, even by a stop; the session and its subscriptions are not."""
    with new_broker(config=config(durability="none")) as broker:
        away(broker, "x", "end")
        publish(broker, "x", b"1", retain=True)
        again(broker)
        assert waiting(broker) == [] and not retained(broker, "x")


@pytest.mark.parametrize("received", [False, True], ids=["on the wire", "received"])
def test_a_packet_identifier_lasts_with_durability_none(new_broker, again, version, received):
    """A QoS 2 message that was sent to a stored session is recorded from then on: its client would take another message
    with that identifier for it. [MQTT-4.4.0-1]"""
    with new_broker(config=config(topics=[{"filter": "lazy", "durability": "none"}])) as broker:
        with kept(broker, "sub", version, ack=False) as sub:
            sub.subscribe("lazy", "precious")
            publish(broker, "lazy", b"one", qos=2)
            first = sub.message()
            if received:
                sub.send(mqtt.ack(version, mqtt.PUBREC, first.packet_id))
                sub.expect(mqtt.PUBREL, first.packet_id)
        again(broker)
        with kept(broker, "sub", version, present=True) as sub:
            if received:
                sub.expect(mqtt.PUBREL, first.packet_id)
            else:
                second = sub.message()
                assert second.dup and (second.packet_id, second.payload) == (first.packet_id, b"one")
            publish(broker, "precious", b"two", qos=2)
            third = sub.message()
            assert third.payload == b"two" and not third.dup and third.packet_id != first.packet_id


def test_a_packet_identifier_of_a_retained_value_lasts(broker, again, version, topic, name):
    publish(broker, topic, b"one", retain=True)
    with kept(broker, name, version, ack=False) as sub:
        publish(broker, topic, b"one", qos=2, retain=True)
        sub.subscribe(topic)
        first = sub.message()
        assert first.retain and first.qos == 2
    again(broker)
    with kept(broker, name, version, present=True, ack=False) as sub:
        publish(broker, topic, b"two", qos=2)
        got = []
        while not got or got[-1].payload != b"two":
            got.append(sub.message())
        assert got[0].dup and got[0].packet_id == first.packet_id and got[0].payload == b"one"
        assert len({m.packet_id for m in got}) == len(got), got


def test_durability_interval(new_broker):
    """A crash loses what came after the last commit; a stop loses nothing."""
    with new_broker(config=config(durability="interval", interval="10m")) as broker:
        away(broker, "x", "end")
        publish(broker, "x", b"1", retain=True)
        stopped(broker)
        publish(broker, "x", b"2", retain=True)
        killed(broker)
        assert waiting(broker) == [("x", b"1")]
        assert [m.payload for m in retained(broker, "x")] == [b"1"]


def test_the_interval_ends(new_broker):
    with new_broker(config=config(durability="interval", interval="50ms")) as broker:
        away(broker, "x", "end")
        publish(broker, "x", b"1")
        deadline = time.monotonic() + TIMEOUT_S
        while rows(broker, "status")[0]["store_messages"] == 0:
            assert time.monotonic() < deadline
        killed(broker)
        assert waiting(broker) == [("x", b"1")]


def test_durability_by_topic(new_broker):
    """The first filter that matches decides."""
    topics = [{"filter": "home/+/temperature", "durability": "none"}, {"filter": "debug/#", "durability": "interval"},
              {"filter": "#", "durability": "ack"}]
    with new_broker(config=config(durability="none", interval="10m", topics=topics)) as broker:
        away(broker, "#")
        with Wire(broker) as pub:
            pub.publish("debug/x", b"lazy", qos=1)
            for topic in ("home/hall/temperature", "home/hall/alarm"):
                pub.publish(topic, b"x", qos=1, retain=True)
        killed(broker)
        assert [topic for topic, _ in waiting(broker)] == ["home/hall/alarm"]
        assert [m.topic for m in retained(broker, "#") if m.topic != "end"] == ["home/hall/alarm"]


def test_a_topic_that_is_no_longer_durable(new_broker):
    """Its retained message would stay old for ever: the next start drops it."""
    with new_broker(config=config()) as broker:
        publish(broker, "x", b"1", retain=True)
        broker.config["persistence"]["topics"] = [{"filter": "x", "durability": "none"}]
        broker.write()
        stopped(broker)
        assert not retained(broker, "x")
        broker.config["persistence"].pop("topics")
        broker.write()
        stopped(broker)
        assert not retained(broker, "x")


def test_without_a_directory(new_broker, again):
    with new_broker() as broker:
        with kept(broker, "away") as sub:
            sub.subscribe("x")
        publish(broker, "x", b"1", retain=True)
        again(broker)
        kept(broker, "away", present=False).close()
        assert not retained(broker, "x")


# the disk

def large(number):
    return f"{number} {'x' * 20000}"


def fill(broker, pub, topic):
    """Publish until the store has no space for another; returns how many were acknowledged, without a gap."""
    mark = broker.mark()
    for number in range(1, 200):
        pub.send(mqtt.publish(5, topic, large(number), qos=1, packet_id=number))
        while True:  # until one of the two
            try:
                pub.stream.settimeout(0.1)
                pub.expect(mqtt.PUBACK, number)
                break
            except TimeoutError:
                if broker.logged("store-full", mark):
                    pub.stream.settimeout(TIMEOUT_S)
                    assert broker.logged("store-full", mark)[0]["error"] == "No space left on device"
                    return number - 1
    raise AssertionError("it is never full")


def numbers(messages):
    return [int(m.payload.split(b" ")[0]) for m in messages]


SMALL = config(max_size="1M") | {"limits": {"queue_messages": 1000, "max_packet_size": "256k"}}


def test_no_room(new_broker):
    """What cannot be stored is not acknowledged; the rest continues; delivered messages make space again."""
    with new_broker(config=SMALL) as broker:
        away(broker, "big", "end")
        pub = kept(broker, "pub")
        publish(broker, "value", b"21.5", retain=True)
        kept_count = fill(broker, pub, "big")
        assert kept_count > 10
        status = rows(broker, "status")[0]
        assert (status["store"], status["store_error"]) == ("full", "No space left on device")
        with Wire(broker) as live:
            live.subscribe("y", qos=1)
            live.publish("y", b"goes on")
            live.publish("y", b"and on", qos=1)  # nobody's queue is kept
            assert [live.message().payload for _ in "12"] == [b"goes on", b"and on"]
            live.publish("value", b"21.6", qos=1, retain=True)  # takes the place of another
        pub.settle()  # its connection is read as before
        mark = broker.mark()
        with kept(broker, "away", present=True) as sub:
            got = [sub.message() for _ in range(kept_count)]
            pub.expect(mqtt.PUBACK, kept_count + 1)
            got.append(sub.message())
            assert numbers(got) == list(range(1, kept_count + 2))
        broker.wait_log("store-resumed", mark)
        assert rows(broker, "status")[0]["store"] == "ok"
        assert [m.payload for m in retained(broker, "value")] == [b"21.6"]
        pub.close()


def test_no_room_for_its_own(new_broker):
    """A client that publishes and subscribes on one connection: its acknowledgements are read, and make space."""
    with new_broker(config=SMALL) as broker:
        with kept(broker, "both", props={"receive_maximum": 1}) as both:
            both.subscribe("big", qos=1)
            both.acks = False
            kept_count = fill(broker, both, "big")
            first = both.message()
            both.acks = True
            both.acknowledge(first)
            both.expect(mqtt.PUBACK, kept_count + 1)  # before, between or after the messages: what was read meanwhile is kept
            got = [first] + [both.message() for _ in range(kept_count)]
            assert numbers(got) == list(range(1, kept_count + 2))
            both.publish("big", large(999), qos=1)


@pytest.mark.parametrize("end", ["disconnect", "kill"])
def test_no_room_and_gone(new_broker, end):
    """Messages without space are dropped with their connection, and sent again; with a larger store there is space."""
    with new_broker(config=SMALL) as broker:
        away(broker, "big", "end")
        pub = kept(broker, "pub")
        kept_count = fill(broker, pub, "big")
        getattr(pub, end)()
        pub = kept(broker, "pub", present=True)
        pub.send(mqtt.publish(5, "big", large(kept_count + 1), qos=1, packet_id=1, dup=True))
        broker.config["persistence"]["max_size"] = "100M"
        broker.write()
        killed(broker)
        pub.close()
        with kept(broker, "pub", present=True) as pub:
            pub.publish("big", large(kept_count + 1), qos=1, packet_id=1, dup=True)
        assert [int(m.split(b" ")[0]) for _, m in waiting(broker)] == list(range(1, kept_count + 2))


# real clients

def test_mosquitto(broker, again, version, topic, name):
    keep = ["-c", "-q", "2", "-t", topic] + (["-x", "3600"] if version == 5 else [])
    with MosquittoSub(broker, *keep, version=version, client_id=name) as sub:
        sub.signal(signal.SIGTERM)
        sub.wait()
    for qos in ("1", "2"):
        done = mosquitto_pub(broker, "-t", topic, "-m", f"waits {qos}", "-q", qos, "-r", version=version)
        assert done.returncode == 0, done.stderr
    again(broker)
    with MosquittoSub(broker, *keep, version=version, client_id=name, subscribed=False) as sub:
        for qos in ("1", "2"):
            sub.message(f"{qos} 0 {topic} waits {qos}")
    with MosquittoSub(broker, "-t", topic, "-q", "2", version=version) as sub:
        sub.message(f"2 1 {topic} waits 2")


def test_paho(broker, again, version, topic, name):
    options = {"client_id": name, "clean": False, "expiry": 3600 if version == 5 else None}
    with Paho(broker, version, **options) as sub:
        sub.subscribe(topic, 1)
    with Paho(broker, version) as pub:
        pub.publish(topic, b"waits", 1)
        pub.publish(f"{topic}/state", b"on", 1, retain=True)
    again(broker)
    with Paho(broker, version, **options) as sub:
        present = sub.flags.session_present if hasattr(sub.flags, "session_present") else sub.flags["session present"]
        assert present and sub.message().payload == b"waits"
        sub.subscribe(f"{topic}/state", 1)
        assert sub.message().payload == b"on"


def test_mqtt_js_reconnects_by_itself(broker, again, version, topic, name):
    """The session was never interrupted for the client: messages that are sent meanwhile reach it."""
    options = {"clean": False, "reconnectPeriod": 200}
    if version == 5:
        options["properties"] = {"sessionExpiryInterval": 3600}
    with MqttJs(broker, version, client_id=name, **options) as client:
        client.subscribe(topic, qos=1)
        again(broker)
        publish(broker, topic, b"meanwhile")
        assert client.event("connect")["connack"]["sessionPresent"]
        assert client.message()["payload"] == b"meanwhile"
        client.publish(f"{topic}/back", "here", qos=2, retain=True)
    assert [m.payload for m in retained(broker, f"{topic}/back")] == [b"here"]


# mistakes

def test_a_second_broker(broker, new_broker):
    """On the same directory: refused, with the process that uses it."""
    other = new_broker(config={"persistence": {"directory": str(broker.directory / "store")}})
    done = other.command()
    assert done.returncode == 2 and "event=store-refused" in done.stderr, done.stderr
    assert f"in use by process {broker.process.pid}: stop that one" in done.stderr
    publish(broker, "after/all", b"x")


@pytest.mark.parametrize("place, says", [
    ("no/such/place", "No such file or directory"), ("broker.yaml/store", "ot a directory"),
    ("acl.yaml", "this is not a directory, one is wanted")], ids=["nowhere", "below a file", "a file"])
def test_a_directory_that_cannot_be(new_broker, place, says):
    broker = new_broker(config={"persistence": {"directory": place}})
    done = broker.command()
    assert done.returncode == 2 and f"{place}" in done.stderr and says in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) <= 4, done.stderr


def test_a_directory_that_others_may_write(new_broker):
    """The message says what to do, and that helps."""
    broker = new_broker(config=config())
    store = broker.directory / "store"
    store.mkdir()
    store.chmod(0o777)
    done = broker.command()
    assert done.returncode == 2 and "others may write it (mode 0777, owner " in done.stderr, done.stderr
    assert not list(store.iterdir())
    assert "; run: chmod o-w store" in done.stderr, done.stderr
    store.chmod(0o755)
    with broker:
        pass


def test_a_damaged_store(new_broker):
    """Refused with a message that says what to do, and not changed: after a repair everything is there again."""
    precious = b"precious" * 4
    with new_broker(config=config()) as broker:
        away(broker, "x", "end")
        publish(broker, "x", precious, retain=True)
        stopped(broker)
        broker.crash()
        file = broker.directory / "store/data.mdb"
        whole = file.read_bytes()
        damaged = whole.replace(precious, b"q" + precious[1:])
        assert damaged != whole
        file.write_bytes(damaged)
        for _ in range(2):
            done = broker.command()
            assert done.returncode == 2 and "event=store-refused" in done.stderr, done.stderr
            assert "`broker-store store check`" in done.stderr, done.stderr
        assert file.read_bytes() == damaged
        file.write_bytes(whole)
        broker.start()
        assert waiting(broker) == [("x", precious)]
        assert [m.payload for m in retained(broker, "x")] == [precious]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("owner, mode, says", [
    (0, 0o700, "who may not enter the directory"), (0, 0o755, "must belong to the broker's user"),
    (65534, 0o500, "must belong to the broker's user")], ids=["closed", "readable", "read-only"])
def test_a_directory_of_somebody_else(new_broker, owner, mode, says):
    broker = new_broker(config=config())
    with tempfile.TemporaryDirectory() as place:
        for file in (*broker.directory.iterdir(), *(broker.pki.path(f"server-{k}.{s}") for k in ("ec", "rsa")
                                                   for s in ("crt", "key"))):
            copy = Path(place, file.name)
            copy.write_text(file.read_text().replace(str(broker.pki.directory), place))
            copy.chmod(0o600)
            os.chown(copy, 65534, 65534)
        os.chown(place, 65534, 65534)
        store = Path(place, "store")
        store.mkdir()
        os.chown(store, owner, owner)
        store.chmod(mode)
        done = subprocess.run([*AS_NOBODY, BROKER, "-c", "broker.yaml"], cwd=place, env=broker.environment, text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        assert done.returncode == 2 and "store" in done.stderr and says in done.stderr, done.stderr


@pytest.mark.parametrize("persistence, line, says", [
    ({"durability": "akc"}, 3, "ack"), ({"durabilty": "ack"}, 3, "did you mean 'durability'"),
    ({"interval": "5"}, 3, "interval"), ({"interval": "1ms"}, 3, "10ms"),
    ({"topics": [{"filter": "a/#/b", "durability": "none"}]}, 5, "a/#/b"),
    ({"topics": [{"filter": "a"}]}, 4, "durability"), ({"max_size": "10k"}, 3, "1M at least"),
], ids=["word", "key", "unit", "range", "filter", "missing", "size"])
def test_a_typo(new_broker, persistence, line, says):
    """Each is reported with its place and the correct value."""
    broker = new_broker()
    text = {"persistence": {"directory": "store", **persistence}}
    broker.config.update(text)
    broker.write()
    content = (broker.directory / "broker.yaml").read_text()
    at = next(n for n, one in enumerate(content.splitlines()) if '"persistence"' in one)
    done = broker.command("--check")
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert f"broker.yaml:{at + line}:" in done.stderr, done.stderr
    assert not (broker.directory / "store").exists()
