"""A Hemtjänst home with the template that is shipped for it, and its clients: two providers, an actor, a janitor, an
observer, and an anonymous client."""

import socket

import mqtt
import pytest
from clients import MosquittoSub, MqttJs, Paho, mosquitto_pub
from broker_fixture import ROOT
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCodes
from wire import Wire, fresh_address

USERS = dict.fromkeys(["porch", "cellar", "bridge", "anna", "sweeper", "wall", "meter", "owner"], ())
VERSIONS = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
KINDS = pytest.mark.parametrize("kind", ["mosquitto", "mqttjs", "paho"])
PAPER = '{"name":"Lamp","features":["on"]}'


@pytest.fixture(scope="module")
def broker(new_broker):
    made = new_broker(users=USERS, config={"authentication": {"anonymous": True}})
    made.write_file("acl.yaml", (ROOT / "acl/templates/hemtjanst.yaml").read_text(encoding="utf-8"))
    with made:
        yield made


@pytest.fixture
def thing(request):
    """A device name that no other test uses."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)


@pytest.fixture
def wall(broker):
    """An observer, subscribed to everything that it may read."""
    with MosquittoSub(broker, "-t", "current/#", "-t", "device/+", "-t", "provider/+", "-q", "2", user="wall") as client:
        yield client


def retained(broker, topic_filter, user="wall"):
    """What a new subscriber finds: {topic: payload}."""
    with Wire(broker, user=user) as late:
        late.subscribe(topic_filter)
        late.settle()
        assert all(message.retain for message in late.messages)
        return {message.topic: message.payload for message in late.messages}


def mortal(broker, kind, version, user, will):
    """A client that only connects to die; returns how."""
    topic, payload, qos, retain = will
    if kind == "mosquitto":
        options = ["--will-topic", topic, "--will-qos", str(qos)] + (["--will-retain"] if retain else [])
        options += ["--will-payload", payload] if payload else []
        return MosquittoSub(broker, "-t", f"desired/{user}/#", *options, version=version, user=user).kill
    if kind == "mqttjs":
        will = {"topic": topic, "payload": payload, "qos": qos, "retain": retain}
        return MqttJs(broker, version, user=user, will=will).kill
    client = Paho(broker, version, user=user, will=will).client

    def cut():
        client.socket().shutdown(socket.SHUT_RDWR)
        client.loop_stop()
    return cut


# documents and states


@VERSIONS
def test_a_document_belongs_to_its_first_publisher(broker, wall, thing, version):
    """A second provider with the same id is refused, and the conflict is logged."""
    topic, mark = f"device/{thing}", broker.mark()
    with Paho(broker, version, user="porch") as porch, MqttJs(broker, version, user="cellar") as cellar:
        porch.publish(topic, PAPER, 1, retain=True)
        wall.message(f"1 0 {topic} {PAPER}")
        error = cellar.publish(topic, "another lamp", qos=1, retain=True)["error"]
        assert error is None if version == 4 else error["code"] == 0x87
        assert broker.wait_log("publish-denied", mark, user="cellar", topic=topic)["rule"]
        assert cellar.publish(f"{topic}-2", PAPER, qos=1, retain=True)["error"] is None
        wall.message(f"1 0 {topic}-2 {PAPER}")
        porch.publish(topic, "a better lamp", 1, retain=True)
        wall.message(f"1 0 {topic} a better lamp")
    assert retained(broker, topic) == {topic: b"a better lamp"}


@VERSIONS
def test_a_document_has_a_limit(broker, thing, version):
    with Paho(broker, version, user="porch") as porch:
        porch.publish(f"device/{thing}", b"x" * 65537, 1, retain=True)
        assert retained(broker, f"device/{thing}") == {}
        porch.publish(f"device/{thing}", b"x" * 65536, 1, retain=True)
        assert retained(broker, f"device/{thing}") == {f"device/{thing}": b"x" * 65536}


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_state_is_kept_byte_for_byte(broker, wall, thing, version, qos):
    """Values are byte-exact, also those of a lamp whose name has two levels."""
    topic, value = f"current/porch/hall/{thing}/name", "gr\u00f6n \u2713 1.50"
    assert mosquitto_pub(broker, "-t", topic, "-m", value, "-q", str(qos), "-r", user="porch",
                         version=version).returncode == 0
    wall.message(f"{qos} 0 {topic} {value}")
    with Paho(broker, version, user="anna") as anna:
        anna.subscribe(topic, 2)
        got = anna.message()
        assert (got.payload, got.qos, got.retain) == (value.encode(), qos, True)
    with Paho(broker, version, user="porch") as porch:
        porch.publish(topic, b"\x00\xff\n", qos, retain=True)
        porch.publish(topic + "/end", b"end", 1)  # a QoS 0 message has no acknowledgement to wait for
        assert retained(broker, topic) == {topic: b"\x00\xff\n"}


@VERSIONS
def test_a_provider_publishes_only_its_own_topics(broker, thing, version):
    """A provider may neither write another's states nor read any."""
    refused = [0x80] if version == 4 else [0x87]
    mark = broker.mark()
    with Paho(broker, version, user="porch") as porch:
        for topic in ("current/#", "current/porch/#", "device/+", "desired/cellar/#", "desired/#", "#"):
            assert porch.subscribe(topic, 1) == refused
        porch.publish(f"current/cellar/{thing}/on", b"1", 1, retain=True)
        porch.publish(f"desired/cellar/{thing}/on", b"1", 1)
        assert broker.wait_log("publish-denied", mark, topic=f"desired/cellar/{thing}/on")["rule"].endswith(
            "deny publish desired/#")
        assert porch.client.is_connected()
    assert retained(broker, f"current/cellar/{thing}/#") == {}


