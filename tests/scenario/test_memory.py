"""limits.memory bounds everything that clients make the broker store, and a user within the share does not pay for one
who is not."""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import memory_attacks as attacks
import mqtt
import pytest
from broker_fixture import ROOT
from wire import Closed, Wire, tls_context

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
MB = 1 << 20
KEEP = {"session_expiry_interval": 1000}
EACH = pytest.mark.parametrize("attack", attacks.ATTACKS, ids=[attack.__name__ for attack in attacks.ATTACKS])
ACL = {"roles": {"all": ["deny publish secret/#", "allow all #"]}}


def broker_with(new_broker, memory, **limits):
    broker = new_broker(config={"limits": {"memory": memory, "retained_bytes": memory, **limits}}, acl=ACL,
                      users={"alice": ["all"], "eve": ["all"]})
    broker.config["control"] = {"socket": str(broker.directory / "control")}
    broker.write()
    return broker


def ctl(broker, *words):
    done = subprocess.run([CTL, "-c", str(broker.directory / "broker.yaml"), "--json", *words], text=True, check=True,
                          capture_output=True, env=broker.environment, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def counted(broker):
    return ctl(broker, "status")[0]["memory_counted_bytes"]


def usage_of(broker, name):
    return next((row for row in ctl(broker, "usage") if row["name"] == name), None)


def resident(broker):
    return int(Path(f"/proc/{broker.process.child.pid}/statm").read_text(encoding="ascii").split()[1]) * 4096


def settle(broker):
    """What was sent before is read now."""
    with Wire(broker, user="alice") as last:
        last.settle()


def close_all(wires):
    for wire in wires:
        with contextlib.suppress(OSError, Closed):
            wire.close()


def prepare_alice(broker):
    """Alice's session is stored, with a message in its queue."""
    with Wire(broker, user="alice", client_id="alice-away", props=KEEP) as away, Wire(broker, user="alice") as sender:
        away.subscribe("alice/queue", qos=1)
        away.disconnect()
        sender.publish("alice/queue", b"first", qos=1)


def alice_is_well(broker):
    """Alice connects, subscribes, publishes, gets her messages, and her queue is complete."""
    with Wire(broker, user="alice") as client:
        client.subscribe("alice/live", qos=1)
        for number in range(20):
            payload = b"%d" % number + b"x" * 1000
            assert client.publish("alice/live", payload, qos=1).reason == 0
            assert client.message().payload == payload
        assert client.publish("alice/state", b"on" * 500, qos=1, retain=True).reason in (0, 0x10)
        assert client.publish("alice/queue", b"second", qos=1).reason == 0
    with Wire(broker, user="alice", client_id="alice-away", clean=False, props=KEEP,
              will=mqtt.Will("alice/will", b"gone")) as back:
        assert back.connack.session_present
        assert [back.message().payload for _ in range(2)] == [b"first", b"second"]
        back.disconnect()


@EACH
def test_eve_costs_alice_nothing(new_broker, attack):
    """Eve tries to take three times the whole limit. What is counted stays below it, and after she has disconnected
    only her stored data is left."""
    with broker_with(new_broker, "4M") as broker:
        prepare_alice(broker)
        before = counted(broker)
        wires = attack(broker, 12, MB)
        settle(broker)
        assert counted(broker) <= 4 * MB
        alice_is_well(broker)
        close_all(wires)
        if attack not in (attacks.queues, attacks.client_ids, attacks.retained):
            while counted(broker) > before + 20_000:
                pass


def test_all_attacks_at_once_are_bounded(new_broker):
    """Eve has one user name, and her connections have one address before their login."""
    with broker_with(new_broker, "4M") as broker:
        prepare_alice(broker)
        wires = [wire for attack in attacks.ATTACKS for wire in attack(broker, 8, MB)]
        settle(broker)
        assert counted(broker) <= 4 * MB
        alice_is_well(broker)
        close_all(wires)


@pytest.mark.parametrize("attack", [attacks.subscriptions, attacks.unfinished, attacks.queues, attacks.retained, attacks.in_flight, attacks.slow_readers],
                         ids=lambda attack: attack.__name__)
def test_refusals_are_logged_and_counted(new_broker, attack):
    """The cause names the key that was reached: the share, since above three quarters she has more than it."""
    with broker_with(new_broker, "2M") as broker:
        mark = broker.mark()
        wires = attack(broker, 12, MB)
        settle(broker)
        said = [line for event in ("memory-refused", "message-dropped", "retain-refused") for line in broker.logged(event, mark)]
        assert said and all(line["user"] == "eve" for line in said), said
        assert any("_per_user is reached" in line["cause"] for line in said), said
        close_all(wires)


@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
def test_unreleased_identifiers(new_broker, version):
    """They never stop the reading or end the connection: if there is no memory for one, its message is refused."""
    count, batch = 8000, 200
    with broker_with(new_broker, "512k", receive_maximum=65535) as broker, Wire(broker, version, user="eve") as client:
        mark, before, refused = broker.mark(), counted(broker), set()
        for first in range(1, count + 1, batch):
            ids = range(first, first + batch)
            client.send(b"".join(mqtt.publish(version, "eve/2", b"x", qos=2, packet_id=n) for n in ids))
            answers = [client.expect(mqtt.PUBREC) for _ in ids]
            assert [answer.packet_id for answer in answers] == list(ids)
            refused |= {answer.packet_id for answer in answers if answer.reason >= 0x80}
            assert {answer.reason for answer in answers} <= {0, 0x10, 0x97}
        assert counted(broker) <= 512 << 10
        assert broker.wait_log("memory-refused", mark, what="a message", user="eve")["cause"].startswith("limits.memory")
        assert version == 4 or 2000 < count - len(refused) < count
        for n in range(1, count + 1):
            if n not in refused:
                client.send(mqtt.ack(version, mqtt.PUBREL, n))
                assert client.expect(mqtt.PUBCOMP, n).reason == 0
        while counted(broker) > before + 20_000:
            pass
        assert client.publish("eve/2", b"x", qos=2).reason in (0, 0x10)


def test_below_three_quarters_nobody_is_refused(new_broker):
    """A share does not limit while there is plenty."""
    with broker_with(new_broker, "4M") as broker, Wire(broker, user="eve", client_id="eve-away", props=KEEP) as away:
        mark = broker.mark()
        away.subscribe("eve/#", qos=1)
        away.disconnect()
        with Wire(broker, user="eve") as sender:
            for _ in range(28):  # two of the three MB
                assert sender.publish("eve/queue", b"x" * 75_000, qos=1).reason == 0
        assert usage_of(broker, "eve")["memory_bytes"] > 2 * MB
        assert not broker.logged("message-dropped", mark)


def test_one_user_has_no_share(new_broker):
    """If only one user can log in, all of it is theirs."""
    broker = new_broker(config={"limits": {"memory": "2M"}}, users={"anna": ["all"]})
    with broker, Wire(broker, client_id="away", props=KEEP) as away:
        mark = broker.mark()
        away.subscribe("a/#", qos=1)
        away.disconnect()
        with Wire(broker) as sender:
            for _ in range(30):
                sender.publish("a/b", b"x" * 75_000, qos=1)
        assert {line["cause"] for line in broker.logged("message-dropped", mark)} == {"limits.memory is reached"}


def test_a_share_of_what_is_retained(new_broker):
    """It has a key of its own; a retained message can always be replaced by one that is not larger."""
    with broker_with(new_broker, "64M", retained_bytes="1M") as broker, Wire(broker, user="eve") as client, \
            Wire(broker, user="alice") as other:
        answers = [client.publish(f"eve/{n}", b"x" * 10_000, qos=1, retain=True) for n in range(120)]
        assert {answer.reason for answer in answers} == {0x10, 0x97} and answers[60].reason == 0x10
        assert "retained_bytes_per_user" in answers[-1].props["reason_string"]
        assert client.publish("eve/0", b"y" * 10_000, qos=1, retain=True).reason == 0x10
        for n in range(15):
            assert other.publish(f"alice/{n}", b"x" * 10_000, qos=1, retain=True).reason == 0x10


def test_a_will_that_is_refused(new_broker):
    """CONNECT is answered with Quota exceeded; a reserve is left for clients that resume a stored session."""
    with broker_with(new_broker, "1M", memory_per_user=0) as broker:
        with Wire(broker, user="alice", client_id="kept", props=KEEP) as client:
            client.disconnect()
        wires = attacks.wills(broker, 120, 12_000)
        assert {wire.connack.reason for wire in wires} == {0, 0x97}
        wires += attacks.wills(broker, 10, 3_000) + attacks.wills(broker, 10, 1_000)
        with Wire(broker, user="alice", client_id="kept", clean=False, props=KEEP, will=mqtt.Will("w", b"x" * 10_000)) as back:
            assert back.connack.session_present
        close_all(wires)


def test_a_subscription_that_is_refused(new_broker):
    """0x97 for its filter, 0x80 in 3.1.1; filters of the same packet that were granted before are kept."""
    with broker_with(new_broker, "1M") as broker:
        for version, reason in ((5, 0x97), (4, 0x80)):
            with Wire(broker, version, user="eve") as client:
                reasons = []
                while reason not in reasons and len(reasons) < 4000:
                    # Within one TLS record: an unfinished packet would take memory, too.
                    client.send(mqtt.subscribe(version, 1, [(f"eve/{len(reasons)}/{n}/" + "f" * 500, 1) for n in range(25)]))
                    reasons += client.expect(mqtt.SUBACK).reasons
                first = reasons.index(reason)
                assert set(reasons[:first]) == {1} and set(reasons[first:]) == {reason}
                client.subscribe(f"eve/0/0/{'f' * 500}", qos=1)  # one that is replaced needs no memory


def test_an_alias_that_is_refused(new_broker):
    """The message that sets it has its topic, and is routed. Messages that use it are refused, never routed to the
    previous topic; set again when there is memory it works again. A denied message sets its alias like any other."""
    with broker_with(new_broker, "1M", topic_alias_maximum=100) as broker, Wire(broker, user="eve") as client, \
            Wire(broker, user="alice") as witness:
        witness.subscribe("eve/#", "alias/#", qos=1)
        client.publish("eve/old", b"1", qos=1, props={"topic_alias": 1})
        assert client.publish("secret/denied", b"", qos=1, props={"topic_alias": 2}).reason == 0x87
        assert client.publish("", b"", qos=1, props={"topic_alias": 2}).reason == 0x87
        for n in range(3, 90):
            client.publish(f"secret/{n}/" + "a" * 12_000, b"", qos=0, props={"topic_alias": n})
        mark = broker.mark()
        long = "alias/" + "n" * 12_000
        assert client.publish(long, b"2", qos=1, props={"topic_alias": 1}).reason == 0
        refused = client.publish("", b"3", qos=1, props={"topic_alias": 1})
        assert refused.reason == 0x97 and "alias" in refused.props["reason_string"]
        client.publish("", b"4", qos=0, props={"topic_alias": 1})
        broker.wait_log("memory-refused", mark, what="a message to a topic alias")
        client.publish("eve/short", b"5", qos=1, props={"topic_alias": 1})
        client.publish("", b"end", qos=1, props={"topic_alias": 1})
        got = [(m.topic[:9], m.payload) for m in witness.until(b"end")]
        assert got == [("eve/old", b"1"), ("alias/nnn", b"2"), ("eve/short", b"5")]


def test_a_queue_on_disk_is_not_dropped(new_broker):
    """There is no memory for it, so it stays on disk; it is read in small pieces, in order."""
    broker = broker_with(new_broker, "1M", queue_messages=1000)
    broker.config["persistence"] = {"directory": str(broker.directory / "store")}
    broker.write()
    with broker:
        slow = Wire(broker, user="eve", client_id="eve-away", props={**KEEP, "receive_maximum": 2}, ack=False)
        slow.subscribe("eve/queue", qos=1)
        wires = attacks.subscriptions(broker, 4, MB)
        with Wire(broker, user="alice") as sender:
            for number in range(60):
                assert sender.publish("eve/queue", b"%03d" % number + b"x" * 12_000, qos=1).reason == 0
            slow.kill()
            with Wire(broker, user="eve", client_id="eve-away", clean=False, props=KEEP) as back:
                got = [back.message().payload[:3] for _ in range(60)]
        assert got == [b"%03d" % number for number in range(60)]
        assert counted(broker) <= MB
        close_all(wires)


def test_stored_data_survives_a_lower_limit(new_broker):
    """After a start with lower limits nothing that was stored is lost: it only cannot grow."""
    broker = broker_with(new_broker, "64M")
    broker.config["persistence"] = {"directory": str(broker.directory / "store")}
    broker.write()
    with broker, Wire(broker, user="eve", client_id="kept", props=KEEP) as client:
        client.subscribe("eve/queue", *(f"eve/{n}/{'f' * 500}" for n in range(500)), qos=1)
        client.disconnect()
        with Wire(broker, user="eve") as sender:
            for n in range(40):
                assert sender.publish(f"eve/retained/{n}", b"x" * 12_000, qos=1, retain=True).reason == 0x10
                assert sender.publish("eve/queue", b"%d" % n, qos=1).reason == 0
    broker.config["limits"].update(memory="512k", retained_bytes="64k")
    broker.write()
    with broker:
        assert counted(broker) > MB // 2
        with Wire(broker, user="eve", client_id="kept", clean=False, props=KEEP) as back:
            assert back.connack.session_present
            assert [back.message().payload for _ in range(40)] == [b"%d" % n for n in range(40)]
            assert back.publish("eve/retained/40", b"x", qos=1, retain=True).reason == 0x97
            assert back.publish("eve/retained/1", b"x", qos=1, retain=True).reason == 0x10
            back.subscribe("eve/1/" + "f" * 500, qos=1)
            back.subscribe("eve/new", qos=1, expect=[0x97])


def test_usage(new_broker):
    """Memory by payer: users, anonymous clients together, and addresses."""
    broker = broker_with(new_broker, "64M")
    broker.config["authentication"]["anonymous"] = True
    broker.acl["anonymous"] = {"roles": ["all"]}
    broker.write()
    with broker, Wire(broker, user="alice") as alice, Wire(broker, user=None) as nobody, Wire(broker, user="eve") as client:
        client.publish("eve/state", b"x" * 10_000, qos=1, retain=True)
        alice.subscribe("alice/#")
        nobody.subscribe("some/#")
        stranger = Wire(broker, connect=False)
        rows = {(row["kind"], row["name"]): row for row in ctl(broker, "usage")}
        assert 10_000 < rows["user", "eve"]["retained_bytes"] < rows["user", "eve"]["memory_bytes"]
        assert rows["user", "alice"]["connections"] == 1 and rows["user", "alice"]["retained_bytes"] == 0
        assert rows["anonymous", None]["memory_bytes"] > 0 and rows["anonymous", None]["connections"] == 0
        assert rows["address", "127.0.0.1"]["connections"] == 1
        assert rows["unauthenticated", "127.0.0.1"]["connections"] == 1
        stranger.close()
        assert next(iter(rows)) == ("user", "eve")
        table = subprocess.run([CTL, "-c", str(broker.directory / "broker.yaml"), "usage"], text=True, check=True,
                               capture_output=True, env=broker.environment, timeout=60).stdout
        assert {"WHO", "NAME", "MEMORY", "RETAINED", "CONNECTIONS"} <= set(table.splitlines()[0].split())


def test_check_prints_the_sum(new_broker):
    broker = new_broker(config={"limits": {"memory": "16M", "connections": 900, "unauthenticated": 100}})
    said = broker.command("--check").stdout
    assert "memory: at most 203.5M: 16.0M for data of clients (limits.memory)" in said, said


@pytest.mark.full
def test_five_thousand_of_one_address(new_broker):
    """Before any login, each connection sets ten aliases of 60,000 bytes: 3 GB."""
    broker = broker_with(new_broker, "16M", unauthenticated=6000)
    broker.config["authentication"]["anonymous"] = True
    broker.acl["anonymous"] = {"roles": ["all"]}
    broker.write()
    with broker:
        context, wires = tls_context(broker.pki), []
        for _ in range(4990):
            wire = Wire(broker, user=None, context=context, expect=None)
            wires.append(wire)
            with contextlib.suppress(Closed):
                for n in range(1, 11):
                    wire.send(mqtt.publish(5, f"secret/{n}/" + "a" * 60_000, b"", props={"topic_alias": n}))
        print(f"{resident(broker) / MB:.1f} MB in all, {counted(broker) / MB:.1f} MB counted")
        assert resident(broker) < 16 * MB + 5000 * 64 * 1024
        close_all(wires)


@pytest.mark.full
@EACH
def test_a_hundred_connections(new_broker, attack):
    """The process itself: 100 connections, each of which tries to take 2 MB, with a limit of 16 MB."""
    with broker_with(new_broker, "16M") as broker:
        idle = attacks.accepted(broker, 101)
        close_all(idle)
        before = resident(broker)
        wires = attack(broker, 100, 2 * MB)
        settle(broker)
        grown = resident(broker) - before
        print(f"{attack.__name__}: {grown / MB:.1f} MB more, {counted(broker) / MB:.1f} MB counted")
        assert counted(broker) <= 16 * MB
        assert grown <= 16 * MB + 100 * 192 * 1024, grown
        close_all(wires)
