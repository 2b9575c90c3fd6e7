"""Clients that never look at the broker's Receive Maximum lose nothing, and are named in the log once. The default of
limits.receive_maximum_enforcement; strict is in test_publish.py."""

import subprocess

import mqtt
import pytest
from clients import MqttJs
from process import TIMEOUT_S
from test_bridge import ACL, Neighbour
from wire import Wire

MESSAGES = 300
ANNOUNCED = 20
MEMORY_PER_USER = "256k"


@pytest.fixture(scope="module")
def broker(new_broker):
    config = {"limits": {"receive_maximum": ANNOUNCED, "memory_per_user": MEMORY_PER_USER, "memory": "1M"}}
    with new_broker(config=config, users={"anna": ["all"], "eve": ["all"], "other-house": ["bridge"]}, acl=ACL) as broker:
        yield broker


@pytest.fixture(scope="module")
def default_broker(new_broker):
    with new_broker() as broker:
        yield broker


def named(broker, mark):
    """The clients that the log names since then, and the limit."""
    return [(line["client_id"], line["limit"]) for line in broker.logged("limit-ignored", mark)]


def texts(wire, count):
    return [wire.message().payload.decode() for _ in range(count)]


@pytest.mark.only_over("tls")    # a program that knows nothing else
@pytest.mark.parametrize("qos", [1, 2])
def test_mqttjs_sends_all_at_once(broker, topic, qos):
    mark = broker.mark()
    with Wire(broker) as sub, MqttJs(broker, client_id=f"js-{qos}") as js:
        assert js.connack["properties"]["receiveMaximum"] == ANNOUNCED
        sub.subscribe(topic, qos=qos)
        for number in range(MESSAGES):
            js.call("publish", topic=topic, payload=str(number), options={"qos": qos})
        assert texts(sub, MESSAGES) == [str(number) for number in range(MESSAGES)]
        for _ in range(MESSAGES):
            assert js.event("published")["error"] is None
        assert named(broker, mark) in ([], [(f"js-{qos}", "limits.receive_maximum")])  # it may be read faster than it sends


@pytest.mark.only_over("tls")    # a program that knows nothing else
@pytest.mark.parametrize("qos", [1, 2])
def test_mosquitto_bridges_a_burst(broker, topic, tmp_path, qos):
    """A bridge with MQTT 5 that was offline has all of it to send at once."""
    topic = topic.replace("t/", "home/")
    mark = broker.mark()
    bridge = Neighbour(tmp_path, broker, "5.0", qos)
    try:
        broker.wait_log("client-connected", mark, client_id="neighbour-5.0")
        bridge.process.wait_line("Received SUBACK")
        with Wire(broker) as sub:
            sub.subscribe(topic, qos=qos)
            lines = "".join(f"{number}\n" for number in range(MESSAGES))
            subprocess.run(["mosquitto_pub", "-p", str(bridge.port), "-t", topic, "-q", str(qos), "-l"], input=lines, text=True,
                           check=True, timeout=TIMEOUT_S)
            assert sorted(map(int, texts(sub, MESSAGES))) == list(range(MESSAGES))
        assert "neighbour-5.0" not in [line["client_id"] for line in broker.logged("client-disconnected", mark)]
    finally:
        bridge.process.signal(15)
        bridge.process.wait()
        bridge.process.kill()


def send_unreleased(client, topic, first, last):
    client.send(b"".join(mqtt.publish(client.version, topic, b"x", qos=2, packet_id=number) for number in range(first, last + 1)))
    return [client.expect(mqtt.PUBREC).reason for _ in range(first, last + 1)]


def test_log_names_a_client_once_with_the_remedy(broker, topic):
    mark = broker.mark()
    with Wire(broker, client_id="careless") as client:
        assert set(send_unreleased(client, topic, 1, 5 * ANNOUNCED)) <= {0, 0x10}
        line = broker.wait_log("limit-ignored", mark, client_id="careless")
        assert line["limit"] == "limits.receive_maximum" and "receive_maximum_enforcement" in line["remedy"]
        assert len(named(broker, mark)) == 1
        for number in range(1, 5 * ANNOUNCED + 1):
            client.send(mqtt.ack(client.version, mqtt.PUBREL, number))
            client.expect(mqtt.PUBCOMP, packet_id=number)


@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
def test_unreleased_identifiers_are_bounded_by_memory(broker, topic, version):
    """Above the user's share nothing is remembered: 0x97, or in 3.1.1 an acknowledgement and a line in the log."""
    mark = broker.mark()
    with Wire(broker, version, user="eve") as client:
        reasons = [reason for first in range(1, 12000, 100) for reason in send_unreleased(client, topic, first, first + 99)]
        if version == 5:
            assert set(reasons) <= {0, 0x10, 0x97} and 0x97 in reasons
        else:
            broker.wait_log("memory-refused", mark, user="eve")
        client.settle()


def test_default_is_1000(default_broker, topic):
    with Wire(default_broker) as client:
        assert client.connack.props["receive_maximum"] == 1000
