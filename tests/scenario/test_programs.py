"""The access rules that are shipped for certain programs, tested by these programs' own traffic over TLS: zigbee2mqtt and Node-RED as
they are on npm, Debian's mosquitto as a bridge. Nothing that they do may be denied."""

import getpass
import json
import re
import subprocess

import matrix
import pytest
from broker_fixture import ROOT, free_port
from process import TIMEOUT_S, LineProcess
from programs import START_S, Flows, NodeRed, Zigbee2Mqtt, installed
from radio import Lamp, Radio
from test_bridge import KINDS, MOSQUITTO
from wire import Wire

TEMPLATES = ROOT / "acl/templates"
DENIALS = ["publish-denied", "subscribe-denied", "will-denied", "delivery-denied", "connect-refused"]
LAMP, DIMMER = "floor/kitchen/lamp", "house/floor/hall/wall/dimmer"
# Of a device that was taken away while zigbee2mqtt did not run.
GONE = ("homeassistant/light/0x000d6ffffe0000ff/light/config", '{"availability":[{"topic":"zigbee2mqtt/bridge/state"}]}')


def manual_example():
    """The rules for Home Assistant with zigbee2mqtt in acl.yaml(5)."""
    page = (ROOT / "man/acl.yaml.5").read_text(encoding="utf-8")
    blocks = re.findall(r'\.\\" example: acl\.yaml\n\.Bd.*\n((?:.*\n)*?)\.Ed\n', page)
    (found,) = [block for block in blocks if "zigbee2mqtt" in block]
    return found


def denials(broker):
    return [found for event in DENIALS for found in broker.logged(event)]


# zigbee2mqtt


@pytest.fixture(scope="module")
def radio():
    lamp = Lamp(0x1234, 0x000D6FFFFE000001, "TRADFRI bulb E27 W opal 1000lm", "IKEA of Sweden")
    dimmer = Lamp(0x2345, 0x000D6FFFFE000002, "DimmerSwitch-2Gang-ZB3.0", "HZC", endpoints=(1, 2))
    made = Radio(lamp, dimmer)
    made.lamp, made.dimmer = lamp, dimmer
    yield made
    made.close()


class Installation:
    """A broker with rules for Home Assistant, and a zigbee2mqtt that two devices have joined. Home Assistant itself is played: it
    follows the discovery documents."""

    def __init__(self, broker, head, zigbee, flows):
        self.broker, self.head, self.zigbee, self.flows = broker, head, zigbee, flows
        self.version = None

    def say_online(self):
        with Wire(self.broker, user=self.zigbee) as before:
            before.publish(*GONE, qos=1, retain=True)

    def start(self, directory, radio):
        program = Zigbee2Mqtt(directory, self.broker, self.zigbee, radio, self.version,
                              {radio.lamp.name: LAMP, radio.dimmer.name: DIMMER})
        try:
            program.wait_line("Zigbee2MQTT started!", timeout_s=START_S)
            with Wire(self.broker, user=self.head) as head:
                answer = "zigbee2mqtt/bridge/response/permit_join"
                head.subscribe(answer)
                head.publish("zigbee2mqtt/bridge/request/permit_join", b'{"time":60}', qos=1)
                assert json.loads(head.message().payload)["status"] == "ok"
            for device in (radio.lamp, radio.dimmer):
                radio.join(device)
            for name in (LAMP, DIMMER):
                program.wait_line(f"Successfully configured '{name}'", timeout_s=START_S)
            # The last of what it says by itself: documents about zigbee2mqtt, five seconds after the start.
            program.wait_line("/permit_join/config", timeout_s=START_S)
        except BaseException:
            program.kill()
            raise
        return program

    def documents(self):
        """{topic: discovery document} as Home Assistant finds them when it starts."""
        with Wire(self.broker, user=self.head) as head:
            head.subscribe("homeassistant/#")
            head.settle()
            return {m.topic: json.loads(m.payload) for m in head.messages if m.topic.endswith("/config")}


@pytest.fixture(scope="module", params=["template", "manual"])
def installation(request, new_broker, radio, tmp_path_factory):
    """Each with the other version of the protocol."""
    installed("zigbee2mqtt")
    made = Installation(None, *(("homeassistant", "zigbee", "flows") if request.param == "template" else ("ha", "zigbee", None)))
    made.version = 4 if request.param == "template" else 5
    made.broker = new_broker(users={name: [] for name in (made.head, made.zigbee, made.flows) if name})
    made.broker.write_file("acl.yaml", (TEMPLATES / "home-assistant.yaml").read_text(encoding="utf-8")
                           if request.param == "template" else manual_example())
    with made.broker:
        made.say_online()
        made.program = made.start(tmp_path_factory.mktemp("zigbee2mqtt") / "data", radio)
        try:
            yield made
        finally:
            made.program.kill()


