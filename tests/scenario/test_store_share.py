"""The share of one user's queues in the store (limits.store_per_user): eve, whose share is full, does not affect alice.
A full queue refuses a message, never its publisher, who is told only if no subscriber took the message."""

import json

import mqtt
import pytest
from test_watch import rows
from wire import Wire

SUCCESS, NO_SUBSCRIBER, QUOTA = 0, 0x10, 0x97
KEEP = {"session_expiry_interval": 3600}
CAUSE = "limits.store_per_user is reached"
LARGE = 60_000
CONFIG = {"workers": 2, "control": {"socket": "control.sock"},
          "persistence": {"directory": "store", "max_size": "8M"},
          "limits": {"queue_messages": 100_000, "queue_bytes": "64M", "max_packet_size": "256k"}}
USERS = {"alice": ["all"], "eve": ["all"]}
BOTH = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])


def new(new_broker, **persistence):
    config = json.loads(json.dumps(CONFIG))
    config["persistence"].update(persistence)
    return new_broker(config=config, users=USERS)


def kept(broker, user, name, version=5, **more):
    return Wire(broker, version, user=user, client_id=name, clean=False, props=KEEP if version == 5 else None, **more)


def away(broker, user, name, *filters):
    with kept(broker, user, name) as wire:
        wire.subscribe(*filters, qos=2)
        wire.disconnect()


def body(number, size=LARGE):
    return b"%06d " % number + b"x" * size


def fill(broker, topic="eve/queue"):
    """Eve publishes to her own queues until they are full. Returns how many they took."""
    with Wire(broker, user="eve") as eve:
        for number in range(1000):
            answer = eve.publish(topic, body(number), qos=1)
            if answer.reason != SUCCESS:
                assert answer.reason == QUOTA
                assert answer.props["reason_string"] == "no receiver has space for it"
                return number
    raise AssertionError("eve is never refused")


def crowd(broker):
    for number in range(3):
        away(broker, "eve", f"eve-{number}", "eve/#", "both")
    mark = broker.mark()
    taken = fill(broker)
    assert taken > 50
    dropped = broker.wait_log("message-dropped", mark, user="eve")
    assert dropped["cause"] == CAUSE
    return taken


def usage(broker, name):
    return next(row for row in rows(broker, "usage") if row["name"] == name)


@BOTH
def test_eve_costs_alice_nothing(new_broker, version):
    """Alice connects, publishes with PUBACK 0, gets her messages and keeps her queue."""
    with new(new_broker) as broker:
        taken = crowd(broker)
        assert usage(broker, "eve")["store_bytes"] > 3 * taken * LARGE
        away(broker, "alice", "lamp", "alice/#", "both")
        with kept(broker, "alice", "door", version) as alice:
            for number in range(40):
                qos = 1 + number % 2
                assert alice.publish("alice/x", body(number, 5000), qos=qos).reason == SUCCESS
            assert alice.publish("both", body(40, 5000), qos=1).reason == SUCCESS
            assert alice.publish("both", body(41, 5000), qos=2).reason == SUCCESS
        assert usage(broker, "alice")["store_bytes"] > 42 * 5000
        broker.crash()
        broker.start()
        assert fill(broker) == 0  # what was there counts, and stays
        with kept(broker, "alice", "lamp", version) as alice:
            assert sorted(int(alice.message().payload[:6]) for _ in range(42)) == list(range(42))
        with kept(broker, "eve", "eve-1") as eve:
            got = [eve.message().payload[:6] for _ in range(taken)]
            assert got == [b"%06d" % number for number in range(taken)]
        status = rows(broker, "status")[0]
        assert status["store"] == "ok"


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
def test_who_took_it(new_broker, version, qos):
    """0x97 only if there were receivers and none took it; MQTT 3.1.1 cannot be told."""
    refused = QUOTA if version == 5 else SUCCESS
    nobody = NO_SUBSCRIBER if version == 5 else SUCCESS
    with new(new_broker) as broker:
        crowd(broker)
        away(broker, "alice", "lamp", "alice/#", "both")
        with Wire(broker, version, user="alice") as alice:
            assert alice.publish("eve/x", body(1), qos=qos, packet_id=7).reason == refused
            assert alice.publish("eve/value", body(2), qos=qos, retain=True).reason == SUCCESS
            assert alice.publish("nobody", body(3), qos=qos).reason == nobody
            assert alice.publish("both", body(4), qos=qos, packet_id=7).reason == SUCCESS  # the identifier is free
            with Wire(broker, user="alice") as live:
                live.subscribe("eve/live", qos=1)
                assert alice.publish("eve/live", body(5), qos=qos).reason == SUCCESS
                assert live.message().payload == body(5)
        with kept(broker, "alice", "lamp") as lamp:
            assert lamp.message().payload == body(4)


