"""Files of an older version (tests/compat): its store, password file, broker.yaml and acl.yaml still work, and a store
of a newer format than the broker's is refused with a message."""

import lzma
import os
import re
import shutil
import signal
import subprocess

import broker_fixture
import mqtt
import pytest
from old_broker import (AHEAD, CERTIFICATE, COMMIT, COMPAT, FOREVER, LARGE, OUT_IDS, PREFIX, PROPS, REPLAYED, UNIX, OldBroker,
                       use_free_ports)
from process import TIMEOUT_S
from scram import ScramWire
from wire import Wire

OLD = COMPAT / COMMIT
STORE = os.environ.get("VAKT_STORE", str(broker_fixture.ROOT / "build/tools/broker-store"))
ACL = os.environ.get("VAKT_ACL", str(broker_fixture.ROOT / "build/tools/broker-acl"))
POWERLOSS = os.environ.get("VAKT_POWERLOSS", str(broker_fixture.ROOT / "build/tests/crash/powerloss.so"))
NEXT_FORMAT = os.environ.get("VAKT_NEXT_FORMAT", str(broker_fixture.ROOT / "build/tests/compat/next_format"))
SESSIONS, SUBSCRIPTIONS, WILLS = 14, 16, 3
# Keys of an old broker.yaml that are not accepted any more, and what the broker says of each.
CHANGED = {}


@pytest.fixture
def old(tmp_path, pki):
    """Not running."""
    return OldBroker(tmp_path, pki, OLD / "house")


@pytest.fixture(scope="module")
def broker(tmp_path_factory, pki):
    """One for all clients, each with its own session."""
    with OldBroker(tmp_path_factory.mktemp("old"), pki, OLD / "house") as broker:
        yield broker


def run(program, *words, status=0, **options):
    done = subprocess.run([program, *map(str, words)], env=broker_fixture.ENVIRONMENT, text=True, capture_output=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, **options)
    assert done.returncode == status, f"{program} {words}: {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done


def resumed(broker, client_id, version=5, **options):
    client = Wire(broker, version, client_id=client_id, clean=False, props=FOREVER if version == 5 else None, **options)
    assert client.connack.session_present, client.connack
    return client


def retained(broker, *filters, user="anna"):
    with Wire(broker, user=user) as client:
        client.subscribe(*filters)
        client.settle()
        return {message.topic: message for message in client.messages}


# the store: sessions and queues


def test_all_of_it_is_restored(old):
    with old:
        found = old.logged("store-restored")[0]
        assert [int(found[name]) for name in ("sessions", "subscriptions", "wills")] == [SESSIONS, SUBSCRIPTIONS, WILLS]
        assert not old.logged("config-warning")
    with old:  # by today's broker
        assert int(old.logged("store-restored")[0]["sessions"]) == SESSIONS


def test_a_password_file_that_was_written_anew_with_the_upgrade(old):
    """The old store does not say which ids there were: its sessions and retained values do."""
    path = old.directory / "users.passwd"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(":id=[0-9a-f]{16}", lambda _: ":id=" + os.urandom(8).hex(), text), encoding="utf-8")
    with old:
        said = old.wait_log("users-set-aside")
        assert int(said["users"]) >= 3 and int(said["sessions"]) > 5 and int(said["retained"]) > 0, said
        with Wire(old, client_id="queue-5", clean=False) as client:
            assert not client.connack.session_present
    path.write_text(text, encoding="utf-8")
    with old:
        with resumed(old, "queue-5", user="anna") as client:
            assert_queue([client.message() for _ in range(7)])
        assert retained(old, "#")
    with old:
        assert not old.logged("users-set-aside")


def assert_queue(got, qos_most=2):
    for qos in (1, 2):
        assert [m.payload for m in got if m.topic.startswith("queue/") and m.qos == qos] == [
            f"message {n}".encode() for n in range(6) if min(1 + n % 2, qos_most) == qos]


