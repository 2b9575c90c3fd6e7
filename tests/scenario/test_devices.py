"""The access rules for things that tests cannot run: Frigate, Shelly, OwnTracks, Sparkplug, what people build. What these send,
after their source code or documentation, is played here, over TLS: Frigate by Paho as in its own code (0.16), the others packet by
packet. Nothing that they do may be denied, and nothing may reach whom it does not concern."""

import json
import ssl

import paho.mqtt.client as paho
import pytest
from broker_fixture import ROOT
from mqtt import Will
from process import TIMEOUT_S
from test_programs import denials
from wire import Wire

TEMPLATES = ROOT / "acl/templates"
SHELLY, GEN1 = "shellyplus1-a8032abe54dc", "shelly1-B929CC"


@pytest.fixture(scope="module")
def devices(new_broker):
    names = ["porch", SHELLY, GEN1, "jane", "john", "frigate", "homeassistant"]
    broker = new_broker(users={name: [] for name in names})
    broker.write_file("acl.yaml", (TEMPLATES / "devices.yaml").read_text(encoding="utf-8"))
    with broker:
        yield broker


@pytest.fixture(autouse=True)
def nothing_is_denied(request):
    """But for what a test asks for."""
    running = request.getfixturevalue("devices") if "devices" in request.fixturenames else request.getfixturevalue("sparkplug")
    before = len(denials(running))
    yield
    assert denials(running)[before:] == []


def test_frigate(devices):
    """It is connected by Paho, subscribes to all that is its own, and says what its cameras are set to."""
    client, granted, commands = paho.Client("frigate"), [], []
    client.tls_set(str(devices.pki.path("ca.crt")), cert_reqs=ssl.CERT_REQUIRED)
    client.username_pw_set("frigate", devices.password("frigate"))
    client.will_set("frigate/available", payload="offline", qos=1, retain=True)

    def on_connect(*_):
        client.subscribe("frigate/#", qos=0)
        for topic, payload in (("door/enabled/state", "ON"), ("door/motion_threshold/state", 30), ("door/motion", "OFF"),
                               ("notifications/state", "OFF"), ("available", "online")):
            client.publish(f"frigate/{topic}", payload, qos=0, retain=topic != "door/motion")

    def on_command(_, __, message):
        commands.append(message.payload)
        client.publish("frigate/door/detect/state", message.payload, qos=0, retain=True)

    client.on_connect, client.on_subscribe = on_connect, lambda *found: granted.append(found[3])
    client.message_callback_add("frigate/door/detect/set", on_command)
    with Wire(devices, user="homeassistant") as head:
        head.subscribe("frigate/available", "frigate/+/detect/state", "frigate/events")
        client.connect("localhost", devices.addresses[0][1], 60)
        client.loop_start()
        try:
            assert head.message().payload == b"online"
            head.publish("frigate/door/detect/set", b"OFF")
            found = head.message()
            assert (found.topic, found.payload) == ("frigate/door/detect/state", b"OFF")
            for topic in ("events", "reviews", "stats", "door/person", "door/person/snapshot"):
                assert not client.publish(f"frigate/{topic}", b"{}", qos=1).wait_for_publish(TIMEOUT_S)
            assert head.message().topic == "frigate/events"
        finally:
            client.loop_stop()
            client.socket().close()  # as when it is killed
        assert head.message().payload == b"offline"
    assert granted == [(0,)] and commands == [b"OFF"]


def test_shelly(devices):
    """Second generation: a request by JSON-RPC, answered below its own prefix; commands; what it says by itself."""
    with Wire(devices, user="homeassistant") as head:
        head.subscribe("+/online", "+/events/rpc", "+/status/+", "+/answers/rpc")
        device = Wire(devices, 4, client_id=SHELLY, user=SHELLY, will=Will(f"{SHELLY}/online", b"false", 0, True))
        device.subscribe(f"{SHELLY}/rpc", f"{SHELLY}/command", f"{SHELLY}/command/switch:0", "shellies/command", qos=1)
        device.publish(f"{SHELLY}/online", b"true", retain=True)
        assert head.message().payload == b"true"
        request = {"id": 1, "src": f"{SHELLY}/answers", "method": "Switch.Set", "params": {"id": 0, "on": True}}
        head.publish(f"{SHELLY}/rpc", json.dumps(request).encode(), qos=1)
        assert json.loads(device.message().payload)["method"] == "Switch.Set"
        device.publish(f"{SHELLY}/answers/rpc", b'{"id":1,"result":{"was_on":false}}', qos=1)
        device.publish(f"{SHELLY}/events/rpc", b'{"method":"NotifyStatus"}', qos=1)
        device.publish(f"{SHELLY}/status/switch:0", b'{"output":true}', qos=1)
        assert [head.message().topic for _ in range(3)] == [f"{SHELLY}/{rest}" for rest in ("answers/rpc", "events/rpc", "status/switch:0")]
        head.publish(f"{SHELLY}/command/switch:0", b"off", qos=1)
        head.publish("shellies/command", b"announce", qos=1)
        assert [device.message().payload for _ in range(2)] == [b"off", b"announce"]
        device.publish("shellies/announce", b"{}", qos=0)
        device.kill()
        assert head.message().payload == b"false"


