"""The table of who may do what, version 0 of the topics, against the template that is shipped; written from the
specification, like test_matrix.py."""

import matrix
import mqtt
import pytest
from wire import Wire

WHO = {"provider": "porch", "actor": "homekit", "none": "stranger", "anonymous": None}

# p publish, r retained, d delete; w will, W retained will, D will that deletes. Roles that are not named: nothing.
WRITES = [
    ("announce/{me}/lamp", "{}", {"provider": "prd"}),
    ("announce/{me}", "{}", {"provider": "prd"}),
    ("announce/cellar/lamp", "{}", {}),
    ("{me}/on/get", "1", {"provider": "prd"}),
    ("{me}/lamp/on/get", "1", {"provider": "prd"}),
    ("{me}/a/lamp/on/get", "1", {"provider": "prd"}),
    ("{me}/b/a/lamp/on/get", "1", {}),
    ("{me}/lamp/on", "1", {}),
    ("cellar/lamp/on/get", "1", {}),
    ("cellar/on/set", "1", {"actor": "p"}),
    ("cellar/lamp/on/set", "1", {"actor": "p"}),
    ("cellar/a/lamp/on/set", "1", {"actor": "p"}),
    ("cellar/b/a/lamp/on/set", "1", {"actor": "p"}),
    ("cellar/c/b/a/lamp/on/set", "1", {}),
    ("{me}/lamp/on/set", "1", {"actor": "p"}),
    ("leave", "{id}", {"provider": "pw", "actor": "pw"}),
    ("leave", "{me}/lamp", {"provider": "pw", "actor": "pw"}),
    ("leave", "cellar-id", {}),
    ("leave", "cellar/lamp", {}),
    ("leave", "{me}/" + "x" * 260, {}),
    ("discover", "1", {"actor": "pr"}),
    ("discover", "0", {}),
    ("desired/cellar/lamp/on", "1", {}),
    ("weather", "rain", {}),
    ("$SYS/broker/uptime", "1", {}),
    ("$CONTROL/users", "1", {}),
]

READS = [
    ("discover", "discover", "provider actor"),
    ("leave", "leave", "actor"),
    ("announce/#", "announce/cellar/lamp", "actor"),
    ("announce/{me}/#", "announce/{me}/lamp", "actor"),
    ("$share/crew/announce/#", "announce/cellar/lamp", "actor"),
    ("{me}/on/set", "", "provider"),
    ("{me}/lamp/on/set", "{me}/lamp/on/set", "provider"),
    ("{me}/lamp/+/set", "{me}/lamp/on/set", "provider"),
    ("{me}/a/lamp/on/set", "", "provider"),
    ("{me}/b/a/lamp/on/set", "", ""),
    ("{me}/lamp/#", "{me}/lamp/on/set", ""),
    ("{me}/#", "{me}/lamp/on/set", ""),
    ("$share/crew/{me}/lamp/on/set", "{me}/lamp/on/set", "provider"),
    ("cellar/lamp/on/set", "cellar/lamp/on/set", ""),
    ("+/lamp/on/set", "cellar/lamp/on/set", ""),
    ("{me}/on/get", "{me}/on/get", "actor"),
    ("cellar/lamp/on/get", "cellar/lamp/on/get", "actor"),
    ("{me}/a/lamp/on/get", "{me}/a/lamp/on/get", "actor"),
    ("{me}/b/a/lamp/on/get", "{me}/b/a/lamp/on/get", "actor"),
    ("+/+/+/get", "cellar/lamp/on/get", "actor"),
    ("cellar/lamp/+/get", "cellar/lamp/on/get", "actor"),
    ("cellar/#", "cellar/lamp/on/get", ""),
    ("desired/#", "desired/cellar/lamp/on", ""),
    ("weather", "weather", ""),
    ("#", "cellar/lamp/on/get", ""),
    ("+/#", "cellar/lamp/on/get", ""),
    ("$share/crew/#", "cellar/lamp/on/get", ""),
    ("$SYS/#", "$SYS/broker/version", ""),
]
TABLE = matrix.Table(WHO, WRITES, READS)


@pytest.fixture(scope="module")
def policy(new_broker):
    made = matrix.Policy(new_broker, "hemtjanst-v0.yaml", TABLE, dict.fromkeys(["kitchen", "tradfri", "sladdlos"]))
    with made.broker:
        yield made


class TestTable(matrix.TableTests):
    ROLES = WHO


def test_a_root_of_another_name(policy, version):
    """extra_roots: lightbulb/kitchen belongs to kitchen, and no other lightbulb does."""
    policy.sweep()
    with policy.watcher() as watcher, Wire(policy.broker, version, user="kitchen") as kitchen:
        for topic, payload in (("announce/lightbulb/kitchen", b"{}"), ("lightbulb/kitchen/on/get", b"1")):
            kitchen.publish(topic, payload, qos=1, retain=True)
            assert watcher.message().topic == topic
        for topic in ("announce/lightbulb/porch", "lightbulb/porch/on/get", "lightbulb/kitchen/on/set"):
            kitchen.publish(topic, b"1", qos=1)
        kitchen.subscribe("lightbulb/kitchen/on/set", "lightbulb/porch/on/set", qos=1,
                          expect=[1, 0x80 if version == 4 else 0x87])
        with Wire(policy.broker, user="homekit") as actor:
            actor.publish("lightbulb/kitchen/on/set", b"0", qos=1)
        got = kitchen.message()
        assert (got.topic, got.payload) == ("lightbulb/kitchen/on/set", b"0")
        assert watcher.message().topic == "lightbulb/kitchen/on/set"


def test_the_will_of_the_three_libraries(policy, version):
    """Their client id on `leave`, whatever it is; no client can send the message of another."""
    with Wire(policy.broker, user="homekit") as actor:
        actor.subscribe("leave", qos=1)
        for client_id in ("lamp-4f1c2a5e-2e0b-4a52-9a51-0f8d6a3b9c11-and-longer-than-23", "a/b", "with blank"):
            Wire(policy.broker, version, user="porch", client_id=client_id,
                 will=mqtt.Will("leave", client_id.encode(), 1)).kill()
            assert actor.message().payload == client_id.encode()
        Wire(policy.broker, version, user="porch", client_id="lamp", will=mqtt.Will("leave", b"another"),
             expect=5 if version == 4 else 0x87).close()
