"""Reload while the broker runs: a valid configuration applies at once everywhere, a broken one changes nothing and says why."""

import json
import os
import signal
import ssl
import subprocess

import mqtt
import pytest
from wire import Closed, Wire, tls_context

ALL = {"roles": {"all": ["allow all #"]}}


@pytest.fixture
def broker(new_broker):
    with new_broker(users={"anna": ["all"], "bertil": ["all"]}, acl=ALL, config={"workers": 2}) as h:
        yield h


def reload(broker, want="reloaded", **fields):
    mark = broker.mark()
    broker.process.signal(signal.SIGHUP)
    return broker.wait_log(want, mark, **fields)


def write_acl(broker, acl):
    """Replace the file atomically, like an editor: a reload in progress must not find it half-written."""
    broker.write_file("acl.yaml.new", acl if isinstance(acl, str) else json.dumps(acl) + "\n").rename(broker.directory / "acl.yaml")


def test_a_removed_rule_applies_to_connected_clients(broker, topic):
    with Wire(broker) as writer, Wire(broker, user="bertil") as reader:
        reader.subscribe(topic)
        writer.publish(topic, b"before", qos=1)
        assert reader.message().payload == b"before"
        mark = broker.mark()
        write_acl(broker, {"roles": {"all": ["deny subscribe t/#", "allow all #"]}})
        reload(broker)
        change = broker.logged("reload-change", mark)
        assert {"rule added"} == {c["what"] for c in change} and change[0]["detail"] == "deny subscribe t/#"
        writer.publish(topic, b"hidden", qos=1)
        broker.wait_log("delivery-denied", mark, user="bertil")
        write_acl(broker, ALL)
        reload(broker)
        writer.publish(topic, b"after", qos=1)
        assert reader.message().payload == b"after"


def test_changes_that_need_a_restart_are_logged(new_broker):
    with new_broker() as broker:
        mark = broker.mark()
        broker.config["persistence"] = {"directory": "store", "max_size": "1G", "interval": "2s", "durability": "none"}
        broker.config["workers"] = 2
        broker.write()
        reload(broker)
        told = {w["warning"].split(":")[0] for w in broker.logged("config-warning", mark) if "restarted" in w["warning"]}
        assert told == {"workers", "persistence.directory", "persistence.max_size", "persistence.interval"}


def test_areas_of_the_log_change_without_a_restart(new_broker):
    broker = new_broker(users={"anna": ["all"]}, acl=ALL, config={"log": {"level": "warning", "areas": ["ready=info", "reloaded=info", "client-disconnected=info"]}})
    with broker:
        with Wire(broker, client_id="one"):
            pass
        broker.wait_log("client-disconnected", client_id="one")
        assert not broker.logged("client-connected")
        broker.config["log"] = {"level": "warning", "areas": ["ready=info", "reloaded=info", "client=info"]}
        broker.write()
        reload(broker)
        with Wire(broker, client_id="two"):
            broker.wait_log("client-connected", client_id="two")
    said = broker.command("--check")
    broker.config["log"] = {"areas": ["cleint=debug"]}
    broker.write()
    refused = broker.command("--check")
    assert said.returncode == 0 and refused.returncode == 2 and "no event has a name that begins so" in refused.stderr, refused


def test_a_queued_message_is_checked_by_the_rules_at_delivery(broker, topic):
    away = Wire(broker, user="bertil", client_id="away-" + topic, clean=True, props={"session_expiry_interval": 600})
    away.subscribe(topic + "/#", qos=1)
    away.disconnect()
    with Wire(broker) as writer:
        writer.publish(topic + "/secret", b"1", qos=1)
        writer.publish(topic + "/open", b"2", qos=1)
    write_acl(broker, {"roles": {"all": [f"deny receive {topic}/secret", "allow all #"]}})
    reload(broker)
    with Wire(broker, user="bertil", client_id="away-" + topic, clean=False, props={"session_expiry_interval": 0}) as back:
        assert back.connack.session_present
        assert back.message().payload == b"2"


