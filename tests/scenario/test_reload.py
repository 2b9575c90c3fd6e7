"""Reload while the house runs: what is new applies at once everywhere, what is broken changes nothing and says why."""

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
def house(new_house):
    with new_house(users={"anna": ["all"], "bertil": ["all"]}, acl=ALL, config={"workers": 2}) as h:
        yield h


def reload(house, want="reloaded", **fields):
    mark = house.mark()
    house.process.signal(signal.SIGHUP)
    return house.wait_log(want, mark, **fields)


def write_acl(house, acl):
    """Whole or not at all, as an editor does it: a reload under way must not find it half-written."""
    house.write_file("acl.yaml.new", acl if isinstance(acl, str) else json.dumps(acl) + "\n").rename(house.directory / "acl.yaml")


def test_a_rule_taken_away_applies_to_who_is_connected(house, topic):
    with Wire(house) as writer, Wire(house, user="bertil") as reader:
        reader.subscribe(topic)
        writer.publish(topic, b"before", qos=1)
        assert reader.message().payload == b"before"
        mark = house.mark()
        write_acl(house, {"roles": {"all": ["deny subscribe t/#", "allow all #"]}})
        reload(house)
        change = house.logged("reload-change", mark)
        assert {"rule added"} == {c["what"] for c in change} and change[0]["detail"] == "deny subscribe t/#"
        writer.publish(topic, b"hidden", qos=1)
        house.wait_log("delivery-denied", mark, user="bertil")
        write_acl(house, ALL)
        reload(house)
        writer.publish(topic, b"after", qos=1)
        assert reader.message().payload == b"after"


def test_what_waits_for_a_restart_is_told(new_house):
    with new_house() as house:
        mark = house.mark()
        house.config["persistence"] = {"directory": "store", "max_size": "1G", "interval": "2s", "durability": "none"}
        house.config["workers"] = 2
        house.write()
        reload(house)
        told = {w["warning"].split(":")[0] for w in house.logged("config-warning", mark) if "restarted" in w["warning"]}
        assert told == {"workers", "persistence.directory", "persistence.max_size", "persistence.interval"}


def test_a_queue_is_judged_by_the_rules_of_its_delivery(house, topic):
    away = Wire(house, user="bertil", client_id="away-" + topic, clean=True, props={"session_expiry_interval": 600})
    away.subscribe(topic + "/#", qos=1)
    away.disconnect()
    with Wire(house) as writer:
        writer.publish(topic + "/secret", b"1", qos=1)
        writer.publish(topic + "/open", b"2", qos=1)
    write_acl(house, {"roles": {"all": [f"deny receive {topic}/secret", "allow all #"]}})
    reload(house)
    with Wire(house, user="bertil", client_id="away-" + topic, clean=False, props={"session_expiry_interval": 0}) as back:
        assert back.connack.session_present
        assert back.message().payload == b"2"


def test_a_retained_value_of_a_removed_writer_is_not_replayed(house, topic):
    with Wire(house, user="bertil") as writer:
        writer.publish(topic, b"kept", qos=1, retain=True)
    house.passwd("remove", "bertil")
    reload(house)
    with Wire(house) as reader:
        reader.subscribe(topic)
        reader.settle()
        with Wire(house) as writer:
            writer.publish(topic, b"next", qos=1)
        assert reader.message().payload == b"next"


def test_users_who_may_not_log_in_any_more_go_at_once(house):
    removed, changed, stays = Wire(house, user="bertil"), Wire(house, user="anna"), None
    house.add_user("cecilia", ["all"])
    mark = house.mark()
    house.passwd("remove", "bertil")
    house.passwd("set", "anna", "--stdin", stdin="another password\n")
    reload(house)
    assert {("user removed", "bertil"), ("user changed", "anna"), ("user added", "cecilia")} == {
        (c["what"], c["name"]) for c in house.logged("reload-change", mark)}
    for gone in (removed, changed):
        assert gone.expect(mqtt.DISCONNECT).reason == 0x87
        gone.expect_close()
    stays = Wire(house, user="cecilia")
    stays.settle()
    stays.close()


def test_a_locked_user_goes_without_a_signal(house):
    """The password file is watched: broker-passwd alone is enough."""
    client = Wire(house, user="bertil")
    mark = house.mark()
    house.passwd("lock", "bertil")
    house.wait_log("reloaded", mark)
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
def test_a_broken_acl_changes_nothing(house, topic, text, says):
    with Wire(house) as client:
        client.subscribe(topic)
        mark = house.mark()
        write_acl(house, text)
        reload(house, "reload-failed")
        errors = house.logged("config-error", mark)
        assert any(says in e["where"] + e["error"] for e in errors), errors
        client.publish(topic, b"still", qos=1)
        assert client.message().payload == b"still"


