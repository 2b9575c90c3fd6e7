"""Users who need no login: peers of a Unix socket by their user and group ids, and the user whom clients without login
assume. Neither opens anything else."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import mqtt
import proxies
import pytest
from broker_fixture import free_port
from control import rows
from matrix import ACL_TOOL
from wire import Closed, Wire, tls_context

ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can be other users")
# The roles: whoever is not itself sees that.
RULES = {"roles": {"all": ["allow all t/#", "allow all desired/#"]}, "desired_topics": ["desired/#"],
         "users": {"anna": {"rules": ["allow all anna/#"]}, "family": {"rules": ["allow all family/#"]},
                   "porch": {"rules": ["allow all porch/#", "allow publish desired/#", "allow subscribe desired/#",
                             "allow all $CONTROL/vakt/v1/#"]}}}


@pytest.fixture(scope="module")
def directory():
    """Where other users can go, too."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def reload(broker, event="reloaded"):
    broker.write()
    mark = broker.mark()
    broker.process.signal(signal.SIGHUP)
    broker.wait_log(event, mark)
    return mark


@pytest.fixture(scope="module")
def broker(new_broker, directory):
    me = {"bind": f"unix:{directory}/peers.sock", "mode": "0666",
          "peer_users": {str(os.getuid()): "anna", "12345": "family", "gid:12346": "family"}}
    others = {"bind": f"unix:{directory}/others.sock", "mode": "0666", "peer_users": {"54321": "family"},
              "authentication": {"anonymous": True}}
    gateway = {"bind": f"unix:{directory}/gateway.sock", "assume_user": "porch",
               "authentication": {"bind_client_id": "equal"}}
    addresses = {"bind": f"127.0.0.1:{free_port()}", "assume_user": "porch", "allow_from": ["127.0.0.1"]}
    by_proxy = {"bind": f"127.0.0.1:{free_port()}", "assume_user": "porch", "allow_from": ["192.0.2.7"],
                "proxy_protocol": "required", "trusted": ["127.0.0.1"]}
    made = new_broker(config={"listeners": [me, others, gateway, addresses, by_proxy],
                              "control": {"socket": "control.sock"}, "log": {"audit": "audit.log"}}, acl=RULES)
    made.add_user("family", [], password=False)
    made.passwd("add", "porch", "--assumed")
    with made:
        yield made


PEERS, OTHERS, GATEWAY, ADDRESSES, PROXIED = range(5)


# peer_users

def test_a_peer_needs_no_password(broker):
    mark = broker.mark()
    with Wire(broker, listener=PEERS, user=None, client_id="peer") as peer:
        found = broker.wait_log("client-connected", mark, client_id="peer")
        assert found["user"] == "anna" and found["login"] == "peer_users"
        assert peer.publish("anna/x", qos=1).reason in (0, 0x10)
        assert peer.publish("family/x", qos=1).reason == 0x87
    with Wire(broker, listener=PEERS, user="anna", password=None):
        pass
    with Wire(broker, listener=PEERS, user="anna", password="wrong"):
        pass


@pytest.mark.parametrize("user, password", [("family", None), ("porch", None), ("", None), ("Anna", "x"), ("eve", "x")])
def test_a_peer_is_nobody_else(broker, user, password):
    mark = broker.mark()
    Wire(broker, listener=PEERS, user=user, password=password, expect=0x86).expect_close()
    assert "not the one that peer_users has" in broker.wait_log("connect-refused", mark)["cause"]


def test_others_need_a_password(broker):
    """With anonymous: true, too."""
    mark = broker.mark()
    Wire(broker, listener=OTHERS, user=None, expect=0x87).expect_close()
    assert "peer_users does not name this process" in broker.wait_log("connect-refused", mark)["cause"]
    Wire(broker, listener=OTHERS).close()
    Wire(broker, listener=OTHERS, password="wrong", expect=0x86).expect_close()
    Wire(broker, listener=OTHERS, user="family", password="x", expect=0x86).expect_close()


def as_other(broker, uid, gid, listener=PEERS, user=None):
    """The reason code of a CONNECT that such a process sends."""
    data = mqtt.connect(5, f"of-{uid}-{gid}", user=user)
    done = subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(gid), "--clear-groups", "socat", "-t", "5", "-",
                           f"UNIX-CONNECT:{broker.addresses[listener]}"],
                          input=data, capture_output=True, check=False, timeout=60)
    assert done.stdout[:1] == b"\x20", done
    return done.stdout[3]