# commands


@VERSIONS
def test_a_command_reaches_its_provider_only(broker, thing, version):
    """No other provider gets it."""
    with MqttJs(broker, version, user="porch") as porch, Paho(broker, 9 - version, user="cellar") as cellar, \
            Paho(broker, version, user="anna") as anna, MosquittoSub(broker, "-t", "desired/#", "-q", "2", user="anna",
                                                                    version=version) as app:
        assert porch.subscribe("desired/porch/#", qos=2)["granted"] == [2]
        assert cellar.subscribe("desired/cellar/#", 2) == [2]
        for qos in (0, 1, 2):
            topic = f"desired/porch/{thing}/brightness"
            anna.publish(topic, str(qos), qos)
            got = porch.message()
            assert (got["topic"], got["payload"], got["qos"], got["retain"]) == (topic, b"%d" % qos, qos, False)
            app.message(f"{qos} 0 {topic} {qos}")
        anna.publish(f"desired/cellar/{thing}/on", b"1", 1)
        assert cellar.message().topic == f"desired/cellar/{thing}/on"
        assert cellar.messages == []


@VERSIONS
def test_a_command_is_not_kept(broker, thing, version):
    """But an actor may delete what others left there."""
    topic = f"desired/porch/{thing}/on"
    with Paho(broker, version, user="anna") as anna:
        anna.publish(topic, b"1", 1, retain=True)
        assert retained(broker, topic, "anna") == {}
        mosquitto_pub(broker, "-t", topic, "-r", "-q", "1", "-m", "1", user="owner")
        assert retained(broker, topic, "anna") == {topic: b"1"}
        anna.publish(topic, b"", 1, retain=True)
        assert retained(broker, topic, "anna") == {}
        assert anna.client.is_connected()


@VERSIONS
def test_an_actor_cannot_publish_states(broker, thing, version):
    """An actor never publishes to current states."""
    with MqttJs(broker, version, user="anna") as anna:
        for topic in (f"current/porch/{thing}/on", f"device/{thing}", f"provider/{thing}"):
            error = anna.publish(topic, "1", qos=1, retain=True)["error"]
            assert error is None if version == 4 else error["code"] == 0x87
            assert retained(broker, topic) == {}


@VERSIONS
def test_a_bridge_is_provider_and_actor(broker, wall, thing, version):
    with Paho(broker, version, user="bridge") as bridge, Paho(broker, version, user="porch") as porch:
        porch.subscribe("desired/porch/#", 1)
        assert bridge.subscribe([("current/#", 0), ("desired/bridge/#", 1)]) == [0, 1]
        bridge.publish(f"desired/porch/{thing}/on", b"1", 1)
        assert porch.message().payload == b"1"
        bridge.publish(f"current/bridge/{thing}/on", b"1", 1, retain=True)
        wall.message(f"1 0 current/bridge/{thing}/on 1")
        bridge.publish(f"current/porch/{thing}/on", b"1", 1, retain=True)
    assert retained(broker, f"current/+/{thing}/#") == {f"current/bridge/{thing}/on": b"1"}


# ends


@VERSIONS
@KINDS
def test_a_device_that_dies_is_unreachable(broker, wall, thing, version, kind):
    """A device that dies is unreachable, for present and later subscribers."""
    topic = f"current/porch/{thing}/reachable"
    kill = mortal(broker, kind, version, "porch", (topic, "0", 2, True))
    mosquitto_pub(broker, "-t", topic, "-r", "-q", "2", "-m", "1", user="porch")
    wall.message(f"2 0 {topic} 1")
    kill()
    wall.message(f"2 0 {topic} 0")
    assert retained(broker, topic) == {topic: b"0"}
    with MosquittoSub(broker, "-t", topic, "-q", "2", user="anna", version=version) as late:
        late.message(f"2 1 {topic} 0")


