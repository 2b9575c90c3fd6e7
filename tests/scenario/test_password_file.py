"""A password file that is written anew, as the start script of a container does it: the same names, passwords and
roles, and new ids. "USERS WITH NEW IDS" in broker(8)."""

import json
import os
import re
import subprocess
import time

import broker_fixture
import pytest
from broker_fixture import ENVIRONMENT, PASSWD
from process import TIMEOUT_S
from test_clock import Clock
from test_reload import reload
from wire import Wire

CTL = os.environ.get("VAKT_CTL", str(broker_fixture.ROOT / "build/tools/broker-ctl"))
DAY_S = 24 * 3600
KEPT = {"session_expiry_interval": 30 * DAY_S}
ACL = {"roles": {"all": ["allow all #"]}}
OWN = {"roles": {"all": ["allow publish own/# own", "allow subscribe #"]}}
USERS = {"anna": ["all"], "bert": ["all"]}


@pytest.fixture
def broker(new_broker):
    broker = new_broker(users=USERS, acl=ACL, config={"persistence": {"directory": "store"},
                                                      "control": {"socket": "control.sock"}, "workers": 2})
    yield broker
    if broker.process is not None:
        broker.stop()


def users(broker):
    text = (broker.directory / "users.passwd").read_text(encoding="utf-8")
    return {line.split(":")[0]: re.search(":id=([0-9a-f]{16})", line)[1] for line in text.splitlines()}


def write_anew(broker, names=USERS):
    """Only the ids are others. (The hashes, too, where a script makes them.)"""
    path = broker.directory / "users.passwd"
    before = users(broker)
    text = path.read_text(encoding="utf-8")
    for name in names:
        text = text.replace(before[name], os.urandom(8).hex())
    broker.write_file("users.passwd.new", text).rename(path)
    assert all(users(broker)[name] != before[name] for name in names)
    return before