@pytest.mark.parametrize("client_id, version, user", [("queue-5", 5, "anna"), ("queue-4", 4, "bert")])
def test_queue(broker, client_id, version, user):
    with resumed(broker, client_id, version, user=user) as client:
        got = [client.message() for _ in range(7)]
        client.settle()
        assert not client.messages
        assert_queue(got)
        assert [m.payload for m in got if m.topic == "both"] == [LARGE]
        if version == 5:
            assert all(m.props == PROPS for m in got if m.topic != "both")


def test_queue_of_a_certificate_user(broker):
    with resumed(broker, "certificate", user=None, listener=CERTIFICATE, context=broker.certificate_context) as client:
        assert_queue([client.message() for _ in range(6)])


def test_queue_of_an_anonymous_client(broker):
    with resumed(broker, "anonymous", user=None, listener=UNIX) as client:
        message = client.message()
        assert (message.topic, message.payload) == ("public/weather", b"rain")


def test_scram_and_password(broker):
    with ScramWire(broker, "dora", client_id="scram", clean=False, **FOREVER) as client:
        assert client.connack.session_present
        assert client.message().payload == LARGE
    with resumed(broker, "scram", user="dora"):
        pass


def test_sent_and_not_acknowledged(broker):
    """[MQTT5-4.4.0-1]: with the previous packet identifiers; of what was received only PUBREL arrives."""
    with resumed(broker, "out", user="dora", ack=False) as client:
        packets = [client.read() for _ in range(3)]
    of_qos = {p.qos if p.kind == mqtt.PUBLISH else p.kind: p for p in packets}
    assert sorted(of_qos) == [1, 2, mqtt.PUBREL]
    assert (of_qos[1].payload, of_qos[2].payload) == (b"out 0", b"out 1")
    assert (of_qos[2].packet_id, of_qos[mqtt.PUBREL].packet_id) == OUT_IDS[1:] and of_qos[2].dup


def test_wills_and_a_message_in_the_middle(broker):
    """[MQTT5-4.3.3-10]: a message that was received before is not routed again."""
    with resumed(broker, "in", user="bert") as client:
        client.send(mqtt.publish(5, "in/x", b"once", qos=2, dup=True, packet_id=11))
        assert client.expect(mqtt.PUBREC, 11).reason == 0
        client.send(mqtt.ack(5, mqtt.PUBREL, 11))
        client.expect(mqtt.PUBCOMP, 11)
    with resumed(broker, "watch") as client:
        got = [client.message() for _ in range(3)]
        client.settle()
        assert not client.messages, "never, and later only when its session ends"
        assert sorted((m.topic, m.payload) for m in got) == [
            ("in/x", b"once"), ("wills/now", b"now"), ("wills/soon", b"soon")]
        with resumed(broker, "will-never"), Wire(broker, client_id="will-later"):  # a new session in its place
            later = client.message()
            assert (later.topic, later.payload) == ("wills/later", b"later")
    will = retained(broker, "wills/#")["wills/now"]
    assert will.payload == b"now" and will.props == {"content_type": "text/plain"}


def test_subscriptions_and_their_options(broker):
    with resumed(broker, "options") as client, Wire(broker) as other:
        for topic in ("id", "own", "rap", "share", "gone"):
            other.publish(f"options/{topic}", topic.encode(), qos=1, retain=True)
        client.publish("options/own", b"my own", qos=1)
        other.publish("options/id", b"end", qos=1)
        got = {m.topic: m for m in client.until(b"end")}
        assert sorted(got) == [f"options/{topic}" for topic in ("id", "own", "rap", "share")]
        assert got["options/id"].props == {"subscription_identifier": [268435455]}
        assert [topic for topic, m in got.items() if m.retain] == ["options/rap"]
        assert got["options/own"].payload == b"own"


def test_a_replay_goes_on(broker):
    with resumed(broker, "replay") as client:
        got = [client.message() for _ in range(AHEAD + REPLAYED)]
        client.settle()
        assert not client.messages
        assert [m.payload for m in got if m.topic == "ahead"] == [str(n).encode() for n in range(AHEAD)]
        assert sorted(int(m.payload) for m in got if m.topic.startswith("many/")) == list(range(REPLAYED))


# the store: retained values