@ROOT
@pytest.mark.parametrize("uid, gid, user", [
    (12345, 12345, "family"), (12345, 12346, "family"), (23456, 12346, "family"), (23456, 23456, None),
    # Of another user namespace, as far as the kernel can tell: nobody, whatever the group is.
    (65534, 12346, None), (12346, 1, None),
])
def test_ids_of_other_processes(broker, uid, gid, user):
    mark = broker.mark()
    assert as_other(broker, uid, gid) == (0 if user else 0x87)
    if user:
        assert broker.wait_log("client-connected", mark, client_id=f"of-{uid}-{gid}")["user"] == user
        assert as_other(broker, uid, gid, user="anna") == 0x86


@ROOT
def test_the_mode_of_the_socket_keeps_others_out(broker):
    """Default mode, 0660: a process of neither owner nor group cannot connect at all."""
    done = subprocess.run(["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "socat", "-",
                           f"UNIX-CONNECT:{broker.addresses[GATEWAY]}"], input=b"", capture_output=True, check=False, timeout=60)
    assert done.returncode != 0 and b"Permission denied" in done.stderr


def test_a_locked_peer(broker):
    broker.passwd("lock", "anna")
    mark = reload(broker)
    Wire(broker, listener=PEERS, user=None, expect=0x86).expect_close()
    assert broker.wait_log("connect-refused", mark)["cause"] == "the user is locked"
    broker.passwd("unlock", "anna")
    reload(broker)


def test_a_reload_names_another_user(broker):
    """A peer that is somebody else now goes, and so does one that is nobody now."""
    users = broker.config["listeners"][PEERS]["peer_users"]
    for change in {str(os.getuid()): "family"}, {str(os.getuid() + 1): "anna"}:
        peer = Wire(broker, listener=PEERS, user=None)
        before = dict(users)
        del users[str(os.getuid())]
        users.update(change)
        reload(broker)
        assert peer.expect(mqtt.DISCONNECT).reason == 0x87
        users.clear()
        users.update(before)
        reload(broker)


# assume_user

def test_clients_without_login(broker):
    for listener, header in (GATEWAY, None), (ADDRESSES, None), (PROXIED, proxies.v2("192.0.2.7")):
        mark = broker.mark()
        with Wire(broker, listener=listener, user=None, client_id=f"lamp-{listener}", header=header) as lamp:
            found = broker.wait_log("client-connected", mark, client_id=f"lamp-{listener}")
            assert found["user"] == "porch" and found["login"] == "assume_user"
            assert lamp.publish("porch/x", qos=1).reason in (0, 0x10)
            assert lamp.publish("anna/x", qos=1).reason == 0x87
    with pytest.raises((Closed, OSError)):
        Wire(broker, listener=PROXIED, user=None, header=proxies.v2("192.0.2.8"))
    with pytest.raises((Closed, OSError)):
        Wire(broker, listener=ADDRESSES, user=None, source="127.0.0.2")


def test_a_login_never_falls_back(broker):
    for user, password in ("anna", "wrong"), ("eve", "x"), ("porch", None), ("porch", ""), ("porch", "x"), ("", None):
        Wire(broker, listener=GATEWAY, user=user, password=password, client_id=user,
             expect=0x86 if user else 0x85).expect_close()
    with Wire(broker, listener=GATEWAY, client_id="anna", clean=True) as anna:
        assert anna.publish("anna/x", qos=1).reason in (0, 0x10)
        assert anna.publish("porch/x", qos=1).reason == 0x87


def test_nowhere_else(broker):
    """The user cannot log in at other listeners, by whatever means."""
    for listener in PEERS, OTHERS:
        Wire(broker, listener=listener, user="porch", password="x", expect=0x86).expect_close()
    done = broker.passwd("set", "porch", "--stdin", stdin="secret\n", check=False)
    assert done.returncode == 2 and "only for assume_user" in done.stderr
    assert broker.passwd("verify", "porch", "--stdin", stdin="\n", check=False).returncode == 1
    listed = broker.passwd("list").stdout
    assert any(line.split()[:2] == ["porch", "assumed"] for line in listed.splitlines())