def test_a_retained_value_of_a_removed_writer_is_not_replayed(broker, topic):
    with Wire(broker, user="bertil") as writer:
        writer.publish(topic, b"kept", qos=1, retain=True)
    broker.passwd("remove", "bertil")
    reload(broker)
    with Wire(broker) as reader:
        reader.subscribe(topic)
        reader.settle()
        with Wire(broker) as writer:
            writer.publish(topic, b"next", qos=1)
        assert reader.message().payload == b"next"


def test_users_who_may_not_log_in_are_disconnected_at_once(broker):
    removed, changed, stays = Wire(broker, user="bertil"), Wire(broker, user="anna"), None
    broker.add_user("cecilia", ["all"])
    mark = broker.mark()
    broker.passwd("remove", "bertil")
    broker.passwd("set", "anna", "--stdin", stdin="another password\n")
    reload(broker)
    assert {("user removed", "bertil"), ("user changed", "anna"), ("user added", "cecilia")} == {
        (c["what"], c["name"]) for c in broker.logged("reload-change", mark)}
    for gone in (removed, changed):
        assert gone.expect(mqtt.DISCONNECT).reason == 0x87
        gone.expect_close()
    stays = Wire(broker, user="cecilia")
    stays.settle()
    stays.close()


def test_a_locked_user_is_disconnected_without_a_signal(broker):
    """The password file is watched: broker-passwd alone is enough."""
    client = Wire(broker, user="bertil")
    mark = broker.mark()
    broker.passwd("lock", "bertil")
    broker.wait_log("reloaded", mark)
    assert client.expect(mqtt.DISCONNECT).reason == 0x87
    client.expect_close()


BROKEN_ACL = {
    "no YAML": ("roles: [", "acl.yaml:"),
    "unknown key": ("rolls: {}\n", "did you mean"),
    "unknown word": ("roles: { all: ['permit all #'] }\n", "acl.yaml:1:"),
    "no filter": ("roles: { all: ['allow all'] }\n", "filter"),
    "failing test": (json.dumps({**ALL, "tests": [{"user": "anna", "publish": "x", "expect": "deny"}]}) + "\n", "acl.yaml:1:"),
}


@pytest.mark.parametrize("text, says", BROKEN_ACL.values(), ids=BROKEN_ACL)
def test_a_broken_acl_changes_nothing(broker, topic, text, says):
    with Wire(broker) as client:
        client.subscribe(topic)
        mark = broker.mark()
        write_acl(broker, text)
        reload(broker, "reload-failed")
        errors = broker.logged("config-error", mark)
        assert any(says in e["where"] + e["error"] for e in errors), errors
        client.publish(topic, b"still", qos=1)
        assert client.message().payload == b"still"


@pytest.mark.parametrize("damage", ["empty", "missing", "half"])
def test_damage_noticed_by_itself_changes_nothing(broker, topic, damage):
    path = broker.directory / "acl.yaml"
    with Wire(broker) as client:
        client.subscribe(topic)
        mark = broker.mark()
        if damage == "missing":
            path.unlink()
        else:
            path.write_text("" if damage == "empty" else json.dumps(ALL)[:-1])
        broker.wait_log("reload-failed", mark)
        client.publish(topic, b"still", qos=1)
        assert client.message().payload == b"still"


def test_an_empty_acl_asked_for_denies_everything(broker, topic):
    with Wire(broker) as client:
        write_acl(broker, "")
        reload(broker)
        assert client.publish(topic, b"x", qos=1).reason == 0x87


def test_users_never_wait_for_other_files(broker):
    client = Wire(broker, user="bertil")
    mark = broker.mark()
    broker.passwd("remove", "bertil")
    write_acl(broker, "roles: [")
    reload(broker, "reload-partial", what="users")
    broker.wait_log("reloaded", mark)
    assert client.expect(mqtt.DISCONNECT).reason == 0x87
    Wire(broker, user="bertil", expect=0x86).expect_close()
    with Wire(broker) as anna:  # the old rules are in force
        assert anna.publish("t/still", b"x", qos=1).reason in (0, 0x10)