def test_retained_values(broker):
    found = retained(broker, "kept/#")
    assert sorted(found) == [f"kept/{name}" for name in ("large", "last", "long", "props", "zero")]
    assert found["kept/props"].props == PROPS and found["kept/props"].payload == b"with properties"
    assert found["kept/large"].payload == LARGE
    assert 0 < found["kept/long"].props["message_expiry_interval"] < 0xFFFFFFF0
    assert [found[f"kept/{name}"].qos for name in ("zero", "last", "long")] == [0, 1, 2]


def test_owners(broker):
    with Wire(broker, user="greta") as greta, Wire(broker, user="fred") as fred:
        assert greta.publish("device/fred", b"stolen", qos=1, retain=True).reason == 0x87
        assert fred.publish("device/fred", b"still of fred", qos=1, retain=True).reason < 0x80
        assert greta.publish("device/greta", b"still of greta", qos=1, retain=True).reason < 0x80
    values = retained(broker, "device/#", user="fred")
    assert {m.payload for m in values.values()} == {b"still of fred", b"still of greta"}


# users and rules


@pytest.mark.parametrize("user", ["anna", "bert", "cara", "dora", "fred", "greta"])
def test_users_log_in(broker, user):
    with Wire(broker, user=user):
        pass
    with Wire(broker, user=user, password="not this one", expect=0x86):
        pass


def test_users_who_cannot_log_in_are_refused(broker):
    for user in ("lena", "porch", "nobody"):
        with Wire(broker, user=user, expect=0x86):
            pass
    with Wire(broker, user=None, password=None, expect=None) as client:
        assert client.connack.reason in (0x86, 0x87)


def test_a_client_id_that_begins_with_the_user(broker):
    with Wire(broker, client_id="anna-lamp", listener=PREFIX) as client:
        assert client.connack.props["receive_maximum"] == 10 and client.connack.props["maximum_qos"] == 1
    Wire(broker, client_id="bert-lamp", listener=PREFIX, expect=0x85).expect_close()


def test_a_client_id_that_goes_on_in_another_name(old):
    """`prefix` accepted it then; now the refusal, and --check from the stored sessions, say which id and what to
    change."""
    text = (old.directory / "broker.yaml").read_text(encoding="utf-8")
    assert text.count("bind_client_id: prefix }") == 1
    as_then = text.replace("bind_client_id: prefix }", "bind_client_id: prefix_any }")
    old.write_file("broker.yaml", as_then)
    with old, Wire(old, client_id="annabell", listener=PREFIX, clean=False, props=FOREVER):
        pass
    old.write_file("broker.yaml", text)
    said = [old.command("--check")]
    with old:
        said.append(old.command("--check"))
        mark = old.mark()
        refused = Wire(old, client_id="annabell", listener=PREFIX, expect=0x85)
        assert "prefix_any" in refused.connack.props["reason_string"]
        logged = old.wait_log("connect-refused", mark, client_id="annabell", user="anna")
        assert "bind_client_id: prefix" in logged["cause"] and "prefix_any" in logged["cause"]
    for done in said:
        assert done.returncode == 0 and "broker.yaml is valid" in done.stdout, done.stderr
        told = [line for line in done.stderr.splitlines() if "client_id" in line]
        assert len(told) == 1, done.stderr
        assert '{"user":"anna","client_id":"annabell"}' in told[0] and "prefix_any" in told[0], told
    old.write_file("broker.yaml", as_then)
    assert "annabell" not in old.command("--check").stderr
    with old, resumed(old, "annabell", listener=PREFIX):
        pass


@pytest.mark.parametrize("user, topic, payload, qos, retain, allowed", [
    ("cara", "news/inbox", b"hello", 1, False, True),
    ("cara", "news/inbox", b"hello", 2, False, False),
    ("cara", "news/inbox", b"hello", 1, True, False),
    ("cara", "news/inbox", b"x" * 1025, 1, False, False),
    ("cara", "news/inbox", b"secret door", 1, False, False),
    ("cara", "state", b"dimmed", 1, False, True),
    ("cara", "state", b"broken", 1, False, False),
    ("cara", "elsewhere", b"", 1, False, False),
    ("fred", "mine/fred/lamp", b"1", 1, False, True),
    ("fred", "mine/greta/lamp", b"1", 1, False, False),
    ("fred", "by/client", b"1", 1, False, True),
])
def test_old_rules_are_enforced(broker, user, topic, payload, qos, retain, allowed):
    with Wire(broker, user=user, client_id="client") as client:
        assert (client.publish(topic, payload, qos=qos, retain=retain).reason != 0x87) == allowed


