"""Wills: when they are published, when they are not, and who receives them."""

import time

import mqtt
import pytest
from wire import Wire

KEEP = {"session_expiry_interval": 3600}
ACL = {"roles": {"all": ["allow all #"], "narrow": ["deny will home/silent", "allow all home/#"]}}


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(acl=ACL, users={"anna": ["all"], "narrow": ["narrow"]}) as broker:
        yield broker


@pytest.fixture
def watcher(broker, topic):
    with Wire(broker) as client:
        client.subscribe(topic)
        yield client


def nothing_but(watcher, broker, topic, *payloads):
    """The watcher gets exactly these, and then a message published now."""
    with Wire(broker) as pub:
        pub.publish(topic, b"end", qos=1)
    assert [m.payload for m in watcher.until(b"end")] == list(payloads)


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("retain", [False, True], ids=["live", "retained"])
def test_after_a_killed_client(broker, watcher, topic, version, qos, retain):
    """[MQTT3-3.1.2-8], [MQTT5-3.1.2-8]; retained or not: [MQTT3-3.1.2-16], [MQTT3-3.1.2-17], [MQTT5-3.1.2-14],
    [MQTT5-3.1.2-15]"""
    Wire(broker, version, will=mqtt.Will(topic, b"gone", qos, retain)).kill()
    got = watcher.message()
    assert (got.payload, got.qos) == (b"gone", qos)
    with Wire(broker) as late:
        late.subscribe(topic)
        late.settle()
        assert [m.payload for m in late.messages] == ([b"gone"] if retain else [])


def test_no_will_after_disconnect(broker, watcher, topic, version):
    """[MQTT3-3.1.2-10], [MQTT3-3.14.4-3], [MQTT5-3.14.4-3]"""
    Wire(broker, version, will=mqtt.Will(topic, b"gone")).disconnect()
    nothing_but(watcher, broker, topic)


def test_after_disconnect_with_will(broker, watcher, topic):
    Wire(broker, will=mqtt.Will(topic, b"gone")).disconnect(0x04)
    assert watcher.message().payload == b"gone"


def test_empty_and_retained_deletes(broker, watcher, topic):
    """How a bridge's death takes its card down"""
    with Wire(broker) as pub:
        pub.publish(topic, b"here", qos=1, retain=True)
    assert watcher.message().payload == b"here"
    Wire(broker, will=mqtt.Will(topic, b"", 2, True)).kill()
    assert watcher.message().payload == b""
    with Wire(broker) as late:
        late.subscribe(topic)
        late.settle()
        assert late.messages == []


def test_properties(broker, watcher, topic):
    props = {"content_type": "text/plain", "user_property": [("a", "1"), ("a", "2")], "correlation_data": b"\0",
             "response_topic": "x/y", "payload_format_indicator": 1}
    Wire(broker, will=mqtt.Will(topic, b"gone", props=props)).kill()
    assert watcher.message().props == props


def test_delay(broker, watcher, topic):
    """[MQTT5-3.1.3-9]: back before the delay is over, and it is never sent"""
    will = mqtt.Will(topic, b"gone", props={"will_delay_interval": 1})
    Wire(broker, client_id=topic, props=KEEP, will=will).kill()
    began = time.monotonic()
    with Wire(broker, client_id=topic, props=KEEP, clean=False) as back:
        assert back.connack.session_present
        nothing_but(watcher, broker, topic)
        while time.monotonic() < began + 1.2:  # what is waited for is the time when it would have fired
            back.settle()
            time.sleep(0.05)
        nothing_but(watcher, broker, topic)
    Wire(broker, client_id=f"{topic}-2", props=KEEP, will=will).kill()
    began = time.monotonic()
    assert watcher.message().payload == b"gone"
    assert time.monotonic() - began > 0.8


def test_the_end_of_the_session_ends_the_delay(broker, watcher, topic):
    """[MQTT5-3.1.2-8]"""
    will = mqtt.Will(topic, b"gone", props={"will_delay_interval": 600})
    Wire(broker, client_id=topic, props=KEEP, will=will).kill()
    with Wire(broker, client_id=topic, clean=True):
        assert watcher.message().payload == b"gone"
    Wire(broker, client_id=f"{topic}-2", will=will).kill()
    assert watcher.message().payload == b"gone"


def test_takeover_without_delay_sends_it(broker, watcher, topic):
    """The old connection did not end with DISCONNECT 0x00."""
    first = Wire(broker, client_id=topic, props=KEEP, will=mqtt.Will(topic, b"gone"))
    with Wire(broker, client_id=topic, props=KEEP, clean=False):
        first.expect_close()
        assert watcher.message().payload == b"gone"


@pytest.mark.parametrize("name", ["other/topic", "home/silent", "$SYS/broker/x"])
def test_denied_at_connect(broker, version, name):
    mark = broker.mark()
    refused = Wire(broker, version, user="narrow", will=mqtt.Will(name, b"gone"), expect=5 if version == 4 else 0x87)
    if version == 5:
        assert refused.connack.props["reason_string"]
    refused.expect_close()
    assert broker.wait_log("connect-refused", mark, user="narrow")["cause"]


def test_allowed_at_connect(broker, version):
    with Wire(broker, version, user="narrow", will=mqtt.Will("home/lamp", b"gone")) as client:
        client.settle()
        client.disconnect()