def test_qos2_refused_is_free_after_a_crash(new_broker):
    """[MQTT5-4.3.3-9]: the identifier of a refused PUBLISH is free on disk when the publisher hears of it."""
    with new(new_broker) as broker:
        crowd(broker)
        away(broker, "alice", "lamp", "alice/#")
        with kept(broker, "alice", "door") as door:
            assert door.publish("eve/x", body(1), qos=2, packet_id=9).reason == QUOTA
            broker.crash()
        broker.start()
        with kept(broker, "alice", "door") as door:
            assert door.publish("alice/x", body(2), qos=2, packet_id=9).reason == SUCCESS
        with kept(broker, "alice", "lamp") as lamp:
            assert lamp.message().payload == body(2)


def test_the_share_is_configured(new_broker):
    """0 means no share; a reload changes it; it applies to new messages only."""
    with new(new_broker) as broker:
        crowd(broker)
        with Wire(broker, user="eve") as eve:
            mark = broker.mark()
            broker.config["limits"]["store_per_user"] = 0
            broker.write()
            broker.process.signal(1)
            broker.wait_log("reloaded", mark)
            assert eve.publish("eve/x", body(1, 1000), qos=1).reason == SUCCESS
            mark = broker.mark()
            broker.config["limits"]["store_per_user"] = "1M"
            broker.write()
            broker.process.signal(1)
            broker.wait_log("reloaded", mark)
            assert eve.publish("eve/x", body(2, 1000), qos=1).reason == QUOTA


def test_interval(new_broker):
    """Where nobody waits for the disk the acknowledgement does not tell, and the queue refuses all the same."""
    with new(new_broker, durability="interval", interval="200ms") as broker:
        away(broker, "eve", "eve-0", "eve/#")
        mark = broker.mark()
        with Wire(broker, user="eve") as eve:
            for number in range(400):
                assert eve.publish("eve/x", body(number), qos=1).reason == SUCCESS
        broker.wait_log("message-dropped", mark, user="eve", cause=CAUSE)
        away(broker, "alice", "lamp", "alice/#")
        with Wire(broker, user="alice") as alice:
            for number in range(10):
                assert alice.publish("alice/x", body(number, 5000), qos=1).reason == SUCCESS
        with kept(broker, "alice", "lamp") as lamp:
            assert [lamp.message().payload[:6] for _ in range(10)] == [b"%06d" % n for n in range(10)]


def test_one_user_has_no_share(new_broker):
    config = json.loads(json.dumps(CONFIG))
    with new_broker(config=config, users={"eve": ["all"]}) as broker:
        away(broker, "eve", "eve-0", "eve/#")
        mark = broker.mark()
        with Wire(broker, user="eve") as eve:
            for number in range(105):  # more than three quarters
                assert eve.publish("eve/x", body(number), qos=1).reason == SUCCESS
        assert not broker.logged("message-dropped", mark)


@pytest.mark.parametrize("keeps", [False, True], ids=["clean", "kept"])
@pytest.mark.parametrize("wants_text", [1, 0])
def test_a_publish_that_was_sent_again_hears_why_it_was_refused(new_broker, keeps, wants_text):
    """[MQTT5-3.5.2-2]: the second PUBREC of a QoS 2 message, too, which came while the store was asked. And the identifier
    is free again."""
    with new(new_broker) as broker:
        crowd(broker)
        props = {"request_problem_information": wants_text, **(KEEP if keeps else {})}
        with Wire(broker, user="eve", client_id="again", clean=not keeps, props=props) as eve:
            eve.send(b"".join(mqtt.publish(5, "eve/queue", body(0), qos=2, packet_id=7, dup=dup) for dup in (False, True)))
            for _ in range(2):
                answer = eve.expect(mqtt.PUBREC, 7)
                assert answer.reason == QUOTA
                assert answer.props.get("reason_string") == ("no receiver has space for it" if wants_text else None)
            eve.send(mqtt.publish(5, "elsewhere", b"x", qos=2, packet_id=7))
            assert eve.expect(mqtt.PUBREC, 7).reason == NO_SUBSCRIBER