def test_home_assistant_finds_the_devices(installation, radio):
    documents = installation.documents()
    assert GONE[0] not in documents  # zigbee2mqtt looks for such documents when it starts
    assert len(documents) >= 15, list(documents)
    lamp = documents[f"homeassistant/light/{radio.lamp.name}/light/config"]
    assert lamp["command_topic"] == f"zigbee2mqtt/{LAMP}/set"
    assert documents[f"homeassistant/light/{radio.dimmer.name}/light_l2/config"]["state_topic"] == f"zigbee2mqtt/{DIMMER}/l2"
    assert denials(installation.broker) == []


def test_home_assistant_may_use_what_a_document_names(installation):
    def asked(action, topic):
        done = subprocess.run([matrix.ACL_TOOL, "explain", "-c", "broker.yaml", "--user", installation.head, action, topic],
                              cwd=installation.broker.directory, env=installation.broker.environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False, timeout=START_S)
        return done.stdout.split("\n", maxsplit=1)[0]

    wanted = set()
    for document in installation.documents().values():
        topics = {("publish" if "command" in key else "subscribe", value) for key, value in document.items()
                  if key.endswith("_topic")}
        wanted |= topics | {("subscribe", place["topic"]) for place in document.get("availability", [])}
    assert len(wanted) > 10
    refused = [question for question in sorted(wanted) if not asked(*question).startswith("allow")]
    assert refused == []


def switch(installation, light, state, endpoint=None):
    """Home Assistant switches a light and sees that it is so."""
    documents = installation.documents()
    document = documents[f"homeassistant/light/{light.name}/light{f'_l{endpoint}' if endpoint else ''}/config"]
    with Wire(installation.broker, user=installation.head) as head:
        head.subscribe(document["state_topic"])
        head.publish(document["command_topic"], json.dumps({"state": state}).encode(), qos=1)
        while json.loads(head.message().payload).get("state") != state:
            pass
    assert light.on(endpoint or 1) == (state == "ON")


def test_home_assistant_switches(installation, radio):
    for state in ("ON", "OFF"):
        switch(installation, radio.lamp, state)
        switch(installation, radio.dimmer, state, endpoint=2)
    assert denials(installation.broker) == []


@pytest.mark.parametrize("installation", ["template"], indirect=True)
def test_node_red_follows(installation, radio, tmp_path):
    """When the lamp is switched on, Node-RED switches the dimmer on, and reads from zigbee2mqtt what it is now. The example in the manual
    has no Node-RED."""
    installed("node-red")
    flows = Flows()
    at = flows.broker(installation.broker, installation.flows, version=5, status=f"node-red/{installation.flows}/status")
    flows.when(at, f"zigbee2mqtt/{LAMP}", """
        if (msg.payload.state !== "ON") return null;
        return [[{topic: "zigbee2mqtt/%s/l1/set", payload: {state: "ON"}}, {topic: "zigbee2mqtt/%s/get", payload: {state_l1: ""}}]];
    """ % (DIMMER, DIMMER))
    flows.when(at, f"zigbee2mqtt/{DIMMER}", """
        return {topic: "node-red/%s/seen", payload: msg.payload.state_l1, retain: true};
    """ % installation.flows)
    for others in ("stat/#", "tele/#", "current/#", "+/status", "+/+/+/state", "+/+/+/+/state"):
        flows.when(at, others, "return null;")
    program = NodeRed(tmp_path / "node-red", flows)
    try:
        with Wire(installation.broker, user=installation.head) as head:
            head.subscribe("node-red/#")
            while head.message().payload != b"online":
                pass
            switch(installation, radio.lamp, "ON")
            while head.message().payload != b"ON":
                pass
            assert radio.dimmer.on(1)
            program.signal(9)
            while head.message().payload != b"offline":
                pass
    finally:
        program.kill()
    assert denials(installation.broker) == []