@VERSIONS
@KINDS
def test_a_bridge_that_dies_takes_its_card_down(broker, wall, thing, version, kind):
    """An empty will deletes the retained message, and connected subscribers get it as an empty message."""
    topic = f"provider/{thing}"
    kill = mortal(broker, kind, version, "porch", (topic, "", 2, True))
    mosquitto_pub(broker, "-t", topic, "-r", "-q", "1", "-m", PAPER, user="porch")
    wall.message(f"1 0 {topic} {PAPER}")
    assert retained(broker, topic) == {topic: PAPER.encode()}
    kill()
    wall.message(f"2 0 {topic} ")
    assert retained(broker, topic) == {}
    # Its name is not free: the device will return.
    mark = broker.mark()
    mosquitto_pub(broker, "-t", topic, "-r", "-q", "1", "-m", "mine now", user="cellar", version=version)
    broker.wait_log("publish-denied", mark, user="cellar", topic=topic)
    heard = wall.mark()
    mosquitto_pub(broker, "-t", topic, "-r", "-q", "1", "-m", PAPER, user="porch")
    wall.wait_line(f"MESSAGE 1 0 {topic} {PAPER}", after=heard)
    assert retained(broker, topic) == {topic: PAPER.encode()}


@VERSIONS
def test_a_client_that_disconnects_leaves_nothing(broker, wall, thing, version):
    """A graceful leave: the will is never published."""
    card, state = f"provider/{thing}", f"current/porch/{thing}/reachable"
    with Paho(broker, version, user="porch", will=(card, "will", 2, True)) as porch:
        porch.publish(card, PAPER, 1, retain=True)
        porch.publish(state, b"1", 1, retain=True)
        porch.publish(state, b"0", 2, retain=True)
        porch.publish(card, b"", 2, retain=True)
    wall.message(f"2 0 {card} ")
    mosquitto_pub(broker, "-t", f"current/porch/{thing}/end", "-q", "2", "-m", "end", user="porch")
    wall.message(f"2 0 current/porch/{thing}/end end")
    assert not [line for line in wall.lines if line.endswith(f"{card} will")]
    assert retained(broker, "provider/+").keys() & {card} == set()
    assert retained(broker, state) == {state: b"0"}


def test_disconnect_with_will_message_publishes_it(broker, wall, thing):
    """DISCONNECT 0x04 publishes the will, as bibliotek always ends."""
    topic = f"current/porch/{thing}/reachable"
    porch = Paho(broker, 5, user="porch", will=(topic, "0", 2, True))
    porch.client.disconnect(reasoncode=ReasonCodes(PacketTypes.DISCONNECT, identifier=0x04))
    porch.client.loop_stop()
    wall.message(f"2 0 {topic} 0")
    assert retained(broker, topic) == {topic: b"0"}


@VERSIONS
@pytest.mark.parametrize("topic", ["current/cellar/lamp/reachable", "provider/taken", "desired/porch/lamp/on"])
def test_a_will_for_another_is_refused_at_once(broker, version, topic):
    """A will that is dropped silently, or published late, leaves a device that seems alive for ever."""
    if topic == "provider/taken":
        mosquitto_pub(broker, "-t", topic, "-r", "-q", "1", "-m", PAPER, user="cellar")
    Paho(broker, version, user="porch", will=(topic, "0", 2, True), expect=5 if version == 4 else 0x87,
         source=fresh_address()).client.loop_stop()


# the janitor


@VERSIONS
def test_the_janitor_tidies_up(broker, wall, thing, version):
    """The janitor removes what an owner left that never returned, and nothing else."""
    reachable, state = f"current/porch/{thing}/reachable", f"current/porch/{thing}/on"
    card, paper = f"provider/{thing}", f"device/{thing}"
    with Paho(broker, version, user="porch") as porch:
        for topic, payload in ((reachable, "1"), (state, "1"), (card, PAPER), (paper, PAPER)):
            porch.publish(topic, payload, 1, retain=True)
    with Paho(broker, version, user="sweeper") as janitor:
        assert janitor.subscribe([("current/+/#", 2), ("provider/+", 2), ("device/+", 2)]) == [2, 2, 2]
        janitor.publish(state, b"0", 1, retain=True)
        janitor.publish(reachable, b"2", 1, retain=True)
        janitor.publish(paper, b"{}", 1, retain=True)
        assert retained(broker, f"current/porch/{thing}/#") == {reachable: b"1", state: b"1"}
        assert retained(broker, paper) == {paper: PAPER.encode()}
        janitor.publish(reachable, b"0", 2, retain=True)
        wall.message(f"2 0 {reachable} 0")
        for topic in (card, paper):
            janitor.publish(topic, b"", 1, retain=True)
            wall.message(f"1 0 {topic} ")
        assert janitor.client.is_connected()
    assert retained(broker, f"current/porch/{thing}/#") == {reachable: b"0", state: b"1"}
    # A deleted topic of the janitor has no owner: another provider may take the name.
    mosquitto_pub(broker, "-t", paper, "-r", "-q", "1", "-m", "the cellar's", user="cellar", version=version)
    assert retained(broker, paper) == {paper: b"the cellar's"}


