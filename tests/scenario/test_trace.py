"""log.level debug: packets and decisions, of all clients or of one, and never what is in them."""

import signal

import mqtt
import pytest
from broker_fixture import logfmt
from wire import Wire

ACL = {"roles": {"all": ["allow publish t/#", "allow will t/#", "allow subscribe t/#"]}}
SECRET = "a-payload-that-nobody-may-see"
KEEP = {"session_expiry_interval": 100}


@pytest.fixture(scope="module")
def broker(new_broker):
    users = {"anna": ["all"], "bob": ["all"]}
    with new_broker(acl=ACL, users=users, config={"workers": 2, "log": {"level": "debug"},
                                                  "persistence": {"directory": "store", "max_size": "100M"}}) as broker:
        yield broker


def lines_of(broker, mark, client_id):
    """Events of this client since the mark, once its end is logged."""
    broker.wait_log("client-disconnected", mark, client_id=client_id)
    with broker.process.changed:
        lines = broker.process.lines[mark:]
    return [line for line in map(logfmt, lines) if line.get("client_id") == client_id]


def packets(lines, event):
    return [(line["packet"], line.get("topic"), line.get("packet_id"), line.get("qos"), line.get("reason"))
            for line in lines if line["event"] == event]


@pytest.mark.parametrize("version", [4, 5])
def test_the_life_of_a_client(broker, version):
    """Each packet in both directions, the login, and the rule that allowed what it did."""
    mark, name = broker.mark(), f"lamp-{version}"
    with Wire(broker, version, client_id=name, will=mqtt.Will("t/will", b"x")) as client:
        client.subscribe("t/a", qos=1)
        client.publish("t/a", SECRET.encode(), qos=1, packet_id=7)
        client.message()
        client.settle()
    lines = lines_of(broker, mark, name)
    events = [line["event"] for line in lines]
    order = ["connect-received", "login-started", "login-decided", "access-allowed", "session-attached", "client-connected"]
    assert [event for event in events if event in order][:len(order)] == order
    connect = lines[events.index("connect-received")]
    assert (connect["user"], connect["protocol_level"], connect["will"]) == ("anna", str(version), "t/will")
    assert lines[events.index("login-decided")]["accepted"] == "1"
    came, went = packets(lines, "packet-received"), packets(lines, "packet-sent")
    assert went[0] == ("CONNACK", None, None, None, "Success" if version == 5 else "Connection Accepted")
    assert [p[:2] for p in came][:2] == [("SUBSCRIBE", "t/a"), ("PUBLISH", "t/a")]
    assert ("PUBLISH", "t/a", "7", "1", None) in came and ("PUBACK", None, "7", None, None) in went
    assert [p for p in went if p[0] == "SUBACK"][0][4] == "Granted QoS 1"
    allowed = [(line["action"], line["topic"], line["rule"]) for line in lines if line["event"] == "access-allowed"]
    assert [a[:2] for a in allowed] == [("will", "t/will"), ("subscribe", "t/a"), ("publish", "t/a")]
    assert all(rule.startswith("acl.yaml:") and rule.endswith("t/#") for _, _, rule in allowed)
    assert [line["matches"] for line in lines if line["event"] == "message-routed"][0] == "1"


def test_connections(broker):
    mark = broker.mark()
    with Wire(broker, client_id="tls") as client:
        client.settle()
    assert broker.wait_log("connection-accepted", mark)["listener"] == broker.config["listeners"][0]["bind"]
    line = broker.wait_log("tls-established", mark)
    assert line["tls"] == "TLSv1.3" and line["sni"] == "localhost"


def test_where_a_message_is(broker):
    """Queued for somebody who is away; left out as QoS 0; dropped when it expired."""
    with Wire(broker, client_id="away", user="bob", props=KEEP) as client:
        client.subscribe("t/away", qos=1)
    mark = broker.mark()
    with Wire(broker, client_id="sender") as client:
        client.publish("t/away", b"x", qos=1)
        client.publish("t/away", b"x", qos=0)
        client.publish("t/nobody", b"x", qos=1)
        client.settle()
    lines = lines_of(broker, mark, "sender")
    assert [line["matches"] for line in lines if line["event"] == "message-routed"] == ["1", "1", "0"]
    broker.wait_log("delivery-decided", mark, client_id="away", topic="t/away", decision="queued: the client is offline")
    broker.wait_log("delivery-decided", mark, client_id="away", topic="t/away", decision=lambda text: text.startswith("left out: QoS 0"))
    broker.wait_log("store-committed", mark)


def test_a_wrong_password(broker):
    mark = broker.mark()
    with Wire(broker, client_id="wrong", password="not-the-password", expect=0x86):
        pass
    broker.wait_log("login-started", mark, client_id="wrong")
    line = broker.wait_log("login-decided", mark, client_id="wrong")
    assert (line["accepted"], line["cause"]) == ("0", "wrong password")


def test_no_secret_is_in_it(broker):
    with Wire(broker, client_id="last", will=mqtt.Will("t/w", SECRET.encode()), props={"user_property": [("k", SECRET)]}) as client:
        client.subscribe("t/last", qos=1)
        client.publish("t/last", SECRET.encode(), qos=1, props={"user_property": [("k", SECRET)], "correlation_data": SECRET.encode()})
        assert client.message().payload == SECRET.encode()
    with broker.process.changed:
        text = "\n".join(broker.process.lines)
    assert "packet-sent" in text and SECRET not in text
    assert broker.password("anna") not in text and "not-the-password" not in text


@pytest.mark.parametrize("chosen", ["lamp", "bob"], ids=["client id", "user"])
def test_one_client_is_traced(new_broker, chosen):
    """log.trace, switched on and off by a reload."""
    with new_broker(acl=ACL, users={"anna": ["all"], "bob": ["all"]}) as broker:
        def reload(log):
            broker.config["log"] = log
            broker.write()
            mark = broker.mark()
            broker.process.signal(signal.SIGHUP)
            broker.wait_log("reloaded", mark)
            return broker.mark()

        def work():
            for user, client_id in (("anna", "other"), ("bob", "lamp")):
                with Wire(broker, client_id=client_id, user=user) as client:
                    client.publish("t/x", b"x", qos=1)
            broker.wait_log("client-disconnected", mark, client_id="lamp")
            return {line.get("client_id") for event in ("packet-received", "packet-sent", "connect-received", "access-allowed")
                    for line in broker.logged(event, mark)}

        mark = broker.mark()
        assert work() == set()
        mark = reload({"level": "debug", "trace": chosen})
        assert work() == {"lamp"}
        assert broker.logged("connection-accepted", mark) == []
        mark = reload({"level": "debug"})
        assert work() == {"lamp", "other"}
        mark = reload({"level": "info", "trace": chosen})
        assert work() == set()