def test_a_renewed_certificate_is_picked_up(new_broker, tmp_path_factory):
    from broker_fixture import Pki
    pki = Pki(tmp_path_factory.mktemp("renewed"))
    from broker_fixture import BrokerFixture
    with BrokerFixture(tmp_path_factory.mktemp("broker"), pki, acl=ALL) as broker:
        kept = Wire(broker)
        mark = broker.mark()
        for key in ("ec", "rsa"):
            pki.run("leaf", "ca", f"server-{key}", "server", key, "localhost", "DNS:localhost", "IP:127.0.0.1", "DNS:new.example")
        broker.wait_log("reloaded", mark)
        change = broker.logged("reload-change", mark)
        assert [c["what"] for c in change] == ["certificates"] and "SHA-256" in change[0]["detail"]
        kept.settle()
        kept.close()
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{broker.port}", "-CAfile", str(pki.path("ca.crt"))],
                               stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False).stdout
        text = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=shown, capture_output=True, check=True)
        assert b"new.example" in text.stdout


def test_a_wrong_certificate_keeps_the_old_one(broker):
    mark = broker.mark()
    (broker.directory / "junk.crt").write_text("no certificate\n")
    broker.config["tls"]["certificates"] = [{"certificate": "junk.crt", "key": str(broker.pki.path("server-ec.key"))}]
    broker.write()
    reload(broker, "reload-failed")
    assert any("junk.crt" in e["where"] + e["error"] for e in broker.logged("config-error", mark))
    with Wire(broker) as client:
        client.settle()


def test_listeners_are_added_and_removed(broker):
    from broker_fixture import free_port
    other = free_port()
    broker.config["listeners"].append({"bind": f"127.0.0.1:{other}"})
    broker.write()
    mark = broker.mark()
    reload(broker)
    assert any(c["what"] == "listener added" for c in broker.logged("reload-change", mark))
    second = Wire(broker, listener=1)
    second.settle()
    del broker.config["listeners"][1]
    broker.write()
    reload(broker)
    assert second.expect(mqtt.DISCONNECT).reason == 0x8B
    second.expect_close()
    with pytest.raises(OSError):
        import socket
        socket.create_connection(("127.0.0.1", other), timeout=5).close()
    with Wire(broker) as first:
        first.settle()


def test_a_listener_that_cannot_bind_changes_nothing(broker):
    import socket
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        broker.config["listeners"].append({"bind": f"127.0.0.1:{taken.getsockname()[1]}"})
        broker.config["authorization"] = {}
        broker.write()
        reload(broker, "reload-failed")
    with Wire(broker) as client:
        assert client.publish("t/x", b"x", qos=1).reason in (0, 0x10)


def test_a_revoked_certificate_is_disconnected_at_once(new_broker, pki):
    ca = pki.authority("reload-ca")
    pki.client("reload-ca", "reload-good", "good")
    pki.client("reload-ca", "reload-bad", "bad")
    crl = pki.revoke("reload-ca", "reload.crl")
    with new_broker(users={"good": ["all"], "bad": ["all"]}, acl=ALL,
                   config={"tls": {"client_certificates": "optional", "client_ca": str(ca), "client_crl": str(crl)},
                           "authentication": {"certificate_user": "cn"}}) as broker:
        good = Wire(broker, user=None, password=None, context=tls_context(pki, certificate="reload-good"))
        bad = Wire(broker, user=None, password=None, context=tls_context(pki, certificate="reload-bad"))
        bad.settle()
        pki.revoke("reload-ca", "reload.crl", "reload-bad")
        write_acl(broker, "roles: [")  # a revocation never waits for another file
        reload(broker, "reload-partial")
        assert bad.expect(mqtt.DISCONNECT).reason == 0x87
        bad.expect_close()
        good.settle()
        good.close()


