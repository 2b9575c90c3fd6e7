"""Rules as a client meets them: what is refused, how the client is told, and that every path is checked."""

import mqtt
import pytest
from wire import Wire

ACL = {
    "roles": {
        "all": ["allow all #"],
        "provider": ["allow publish current/%u/#", "allow publish device/+ own", "allow subscribe desired/%u/#",
                     "deny publish desired/#"],
        "actor": ["allow subscribe current/# desired/# device/+", "allow publish desired/+/# retain=no"],
        "conditions": ["allow publish c/retained retain=only", "allow publish c/live retain=no",
                       "allow publish c/delete retain=delete", "allow publish c/qos qos<=1",
                       "allow publish c/payload payload=on,off,dim*", "allow publish c/size max=4",
                       "allow publish c/%c/mine", "allow subscribe c/#"],
        "one-topic": ["allow subscribe narrow/+"],
        "receive": ["deny receive mixed/secret", "allow subscribe mixed/#"],
    },
    "users": {"denied": {"roles": ["all"], "rules": ["deny publish shadow/#"]}},
    "anonymous": {"rules": ["allow all #"]},
}
USERS = {"anna": ["all"], "porch": ["provider"], "attic": ["provider"], "actor": ["actor"],
         "both": ["provider", "actor"], "conditions": ["conditions"], "narrow": ["one-topic"], "mixed": ["receive"],
         "denied": [], "nothing": []}


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(acl=ACL, users=USERS, config={"authentication": {"anonymous": True}}) as broker:
        yield broker


ROWS = [
    ("own name", "porch", "current/porch/lamp", {}, True),
    ("another's name", "porch", "current/attic/lamp", {}, False),
    ("a provider commands", "porch", "desired/porch/lamp", {}, False),
    ("an actor commands", "actor", "desired/porch/lamp", {}, True),
    ("an actor's command is not kept", "actor", "desired/porch/lamp", {"retain": True}, False),
    ("one role that allows is enough", "both", "desired/porch/lamp", {}, True),
    ("the user's own rule comes first", "denied", "shadow/x", {}, False),
    ("else the roles decide", "denied", "light/x", {}, True),
    ("no rule, no right", "nothing", "x", {}, False),
    ("retained only", "conditions", "c/retained", {"retain": True}, True),
    ("retained only, live", "conditions", "c/retained", {}, False),
    ("live only", "conditions", "c/live", {}, True),
    ("live only, retained", "conditions", "c/live", {"retain": True}, False),
    ("deleting", "conditions", "c/delete", {"retain": True, "payload": b""}, True),
    ("deleting, a value", "conditions", "c/delete", {"retain": True}, False),
    ("qos 1", "conditions", "c/qos", {"qos": 1}, True),
    ("qos 2", "conditions", "c/qos", {"qos": 2}, False),
    ("payload on", "conditions", "c/payload", {"payload": b"on"}, True),
    ("payload dim 50", "conditions", "c/payload", {"payload": b"dim 50"}, True),
    ("payload of", "conditions", "c/payload", {"payload": b"of"}, False),
    ("4 bytes", "conditions", "c/size", {"payload": b"1234"}, True),
    ("5 bytes", "conditions", "c/size", {"payload": b"12345"}, False),
    ("the client id", "conditions", "c/the-id/mine", {}, True),
    ("another client id", "conditions", "c/other-id/mine", {}, False),
    ("anonymous", None, "home/x", {}, True),
    ("anonymous commands", None, "desired/porch/lamp", {}, False),
    ("anonymous deletes a command", None, "desired/porch/lamp", {"retain": True, "payload": b""}, False),
    ("anonymous, with a tenant before", None, "t1/desired/porch/lamp", {}, False),
    ("below dollar", "anna", "$SYS/broker/x", {}, False),
    ("below another dollar", "anna", "$anything/x", {}, False),
]


