"""The table of who may do what, version 1 of the topics, against the template that is shipped. The rows were written
from the specification, not from the template: where they differ, one of them is wrong."""

import json
import signal

import matrix
import mqtt
import pytest
from wire import Wire

WHO = {"provider": "porch", "actor": "anna", "both": "bridge", "reversed": "egdirb", "janitor": "sweeper",
       "observer": "wall", "monitor": "meter", "admin": "owner", "none": "stranger", "anonymous": None}

EVERY = "prdwWD"
# p publish, r retained, d delete; w will, W retained will, D will that deletes. Roles that are not named: nothing.
WRITES = [
    ("current/{me}/lamp/on", "1", {"provider": EVERY, "both": EVERY, "admin": EVERY}),
    ("current/cellar/lamp/on", "1", {"admin": EVERY}),
    ("current/{me}/lamp/reachable", "0", {"provider": EVERY, "both": EVERY, "admin": EVERY, "janitor": "r"}),
    ("current/cellar/lamp/reachable", "0", {"admin": EVERY, "janitor": "r"}),
    ("current/cellar/a/lamp/reachable", "0", {"admin": EVERY, "janitor": "r"}),
    ("current/cellar/b/a/lamp/reachable", "0", {"admin": EVERY, "janitor": "r"}),
    ("current/cellar/c/b/a/lamp/reachable", "0", {"admin": EVERY}),
    ("current/cellar/fan/reachable", "1", {"admin": EVERY}),
    ("desired/{me}/lamp/on", "1", {"actor": "pdw", "both": "pdw", "admin": EVERY}),
    ("desired/cellar/lamp/on", "1", {"actor": "pdw", "both": "pdw", "admin": EVERY}),
    ("desired", "1", {"admin": EVERY}),
    ("device/{me}-lamp", "{}", {"provider": EVERY, "both": EVERY, "admin": EVERY, "janitor": "d"}),
    ("device/cellar-lamp", "{}", {"admin": EVERY, "janitor": "d"}),
    ("device/{me}-lamp/more", "{}", {"admin": EVERY}),
    ("provider/{me}", "{}", {"provider": EVERY, "both": EVERY, "admin": EVERY, "janitor": "d"}),
    ("provider/cellar", "{}", {"admin": EVERY, "janitor": "d"}),
    ("house/desired/lamp", "1", {"admin": EVERY}),
    ("weather", "rain", {"admin": EVERY}),
    ("$SYS/broker/uptime", "1", {}),
    ("$CONTROL/users", "1", {}),
]
OWNED = ("device/cellar-lamp", "provider/cellar")

LOOKERS = "actor both observer monitor admin anonymous"
READS = [
    ("desired/{me}/lamp/on", "desired/{me}/lamp/on", "provider actor both admin"),
    ("desired/{me}/+/on", "desired/{me}/lamp/on", "provider actor both admin"),
    ("desired/{me}/#", "desired/{me}/lamp/on", "provider actor both admin"),
    ("$share/crew/desired/{me}/#", "desired/{me}/lamp/on", "provider actor both admin"),
    ("desired/cellar/lamp/on", "desired/cellar/lamp/on", "actor both admin"),
    ("desired/+/lamp/on", "desired/cellar/lamp/on", "actor both admin"),
    ("desired/#", "desired/cellar/lamp/on", "actor both admin"),
    ("$share/crew/desired/#", "desired/cellar/lamp/on", "actor both admin"),
    ("current/{me}/lamp/on", "current/{me}/lamp/on", f"janitor {LOOKERS}"),
    ("current/{me}/#", "current/{me}/lamp/on", f"janitor {LOOKERS}"),
    ("current/+/+/on", "current/cellar/lamp/on", f"janitor {LOOKERS}"),
    ("current/+/#", "current/cellar/lamp/on", f"janitor {LOOKERS}"),
    ("current/#", "current/cellar/lamp/on", LOOKERS),
    ("$share/crew/current/#", "current/cellar/lamp/on", LOOKERS),
    ("device/{me}-lamp", "device/{me}-lamp", f"janitor {LOOKERS}"),
    ("device/cellar-lamp", "device/cellar-lamp", f"janitor {LOOKERS}"),
    ("device/+", "device/cellar-lamp", f"janitor {LOOKERS}"),
    ("device/#", "device/cellar-lamp", "admin"),
    ("provider/cellar", "provider/cellar", f"janitor {LOOKERS}"),
    ("provider/+", "provider/cellar", f"janitor {LOOKERS}"),
    ("provider/#", "provider/cellar", "admin"),
    ("weather", "weather", "admin"),
    ("#", "current/cellar/lamp/on", "admin"),
    ("+/#", "current/cellar/lamp/on", "admin"),
    ("+/cellar/lamp/on", "current/cellar/lamp/on", "admin"),
    ("$share/crew/#", "current/cellar/lamp/on", "admin"),
    ("$SYS/broker/version", "$SYS/broker/version", "monitor admin"),
    ("$SYS/broker/+", "$SYS/broker/version", "monitor admin"),
    ("$SYS/#", "$SYS/broker/version", "monitor admin"),
    ("$CONTROL/#", "", "admin"),
]
# The order of a user's roles makes no difference.
WRITES = [(topic, payload, {**ways, "reversed": ways.get("both", "")}) for topic, payload, ways in WRITES]
READS = [(topic_filter, sample, roles.replace("both", "both reversed")) for topic_filter, sample, roles in READS]
TABLE = matrix.Table(WHO, WRITES, READS, OWNED)