@pytest.mark.parametrize("damage", ["empty", "missing", "half"])
def test_damage_noticed_by_itself_changes_nothing(house, topic, damage):
    path = house.directory / "acl.yaml"
    with Wire(house) as client:
        client.subscribe(topic)
        mark = house.mark()
        if damage == "missing":
            path.unlink()
        else:
            path.write_text("" if damage == "empty" else json.dumps(ALL)[:-1])
        house.wait_log("reload-failed", mark)
        client.publish(topic, b"still", qos=1)
        assert client.message().payload == b"still"


def test_an_empty_acl_asked_for_denies_everything(house, topic):
    with Wire(house) as client:
        write_acl(house, "")
        reload(house)
        assert client.publish(topic, b"x", qos=1).reason == 0x87


def test_users_never_wait_for_other_files(house):
    client = Wire(house, user="bertil")
    mark = house.mark()
    house.passwd("remove", "bertil")
    write_acl(house, "roles: [")
    reload(house, "reload-partial", what="users")
    house.wait_log("reloaded", mark)
    assert client.expect(mqtt.DISCONNECT).reason == 0x87
    Wire(house, user="bertil", expect=0x86).expect_close()
    with Wire(house) as anna:  # the old rules are in force
        assert anna.publish("t/still", b"x", qos=1).reason in (0, 0x10)


def test_a_renewed_certificate_is_picked_up(new_house, tmp_path_factory):
    from house import Pki
    pki = Pki(tmp_path_factory.mktemp("renewed"))
    from house import House
    with House(tmp_path_factory.mktemp("house"), pki, acl=ALL) as house:
        kept = Wire(house)
        mark = house.mark()
        for key in ("ec", "rsa"):
            pki.run("leaf", "ca", f"server-{key}", "server", key, "localhost", "DNS:localhost", "IP:127.0.0.1", "DNS:new.example")
        house.wait_log("reloaded", mark)
        change = house.logged("reload-change", mark)
        assert [c["what"] for c in change] == ["certificates"] and "SHA-256" in change[0]["detail"]
        kept.settle()
        kept.close()
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{house.port}", "-CAfile", str(pki.path("ca.crt"))],
                               stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False).stdout
        text = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=shown, capture_output=True, check=True)
        assert b"new.example" in text.stdout


def test_a_wrong_certificate_keeps_the_old_one(house):
    mark = house.mark()
    (house.directory / "junk.crt").write_text("no certificate\n")
    house.config["tls"]["certificates"] = [{"certificate": "junk.crt", "key": str(house.pki.path("server-ec.key"))}]
    house.write()
    reload(house, "reload-failed")
    assert any("junk.crt" in e["where"] + e["error"] for e in house.logged("config-error", mark))
    with Wire(house) as client:
        client.settle()


def test_listeners_come_and_go(house):
    from house import free_port
    other = free_port()
    house.config["listeners"].append({"bind": f"127.0.0.1:{other}"})
    house.write()
    mark = house.mark()
    reload(house)
    assert any(c["what"] == "listener added" for c in house.logged("reload-change", mark))
    second = Wire(house, listener=1)
    second.settle()
    del house.config["listeners"][1]
    house.write()
    reload(house)
    assert second.expect(mqtt.DISCONNECT).reason == 0x8B
    second.expect_close()
    with pytest.raises(OSError):
        import socket
        socket.create_connection(("127.0.0.1", other), timeout=5).close()
    with Wire(house) as first:
        first.settle()


def test_a_listener_that_cannot_be_had_changes_nothing(house):
    import socket
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        house.config["listeners"].append({"bind": f"127.0.0.1:{taken.getsockname()[1]}"})
        house.config["authorization"] = {}
        house.write()
        reload(house, "reload-failed")
    with Wire(house) as client:
        assert client.publish("t/x", b"x", qos=1).reason in (0, 0x10)


def test_a_revoked_certificate_goes_at_once(new_house, pki):
    ca = pki.authority("reload-ca")
    pki.client("reload-ca", "reload-good", "good")
    pki.client("reload-ca", "reload-bad", "bad")
    crl = pki.revoke("reload-ca", "reload.crl")
    with new_house(users={"good": ["all"], "bad": ["all"]}, acl=ALL,
                   config={"tls": {"client_certificates": "optional", "client_ca": str(ca), "client_crl": str(crl)},
                           "authentication": {"certificate_user": "cn"}}) as house:
        good = Wire(house, user=None, password=None, context=tls_context(pki, certificate="reload-good"))
        bad = Wire(house, user=None, password=None, context=tls_context(pki, certificate="reload-bad"))
        bad.settle()
        pki.revoke("reload-ca", "reload.crl", "reload-bad")
        write_acl(house, "roles: [")  # a revocation never waits for another file
        reload(house, "reload-partial")
        assert bad.expect(mqtt.DISCONNECT).reason == 0x87
        bad.expect_close()
        good.settle()
        good.close()


