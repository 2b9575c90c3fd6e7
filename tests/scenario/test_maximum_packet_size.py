"""Clients that never look at the broker's Maximum Packet Size stay connected: what is too large is read past, dropped, and
named in the log with the remedy. The default of limits.max_packet_size_enforcement; strict is in test_publish.py."""

import subprocess

import mqtt
import pytest
from clients import MqttJs, mosquitto_pub
from process import TIMEOUT_S
from test_bridge import ACL, Neighbour
from wire import Wire

LARGEST = 4096
LARGE = "x" * 3 * LARGEST
ENORMOUS = 24 << 20
CAUSE = "the packet is larger than limits.max_packet_size"


@pytest.fixture(scope="module")
def broker(new_broker):
    config = {"limits": {"max_packet_size": LARGEST, "max_connect_size": "2k", "memory": "1M", "memory_per_user": "256k"}}
    with new_broker(config=config, users={"anna": ["all"], "other-house": ["bridge"]}, acl=ACL) as broker:
        yield broker


@pytest.mark.only_over("tls")    # a program that knows nothing else
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqttjs_goes_on(broker, topic, version, qos):
    """It would reconnect by itself and send the message again, and again."""
    mark = broker.mark()
    name = f"js-{version}-{qos}"
    with Wire(broker) as sub, MqttJs(broker, version, client_id=name, reconnectPeriod=100) as js:
        sub.subscribe(topic, qos=qos)
        for _ in range(2):
            js.call("publish", topic=topic, payload=LARGE, options={"qos": qos})
            said = js.event("published")
            code = said.get("reason") or (said["error"] or {}).get("code") or 0
            assert code == (0x97 if version == 5 and qos > 0 else 0)
        assert js.publish(topic, "small", qos=qos)["error"] is None
        assert sub.message().payload == b"small"
        assert name not in [line["client_id"] for line in broker.logged("client-disconnected", mark)]
        assert CAUSE in broker.wait_log("publish-refused", mark, client_id=name, topic=topic)["cause"]
        named = [line["limit"] for line in broker.logged("limit-ignored", mark) if line["client_id"] == name]
        assert named == (["limits.max_packet_size"] if version == 5 else []), "once; 3.1.1 clients are not told of it"


def test_log_names_the_remedy(broker, topic):
    mark = broker.mark()
    with Wire(broker, client_id="careless") as client:
        client.send(mqtt.publish(5, topic, LARGE.encode(), qos=1, packet_id=1))
        answer = client.expect(mqtt.PUBACK, packet_id=1)
        assert answer.reason == 0x97 and CAUSE in answer.props["reason_string"]
        line = broker.wait_log("limit-ignored", mark, client_id="careless")
        assert "raise it" in line["remedy"] and "max_packet_size_enforcement: strict" in line["remedy"]


@pytest.mark.only_over("tls")    # a program that knows nothing else
def test_mosquitto_pub_ends_well(broker, topic, version):
    done = mosquitto_pub(broker, "-t", topic, "-q", "1", "-m", LARGE, version=version)
    assert done.returncode == 0, done.stderr


@pytest.mark.only_over("tls")    # a program that knows nothing else
def test_mosquitto_bridge_goes_on(broker, topic, tmp_path):
    topic = topic.replace("t/", "home/")
    mark = broker.mark()
    bridge = Neighbour(tmp_path, broker, "3.1.1")
    try:
        bridge.process.wait_line("Received SUBACK")
        with Wire(broker) as sub:
            sub.subscribe(topic, qos=1)
            for payload in (LARGE, "small"):
                subprocess.run(["mosquitto_pub", "-p", str(bridge.port), "-t", topic, "-q", "1", "-m", payload], check=True,
                               timeout=TIMEOUT_S)
            assert sub.message().payload == b"small"
        assert "neighbour-3.1.1" not in [line["client_id"] for line in broker.logged("client-disconnected", mark)]
    finally:
        bridge.process.signal(15)
        bridge.process.wait()
        bridge.process.kill()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_it_takes_no_memory(broker, topic, version, qos):
    """A hundred times what its user may use; what comes behind it is handled."""
    mark = broker.mark()
    with Wire(broker, version) as client:
        client.send(mqtt.publish(version, topic, bytes(ENORMOUS), qos=qos, packet_id=7))
        if qos:
            answer = client.expect(mqtt.PUBACK if qos == 1 else mqtt.PUBREC, packet_id=7)
            assert answer.reason == (0x97 if version == 5 else 0)
        client.settle()
    assert not broker.logged("memory-refused", mark)


def test_topic_alias_of_a_large_message_holds(broker, topic):
    with Wire(broker) as sub, Wire(broker) as client:
        sub.subscribe(topic)
        client.publish(topic, LARGE.encode(), props={"topic_alias": 3})
        client.publish("", b"small", props={"topic_alias": 3})
        assert sub.message().payload == b"small"


MALFORMED = [
    ("QoS 3", b"\x36\xff\x7f" + mqtt.text("t") + b"\0\1\0x", 0x81),
    ("a wildcard", b"\x32\xff\x7f" + mqtt.text("a/#") + b"\0\1\0x", 0x81),
    ("no identifier", b"\x32\xff\x7f" + mqtt.text("t") + b"\0\0\0x", 0x81),
    ("an unknown alias", b"\x30\xff\x7f" + mqtt.text("") + b"\3\x23\0\5x", 0x82),
    ("a length that is not the shortest", b"\x30\xff\xff\0" + mqtt.text("t") + b"\0x", 0x81),
    ("a topic that is too large", b"\x30\xff\x7f\x20\0" + b"t" * LARGEST, 0x95),
    ("SUBSCRIBE", b"\x82\xff\x7f\0\1", 0x95),
]


@pytest.mark.parametrize("packet, code", [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_what_ends_the_connection(broker, packet, code):
    """As soon as it is known: the rest need not come."""
    with Wire(broker) as client:
        client.send(packet)
        assert client.expect_close().reason == code