def test_old_policy_tests_pass(old):
    done = run(ACL, "test", "-c", "broker.yaml", cwd=old.directory)
    assert "17 passed, 0 failed, 0 skipped" in done.stdout, done.stdout


@pytest.mark.parametrize("template", sorted(path.name for path in (OLD / "templates").glob("*.yaml")))
def test_old_templates_are_valid(old, template):
    old.write_file("acl.yaml", (OLD / "templates" / template).read_text(encoding="utf-8"))
    old.write_file("broker.yaml", "listeners: [{ bind: unix:s }]\nauthorization: { acl_file: acl.yaml }\n")
    done = run(ACL, "test", "-c", "broker.yaml", cwd=old.directory)
    assert re.search(r"^\d{2,} passed, 0 failed, 0 skipped$", done.stdout, re.M), done.stdout


# broker.yaml, key by key


def keys(text):
    """Of a --dump, line by line: [("section.key", line)]; lines within a list have no key."""
    found, section = [], ""
    for line in text.splitlines():
        indent, name = (re.match(r"(  )?([a-z_]+):", line) or re.match("()()", line)).groups()
        section = section if indent or not name else name
        found.append((f"{section}.{name}" if indent else name, line))
    return found


def test_every_old_key_is_accepted(old):
    """Each is accepted with its value, or the broker says what to write instead."""
    text, _ = use_free_ports((OLD / "house/all-keys.yaml").read_text(encoding="utf-8"))
    before = keys(text)
    assert len([key for key, _ in before if "." in key]) > 40
    taken = [line for key, line in before if key not in CHANGED]
    old.write_file("broker.yaml", "\n".join(taken) + "\n")
    done = old.command("--dump")
    assert done.returncode == 0, done.stderr
    after = done.stdout.splitlines()
    lost = [line for line in taken if line not in after]
    assert not lost, f"not as it was written: {lost}"
    for key, words in CHANGED.items():
        old.write_file("broker.yaml", f"{key.partition('.')[0]}:\n{dict(before)[key]}\n")
        assert words in old.command("--dump").stderr, key


def test_check_accepts_the_old_directory(old):
    done = old.command("--check")
    assert done.returncode == 0 and "broker.yaml is valid" in done.stdout, done.stdout + done.stderr


def test_what_run_made(tmp_path, pki):
    """tools/run leaves these files alone when it finds them."""
    broker = OldBroker(tmp_path, pki, OLD / "starter")
    password = (OLD / "starter/password").read_text(encoding="utf-8").strip()
    done = broker.command("--check")
    assert done.returncode == 0, done.stderr
    with broker, Wire(broker, user="house", password=password) as client:
        assert client.publish("home/lamp", b"on", qos=1, retain=True).reason < 0x80
        assert client.publish("elsewhere", b"on", qos=1).reason == 0x87
        client.subscribe("home/#")
        assert client.message().payload == b"on"


# broker-store


def test_the_tools_read_it(old):
    store = old.directory / "store"
    info = run(STORE, store, "info").stdout
    assert re.search(r"^format +1\b", info, re.M) and re.search(rf"^session +{SESSIONS} rows$", info, re.M), info
    assert run(STORE, store, "check").stdout.startswith("ok: ")
    rows = run(STORE, store, "dump").stdout
    run(STORE, store, "backup", old.directory / "copy")
    run(STORE, store, "compact")
    assert strip_commit(run(STORE, store, "dump").stdout) == strip_commit(rows)
    (old.directory / "dump").write_text(rows)
    (old.directory / "dump").chmod(0o600)
    run(STORE, old.directory / "loaded", "load", old.directory / "dump")
    assert strip_commit(run(STORE, old.directory / "loaded", "dump").stdout) == strip_commit(rows)
    assert re.search(r"^format +1\b", run(STORE, old.directory / "loaded", "info").stdout, re.M)
    run(STORE, store, "restore", old.directory / "copy")
    assert strip_commit(run(STORE, store, "dump").stdout) == strip_commit(rows)
    run(STORE, store, "load", old.directory / "dump")
    with old:
        assert int(old.logged("store-restored")[0]["sessions"]) == SESSIONS