@pytest.fixture(scope="module")
def policy(new_broker):
    made = matrix.Policy(new_broker, "hemtjanst.yaml", TABLE, {"egdirb": "roles: [actor, provider]"})
    with made.broker:
        yield made


class TestTable(matrix.TableTests):
    ROLES = WHO


# What each role may receive, one topic of a kind; a queue is checked by these, whatever it was filled under.
RECEIVES = {
    "provider": {"desired/guest/lamp/on"},
    "actor": {"desired/guest/lamp/on", "desired/cellar/lamp/on", "current/cellar/lamp/on", "device/cellar-lamp",
              "provider/cellar"},
    "janitor": {"current/cellar/lamp/on", "device/cellar-lamp", "provider/cellar"},
    "observer": {"current/cellar/lamp/on", "device/cellar-lamp", "provider/cellar"},
    "admin": {"desired/guest/lamp/on", "desired/cellar/lamp/on", "current/cellar/lamp/on", "device/cellar-lamp",
              "provider/cellar", "weather"},
}


def give_role(policy, role):
    """Write the guest's role into the file; the rules are in force on return."""
    mark = policy.broker.mark()
    holds = f"roles: {json.dumps([role] if role else [])}"
    policy.broker.write_file("acl.yaml", policy.with_user(policy.text, "guest", holds))
    policy.broker.process.signal(signal.SIGHUP)
    policy.broker.wait_log("reloaded", mark)


@pytest.fixture
def guest(policy):
    if "guest:" not in (policy.broker.directory / "users.passwd").read_text(encoding="utf-8"):
        policy.broker.add_user("guest")
    yield lambda role: give_role(policy, role)
    give_role(policy, None)


@pytest.mark.parametrize("role", RECEIVES)
def test_a_queue_filled_under_other_rules(policy, guest, role, version):
    guest("admin")
    policy.sweep()
    session = {"clean": False, "client_id": f"guest-{role}-{version}",
               "props": {"session_expiry_interval": 600} if version == 5 else None}
    with Wire(policy.broker, version, user="guest", **session) as away:
        away.subscribe("#", qos=1)
    with Wire(policy.broker, user="watcher") as watcher:
        for topic in sorted(RECEIVES["admin"]):
            watcher.publish(topic, b"queued", qos=1)
        guest(role)
        with Wire(policy.broker, version, user="guest", **session) as back:
            assert back.connack.session_present
            for topic in sorted(RECEIVES["admin"]):
                watcher.publish(topic, b"live", qos=1)
            watcher.publish(sorted(RECEIVES[role])[0], b"end", qos=1)
            got = [(m.topic, m.payload) for m in back.until(b"end")]
            assert got == [(topic, payload) for payload in (b"queued", b"live") for topic in sorted(RECEIVES[role])]
            guest("admin")
            watcher.publish("weather", b"again", qos=1)
            assert back.message().topic == "weather"
            back.unsubscribe("#")


def test_a_will_is_checked_again_when_it_fires(policy, guest, version):
    guest("provider")
    with policy.watcher() as watcher:
        will = mqtt.Will("current/guest/lamp/reachable", b"0", 2, True)
        client = Wire(policy.broker, version, user="guest", will=will)
        watcher.messages.clear()
        mark = policy.broker.mark()
        guest("actor")
        client.kill()
        denied = policy.broker.wait_log("will-denied", mark, user="guest", topic="current/guest/lamp/reachable")
        assert "deny publish current/#" in denied["rule"]
        watcher.publish("end", b"end", qos=1)
        assert watcher.until(b"end") == []