def certificate_house(new_house, pki, **options):
    """A client whose certificate names good, or other.example; anna has a password."""
    ca = pki.authority("reload-more")
    pki.client("reload-more", "reload-more-good", "good", "DNS:other.example")
    crl = pki.revoke("reload-more", "reload-more.crl")
    config = {"tls": {"client_certificates": "optional", "client_ca": str(ca), "client_crl": str(crl)},
              "authentication": {"certificate_user": "cn"}}
    return new_house(users={"good": ["all"], "anna": ["all"], "other.example": ["all"]}, acl=ALL, config=config, **options)


def with_certificate(house, version=5, **options):
    return Wire(house, version, user=None, password=None, context=tls_context(house.pki, certificate="reload-more-good"),
                **options)


def test_a_revocation_list_that_expired_ends_no_connection(new_house, pki):
    with certificate_house(new_house, pki) as house:
        good = with_certificate(house)
        pki.revoke("reload-more", "reload-more.crl", ended=True)
        reload(house)
        good.settle()
        mark = house.mark()
        with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
            with_certificate(house)
        assert "crl" in house.wait_log("handshake-failed", mark)["cause"].lower()
        reload(house)
        good.settle()
        good.close()


def test_a_certificate_that_names_another_user_now(new_house, pki):
    with certificate_house(new_house, pki) as house:
        good, anna = with_certificate(house), Wire(house)
        house.config["authentication"]["certificate_user"] = "san_dns"
        house.write()
        reload(house)
        assert good.expect(mqtt.DISCONNECT).reason == 0x87
        good.expect_close()
        anna.settle()
        anna.close()
        mark = house.mark()
        with_certificate(house).close()
        assert house.wait_log("client-connected", mark)["user"] == "other.example"


def test_certificates_that_are_not_asked_for_any_more(new_house, pki):
    """Whoever has a password beside the certificate could log in by that, and stays."""
    house = certificate_house(new_house, pki)
    house.config["authentication"]["certificate_user"] = "none"
    house.write()
    with house:
        anna = Wire(house, context=tls_context(pki, certificate="reload-more-good"))
        house.config["tls"]["client_certificates"] = "none"
        house.write()
        reload(house)
        anna.settle()
        anna.close()


@pytest.mark.parametrize("version", [4, 5])
def test_client_ids_that_do_not_fit_any_more(house, version):
    """Of those, too, that the broker assigned: a client without an id could not come in now."""
    fits, given, not_now = (Wire(house, version, client_id=name) for name in ("anna", "", "lamp"))
    house.config["authentication"]["bind_client_id"] = "equal"
    house.write()
    reload(house)
    for client in (given, not_now):
        said = client.expect_close()
        assert version == 4 or said.reason == 0x87
    fits.settle()


def test_the_control_socket_waits_for_a_restart(house):
    mark = house.mark()
    house.config["control"] = {"socket": f"{house.directory}/control"}
    house.write()
    reload(house)
    assert any(w["warning"].startswith("control.socket") for w in house.logged("config-warning", mark))


def test_a_will_is_judged_when_it_fires(house, topic):
    with Wire(house) as reader:
        reader.subscribe(topic + "/#")
        dying = Wire(house, user="bertil", will=mqtt.Will(topic + "/gone", b"dead"))
        dying.settle()
        mark = house.mark()
        write_acl(house, {"roles": {"all": [f"deny will {topic}/gone", "allow all #"]}})
        reload(house)
        house.wait_log("will-denied", mark, topic=topic + "/gone")
        dying.kill()
        reader.publish(topic + "/mark", b"mark", qos=1)
        assert reader.message().payload == b"mark"


def test_anonymous_switched_off(new_house):
    with new_house(acl={"roles": {"all": ["allow all #"]}, "anonymous": {"rules": ["allow subscribe #"]}},
                   config={"authentication": {"anonymous": True}}) as house:
        guest = Wire(house, user=None)
        house.config["authentication"]["anonymous"] = False
        house.write()
        reload(house)
        assert guest.expect(mqtt.DISCONNECT).reason == 0x87
        guest.expect_close()


def test_many_reloads_in_a_row(house, topic):
    with Wire(house) as client:
        client.subscribe(topic)
        for i in range(20):
            write_acl(house, {"roles": {"all": ["allow all #"], f"role{i}": ["allow all x"]}})
            os.kill(house.process.child.pid, signal.SIGHUP)
            client.publish(topic, str(i).encode(), qos=1)
            assert client.message().payload == str(i).encode()


def test_a_listener_that_sends_elsewhere_from_now_on(house):
    client, old = Wire(house), Wire(house, version=4)
    house.config["listeners"][0].update(server_reference="other.example:8883", server_moved=True)
    house.write()
    reload(house)
    told = client.expect(mqtt.DISCONNECT)
    assert told.reason == 0x9D and told.props["server_reference"] == "other.example:8883"
    client.expect_close()
    old.expect_close()