def test_it_counts_as_anonymous(broker):
    """desired_topics are guarded, and no session is kept."""
    with Wire(broker, listener=GATEWAY, user=None, client_id="lamp", clean=False,
              props={"session_expiry_interval": 1000}) as lamp:
        assert lamp.connack.props["session_expiry_interval"] == 0
        lamp.subscribe("desired/#")
        mark = broker.mark()
        assert lamp.publish("desired/lamp", b"on", qos=1).reason == 0x87
        assert "guard" in broker.wait_log("publish-denied", mark, user="porch")["rule"]
    assert [r for r in rows(broker, "sessions") if r["client_id"] == "lamp"] == []
    # As for anonymous clients it can be allowed.
    broker.config["listeners"][GATEWAY]["authentication"]["anonymous_sessions"] = True
    reload(broker)
    Wire(broker, listener=GATEWAY, user=None, client_id="lamp", clean=False,
         props={"session_expiry_interval": 1000}).kill()
    with Wire(broker, listener=GATEWAY, user=None, client_id="lamp", clean=False) as lamp:
        assert lamp.connack.session_present
    del broker.config["listeners"][GATEWAY]["authentication"]["anonymous_sessions"]
    reload(broker)


def test_it_controls_nothing(broker):
    """Whatever its rules say. (A user who has logged in may, with the same rules: test_control_topics.py.)"""
    with Wire(broker, listener=GATEWAY, user=None, client_id="lamp") as lamp:
        lamp.subscribe("porch/answer")
        mark = broker.mark()
        told = lamp.publish("$CONTROL/vakt/v1/reload", b"", qos=1, props={"response_topic": "porch/answer"})
        assert told.reason == 0x87 and "guard" in broker.wait_log("publish-denied", mark, user="porch")["rule"]
        lamp.publish("porch/answer", b"last", qos=1)
        assert lamp.message().payload == b"last" and not broker.logged("control-command", mark)


def test_a_reload_takes_the_user_away(broker):
    lamp = Wire(broker, listener=GATEWAY, user=None)
    broker.passwd("lock", "porch")
    reload(broker)
    assert lamp.expect(mqtt.DISCONNECT).reason == 0x87
    Wire(broker, listener=GATEWAY, user=None, expect=0x87).expect_close()
    broker.passwd("unlock", "porch")
    reload(broker)
    lamp = Wire(broker, listener=GATEWAY, user=None)
    del broker.config["listeners"][GATEWAY]["assume_user"]
    reload(broker)
    assert lamp.expect(mqtt.DISCONNECT).reason == 0x87
    broker.config["listeners"][GATEWAY]["assume_user"] = "porch"
    reload(broker)


def test_a_certificate_comes_first(new_broker, pki):
    """One that names a user is its login."""
    pki.client("assumed", "assumed-anna", "anna")
    pki.client("assumed", "assumed-porch", "porch")
    config = {"listeners": [{"bind": f"127.0.0.1:{free_port()}", "assume_user": "porch", "allow_from": ["127.0.0.1"],
                             "tls": {"client_certificates": "optional", "client_ca": str(pki.path("assumed.crt"))},
                             "authentication": {"certificate_user": "cn"}}]}
    made = new_broker(config=config, acl=RULES)
    made.passwd("add", "porch", "--assumed")
    with made:
        mark = made.mark()
        Wire(made, user=None, context=tls_context(pki, certificate="assumed-anna"), client_id="a").close()
        assert made.wait_log("client-connected", mark, client_id="a")["user"] == "anna"
        mark = made.mark()
        Wire(made, user=None, context=tls_context(pki, certificate="assumed-porch"), expect=0x86,
             source="127.0.0.1").expect_close()
        assert "only for assume_user" in made.wait_log("connect-refused", mark)["cause"]


# what is said

def test_the_check_names_them(broker):
    lines = broker.command("--check").stdout.splitlines()
    line = {name: next(line for line in lines if name in line) for name in ("peers.sock", "others.sock", "gateway.sock")}
    assert line["peers.sock"].endswith(
        f"; without password: uid {os.getuid()} is anna, uid 12345 is family, gid 12346 is family")
    assert line["gateway.sock"].endswith("; everybody without login: porch")
    assert sum("everybody without login: porch" in line for line in lines) == 3


def test_explain_says_where_a_user_comes_from(broker):
    def explain(user, topic):
        return subprocess.run([ACL_TOOL, "explain", "-c", "broker.yaml", "--user", user, "publish", topic],
                              cwd=broker.directory, env=broker.environment, text=True, capture_output=True, check=False)

    done = explain("porch", "porch/x")
    assert done.returncode == 0 and "gateway.sock without login are 'porch' (assume_user)" in done.stdout
    done = explain("porch", "desired/x")
    assert done.returncode != 0 and "guard" in done.stdout
    done = explain("anna", "anna/x")
    assert f"user id {os.getuid()} is 'anna' at unix:" in done.stdout