# those who only look


@VERSIONS
def test_anonymous_clients_may_read(broker, thing, version):
    topic = f"current/porch/{thing}/on"
    mosquitto_pub(broker, "-t", topic, "-r", "-q", "1", "-m", "1", user="porch")
    with MosquittoSub(broker, "-t", topic, "-q", "1", user=None, version=version) as guest:
        guest.message(f"1 1 {topic} 1")
        mosquitto_pub(broker, "-t", topic, "-r", "-q", "1", "-m", "0", user="porch")
        guest.message(f"1 0 {topic} 0")
    with Paho(broker, version, user=None) as guest:
        for topic_filter in ("desired/#", "#", "+/#", "$SYS/#"):
            assert guest.subscribe(topic_filter, 1) == ([0x80] if version == 4 else [0x87])


@VERSIONS
@pytest.mark.parametrize("topic", ["desired/porch/lamp/on", "house/desired/lamp", "current/porch/lamp/on", "weather"])
def test_anonymous_clients_never_write(broker, version, topic):
    """A denied client stays connected."""
    with Wire(broker, user="owner") as watcher:
        watcher.subscribe(topic)
        watcher.publish(topic, b"kept", qos=1, retain=True)
        with Paho(broker, version, user=None) as guest:
            for qos in (0, 1, 2):
                for payload, retain in (("1", False), ("1", True), ("", True)):
                    guest.publish(topic, payload, qos, retain=retain)
            assert guest.subscribe("device/+", 0) == [0]
            assert guest.client.is_connected()
        with MqttJs(broker, version, user=None) as guest:
            error = guest.publish(topic, "", qos=1, retain=True)["error"]
            assert error is None if version == 4 else error["code"] == 0x87
        for payload in ("0", ""):
            Paho(broker, version, user=None, will=(topic, payload, 1, True), expect=5 if version == 4 else 0x87,
                 source=fresh_address()).client.loop_stop()
        watcher.publish(topic, b"end", qos=1)
        assert [m.payload for m in watcher.until(b"end")] == [b"kept"]
        assert retained(broker, topic, "owner") == {topic: b"kept"}
        watcher.publish(topic, b"", qos=1, retain=True)


@VERSIONS
def test_the_monitor_reads_sys_topics(broker, version):
    with MosquittoSub(broker, "-t", "$SYS/broker/version", user="meter", version=version) as meter:
        meter.wait_line("$SYS/broker/version")
    with Paho(broker, version, user="wall") as other:
        assert other.subscribe("$SYS/#", 0) == ([0x80] if version == 4 else [0x87])


# the behaviour of existing programs


def test_the_homekit_bridge_connects(broker):
    """Its ids are longer than 23 characters, its keep alive is 5 s."""
    with Paho(broker, 4, user="anna", client_id="hemtjanst-7f1b1d3c-9a0e-4d0c-8e0e-6f0f6e7c1a55", keep_alive=5) as actor:
        assert actor.subscribe("current/#", 1) == [1]


def test_a_session_that_was_not_stored_is_absent(broker):
    """bibliotek reconnects without clean start and without an expiry interval."""
    for _ in range(2):
        with Paho(broker, 5, user="porch", client_id="klimat", clean=False) as porch:
            assert porch.flags["session present"] == 0


@VERSIONS
def test_everything_at_once(broker, version):
    """CONNECT, SUBSCRIBE and PUBLISH at once, before any answer; the denied one does not affect the others."""
    with Wire(broker, version, user="porch", connect=False) as porch, Wire(broker, user="anna") as anna:
        anna.subscribe("current/porch/eager")
        porch.send(mqtt.connect(version, "eager", user="porch", password=broker.password("porch"))
                   + mqtt.subscribe(version, 1, [("desired/porch/#", 1), ("current/#", 1)])
                   + mqtt.publish(version, "desired/cellar/eager", b"1", qos=1, packet_id=2)
                   + mqtt.publish(version, "current/porch/eager", b"1", qos=1, packet_id=3))
        assert porch.expect(mqtt.CONNACK).reason == 0
        assert porch.expect(mqtt.SUBACK).reasons == [1, 0x80 if version == 4 else 0x87]
        assert porch.expect(mqtt.PUBACK, 2).reason == (0 if version == 4 else 0x87)
        assert porch.expect(mqtt.PUBACK, 3).reason == 0
        assert anna.message().topic == "current/porch/eager"
