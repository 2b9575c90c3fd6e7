"""Popular clients: what the README promises works with mosquitto's, Paho and MQTT.js, each in 3.1.1 and 5.0, over TLS
with the server's certificate verified."""

import signal

import pytest
from clients import MosquittoSub, MqttJs, Paho, mosquitto_pub
from wire import Wire, fresh_address

ANONYMOUS_ACL = {
    "roles": {
        "all": ["allow all #"],
        "reader": ["allow subscribe public/#"],
        "writer": ["allow publish public/#"],
    },
    "anonymous": {"rules": ["allow all #"]},
}
VERSIONS = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
QOS = pytest.mark.parametrize("qos", [0, 1, 2])


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(acl=ANONYMOUS_ACL, config={"authentication": {"anonymous": True}},
                   users={"anna": ["all"], "reader": ["reader"], "writer": ["writer"]}) as broker:
        yield broker


@VERSIONS
@QOS
def test_mosquitto(broker, topic, version, qos):
    with MosquittoSub(broker, "-t", topic, "-q", str(qos), version=version) as sub:
        assert mosquitto_pub(broker, "-t", topic, "-q", str(qos), "-m", "hello", version=version).returncode == 0
        sub.message(f"{qos} 0 {topic} hello")


@VERSIONS
@QOS
def test_paho(broker, topic, version, qos):
    with Paho(broker, version) as sub, Paho(broker, version) as pub:
        assert sub.subscribe(topic, qos) == [qos]
        pub.publish(topic, b"\x00\xff bytes", qos)
        got = sub.message()
        assert (got.topic, got.payload, got.qos, got.retain) == (topic, b"\x00\xff bytes", qos, False)


@VERSIONS
@QOS
def test_mqttjs(broker, topic, version, qos):
    with MqttJs(broker, version) as client:
        assert client.subscribe(topic, qos=qos)["granted"] == [qos]
        assert client.publish(topic, "hej", qos=qos)["error"] is None
        got = client.message()
        assert (got["topic"], got["payload"], got["qos"]) == (topic, b"hej", qos)
        client.call("end")
        client.event("ended")


@VERSIONS
def test_every_client_hears_every_other(broker, topic, version):
    """[MQTT3-7.0.0-2]: clients that know nothing of this broker"""
    other = 9 - version
    with MosquittoSub(broker, "-t", f"{topic}/#", "-q", "1", version=version) as mosquitto, \
            Paho(broker, other) as python, MqttJs(broker, version) as js:
        python.subscribe(f"{topic}/#", 1)
        js.subscribe(f"{topic}/#", qos=1)
        python.publish(f"{topic}/paho", b"1", 1)
        js.publish(f"{topic}/js", "2", qos=1)
        mosquitto_pub(broker, "-t", f"{topic}/mosquitto", "-q", "1", "-m", "3", version=other)
        mosquitto.message(f"1 0 {topic}/mosquitto 3")
        assert {python.message().payload for _ in range(3)} == {b"1", b"2", b"3"}
        assert {js.message()["payload"] for _ in range(3)} == {b"1", b"2", b"3"}


@VERSIONS
def test_retained(broker, topic, version):
    assert mosquitto_pub(broker, "-t", topic, "-r", "-q", "1", "-m", "kept", version=version).returncode == 0
    with MosquittoSub(broker, "-t", topic, version=version) as sub:
        sub.message(f"0 1 {topic} kept")
    with Paho(broker, version) as client:
        client.subscribe(topic, 1)
        assert client.message().retain
        client.publish(topic, b"", 1, retain=True)
        assert client.message().payload == b""
    with MqttJs(broker, version) as client:
        client.subscribe(topic, qos=1)
        client.publish(topic, "live", qos=1)
        assert client.message()["payload"] == b"live"


@VERSIONS
def test_will_of_a_killed_client(broker, topic, version):
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        victim = MosquittoSub(broker, "-t", "t/nothing", "--will-topic", topic, "--will-payload", "gone", "--will-qos",
                              "2", "--will-retain", version=version)
        victim.signal(signal.SIGKILL)
        victim.kill()
        got = watcher.message()
        assert (got.payload, got.qos) == (b"gone", 2)
    with MosquittoSub(broker, "-t", topic, version=version) as late:
        late.message(f"0 1 {topic} gone")


