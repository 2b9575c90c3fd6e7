"""The questions of a house: each situation is made with real clients, and broker-ctl has the answer."""

import copy
import itertools
import json
import os
import pty
import select
import signal
import socket
import ssl
import subprocess
import time

import mqtt
import pytest
from clients import MosquittoSub, Paho, mosquitto_pub
from control import CTL, ctl, rows, run_ctl
from process import TIMEOUT_S, LineProcess
from wire import Wire

ACL = {"roles": {"all": ["allow all #"], "lamp": ["allow publish current/%u/#", "deny subscribe secret/#", "allow subscribe desired/%u/#"]}}
USERS = {"anna": ["all"], "porch": ["lamp"]}


@pytest.fixture(name="broker")
def _broker(new_broker):
    with new_broker(config={"workers": 2, "control": {"socket": "control.sock"}}, acl=copy.deepcopy(ACL), users=USERS) as broker:
        yield broker


class Following(LineProcess):
    """A command of broker-ctl whose answer runs on."""

    def __init__(self, broker, *words):
        super().__init__([CTL, "-c", "broker.yaml", *words], cwd=broker.directory, env=broker.environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def wait_rows(broker, *words, **wanted):
    """Until there is a row with these members."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        found = rows(broker, *words)
        hits = [r for r in found if all(r.get(k) == v for k, v in wanted.items())]
        if hits:
            return hits
        assert time.monotonic() < deadline, f"{words}: no row has {wanted}: {found}"
        time.sleep(0.05)


# is it safe to reload?

def change_yaml(broker, **sections):
    """Nothing but broker.yaml, which is not reloaded before somebody asks; rules that are not yet in force are in a new file."""
    for name, section in sections.items():
        broker.config.setdefault(name, {}).update(section)
    broker.write_file("broker.yaml", json.dumps(broker.config))


def test_what_a_reload_would_change(broker):
    """As the reload does it, then; and asking changes nothing."""
    assert rows(broker, "preview") == []
    acl = copy.deepcopy(ACL)
    acl["roles"]["lamp"].append("allow publish extra/#")
    broker.write_file("new.yaml", json.dumps(acl))
    change_yaml(broker, authorization={"acl_file": "new.yaml"}, log={"level": "debug"})
    mark = broker.mark()
    said = rows(broker, "preview")
    assert any("extra/#" in row["detail"] for row in said) and any(row["name"] == "log.level" for row in said), said
    assert rows(broker, "preview") == said and not broker.logged("reload-change", mark)
    ctl(broker, "reload")
    broker.wait_log("reloaded", mark)
    done = [(line["what"], line["name"]) for line in broker.logged("reload-change", mark)]
    assert [(row["what"], row["name"]) for row in said] == done
    assert rows(broker, "preview") == []


def test_a_reload_that_would_change_nothing(broker):
    """The mistake and its place; and what waits for a restart."""
    change_yaml(broker, persistence={"directory": "elsewhere"})
    assert any(row["what"] == "warning" and "takes effect when the broker is restarted" in row["detail"] for row in rows(broker, "preview"))
    change_yaml(broker, limits={"max_paket_size": "2M"})
    done = run_ctl(broker, "--socket", "control.sock", "--json", "preview", status=1)
    error, = (row for row in map(json.loads, done.stdout.splitlines()) if row["what"] == "error")
    assert "broker.yaml:" in error["name"] and "did you mean 'max_packet_size'?" in error["detail"]
    assert "a reload would change nothing" in done.stderr


# what was lost, and why?

def test_what_was_lost_of_whom_and_why(new_broker):
    config = {"workers": 2, "control": {"socket": "control.sock"}, "limits": {"queue_messages": 3}}
    with new_broker(config=config, acl=copy.deepcopy(ACL), users=USERS) as broker:
        with Wire(broker, client_id="cellar", clean=False, props={"session_expiry_interval": 3600}) as cellar:
            cellar.subscribe("news/#", qos=1)
        with Wire(broker, client_id="small", props={"maximum_packet_size": 200}) as small, Wire(broker) as feed:
            small.subscribe("news/#", qos=1)
            assert rows(broker, "losses") == []
            for _ in range(5):
                feed.publish("news/1", b"x" * 300, qos=1)
            full, = wait_rows(broker, "losses", client_id="cellar", count=2)
            assert full["user"] == "anna" and "limits.queue_messages" in full["cause"]
            large, = wait_rows(broker, "losses", client_id="small", count=5)
            assert "Maximum Packet Size" in large["cause"]
            assert [row["client_id"] for row in rows(broker, "losses", "--match", "Maximum Packet")] == ["small"]
        Wire(broker, client_id="cellar", clean=True).close()
        ended, = wait_rows(broker, "losses", "--match", "queued messages")
        assert ended["client_id"] == "cellar" and ended["cause"].startswith("3 queued messages: ")


# why is it offline?

def test_it_disconnected_or_was_lost(broker):
    mosquitto_pub(broker, "-t", "a", "-m", "b", client_id="lamp-1")
    said, = wait_rows(broker, "ends", client_id="lamp-1")
    assert said["what"] == "disconnect" and said["user"] == "anna" and said["address"] == "127.0.0.1"
    assert said["cause"] == "the client sent DISCONNECT" and said["count"] == 1 and said["connected_s"] < 60
    with MosquittoSub(broker, "-t", "x", client_id="lamp-2") as lost:
        lost.kill()
        assert wait_rows(broker, "ends", client_id="lamp-2")[0]["what"] == "lost"


def test_two_devices_fight_for_a_client_id(broker):
    first = Paho(broker, client_id="twin")
    with Paho(broker, client_id="twin"):
        end, = wait_rows(broker, "ends", client_id="twin", what="taken-over")
        assert end["taken_by"].startswith("127.0.0.1:") and "took the session over" in end["cause"]
    first.client.loop_stop()


def test_a_missed_keep_alive(broker):
    with socket.create_connection(broker.addresses[0], timeout=TIMEOUT_S) as plain:


        context = ssl.create_default_context(cafile=str(broker.pki.path("ca.crt")))
        with context.wrap_socket(plain, server_hostname="localhost") as silent:
            silent.sendall(mqtt.connect(5, "silent", user="anna", password=broker.password("anna"), keep_alive=1))
            assert silent.recv(4)
            end, = wait_rows(broker, "ends", client_id="silent")
    assert end["what"] == "keep-alive" and "one and a half keep alive" in end["cause"]


def test_its_password_is_wrong(broker):
    for _ in range(2):
        assert mosquitto_pub(broker, "-t", "a", "-m", "b", client_id="guest", password="wrong").returncode != 0
    refused, = wait_rows(broker, "ends", client_id="guest", count=2)
    assert refused["what"] == "refused" and refused["user"] == "anna" and refused["first"] <= refused["time"]


# which device fails TLS?

def test_a_device_without_tls(broker):
    for _ in range(2):
        subprocess.run(["mosquitto_pub", "-h", broker.addresses[0][0], "-p", str(broker.addresses[0][1]), "-t", "a", "-m", "b"],
                       check=False, capture_output=True, timeout=TIMEOUT_S)
    row, = wait_rows(broker, "ends", what="no-tls", count=2)
    assert row["address"] == "127.0.0.1" and row["client_id"] is None and "enable TLS in the client" in row["cause"]
    assert row["listener"] == broker.config["listeners"][0]["bind"]


def test_a_device_that_does_not_trust_the_broker(broker):
    other = broker.pki.authority("other")
    done = subprocess.run(["mosquitto_pub", "-h", "localhost", "-p", str(broker.addresses[0][1]), "--cafile", str(other), "-t", "a",
                           "-m", "b"], check=False, capture_output=True, timeout=TIMEOUT_S)
    assert done.returncode != 0
    assert "CA" in wait_rows(broker, "ends", what="tls")[0]["cause"]


# why denied?

def test_a_denial_says_what_would_allow_it(broker):
    with Paho(broker, client_id="porch-1", user="porch") as lamp:
        for _ in range(3):
            lamp.publish("current/attic/on", "1", qos=1)
        lamp.publish("odd topic/it's", "1", qos=1)
        lamp.subscribe("secret/plans")
    denied = {r["topic"]: r for r in rows(broker, "denials")}
    assert denied["current/attic/on"] == {**denied["current/attic/on"], "count": 3, "action": "publish", "user": "porch",
                                          "client_id": "porch-1", "address": "127.0.0.1", "rule": "no rule allows it",
                                          "would_allow": "allow publish current/attic/on"}
    assert denied["odd topic/it's"]["would_allow"] == "allow publish 'odd topic/it''s'"
    assert denied["secret/plans"]["rule"].endswith("deny subscribe secret/#")
    assert denied["secret/plans"]["action"] == "subscribe"


def test_what_would_allow_it_does(broker):
    with Paho(broker, client_id="porch-1", user="porch") as lamp:
        lamp.publish("odd topic/it's", "1", qos=1)
        broker.acl["roles"]["lamp"].append(rows(broker, "denials")[0]["would_allow"])
        broker.write()
        ctl(broker, "reload")
        lamp.publish("odd topic/it's", "1", qos=1)


# long lists

def test_windows_and_match(broker):
    for n in range(5):
        mosquitto_pub(broker, "-t", "a", "-m", "b", client_id=f"Sensor-{n}")
    wait_rows(broker, "ends", client_id="Sensor-4")
    read, after = [], ()
    while True:
        part = rows(broker, "ends", "--match", "sensor-", "--limit", "2", *after)
        assert len(part) <= 2
        if not part:
            break
        read += [r["client_id"] for r in part]
        after = ("--after", part[-1]["key"])
    assert read == [f"Sensor-{n}" for n in reversed(range(5))]
    assert "limit must be a number from 1 to 200" in ctl(broker, "ends", "--limit", "201", status=1).stderr
    assert "TIMES  WHAT" in ctl(broker, "ends").stdout


def test_windows_of_clients_and_sessions(broker):
    names = [f"Lamp-{n}" for n in range(5)]
    clients = [Paho(broker, client_id=name, user="porch" if name == "Lamp-3" else "anna") for name in names]
    try:
        for command in ("clients", "sessions"):
            first = rows(broker, command, "--limit", "3")
            assert [r["client_id"] for r in first] == names[:3]
            assert [r["client_id"] for r in rows(broker, command, "--limit", "3", "--after", first[-1]["key"])] == names[3:]
            assert [r["client_id"] for r in rows(broker, command, "--match", "PORCH")] == ["Lamp-3"]
            assert len(rows(broker, command, "--match", "127.0.0.1:")) == len(rows(broker, command)) == 5
    finally:
        for client in clients:
            client.close()


# everything about one client

def test_a_client_that_is_here(broker):
    with Paho(broker, client_id="porch-1", user="porch") as lamp:
        lamp.subscribe("desired/porch/#", 1)
        lamp.publish("current/attic/on", "1", qos=1)
        session, subscription, denial = rows(broker, "client", "porch-1")
        assert session["about"] == "session" and session["connected"] and session["user"] == "porch"
        assert session["tls"] == "TLSv1.3" and session["peer"].startswith("127.0.0.1:") and session["subscriptions"] == 1
        assert subscription["about"] == "subscription" and (subscription["filter"], subscription["qos"]) == ("desired/porch/#", 1)
        assert denial["about"] == "denial" and denial["would_allow"] == "allow publish current/attic/on"
        shown = ctl(broker, "client", "porch-1").stdout
        assert "client id" in shown and "subscription" in shown and "filter desired/porch/#, qos 1" in shown and "about" not in shown


def test_a_client_that_is_away(broker):
    mosquitto_pub(broker, "-t", "a", "-m", "b", client_id="gone")
    wait_rows(broker, "ends", client_id="gone")
    end, = rows(broker, "client", "gone")
    assert end["about"] == "end" and end["cause"] == "the client sent DISCONNECT"
    assert "nothing is known of a client" in ctl(broker, "client", "nobody", status=1).stderr


# who would receive this?

def test_who_may_write_to_a_topic(new_broker):
    acl = {**copy.deepcopy(ACL), "anonymous": {"rules": ["allow publish guests/#"]}}
    acl["roles"]["own"] = ["allow publish by-id/%c/#"]
    config = {"control": {"socket": "control.sock"}, "authentication": {"anonymous": True}}
    with new_broker(config=config, acl=acl, users={**USERS, "bert": ["lamp", "own"], "gone": ["all"]}) as broker:
        ctl(broker, "reload")
        broker.passwd("lock", "gone")
        mark = broker.mark()
        ctl(broker, "reload")
        broker.wait_log("reloaded", mark)

        def writers(topic):
            return {row["user"]: row for row in rows(broker, "writers", topic)}
        assert writers("current/porch/on").keys() == {"anna", "porch"}
        assert "allow publish current/%u/#" in writers("current/porch/on")["porch"]["rule"]
        assert writers("guests/1").keys() == {"anna", None}
        assert {user: row["client_id"] for user, row in writers("by-id/lamp/1").items()} == {"anna": None, "bert": "lamp"}
        assert [row["user"] for row in rows(broker, "writers", "current/porch/on", "--after", "anna", "--limit", "5")] == ["porch"]
        assert "not a topic name" in ctl(broker, "writers", "a/#", status=1).stderr


def test_who_would_receive_a_topic(broker):
    with Paho(broker, client_id="all") as every, Paho(broker, client_id="porch-1", user="porch") as lamp:
        every.subscribe("#")
        every.subscribe("$share/group/desired/+/on", 1)
        lamp.subscribe("desired/porch/#", 1)
        found = {(r["client_id"], r["filter"]): r for r in rows(broker, "subscriptions", "desired/porch/on")}
        assert set(found) == {("all", "#"), ("all", "$share/group/desired/+/on"), ("porch-1", "desired/porch/#")}
        assert all(r["may_receive"] and "allow" in r["rule"] for r in found.values())
        assert [r["client_id"] for r in rows(broker, "subscriptions", "current/+", "--match", "ALL")] == ["all"]
        assert rows(broker, "subscriptions", "$SYS/broker/uptime") == []
        first, = rows(broker, "subscriptions", "desired/porch/on", "--limit", "1")
        assert first["filter"] == "#" and len(rows(broker, "subscriptions", "desired/porch/on", "--after", first["key"])) == 2


# what would this rule change allow? may this user do that?

def test_explain(broker):
    verdict, own, role = rows(broker, "explain", "current/attic/on", "--action", "publish", "--user", "porch")
    assert verdict["allowed"] is False and verdict["would_allow"] == "allow publish current/attic/on"
    assert own["about"] == "own rules" and own["decides"] is None and role["role"] == "lamp" and role["rules"] == 3
    verdict, *_, role = rows(broker, "explain", "current/porch/on", "--action", "publish", "--user", "porch")
    assert verdict["allowed"] and verdict["rule"].endswith("allow publish current/%u/#") and role["decides"] == "allow"
    assert rows(broker, "explain", "a", "--action", "receive")[0]["user"] is None
    assert "--action" in ctl(broker, "explain", "a", status=1).stderr
    assert "nobody" in rows(broker, "explain", "a", "--action", "will", "--user", "nobody")[0]["login_refused"]


def test_users_and_roles_without_secrets(broker):
    with Paho(broker, client_id="porch-1", user="porch"):
        porch, = [r for r in rows(broker, "users") if r["user"] == "porch"]
        assert porch["roles"] == "lamp" and porch["connections"] == 1 and porch["password"] and not porch["locked"]
        assert "$" not in ctl(broker, "users").stdout + ctl(broker, "--json", "users").stdout
    rules = [r["rule"] for r in rows(broker, "roles") if r["name"] == "lamp"]
    assert rules == ACL["roles"]["lamp"]


# when does a certificate end?

def test_listeners_and_certificates(broker):
    with Paho(broker, client_id="a"):
        listener, = rows(broker, "listeners")
        assert listener["listener"] == broker.config["listeners"][0]["bind"]
        assert (listener["protocol"], listener["clients"], listener["refused"]) == ("mqtt", 1, 0)
    ends = rows(broker, "certificates")
    assert {r["file"] for r in ends} == {str(broker.pki.path(f"server-{key}.crt")) for key in ("ec", "rsa")}
    assert all(r["kind"] == "certificate" and not r["expired"] and r["left_s"] > 0 for r in ends)
    assert [r["until"] for r in ends] == sorted(r["until"] for r in ends)


# what happens to it just now?

def test_trace_follows_one_client(broker):
    with Following(broker, "--json", "trace", "porch-1", "--for", "5m", "--payload") as trace:
        # it is open when it says something of the client
        with Paho(broker, client_id="porch-1", user="porch") as lamp, Paho(broker, client_id="other") as other:
            trace.wait_line('"event":"queue"')
            lamp.publish("current/porch/on", "the-payload", qos=1)
            other.publish("elsewhere", "another", qos=1)
            lamp.publish("current/attic/on", "1", qos=1)
            lines = [json.loads(trace.wait_line(word)) for word in
                     ('"packet":"PUBLISH"', '"event":"payload"', '"event":"access-allowed"', '"event":"publish-denied"')]
        assert lines[0]["topic"] == "current/porch/on" and lines[1]["payload"] == "the-payload"
        assert lines[2]["rule"].endswith("allow publish current/%u/#") and lines[3]["topic"] == "current/attic/on"
        assert "elsewhere" not in "".join(trace.lines) and "another" not in "".join(trace.lines)
    assert not [line for line in broker.process.lines if "packet-received" in line]


def test_trace_ends_by_itself(broker):
    with Paho(broker, client_id="porch-1", user="porch"):
        done = ctl(broker, "trace", "porch-1", "--for", "1s")
    assert " queue connected=yes queued=0" in done.stdout and "payload" not in done.stdout
    assert "for must be a time" in ctl(broker, "trace", "a", "--for", "2h", status=1).stderr


def test_the_log_is_followed(broker):
    with Following(broker, "log", "--level", "warning", "--match", "guest") as log:
        for n in itertools.count():
            mosquitto_pub(broker, "-t", "a", "-m", "b", client_id=f"guest-{n}", password="wrong")
            if log.lines or n > 50:
                break
        line = log.wait_line("connect-refused")
        assert "client_id=guest-" in line and "cause=" in line
        assert not [line for line in log.lines if "connect-refused" not in line]


# who sends, who is slow?

def test_top_once(broker):
    with Paho(broker, client_id="busy") as busy, Paho(broker, client_id="idle") as idle:
        idle.subscribe("t/#")
        for _ in range(20):
            busy.publish("t/a", "x" * 100, qos=1)
        wait_rows(broker, "top", client_id="idle", messages_out=20)
        first, second = rows(broker, "top")
        assert {first["client_id"], second["client_id"]} == {"busy", "idle"}
        busiest, = rows(broker, "top", "--match", "BUSY")
        assert (busiest["messages_in"], busiest["messages_out"], busiest["user"], busiest["slow"]) == (20, 0, "anna", False)
        assert busiest["bytes_in"] > 20 * 100 and busiest["queued"] == 0
        idle.publish("elsewhere", "1")
        wait_rows(broker, "top", client_id="idle", messages_in=1)
        assert [r["client_id"] for r in rows(broker, "top", "--limit", "1")] == ["idle"]


def test_top_on_a_terminal(broker):
    main, other = pty.openpty()
    with Paho(broker, client_id="busy"):
        with subprocess.Popen([CTL, "-c", "broker.yaml", "top"], cwd=broker.directory, env=broker.environment, stdout=other,
                              stdin=subprocess.DEVNULL) as shown:
            os.close(other)
            seen = b""
            while seen.count(b"In a second") < 2:
                assert select.select([main], [], [], TIMEOUT_S)[0], seen
                seen += os.read(main, 65536)
            shown.send_signal(signal.SIGINT)
            assert shown.wait(TIMEOUT_S) != 0
    os.close(main)
    assert b"busiest of 1 clients" in seen and b"busy" in seen and b"MESSAGES IN" in seen
