"""State that ends by itself: each kind has its line in the log and its figure in `broker-ctl status`."""

import json
import os
import subprocess
import time

import mqtt
import pytest
from broker_fixture import ROOT
from process import TIMEOUT_S
from wire import Wire

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config={"control": {"socket": "control.sock"}, "persistence": {"directory": "store", "max_size": "100M"},
                            "log": {"level": "debug"}}) as broker:
        yield broker


def figure(broker, name):
    done = subprocess.run([CTL, "-c", "broker.yaml", "--json", "status"], cwd=broker.directory, env=broker.environment,
                          capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
    return json.loads(done.stdout.splitlines()[0])[name]


def away(broker, topic, expiry):
    """A session with one subscription and one message in its queue."""
    with Wire(broker, client_id=topic, props={"session_expiry_interval": expiry}) as client:
        client.subscribe(topic, qos=1)
    with Wire(broker) as client:
        client.publish(topic, b"x", qos=1)


def test_a_session_expires(broker, topic):
    mark, before = broker.mark(), figure(broker, "sessions_expired")
    away(broker, topic, 1)
    line = broker.wait_log("session-expired", mark, client_id=topic, user="anna")
    assert (line["expiry_s"], line["subscriptions"], line["queued"]) == ("1", "1", "1")
    assert line["cause"] == "its client was away for longer than its Session Expiry Interval"
    assert figure(broker, "sessions_expired") == before + 1


def test_a_session_expires_while_the_broker_is_down(broker, topic):
    away(broker, topic, 2)
    broker.stop()
    time.sleep(2)
    broker.start()
    line = broker.wait_log("session-expired", client_id=topic)
    assert (line["expiry_s"], line["queued"]) == ("2", "1") and int(line["away_s"]) >= 2


@pytest.mark.parametrize("version, words", [(4, "Clean Session"), (5, "Clean Start")])
def test_a_session_is_replaced(broker, topic, version, words):
    away(broker, topic, 100)
    mark = broker.mark()
    for _ in range(2):
        with Wire(broker, version, client_id=topic) as client:
            client.settle()
    line = broker.wait_log("session-ended", mark, client_id=topic)
    assert (line["cause"], line["queued"]) == (f"its client connected with {words}", "1")
    assert len(broker.logged("session-ended", mark)) == 1, "the second one had nothing to lose"


def test_a_session_is_ended_by_disconnect(broker, topic):
    mark = broker.mark()
    with Wire(broker, client_id=topic, props={"session_expiry_interval": 100}) as client:
        client.subscribe(topic)
        client.disconnect(0, {"session_expiry_interval": 0})
    line = broker.wait_log("session-ended", mark, client_id=topic)
    assert line["cause"] == "its client has set the Session Expiry Interval to 0" and line["subscriptions"] == "1"


def test_a_queued_message_expires(broker, topic):
    mark, before = broker.mark(), figure(broker, "messages_expired")
    with Wire(broker, client_id=topic, props={"session_expiry_interval": 100}) as client:
        client.subscribe(topic, qos=1)
    with Wire(broker) as client:
        client.publish(topic, b"old", qos=1, props={"message_expiry_interval": 1})
        client.publish(topic, b"new", qos=1)
    time.sleep(1.1)
    with Wire(broker, client_id=topic, clean=False) as client:
        assert client.message().payload == b"new"
    broker.wait_log("message-expired", mark, client_id=topic, topic=topic)
    assert figure(broker, "messages_expired") == before + 1


def test_a_retained_message_expires(broker, topic):
    mark, before = broker.mark(), figure(broker, "retained_expired")
    with Wire(broker) as client:
        client.publish(topic, b"x", qos=1, retain=True, props={"message_expiry_interval": 1})
    assert int(broker.wait_log("retained-expired", mark)["expired"]) >= 1
    assert figure(broker, "retained_expired") == before + 1


def test_a_will_is_cancelled(broker, topic):
    """By a client that is back in time, or says goodbye; or it is published. Level debug."""
    will = mqtt.Will(topic, b"gone", props={"will_delay_interval": 100})
    keep = {"session_expiry_interval": 100}
    mark = broker.mark()
    Wire(broker, client_id=topic, will=will, props=keep).kill()
    broker.wait_log("client-disconnected", mark, client_id=topic)
    with Wire(broker, client_id=topic, will=will, props=keep, clean=False) as client:
        client.settle()
        cause = broker.wait_log("will-cancelled", mark, client_id=topic, topic=topic)["cause"]
        assert "back before the Will Delay Interval" in cause
        mark = broker.mark()
        client.disconnect()
    assert "DISCONNECT" in broker.wait_log("will-cancelled", mark, client_id=topic)["cause"]
    mark = broker.mark()
    Wire(broker, client_id=topic, will=mqtt.Will(topic, b"gone")).kill()
    broker.wait_log("will-published", mark, client_id=topic, topic=topic)