@VERSIONS
def test_persistent_session(broker, topic, version):
    name = f"paho-persistent-{version}"
    expiry = 3600 if version == 5 else None
    with Paho(broker, version, client_id=name, clean=False, expiry=expiry) as client:
        client.subscribe(topic, 2)
    for number in range(6):
        mosquitto_pub(broker, "-t", topic, "-q", str(number % 3), "-m", str(number))
    with Paho(broker, version, client_id=name, clean=False, expiry=expiry) as client:
        assert client.flags["session present"] == 1
        client.publish(topic, b"marker", 2)
        got = []
        while not got or got[-1] != b"marker":
            got.append(client.message().payload)
        assert [p for p in got if p in (b"1", b"4")] == [b"1", b"4"]
        assert [p for p in got if p in (b"2", b"5")] == [b"2", b"5"]
    with Paho(broker, version, client_id=name, clean=True) as client:
        assert client.flags["session present"] == 0


def test_shared_subscription(broker, topic):
    with Paho(broker) as one, Paho(broker) as two, Paho(broker) as pub:
        for member in (one, two):
            member.subscribe(f"$share/crew/{topic}", 1)
            member.subscribe(f"end/{topic}", 1)
        for number in range(20):
            pub.publish(topic, str(number).encode(), 1)
        pub.publish(f"end/{topic}", b"end", 1)

        def payloads(member):
            got = []
            while (payload := member.message().payload) != b"end":
                got.append(int(payload))
            return got
        first, second = payloads(one), payloads(two)
        assert first and second and sorted(first + second) == list(range(20))


def test_shared_subscription_with_mosquitto(broker, topic):
    with MosquittoSub(broker, "-t", f"$share/crew/{topic}", "-q", "1") as member:
        mosquitto_pub(broker, "-t", topic, "-q", "1", "-m", "to one of us")
        member.message(f"1 0 {topic} to one of us")


@VERSIONS
def test_wrong_password(broker, version):
    """Each from an address of its own: the broker delays addresses that guess passwords."""
    refused = mosquitto_pub(broker, "-t", "t/x", "-m", "x", "-A", fresh_address(), version=version, password="wrong")
    assert refused.returncode != 0
    code = 4 if version == 4 else 0x86
    Paho(broker, version, password="wrong", expect=code, source=fresh_address()).client.loop_stop()
    with MqttJs(broker, version, password="wrong", expect_connect=False, localAddress=fresh_address()) as client:
        assert client.event("error")["code"] == code


@VERSIONS
def test_denied_publish_and_subscribe(broker, version):
    mark = broker.mark()
    with Paho(broker, version, user="reader") as client:
        assert client.subscribe("secret/#", 1) == ([0x80] if version == 4 else [0x87])
        assert client.subscribe("public/#", 1) == [1]
        client.publish("public/x", b"denied", 1)
        with Paho(broker, version, user="writer") as writer:
            writer.publish("public/x", b"allowed", 1)
        assert client.message().payload == b"allowed"
        assert client.client.is_connected()
    denied = broker.wait_log("publish-denied", mark, user="reader", topic="public/x")
    assert "rule" in denied
    broker.wait_log("subscribe-denied", mark, user="reader", filter="secret/#")
    with MqttJs(broker, version, user="reader") as client:
        error = client.publish("public/x", "denied", qos=1)["error"]
        assert (error is None) if version == 4 else error["code"] == 0x87


@VERSIONS
def test_anonymous_never_writes_desired(broker, version):
    """Even with `allow all #`: no rule overrides that guard."""
    with Wire(broker) as watcher:
        watcher.subscribe("desired/#", "+/desired/#")
        for topic in ("desired/porch/lamp/on", "tenant/desired/porch/lamp/on"):
            refused = mosquitto_pub(broker, "-t", topic, "-q", "1", "-m", "1", version=version, user=None)
            assert version == 4 or "not authori" in (refused.stderr + refused.stdout).lower()
        mosquitto_pub(broker, "-t", "desired/porch/lamp/on", "-r", "-n", version=version, user=None)
        with Wire(broker) as anna:
            anna.publish("desired/marker", b"marker", qos=1)
        assert watcher.until(b"marker") == []