def certificate_broker(new_broker, pki, **options):
    """A client whose certificate names good, or other.example; anna has a password."""
    ca = pki.authority("reload-more")
    pki.client("reload-more", "reload-more-good", "good", "DNS:other.example")
    crl = pki.revoke("reload-more", "reload-more.crl")
    config = {"tls": {"client_certificates": "optional", "client_ca": str(ca), "client_crl": str(crl)},
              "authentication": {"certificate_user": "cn"}}
    return new_broker(users={"good": ["all"], "anna": ["all"], "other.example": ["all"]}, acl=ALL, config=config, **options)


def with_certificate(broker, version=5, **options):
    return Wire(broker, version, user=None, password=None, context=tls_context(broker.pki, certificate="reload-more-good"),
                **options)


def test_a_revocation_list_that_expired_ends_no_connection(new_broker, pki):
    with certificate_broker(new_broker, pki) as broker:
        good = with_certificate(broker)
        pki.revoke("reload-more", "reload-more.crl", ended=True)
        reload(broker)
        good.settle()
        mark = broker.mark()
        with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
            with_certificate(broker)
        assert "crl" in broker.wait_log("handshake-failed", mark)["cause"].lower()
        reload(broker)
        good.settle()
        good.close()


def test_a_certificate_that_names_another_user_now(new_broker, pki):
    with certificate_broker(new_broker, pki) as broker:
        good, anna = with_certificate(broker), Wire(broker)
        broker.config["authentication"]["certificate_user"] = "san_dns"
        broker.write()
        reload(broker)
        assert good.expect(mqtt.DISCONNECT).reason == 0x87
        good.expect_close()
        anna.settle()
        anna.close()
        mark = broker.mark()
        with_certificate(broker).close()
        assert broker.wait_log("client-connected", mark)["user"] == "other.example"


def test_certificates_that_are_no_longer_requested(new_broker, pki):
    """A client that has a password besides the certificate could log in with it, and stays."""
    broker = certificate_broker(new_broker, pki)
    broker.config["authentication"]["certificate_user"] = "none"
    broker.write()
    with broker:
        anna = Wire(broker, context=tls_context(pki, certificate="reload-more-good"))
        broker.config["tls"]["client_certificates"] = "none"
        broker.write()
        reload(broker)
        anna.settle()
        anna.close()


@pytest.mark.parametrize("version", [4, 5])
def test_client_ids_that_no_longer_match(broker, version):
    """Also ids that the broker assigned: a client without an id would not be accepted now."""
    fits, given, not_now = (Wire(broker, version, client_id=name) for name in ("anna", "", "lamp"))
    broker.config["authentication"]["bind_client_id"] = "equal"
    broker.write()
    reload(broker)
    for client in (given, not_now):
        said = client.expect_close()
        assert version == 4 or said.reason == 0x87
    fits.settle()


def test_the_control_socket_waits_for_a_restart(broker):
    mark = broker.mark()
    broker.config["control"] = {"socket": f"{broker.directory}/control"}
    broker.write()
    reload(broker)
    assert any(w["warning"].startswith("control.socket") for w in broker.logged("config-warning", mark))


def test_a_will_is_checked_when_it_fires(broker, topic):
    with Wire(broker) as reader:
        reader.subscribe(topic + "/#")
        dying = Wire(broker, user="bertil", will=mqtt.Will(topic + "/gone", b"dead"))
        dying.settle()
        mark = broker.mark()
        write_acl(broker, {"roles": {"all": [f"deny will {topic}/gone", "allow all #"]}})
        reload(broker)
        broker.wait_log("will-denied", mark, topic=topic + "/gone")
        dying.kill()
        reader.publish(topic + "/mark", b"mark", qos=1)
        assert reader.message().payload == b"mark"