def strip_commit(rows):
    return [line for line in rows.splitlines() if '"key":"commit"' not in line]


# formats to come


def show(broker, do="show"):
    return dict(part.split("=") for part in run(NEXT_FORMAT, broker.directory / "store", do).stdout.split())


def test_an_upgrade_loses_nothing(old):
    before = show(old)
    after = show(old, "upgrade")
    assert before["next"] == "0" and after["next"] == after["sessions"] == str(SESSIONS)
    assert int(after["format"]) > int(before["format"])
    assert after["rows"] == before["rows"]
    assert show(old, "upgrade") == after


@pytest.mark.parametrize("seed", range(4))
def test_an_upgrade_survives_a_power_cut(old, seed):
    """At any call to the disk: the old store or the new one is complete, and the next start completes the upgrade."""
    store, before = old.directory / "store", show(old)
    whole = {name: (store / name).read_bytes() for name in ("data.mdb", "note")}
    newer = show(old, "upgrade")["format"]
    command = [NEXT_FORMAT, str(store), "upgrade"]
    formats, status, cut = [], -signal.SIGKILL, 0
    while status != 0:
        for name, data in whole.items():
            (store / name).write_bytes(data)
        cut += 1
        status = subprocess.run(command, env={
            **broker_fixture.ENVIRONMENT, "LD_PRELOAD": POWERLOSS, "VAKT_DISK": str(store), "VAKT_DISK_SEED": str(seed),
            "VAKT_DISK_CUT": str(cut), "VAKT_DISK_TROUBLE": str(old.directory / "trouble"),
            "ASAN_OPTIONS": "verify_asan_link_order=0"}, stdout=subprocess.DEVNULL, check=False,
            timeout=TIMEOUT_S).returncode
        assert status in (0, -signal.SIGKILL)
        found = show(old)
        assert found["rows"] == before["rows"]
        assert (found["format"], found["next"]) in ((before["format"], "0"), (newer, str(SESSIONS)))
        formats.append(found["format"])
        assert show(old, "upgrade")["format"] == newer
    assert formats[0] == before["format"] and formats[-1] == newer and len(formats) > 3


def test_a_newer_store_is_refused_with_a_message(old):
    """By all programs that read one, and it is not changed; a backup from before restores everything."""
    store, backup = old.directory / "store", old.directory / "copy"
    run(STORE, store, "backup", backup)
    newer = int(show(old, "upgrade")["format"])
    words = [f"the store is of format {newer}", f"this version of the broker knows formats up to {newer - 1}",
             "install the version that wrote it, or a later one, or restore a backup"]
    data = (store / "data.mdb").read_bytes()
    said = [old.command("--check"), old.command()]
    said += [run(STORE, store, *command, status=1) for command in (
        ["info"], ["check"], ["dump"], ["backup", old.directory / "other"], ["compact"])]
    shutil.copy(store / "data.mdb", old.directory / "newer")
    said.append(run(STORE, store, "restore", old.directory / "newer", status=1))
    for done in said:
        assert all(part in done.stderr for part in words), f"{done.args}: {done.stdout}{done.stderr}"
        assert done.returncode == (2 if done.args[0] == broker_fixture.BROKER else 1)
    assert (store / "data.mdb").read_bytes() == data
    run(STORE, store, "restore", backup)
    with old:
        assert int(old.logged("store-restored")[0]["sessions"]) == SESSIONS


def test_the_store_has_the_old_format():
    """It is never made again: its bytes are the test."""
    assert lzma.decompress((OLD / "house/data.mdb.xz").read_bytes())[16:20] == b"\xde\xc0\xef\xbe"
    assert (OLD / "house/note").stat().st_size == 24