def test_shelly_of_the_first_generation(devices):
    with Wire(devices, user="homeassistant") as head:
        head.subscribe("shellies/#")
        device = Wire(devices, 4, client_id=GEN1, user=GEN1, will=Will(f"shellies/{GEN1}/online", b"false", 1, True))
        device.subscribe("shellies/command", f"shellies/{GEN1}/command", f"shellies/{GEN1}/relay/0/command", qos=1)
        said = ["announce", f"{GEN1}/announce", f"{GEN1}/online", f"{GEN1}/relay/0", f"{GEN1}/input/0", f"{GEN1}/info"]
        for rest in said:
            device.publish(f"shellies/{rest}", b"x", qos=1, retain="announce" not in rest)
        assert [head.message().topic for _ in said] == [f"shellies/{rest}" for rest in said]
        head.publish(f"shellies/{GEN1}/relay/0/command", b"on", qos=1)
        assert device.message().payload == b"on"
        device.kill()
        while head.message().payload != b"false":
            pass


def phone(broker, user):
    client = Wire(broker, 4, client_id=f"{user}phone", user=user, will=Will(f"owntracks/{user}/phone", b'{"_type":"lwt"}', 1, False))
    client.subscribe("owntracks/+/+", "owntracks/+/+/event", "owntracks/+/+/info", f"owntracks/{user}/phone/cmd", qos=1)
    return client


def test_owntracks(devices):
    """Jane sees her friends, John only himself: he asks for the same and is given less."""
    jane, john = phone(devices, "jane"), phone(devices, "john")
    with jane, john, Wire(devices, user="homeassistant") as head:
        for user, client in (("jane", jane), ("john", john)):
            client.publish(f"owntracks/{user}/phone", b'{"_type":"location"}', qos=1, retain=True)
            client.publish(f"owntracks/{user}/phone/event", b'{"_type":"transition"}', qos=1)
        head.publish("owntracks/john/phone/cmd", b'{"_type":"cmd"}', qos=1)
        assert [jane.message().topic for _ in range(4)] == [f"owntracks/{user}/phone{rest}" for user in ("jane", "john") for rest in ("", "/event")]
        assert [john.message().topic for _ in range(3)] == [f"owntracks/john/phone{rest}" for rest in ("", "/event", "/cmd")]
        head.subscribe("owntracks/#")
        assert {head.message().topic, head.message().topic} == {"owntracks/jane/phone", "owntracks/john/phone"}
        jane.kill()
        assert json.loads(head.message().payload)["_type"] == "lwt"


def test_a_device_of_ones_own(devices):
    with Wire(devices, user="homeassistant") as head, Wire(devices, 4, user="porch", will=Will("home/porch/state/online", b"0", 1, True)) as porch:
        head.subscribe("home/+/state/#")
        porch.subscribe("home/porch/command/#", "homeassistant/status")
        porch.publish("homeassistant/light/porch/lamp/config", b"{}", qos=1, retain=True)
        porch.publish("home/porch/state/on", b"1", qos=1, retain=True)
        assert head.message().payload == b"1"
        head.publish("home/porch/command/on", b"0", qos=1)
        assert porch.message().payload == b"0"
        porch.kill()
        assert head.message().topic == "home/porch/state/online"


# Sparkplug


@pytest.fixture(scope="module")
def sparkplug(new_broker):
    broker = new_broker(users={"press": [], "scada": []})
    broker.write_file("acl.yaml", (TEMPLATES / "sparkplug.yaml").read_text(encoding="utf-8"))
    with broker:
        yield broker


@pytest.mark.parametrize("state", ["STATE/scada", "spBv1.0/STATE/scada"], ids=["2.2", "3.0"])
def test_sparkplug(sparkplug, state):
    """The host says that it is there; node and device are born, speak, are commanded, and the node dies."""
    def topic(kind, *rest):
        return "/".join(["spBv1.0", "hall", kind, "press", *rest])

    host = Wire(sparkplug, 4, user="scada", will=Will(state, b"OFFLINE", 1, True))
    host.subscribe("spBv1.0/#", qos=0)
    host.publish(state, b"ONLINE", qos=1, retain=True)
    with Wire(sparkplug, 4, user="press", will=Will(topic("NDEATH"), b"bdSeq", 1, False)) as node:
        node.subscribe(topic("NCMD"), topic("DCMD", "+"), state, qos=1)
        assert node.message().payload == b"ONLINE"
        node.publish(topic("NBIRTH"), b"metrics")
        node.publish(topic("DBIRTH", "valve"), b"metrics")
        node.publish(topic("NDATA"), b"metrics")
        node.publish(topic("DDATA", "valve"), b"metrics")
        node.publish(topic("DDEATH", "valve"), b"")
        got = []
        while len(got) < 5:
            found = host.message()
            got += [found.topic] if "STATE" not in found.topic else []
        assert got == [topic("NBIRTH"), topic("DBIRTH", "valve"), topic("NDATA"), topic("DDATA", "valve"), topic("DDEATH", "valve")]
        host.publish(topic("NCMD"), b"rebirth")
        host.publish(topic("DCMD", "valve"), b"open")
        assert [node.message().payload for _ in range(2)] == [b"rebirth", b"open"]
        host.kill()
        assert node.message().payload == b"OFFLINE"
        with Wire(sparkplug, 4, user="scada") as watcher:
            watcher.subscribe(topic("NDEATH"), qos=1)
            node.kill()
            assert watcher.message().payload == b"bdSeq"