def ctl(broker, *words, status=0):
    done = subprocess.run([CTL, "--json", "-c", str(broker.directory / "broker.yaml"), *words], env=ENVIRONMENT, text=True,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
    assert done.returncode == status, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def figures(broker):
    found = {}
    for line in ctl(broker, "status"):
        found.update(line)
    return [found[f"set_aside_{what}"] for what in ("users", "sessions", "messages", "retained")], found


def fill(broker):
    """Kept sessions with a subscription, two with queued messages, and retained values."""
    for name, client_id in (("anna", "phone"), ("anna", "tablet"), ("bert", "phone")):
        with Wire(broker, user=name, client_id=client_id, clean=False, props=KEPT) as client:
            client.subscribe(f"queue/{client_id}/#", "$share/g/shared", qos=1)
            client.disconnect()
    with Wire(broker) as client:
        client.publish("queue/phone/1", b"before", qos=1)
        client.publish("state/anna", b"anna's", qos=1, retain=True)
    with Wire(broker, user="bert") as client:
        client.publish("state/bert", b"bert's", qos=1, retain=True)


def retained(broker, topic_filter="state/#"):
    with Wire(broker) as client:
        client.subscribe(topic_filter)
        client.settle()
        return {m.topic: m.payload for m in client.messages}


def resumed(broker, client_id, user="anna", present=True):
    client = Wire(broker, user=user, client_id=client_id, clean=False, props=KEPT)
    assert client.connack.session_present == present
    return client


def require_nothing_is_reachable(broker):
    assert retained(broker) == {}
    for name, client_id in (("anna", "phone"), ("bert", "phone")):
        with Wire(broker, user=name, client_id=client_id) as client:
            assert not client.connack.session_present
            client.settle()
            assert not client.messages


def require_all_is_back(broker):
    for name in ("anna", "bert"):
        with resumed(broker, "phone", name) as client:
            assert client.message().payload == b"before"
            client.settle()
            assert not client.messages, "nothing that came while it was set aside"
            client.disconnect()
    with Wire(broker) as client:
        client.publish("queue/phone/2", b"after", qos=1)
    for name in ("anna", "bert"):
        with resumed(broker, "phone", name) as client:
            assert client.message().payload == b"after"
            client.disconnect()
    found = retained(broker)
    assert found["state/anna"] == b"anna's" and found["state/bert"] == b"bert's"


def take_over(broker, how):
    if how == "reload":
        write_anew(broker)
        reload(broker)
    elif how == "noticed":
        mark = broker.mark()
        write_anew(broker)
        broker.wait_log("reloaded", mark)
    else:
        if how == "killed":
            broker.crash()
        else:
            broker.stop()
        write_anew(broker)
        broker.start()


HOW = ["reload", "noticed", "stopped", "killed"]


@pytest.mark.parametrize("how", HOW)
def test_what_belongs_to_old_ids_is_set_aside(broker, how):
    broker.start()
    fill(broker)
    take_over(broker, how)
    said = broker.wait_log("users-set-aside")
    assert [int(said[what]) for what in ("users", "sessions", "messages", "retained")] == [2, 3, 2, 2]
    assert "restore-ids" in said["remedy"] and "accept-new-ids" in said["remedy"]
    numbers, status = figures(broker)
    assert numbers == [2, 3, 2, 2] and status["set_aside_remedy"] == said["remedy"]
    rows = {row["user"]: row for row in ctl(broker, "set-aside")}
    assert {name: (row["sessions"], row["retained"], row["ends_in_s"]) for name, row in rows.items()} == {
        "anna": (2, 1, None), "bert": (1, 1, None)}
    assert {name: row["new_id"] for name, row in rows.items()} == users(broker)
    assert sorted(row["name"] for row in ctl(broker, "usage") if row["kind"] == "set aside") == ["anna", "bert"]
    require_nothing_is_reachable(broker)
    assert sum(row["set_aside"] for row in ctl(broker, "sessions")) == 3
    assert ctl(broker, "delete-session", "tablet", status=1) == []
    with Wire(broker) as client:
        client.publish("queue/phone/1", b"meanwhile", qos=1)
        client.publish("shared", b"meanwhile", qos=1)
    assert figures(broker)[0] == [2, 3, 2, 2], "no new messages"
    broker.stop()
    broker.start()  # it stays so over restarts
    assert [int(broker.wait_log("users-set-aside")[what]) for what in ("users", "sessions", "retained")] == [2, 3, 2]
    require_nothing_is_reachable(broker)


def test_check_says_what_would_be_set_aside(broker):
    broker.start()
    fill(broker)
    assert "set aside" not in broker.command("--check").stderr  # beside it
    broker.stop()
    assert "set aside" not in broker.command("--check").stderr
    write_anew(broker)
    wanted = ("2 ids that the store knows are gone, and their users have other ids now: 3 sessions with 2 messages and 2 retained "
              "messages are set aside, and nobody gets them")
    for _ in range(2):
        done = broker.command("--check")
        assert done.returncode == 0 and wanted in done.stderr and "accept-new-ids" in done.stderr, done
        if broker.process is None:
            broker.start()  # and when it is so


@pytest.mark.parametrize("how", ["reload", "stopped", "killed"])
def test_a_file_with_the_old_ids_brings_it_back(broker, how):
    broker.start()
    fill(broker)
    old = (broker.directory / "users.passwd").read_text(encoding="utf-8")
    take_over(broker, how)
    if how == "killed":
        with Wire(broker) as client:  # acknowledged once it is stored, and what came before with it
            client.publish("state/later", b"stored", qos=1, retain=True)
        broker.crash()
    elif how == "stopped":
        broker.stop()
    broker.write_file("users.passwd.new", old).rename(broker.directory / "users.passwd")
    reload(broker) if how == "reload" else broker.start()
    require_all_is_back(broker)
    assert broker.wait_log("user-ids-restored")["users"] == "2"
    assert figures(broker)[0] == [0, 0, 0, 0]
    broker.stop()
    assert not broker.start().logged("users-set-aside")


def test_a_topic_of_an_old_id_is_free(broker):
    broker.acl = OWN
    broker.write()
    broker.start()
    old = (broker.directory / "users.passwd").read_text(encoding="utf-8")
    with Wire(broker) as client:
        client.publish("own/a", b"anna's", qos=1, retain=True)
        client.publish("own/b", b"anna's", qos=1, retain=True)
    with Wire(broker, user="bert") as client:
        assert client.publish("own/a", b"bert's", qos=1).reason == 0x87
        take_over(broker, "reload")
    with Wire(broker, user="bert") as client:
        assert client.publish("own/a", b"bert's", qos=1, retain=True).reason < 0x80
    broker.write_file("users.passwd.new", old.replace("bert:id=" + old.split("bert:id=")[1][:16], "bert:id=" + users(broker)["bert"])
                      ).rename(broker.directory / "users.passwd")
    reload(broker)
    with Wire(broker, user="bert") as client:  # anna's again, but for what bert took
        assert client.publish("own/b", b"bert's", qos=1).reason == 0x87
        assert client.publish("own/a", b"bert's", qos=1).reason < 0x80


def restore_ids(broker, *options, stdin="", check=True):
    return broker.passwd("restore-ids", *options, stdin=stdin, check=check)


@pytest.mark.parametrize("how", ["running", "stopped"])
def test_restoring_the_ids_brings_it_back(broker, how):
    broker.start()
    fill(broker)
    before = users(broker)
    take_over(broker, "reload")
    with resumed(broker, "tablet", present=False) as client:  # anna has one of this name
        client.disconnect()
    with resumed(broker, "watch", present=False) as client:  # and none of this
        client.subscribe("watch/#", qos=1)
        client.disconnect()
    with Wire(broker) as client:
        client.publish("watch/1", b"new", qos=1)
        client.publish("state/new", b"new", qos=1, retain=True)
        client.publish("state/anna2", b"new", qos=1, retain=True)
    if how == "stopped":
        broker.stop()
        where = ("-c", str(broker.directory / "broker.yaml"))
    else:
        where = ("--socket", str(broker.directory / "control.sock"))
    now = users(broker)
    done = restore_ids(broker, *where, check=False)
    assert done.returncode == 1 and "--yes" in done.stderr and users(broker) == now
    assert f"anna: id {before['anna']} instead of {now['anna']}, with 2 sessions and 1 retained messages" in done.stdout, done
    assert "bert: id" in done.stdout
    mark = broker.mark() if how == "running" else 0
    done = restore_ids(broker, *where, "--yes")
    assert "has the former ids" in done.stdout and users(broker) == before
    if how == "stopped":
        broker.start()
    said = broker.wait_log("user-ids-restored", mark)
    assert [said[what] for what in ("users", "sessions_moved", "sessions_ended")] == ["2", "1", "1"], said
    require_all_is_back(broker)
    with resumed(broker, "watch") as client:
        assert client.message().payload == b"new"
        client.disconnect()
    assert retained(broker)["state/new"] == b"new"
    assert sorted(row["client_id"] for row in ctl(broker, "sessions")) == ["phone", "phone", "tablet", "watch"]
    assert figures(broker)[0] == [0, 0, 0, 0]
    broker.stop()
    broker.start()
    assert retained(broker)["state/new"] == b"new"
    with resumed(broker, "watch") as client:
        client.disconnect()
    assert "nothing to restore" in restore_ids(broker, "--socket", str(broker.directory / "control.sock")).stdout


def test_restoring_asks_for_one_of_two(broker):
    for options in ((), ("-c",), ("--socket", "x", "-c", "broker.yaml")):
        done = restore_ids(broker, *options, check=False)
        assert done.returncode == 2 and "--socket PATH" in done.stderr, done
    assert "nobody listens" in restore_ids(broker, "--socket", str(broker.directory / "none.sock"), check=False).stderr
    assert restore_ids(broker, "-c", str(broker.directory / "none.yaml"), check=False).returncode == 2


def test_a_user_who_is_removed_and_added_again_gets_nothing(broker):
    """That is not a file that was written anew."""
    broker.start()
    fill(broker)
    broker.passwd("remove", "anna")
    reload(broker)
    broker.add_user("anna", ["all"])
    reload(broker)
    assert not broker.logged("users-set-aside") and figures(broker)[0] == [0, 0, 0, 0]
    broker.stop()
    broker.start()
    assert not broker.logged("users-set-aside")
    with Wire(broker, client_id="phone", clean=False) as client:
        assert not client.connack.session_present


def test_accepting_the_new_ids_deletes_it(broker):
    broker.start()
    fill(broker)
    take_over(broker, "reload")
    with Wire(broker) as client:
        client.publish("state/bert", b"new", qos=1, retain=True)
    mark = broker.mark()
    ctl(broker, "accept-new-ids")
    assert broker.wait_log("set-aside-deleted", mark)["retained"] == "1"
    numbers, status = figures(broker)
    assert numbers == [0, 0, 0, 0] and "set_aside_remedy" not in status and ctl(broker, "set-aside") == []
    assert [row["topic"] for row in ctl(broker, "retained", "#")] == ["state/bert"]
    assert ctl(broker, "sessions") == []
    assert ctl(broker, "accept-new-ids", status=1) == []
    broker.stop()
    broker.start()
    assert not broker.logged("users-set-aside")
    assert [row["topic"] for row in ctl(broker, "retained", "#")] == ["state/bert"]
    assert retained(broker) == {"state/bert": b"new"}


def test_a_crash_while_the_new_ids_are_accepted_leaves_all_or_nothing(broker):
    broker.start()
    fill(broker)
    take_over(broker, "reload")
    ctl(broker, "accept-new-ids")
    broker.crash()
    broker.start()
    numbers = figures(broker)[0]
    assert numbers in ([0, 0, 0, 0], [2, 3, 2, 2])
    if numbers[0] > 0:  # the crash was faster than the store
        ctl(broker, "accept-new-ids")
        broker.wait_log("set-aside-deleted")
    deadline = time.monotonic() + TIMEOUT_S
    while ctl(broker, "retained", "#"):  # all of it may have been done before the crash: then there is no event
        assert time.monotonic() < deadline
    assert ctl(broker, "sessions") == []
    broker.stop()
    broker.start()
    assert not broker.logged("users-set-aside")


def test_only_the_first_set_of_a_name_stays(new_broker, tmp_path):
    clock = Clock(tmp_path)
    broker = new_broker(users=USERS, acl=ACL, environment=clock.environment, config={
        "persistence": {"directory": "store"}, "control": {"socket": "control.sock"}})
    broker.start()
    fill(broker)
    first = users(broker)
    for _ in range(3):
        take_over(broker, "stopped")
        with Wire(broker, client_id="phone", clean=False, props=KEPT) as client:
            client.disconnect()
    rows = ctl(broker, "set-aside")
    assert len(rows) == 4 and {row["id"] for row in rows if row["ends_in_s"] is None} == set(first.values())
    later = [row for row in rows if row["ends_in_s"] is not None]
    assert len(later) == 2 and all(row["user"] == "anna" and 0 < row["ends_in_s"] <= DAY_S for row in later)
    broker.stop()
    clock.set(2 * DAY_S)
    broker.start()
    broker.wait_log("set-aside-deleted")
    rows = ctl(broker, "set-aside")
    assert {row["id"] for row in rows} == set(first.values())
    broker.stop()
