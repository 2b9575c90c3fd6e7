"""Clients that subscribe to '#' and show what they get: partial_subscriptions: filter, of a user, a role or a listener."""

import json
import os
import subprocess

import pytest
from broker_fixture import ROOT, TIMEOUT_S, free_bind
from wire import Wire

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
ACL = {
    "roles": {
        "all": ["allow all #"],
        "house": ["allow subscribe house/#"],
        "explorer": {"partial_subscriptions": "filter", "rules": ["allow subscribe house/#"]},
    },
    "users": {"stubborn": {"partial_subscriptions": "refuse", "roles": ["explorer"]},
              "curious": {"partial_subscriptions": "filter", "roles": ["house"]}},
}
USERS = {"anna": ["all"], "explorer": ["explorer"], "plain": ["house"], "stubborn": [], "curious": []}
KEEP = {"session_expiry_interval": 3600}
NOT_AUTHORIZED = 0x87


@pytest.fixture
def broker(new_broker):
    config = {"listeners": [{}, {"bind": free_bind(), "authorization": {"partial_subscriptions": "filter"}}],
              "persistence": {"directory": "store"}, "control": {"socket": "control.sock"},
              "log": {"level": "debug", "audit": "audit.log"}}
    fixture = new_broker(acl=ACL, users=USERS)
    config["listeners"][0] = fixture.config["listeners"][0]
    fixture.config.update(config)
    fixture.write()
    with fixture:
        yield fixture


def status(broker):
    done = subprocess.run([CTL, "-c", "broker.yaml", "--json", "status"], cwd=broker.directory, text=True,
                          capture_output=True, check=True, env=broker.environment, timeout=TIMEOUT_S)
    return json.loads(done.stdout.splitlines()[0])


def test_nearest_word_decides_about_a_subscription_that_is_permitted_in_part(broker):
    refused = {("plain", 0), ("stubborn", 0), ("stubborn", 1)}
    for user in USERS:
        for listener in (0, 1):
            with Wire(broker, user=user, listener=listener) as client:
                client.subscribe("#", expect=[NOT_AUTHORIZED if (user, listener) in refused else 2])


def test_what_could_never_be_read_is_left_out_without_a_warning(broker):
    mark = broker.mark()
    before = status(broker)
    with Wire(broker) as writer, Wire(broker, user="explorer") as reader:
        reader.subscribe("#")
        for i in range(5):
            writer.publish("secret/door", b"%d" % i, qos=1)
        writer.publish("house/lamp", b"on", qos=1)
        assert reader.until(b"on") == []
    found = broker.wait_log("delivery-filtered", mark, user="explorer", topic="secret/door")
    assert found["level"] == "debug"
    assert broker.logged("delivery-denied", mark) == []
    assert "secret/door" not in (broker.directory / "audit.log").read_text()
    after = status(broker)
    assert after["deliveries_filtered"] - before["deliveries_filtered"] == 5
    assert after["denials"] == before["denials"]


def test_what_could_be_read_before_a_reload_is_denied_with_a_warning(broker):
    with Wire(broker) as writer, Wire(broker, user="explorer") as reader:
        reader.subscribe("#", "house/#")  # the first in part, the second whole
        narrowed = {**ACL, "roles": {**ACL["roles"], "explorer": {
            "partial_subscriptions": "filter", "rules": ["deny subscribe house/safe", "allow subscribe house/#"]}}}
        mark = broker.mark()
        broker.write_file("acl.yaml.new", json.dumps(narrowed) + "\n").rename(broker.directory / "acl.yaml")
        broker.wait_log("reloaded", mark)
        writer.publish("house/safe", b"open", qos=1)
        broker.wait_log("delivery-denied", mark, user="explorer", topic="house/safe")


def test_restored_subscription_is_filtered_without_a_warning(broker):
    with Wire(broker, user="explorer", client_id="explorer", clean=False, props=KEEP) as reader:
        reader.subscribe("#")
    broker.stop()
    with broker, Wire(broker) as writer:
        mark = broker.mark()
        writer.publish("secret/door", b"shut", qos=1)
        writer.publish("house/lamp", b"on", qos=1)
        with Wire(broker, user="explorer", client_id="explorer", clean=False, props=KEEP) as reader:
            assert reader.until(b"on") == []
        broker.wait_log("delivery-filtered", mark, user="explorer")
        assert broker.logged("delivery-denied", mark) == []