@pytest.mark.parametrize("listener, text", [
    ({"assume_user": "porch"}, "assume_user on TCP needs allow_from"),
    ({"assume_user": "porch", "allow_from": None}, "assume_user on TCP needs allow_from"),
    ({"assume_user": "anna", "allow_from": ["127.0.0.1"]}, "assume_user names 'anna', who can log in"),
    ({"assume_user": "eve", "allow_from": ["127.0.0.1"]}, "add eve --assumed"),
    ({"unix": True, "assume_user": "porch", "peer_users": {"1": "anna"}}, "do not go together"),
    ({"unix": True, "peer_users": {"1": "porch"}}, "is only for assume_user"),
    ({"unix": True, "peer_users": {"1": "eve"}}, "add eve --no-password"),
    ({"unix": True, "peer_users": {"65534": "anna"}}, "names nobody in particular"),
    ({"unix": True, "peer_users": {"gid:65534": "anna"}}, "names nobody in particular"),
    ({"unix": True, "peer_users": {"anna": "anna"}}, "is not the number of a user or a group"),
    ({"unix": True, "peer_users": {}}, "a mapping of 1 to 256 lines"),
    ({"unix": True, "peer_users": ["anna"]}, "a mapping of 1 to 256 lines"),
    ({"unix": True, "peer_users": {"1": "anna"}, "proxy_protocol": "required", "trusted": ["uid:1"]},
     "the peer of each connection is the proxy"),
    ({"peer_users": {"1": "anna"}}, "peer_users is for unix sockets only"),
], ids=range(14))
def test_what_is_an_error(new_broker, listener, text, directory):
    listener = dict(listener)
    bind = f"unix:{directory}/e.sock" if listener.pop("unix", False) else f"127.0.0.1:{free_port()}"
    made = new_broker(config={"listeners": [{"bind": bind, **listener}]})
    made.passwd("add", "porch", "--assumed")
    done = made.command("--check")
    assert done.returncode != 0 and text in done.stderr + done.stdout


def test_warnings(new_broker):
    made = new_broker(config={"listeners": [{"bind": f"127.0.0.1:{free_port()}"}]})
    made.passwd("add", "porch", "--assumed", "--role", "all")
    done = made.command("--check")
    assert done.returncode == 0 and "is only for assume_user, and no listener names it" in done.stderr + done.stdout
    made.config["listeners"][0].update(assume_user="porch", allow_from=["0.0.0.0/0"])
    made.write()
    done = made.command("--check")
    assert done.returncode == 0 and "everybody who can connect is the user of assume_user" in done.stderr + done.stdout


# the password file

def test_lines_of_the_password_file(new_broker):
    made = new_broker()
    for options in ["--no-password"], ["--generate"], ["--scram"]:
        done = made.passwd("add", "x", "--assumed", *options, check=False)
        assert done.returncode == 2 and "never logs in" in done.stderr
    made.passwd("add", "porch", "--assumed", "--role", "all")
    line = next(line for line in (made.directory / "users.passwd").read_text().splitlines() if line.startswith("porch"))
    assert line.endswith(":roles=all:assumed")
    made.passwd("lock", "porch")
    made.passwd("grant", "porch", "more")
    text = (made.directory / "users.passwd").read_text()
    assert ":roles=all,more:assumed:locked\n" in text
    hashed = next(line for line in text.splitlines() if line.startswith("anna"))
    made.write_file("users.passwd", hashed + ":assumed\n")
    done = made.command("--check")
    assert done.returncode != 0 and "never logs in: remove hash=, scram= and pins=" in done.stderr + done.stdout


def test_apply_does_not_change_what_a_user_is(new_broker):
    made = new_broker()
    assert "added    porch" in made.passwd("apply", stdin="anna:roles=all\nporch:assumed:roles=all\n").stdout
    assert "0 changed" in made.passwd("apply", stdin="anna:roles=all\nporch:assumed:roles=all\n").stdout
    before = (made.directory / "users.passwd").read_text()
    for text in "anna:roles=all\nporch:roles=all\n", "anna:assumed\nporch:assumed\n", \
            "anna:roles=all\nporch:assumed:password=x\n":
        done = made.passwd("apply", stdin=text, check=False)
        assert done.returncode == 2 and "assume" in done.stderr
        assert (made.directory / "users.passwd").read_text() == before
