"""A home that uses version 0 of the topics: the npm package hemtjanst itself, as provider and as actor, over TLS and
with the template that is shipped for it."""

import json
import subprocess

import pytest
from clients import HERE, NODE, MosquittoSub, mosquitto_pub
from broker_fixture import ROOT
from process import LineProcess
from wire import Wire

VERSIONS = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
LAMP = {"name": "Lamp", "type": "lightbulb", "manufacturer": "nobody",
        "feature": {"on": {}, "brightness": {"max": 100}}}


class Hemtjanst(LineProcess):
    """One program that uses the package, in its own process (node/hemtjanst.js)."""

    def __init__(self, broker, role, user, client_id, version=4):
        super().__init__([*NODE, str(HERE / "node/hemtjanst.js")], stdin=subprocess.PIPE)
        host, port = broker.addresses[0]
        self.call("connect", role=role, url=f"mqtts://{host}:{port}", cafile=str(broker.pki.path("ca.crt")),
                  options={"protocolVersion": version, "clientId": client_id, "username": user,
                           "password": broker.password(user)})
        self.told("connect")

    def call(self, do, **arguments):
        self.send_line(json.dumps({"do": do, **arguments}))

    def told(self, event, after=0, **fields):
        """The first such event from `after` on."""
        want = {"event": event, **fields}

        def wanted(line):
            return line.startswith("{") and want.items() <= json.loads(line).items()
        return json.loads(self.wait_line(wanted, after))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


@pytest.fixture(scope="module")
def broker(new_broker):
    """`k` is a provider whose only device has the same name; the package supports such a name."""
    made = new_broker(users=dict.fromkeys(["porch", "cellar", "homekit", "k"], ()))
    text = (ROOT / "acl/templates/hemtjanst-v0.yaml").read_text(encoding="utf-8")
    made.write_file("acl.yaml", text.replace("\nusers:\n", "\nusers:\n  k: { roles: [provider-v0] }\n"))
    with made:
        yield made


@pytest.fixture(scope="module", params=[4, 5], ids=["3.1.1", "5.0"])
def actor(request, broker):
    """It publishes `discover` three seconds after it connected, retained."""
    with Hemtjanst(broker, "actor", "homekit", f"hemtjanst-actor-{request.param}", request.param) as program:
        program.version = request.param
        yield program


def provider(broker, actor, user, device):
    program = Hemtjanst(broker, "provider", user, f"{user}-{actor.version}-lamp", actor.version)
    program.call("device", topic=device, meta={**LAMP, "lastWillID": f"{user}-{actor.version}-lamp"})
    program.told("device", topic=device)
    return program


def retained(broker, *filters):
    """What a new subscriber finds: {topic: payload}."""
    with Wire(broker, user="homekit") as late:
        for topic_filter in filters:
            late.subscribe(topic_filter, qos=1)
            late.settle()
        return {message.topic: message.payload for message in late.messages}


@pytest.mark.parametrize("user, device", [("k", "k"), ("porch", "porch/lamp"), ("porch", "porch/hall/lamp")])
def test_announce_set_get_leave(broker, actor, user, device):
    began = actor.mark()
    porch = provider(broker, actor, user, device)
    try:
        actor.told("message", began, topic=f"announce/{device}")
        actor.told("device", topic=device, name="Lamp", type="lightbulb")
        actor.call("set", topic=device, feature="on", value=True)
        assert actor.told("sent", began)["error"] is None
        porch.told("set", topic=device, feature="on", value="1")
        porch.call("update", topic=device, feature="on", value=True)
        assert porch.told("updated")["error"] is None
        actor.told("get", began, topic=device, feature="on", value="1")
    finally:
        porch.kill()
    actor.told("message", began, topic="leave", payload=f"{user}-{actor.version}-lamp")
    # What it announced and published last is there for later subscribers.
    found = retained(broker, f"announce/{device}", f"{device}/on/get")
    assert json.loads(found[f"announce/{device}"])["feature"]["brightness"]["max"] == 100
    assert found[f"{device}/on/get"] == b"1"


def test_no_leave_after_a_disconnect(broker, actor):
    with MosquittoSub(broker, "-t", "leave", "-q", "1", user="homekit") as watcher:
        with provider(broker, actor, "cellar", "cellar/fan") as cellar:
            actor.told("device", topic="cellar/fan")
            cellar.call("end")
            cellar.told("ended")
        mosquitto_pub(broker, "-t", "leave", "-m", "the-end", "-i", "the-end", user="cellar")
        watcher.message("0 0 leave the-end")
        assert [line for line in watcher.lines if line.startswith("MESSAGE")] == ["MESSAGE 0 0 leave the-end"]


def test_a_provider_stays_below_its_name(broker, actor):
    """The package announces and subscribes what it is told to; the rules deny it."""
    mark = broker.mark()
    with provider(broker, actor, "cellar", "porch/stolen") as cellar:
        broker.wait_log("subscribe-denied", mark, user="cellar", filter="porch/stolen/on/set")
        broker.wait_log("publish-denied", mark, user="cellar", topic="announce/porch/stolen")
        cellar.call("update", topic="porch/stolen", feature="on", value=True)
        cellar.told("updated")
        assert not [topic for topic in retained(broker, "announce/#", "porch/stolen/on/get") if "stolen" in topic]


@VERSIONS
def test_a_provider_takes_its_device_away(broker, version):
    """Empty retained messages to all its topics, as bibliotek sends them."""
    topics = ["announce/porch/gone", "porch/gone/on/get"]
    with Wire(broker, version, user="porch") as porch, Wire(broker, user="homekit") as actor:
        for topic in topics:
            porch.publish(topic, b"{}", qos=0, retain=True)
        porch.settle()
        actor.subscribe(*topics, qos=1)
        assert {actor.message().topic for _ in topics} == set(topics)
        for topic in topics:
            porch.publish(topic, b"", qos=0, retain=True)
        assert [(m.topic, m.payload) for m in (actor.message(), actor.message())] == [(topic, b"") for topic in topics]
        assert retained(broker, *topics) == {}