def test_home_assistant_sees_that_zigbee2mqtt_died(installation):
    """The last test of an installation."""
    with Wire(installation.broker, user=installation.head) as head:
        head.subscribe("zigbee2mqtt/bridge/state")
        assert json.loads(head.message().payload) == {"state": "online"}
        installation.program.signal(9)
        assert json.loads(head.message().payload) == {"state": "offline"}
    assert denials(installation.broker) == []


# Node-RED as an actor of a Hemtjänst house


def test_node_red_is_an_actor(new_broker, tmp_path):
    installed("node-red")
    broker = new_broker(users={"porch": [], "anna": []})
    broker.write_file("acl.yaml", (TEMPLATES / "hemtjanst.yaml").read_text(encoding="utf-8"))
    with broker:
        flows = Flows()
        at = flows.broker(broker, "anna", version=4)
        flows.when(at, "current/#", 'return {topic: "desired/porch/lamp/on", payload: msg.payload};')
        flows.when(at, "device/+", 'return {topic: "desired/porch/lamp/known", payload: "1"};')
        program = NodeRed(tmp_path / "node-red", flows)
        try:
            with Wire(broker, user="porch") as porch:
                porch.subscribe("desired/porch/#")
                porch.publish("current/porch/button/on", b"1", qos=1, retain=True)
                porch.publish("device/porch-button", b"{}", qos=1, retain=True)
                got = {(m.topic, m.payload) for m in (porch.message(), porch.message())}
                assert got == {("desired/porch/lamp/on", b"1"), ("desired/porch/lamp/known", b"1")}
        finally:
            program.kill()
        assert denials(broker) == []


# mosquitto as a bridge


def mosquitto_conf(broker, kind, port):
    """A mosquitto.conf with the lines that bridge.yaml names for the other house."""
    text = (TEMPLATES / "bridge.yaml").read_text(encoding="utf-8")
    lines = re.findall(r"^#     ((?:connection|address|bridge_|remote_|topic).*)", text, re.M)
    assert len(lines) == 8
    here = {"broker.example.org:8883": f"127.0.0.1:{broker.addresses[0][1]}", "SECRET": broker.password("other-house"),
            "/etc/mosquitto/ca.crt": str(broker.pki.path("ca.crt"))}
    named = re.sub("|".join(map(re.escape, here)), lambda m: here[m[0]], "\n".join(lines))
    return "\n".join([f"listener {port} 127.0.0.1", "allow_anonymous true", f"user {getpass.getuser()}", named, "restart_timeout 1",
                      *KINDS[kind], ""])


@pytest.mark.parametrize("kind", KINDS)
def test_mosquitto_is_a_neighbour(new_broker, tmp_path, kind):
    broker, port = new_broker(users={"other-house": [], "summer-house": [], "anna": []}), free_port()
    broker.write_file("acl.yaml", (TEMPLATES / "bridge.yaml").read_text(encoding="utf-8"))

    def there(program, *options):
        return ["stdbuf", "-oL", program, "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-V", "mqttv311", *options]

    with broker, Wire(broker, user="anna") as anna:
        anna.subscribe("neighbours/#", "$SYS/broker/connection/+/state")
        (tmp_path / "mosquitto.conf").write_text(mosquitto_conf(broker, kind, port), encoding="utf-8")
        program = LineProcess([MOSQUITTO, "-v", "-c", str(tmp_path / "mosquitto.conf")], stdin=subprocess.DEVNULL)
        listener = None
        try:
            while (message := anna.message()).payload != b"1":
                pass
            assert message.topic == "$SYS/broker/connection/other-house/state"
            program.wait_line("Received SUBACK")
            subprocess.run(there("mosquitto_pub", "-t", "shared/porch/lamp", "-m", "on", "-r"), check=True, timeout=TIMEOUT_S)
            message = anna.message()
            assert (message.topic, message.payload) == ("neighbours/other-house/porch/lamp", b"on")
            listener = LineProcess(there("mosquitto_sub", "-d", "-t", "neighbours/summer-house/#", "-F", "HEARD %t %p"))
            listener.wait_line("Subscribed")
            with Wire(broker, user="summer-house") as summer:
                summer.publish("neighbours/summer-house/porch/lamp", b"off", qos=1)
            listener.wait_line("HEARD neighbours/summer-house/porch/lamp off")
            program.signal(9)
            while (message := anna.message()).payload != b"0":
                pass
            assert message.topic == "$SYS/broker/connection/other-house/state"
        finally:
            program.kill()
            if listener is not None:
                listener.kill()
        assert denials(broker) == []