def test_anonymous_switched_off(new_broker):
    with new_broker(acl={"roles": {"all": ["allow all #"]}, "anonymous": {"rules": ["allow subscribe #"]}},
                   config={"authentication": {"anonymous": True}}) as broker:
        guest = Wire(broker, user=None)
        broker.config["authentication"]["anonymous"] = False
        broker.write()
        reload(broker)
        assert guest.expect(mqtt.DISCONNECT).reason == 0x87
        guest.expect_close()


def test_many_reloads_in_a_row(broker, topic):
    with Wire(broker) as client:
        client.subscribe(topic)
        for i in range(20):
            write_acl(broker, {"roles": {"all": ["allow all #"], f"role{i}": ["allow all x"]}})
            os.kill(broker.process.child.pid, signal.SIGHUP)
            client.publish(topic, str(i).encode(), qos=1)
            assert client.message().payload == str(i).encode()


def test_a_listener_that_redirects_after_a_reload(broker):
    client, old = Wire(broker), Wire(broker, version=4)
    broker.config["listeners"][0].update(server_reference="other.example:8883", server_moved=True)
    broker.write()
    reload(broker)
    told = client.expect(mqtt.DISCONNECT)
    assert told.reason == 0x9D and told.props["server_reference"] == "other.example:8883"
    client.expect_close()
    old.expect_close()


def changed(broker, mark):
    return {(c["what"], c["name"], c["detail"]) for c in broker.logged("reload-change", mark)}


def test_all_that_a_reload_changes_is_told_in_log_and_audit(new_broker):
    with new_broker(users={"anna": ["all"]}, acl=ALL, config={"log": {"audit": "audit"}}) as broker:
        bind = broker.config["listeners"][0]["bind"]
        mark = broker.mark()
        assert reload(broker)["changes"] == "0" and not changed(broker, mark)
        broker.config["authentication"]["anonymous"] = True
        broker.config["limits"] = {"queue_messages": 500, "max_keepalive": "5m"}
        broker.config["listeners"][0]["limits"] = {"max_qos": 1}
        broker.config["workers"] = 2
        broker.write()
        write_acl(broker, {"roles": {"all": ["allow publish a", "allow all #"]}, "anonymous": {"rules": ["allow subscribe #"]}})
        mark = broker.mark()
        reloaded = reload(broker)
        told = changed(broker, mark)
        assert told == {
            ("setting", "authentication.anonymous", "false -> true"),
            ("setting", "limits.queue_messages", "1000 -> 500"),
            ("setting", "limits.max_keepalive", "0 -> 5m"),
            ("setting", f"limits.max_qos of listener {bind}", "2 -> 1"),
            ("setting", "workers", "1 -> 2 (when the broker is restarted)"),
            ("rule added", "all", "allow publish a"),
            ("rule added", "anonymous", "allow subscribe #"),
        }
        assert reloaded["changes"] == str(len(told))
        write_acl(broker, {"roles": {"all": ["allow all #", "allow publish a"]}, "anonymous": {"rules": ["allow subscribe #"]}})
        broker.passwd("lock", "anna")
        mark = broker.mark()
        reload(broker)
        assert changed(broker, mark) == {("rule moved down", "all", "allow publish a"), ("user changed", "anna", "locked")}
        audit = (broker.directory / "audit").read_text()
        assert "authentication.anonymous" in audit and "false -> true" in audit


def pending(broker):
    mark = broker.mark()
    reload(broker)
    return [w["warning"] for w in broker.logged("config-warning", mark) if "restarted" in w["warning"]]


def test_what_waits_for_a_restart_is_said_until_it_is_taken_back(broker):
    broker.config["workers"] = 3
    broker.write()
    for _ in range(2):
        assert pending(broker) == ["workers: takes effect when the broker is restarted; it runs with 2, the file says 3"]
    broker.config["workers"] = 2
    broker.write()
    assert pending(broker) == []