@pytest.mark.parametrize("user, name, options, allowed", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_publish(broker, version, user, name, options, allowed):
    """5.0 is told, 3.1.1 is acknowledged and nothing happens; both stay connected."""
    options = {"payload": b"x", "qos": 1, **options}
    mark = broker.mark()
    with Wire(broker) as watcher, Wire(broker, version, user=user, client_id="the-id") as client:
        if not name.startswith("$"):  # which nobody here may read
            watcher.subscribe(name)
        answer = client.publish(name, **options)
        client.settle()
        if not name.startswith("$"):
            watcher.publish(name, b"end", qos=1)
            assert [m.payload for m in watcher.until(b"end")] == ([options["payload"]] if allowed else [])
            watcher.publish(name, b"", qos=1, retain=True)
    if version == 5:
        assert (answer.reason in (0, 0x10)) if allowed else answer.reason == 0x87
    else:
        assert answer.reason == 0
    if not allowed:
        denied = broker.wait_log("publish-denied", mark, topic=name, user=user or "")
        assert denied["rule"]
        if version == 5:
            assert answer.props["reason_string"]


def test_the_reason_names_the_rule(broker):
    with Wire(broker, user="denied") as client:
        answer = client.publish("shadow/x", b"1", qos=1)
        assert "acl.yaml:" in answer.props["reason_string"]


def test_no_reason_string_without_request_problem_information(broker):
    """[MQTT5-3.1.2-29]"""
    with Wire(broker, user="denied", props={"request_problem_information": 0}) as client:
        answer = client.publish("shadow/x", b"1", qos=1)
        assert answer.reason == 0x87 and answer.props == {}


def test_qos0_is_dropped_and_the_connection_stays(broker, version):
    with Wire(broker) as watcher, Wire(broker, version, user="nothing") as client:
        watcher.subscribe("quiet/x")
        client.publish("quiet/x", b"1", qos=0)
        client.settle()
        watcher.publish("quiet/x", b"end", qos=1)
        assert watcher.until(b"end") == []


SUBSCRIBE_ROWS = [
    ("covered", "narrow", "narrow/+", True),
    ("covered, exact", "narrow", "narrow/a", True),
    ("covered, shared", "narrow", "$share/g/narrow/a", True),
    ("wider", "narrow", "narrow/#", False),
    ("wider, shared", "narrow", "$share/g/#", False),
    ("everything", "narrow", "#", False),
    ("everything in disguise", "narrow", "+/#", False),
    ("own desired", "porch", "desired/porch/#", True),
    ("another's desired", "porch", "desired/attic/#", False),
    ("every desired", "porch", "desired/+/#", False),
    ("nothing", "nothing", "x", False),
]


@pytest.mark.parametrize("user, name, allowed", [row[1:] for row in SUBSCRIBE_ROWS],
                         ids=[row[0] for row in SUBSCRIBE_ROWS])
def test_subscribe(broker, version, user, name, allowed):
    if version == 4 and name.startswith("$share"):
        pytest.skip("3.1.1 knows no shared subscriptions")
    mark = broker.mark()
    with Wire(broker, version, user=user) as client:
        client.subscribe(name, qos=1, expect=[1 if allowed else 0x80 if version == 4 else 0x87])
        client.settle()
    if not allowed:
        broker.wait_log("subscribe-denied", mark, user=user)


def test_a_refused_filter_does_not_refuse_the_others(broker):
    with Wire(broker, user="narrow") as client:
        client.subscribe("narrow/a", "wide/#", "narrow/b", qos=1, expect=[1, 0x87, 1])


def test_receive_is_checked_at_each_delivery(broker):
    with Wire(broker) as anna:
        anna.publish("mixed/secret", b"kept", qos=1, retain=True)
        with Wire(broker, user="mixed") as client:
            client.subscribe("mixed/#")
            anna.publish("mixed/secret", b"live", qos=1)
            anna.publish("mixed/public", b"end", qos=1)
            assert client.until(b"end") == []
        anna.publish("mixed/secret", b"", qos=1, retain=True)


def test_a_retained_topic_belongs_to_its_first_publisher(broker):
    with Wire(broker, user="porch") as porch, Wire(broker, user="attic") as attic, Wire(broker) as anna:
        anna.subscribe("device/+")
        assert porch.publish("device/lamp", b"porch", qos=1, retain=True).reason in (0, 0x10)
        assert attic.publish("device/lamp", b"attic", qos=1, retain=True).reason == 0x87
        assert attic.publish("device/lamp", b"attic", qos=1).reason == 0x87
        assert attic.publish("device/fan", b"attic", qos=1, retain=True).reason in (0, 0x10)
        assert porch.publish("device/fan", b"", qos=1, retain=True).reason == 0x87
        assert porch.publish("device/lamp", b"", qos=1, retain=True).reason in (0, 0x10)
        # A deleted topic keeps its owner: another user does not get the name of a device that is offline.
        assert attic.publish("device/lamp", b"attic", qos=1, retain=True).reason == 0x87
        assert [anna.message().payload for _ in range(3)] == [b"porch", b"attic", b""]


def test_a_deleted_retained_topic_has_no_owner(broker):
    with Wire(broker, user="porch") as porch, Wire(broker, user="attic") as attic, Wire(broker) as anna:
        porch.publish("device/free", b"porch", qos=1, retain=True)
        anna.publish("device/free", b"", qos=1, retain=True)
        assert attic.publish("device/free", b"attic", qos=1, retain=True).reason in (0, 0x10)


def test_a_topic_alias_of_a_denied_publish_is_not_set(broker):
    with Wire(broker, user="nothing") as client:
        assert client.publish("x/y", b"1", qos=1, props={"topic_alias": 1}).reason == 0x87
        client.send(mqtt.publish(5, "", b"2", qos=1, packet_id=900, props={"topic_alias": 1}))
        answer = client.take()
        assert answer.reason in (0x87, 0x94, 0x82)
