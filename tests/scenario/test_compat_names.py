"""Names with control characters and noncharacters in the files of an older version (tests/compat/887b23b/names): they are a
reason to close nobody. They are delivered, listed escaped, can be deleted and unsubscribed, and their users log in."""

import os
import subprocess

import broker_fixture
import mqtt
import pytest
from old_broker import COMMIT, COMPAT, FOREVER, ODD, OldBroker
from process import TIMEOUT_S
from statements import answer_of
from wire import Wire

CTL = os.environ.get("VAKT_CTL", str(broker_fixture.ROOT / "build/tools/broker-ctl"))
STORE = os.environ.get("VAKT_STORE", str(broker_fixture.ROOT / "build/tools/broker-store"))
STRANGE = "\x01\x02\x07\x1b\x7f\x85\uffff\ufdd0\U0001fffe"


@pytest.fixture
def broker(tmp_path, pki):
    with OldBroker(tmp_path, pki, COMPAT / COMMIT / "names") as broker:
        yield broker


def resumed(broker, version, client_id=None, **options):
    client = Wire(broker, version, client_id=client_id or f"{ODD.client}{version}", clean=False,
                  props=FOREVER if version == 5 else None, **options)
    assert client.connack.session_present
    return client


def assert_malformed(client, data):
    client.send(data)
    said = answer_of(client)
    assert (said is None) if client.version == 4 else (said.kind == mqtt.DISCONNECT and said.reason == 0x81), said


@pytest.mark.parametrize("version", [4, 5])
def test_sessions_and_queues(broker, version):
    with resumed(broker, version) as client:
        got = [client.message() for _ in range(2)]
        assert sorted((m.topic, m.payload, m.qos) for m in got) == [(ODD.topic, b"waits %d" % qos, qos) for qos in (1, 2)]
        assert version == 4 or all(m.props["response_topic"] == ODD.answer for m in got)
        # another session of that client id, in the place of this one
    with Wire(broker, version, client_id=f"{ODD.client}{version}"):
        pass
    assert_malformed_connect(broker, version)


def assert_malformed_connect(broker, version):
    """That was a clean session: it is not in the store any more."""
    refused = Wire(broker, version, client_id=f"{ODD.client}{version}", expect=None, connect=False)
    refused.send(mqtt.connect(version, refused.client_id, user="anna", password=broker.password("anna")))
    said = answer_of(refused)
    assert (said is None) if version == 4 else (said.kind == mqtt.CONNACK and said.reason == 0x81)


@pytest.mark.parametrize("version", [4, 5])
def test_subscriptions(broker, version):
    """Clients subscribe to what they know after each connect, also where the session has it."""
    with resumed(broker, version) as client:
        client.subscribe(ODD.filter, ODD.share, qos=1)
        client.subscribe(ODD.share, qos=1)
        client.subscribe("plain", ODD.filter, qos=1)
        assert_subscriptions_end(client)


def assert_subscriptions_end(client):
    version, filters = client.version, (ODD.filter, ODD.share)
    reasons = client.unsubscribe(*filters).reasons
    assert version == 4 or reasons == [0, 0]
    reasons = client.unsubscribe(*filters).reasons
    assert version == 4 or reasons == [0x11, 0x11]
    assert_malformed(client, mqtt.subscribe(version, 9, [("plain", 0), (filters[0], 0)]))


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", [4, 5])
def test_retained_of_no_name(broker, version, qos):
    """Deleted by who may; again, by a client that lost the connection before the answer; not by one that never was there."""
    with Wire(broker, version) as client, Wire(broker) as watch:
        watch.subscribe("kept/#")
        assert sorted(watch.message().topic for _ in ODD.retained) == sorted(ODD.retained)
        for topic in ODD.retained:
            client.publish(topic, b"", qos=qos, retain=True)
            assert watch.message().topic == topic
        if qos > 0:
            client.publish(ODD.retained[0], b"", qos=qos, retain=True, dup=True)
        client.settle()
        watch.settle()
        assert not watch.messages
        watch.subscribe("kept/#")
        watch.settle()
        assert not watch.messages
        assert_malformed(client, mqtt.publish(version, ODD.retained[0], b"", qos=qos, retain=True, packet_id=7 if qos else 0))


def test_only_who_may_deletes(broker):
    broker.write_file("acl.yaml", """roles: { all: ["allow all #"], guest: ["allow subscribe #"] }\n""")
    broker.add_user("cara", ["guest"])
    subprocess.run([CTL, "-c", str(broker.directory / "broker.yaml"), "reload"], check=True, env=broker.environment,
                   timeout=TIMEOUT_S, stdout=subprocess.DEVNULL)
    with Wire(broker, user="cara") as client:
        assert client.publish(ODD.retained[0], b"", qos=1, retain=True).reason == 0x87
        client.subscribe("kept/#")
        assert sorted(client.message().topic for _ in ODD.retained) == sorted(ODD.retained)


def test_a_will(broker):
    """Its delay passed while the broker was away."""
    with Wire(broker) as client:
        client.subscribe("wills/#")
        got = client.message()
        assert (got.topic, got.payload, got.retain) == (ODD.will, b"gone", True)
        client.publish(ODD.will, b"", qos=1, retain=True)
        assert client.message().payload == b""


@pytest.mark.parametrize("version", [4, 5])
def test_a_user(broker, version):
    """Only an entry of an older password file has such a name: it logs in, and can be changed."""
    with resumed(broker, version, "of-bob", user=ODD.user) as client:
        assert sorted(client.message().payload for _ in range(2)) == [b"waits 1", b"waits 2"]
    with Wire(broker, version, user=ODD.user, password="not this one", expect=4 if version == 4 else 0x86):
        pass
    stranger = Wire(broker, version, connect=False)
    stranger.send(mqtt.connect(version, "x", user="c\uffffarl", password="x"))
    said = answer_of(stranger)
    assert (said is None) if version == 4 else (said.kind == mqtt.CONNACK and said.reason == 0x81)
    assert "noncharacters" in broker.passwd("add", "c\uffffarl", "--no-password", check=False).stderr
    broker.passwd("set", ODD.user, "--stdin", stdin="another one\n")
    broker.passwd("remove", ODD.user)


def test_they_are_printed_escaped(broker):
    said = [subprocess.run([CTL, "-c", str(broker.directory / "broker.yaml"), *options, *words], check=True, text=True,
                           env=broker.environment, capture_output=True, timeout=TIMEOUT_S).stdout
            for words in (["clients"], ["sessions"], ["retained", "#"], ["usage"]) for options in ([], ["--json"])]
    said += broker.process.lines
    broker.stop()
    said.append(subprocess.run([STORE, str(broker.directory / "store"), "dump"], check=True, text=True, env=broker.environment,
                               capture_output=True, timeout=TIMEOUT_S).stdout)
    said.append(broker.passwd("list").stdout)
    for text in said:
        assert not [c for c in text if c in STRANGE], text
    for name in (ODD.client, ODD.retained[0], ODD.user):
        assert sum(name.encode("unicode_escape").decode() in text or repr_json(name) in text for text in said) >= 2, name


def repr_json(name):
    return "".join(c if 0x20 <= ord(c) < 0x7f else f"\\u{ord(c):04x}" for c in name)
