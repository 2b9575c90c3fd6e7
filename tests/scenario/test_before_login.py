"""Clients that have not logged in: whatever they send, little work is done for them, they are closed, and one log line
says why."""

import re

import mqtt
import pytest
from scram import CONTINUE, ScramWire, props
from wire import Closed, Wire, fresh_address

MAX_CONNECT = 65536
OFTEN = 10_000  # packets: more than any client has a reason to send at once


@pytest.fixture(scope="module")
def broker(new_broker):
    broker = new_broker(config={"limits": {"max_connect_size": MAX_CONNECT}})
    broker.passwd("add", "bo", "--scram", "--iterations", "4096", "--stdin", stdin=broker.password("bo") + "\n")
    with broker:
        yield broker


def told(client):
    """All packets up to the end."""
    found = []
    try:
        while True:
            found.append(client.take())
    except Closed:
        client.close()
        return found


def send_all(client, data):
    """It may be closed before it has sent everything."""
    try:
        client.send(data)
    except Closed:
        pass


def one_line(broker, mark, event, **fields):
    """Exactly one of them, after another client has been served."""
    said = broker.wait_log(event, mark, **fields)
    with Wire(broker, source=fresh_address()) as client:
        client.settle()
    ended = broker.logged("connection-closed-before-connect", mark) + broker.logged("connect-refused", mark)
    assert ended == [said]
    return said


AUTH = mqtt.auth(CONTINUE, props(b"n,,n=bo,r=abc"))
PING = mqtt.packet(mqtt.PINGREQ, 0, b"")
NOT_CONNECT = [
    ("ping", PING), ("publish", mqtt.publish(5, "a", b"x")), ("subscribe", mqtt.subscribe(5, 1, [("#", 0)])),
    ("disconnect", mqtt.disconnect(5)), ("auth", AUTH),
]


@pytest.mark.parametrize("packet", [data for _, data in NOT_CONNECT], ids=[name for name, _ in NOT_CONNECT])
def test_another_packet_first(broker, packet):
    """[MQTT5-3.1.0-1] The first of many ends the connection; none is answered."""
    mark = broker.mark()
    with Wire(broker, connect=False) as client:
        send_all(client, packet * OFTEN)
        assert told(client) == []
    said = one_line(broker, mark, "connection-closed-before-connect")
    assert re.fullmatch("the first packet was [A-Z]+, not CONNECT", said["cause"])


def test_a_connect_that_is_too_large(broker):
    """Its first bytes show it, and the form of its CONNACK: the broker waits for nothing more."""
    mark = broker.mark()
    with Wire(broker, connect=False) as client:
        client.send(b"\x10" + mqtt.varint(MAX_CONNECT + 1) + mqtt.text("MQTT") + b"\5")
        (answer,) = told(client)
    assert (answer.kind, answer.reason) == (mqtt.CONNACK, 0x95)
    said = one_line(broker, mark, "connect-refused")
    assert said["cause"] == "CONNECT is larger than limits.max_connect_size"


def test_a_connect_full_of_user_properties(broker):
    """As many as fit into the largest accepted packet: refused before any user is looked up."""
    full = [("", "")] * (MAX_CONNECT // 5 - 20)
    mark = broker.mark()
    with Wire(broker, connect=False) as client:
        client.send(mqtt.connect(5, "full", user="anna", password="wrong", props={"user_property": full}))
        (answer,) = told(client)
    assert (answer.kind, answer.reason) == (mqtt.CONNACK, 0x97)
    said = one_line(broker, mark, "connect-refused")
    assert said["cause"] == "there are more User Properties than limits.user_properties"


@pytest.mark.parametrize("guess, behind, why", [
    (False, PING, "only AUTH and DISCONNECT may come before CONNACK"), (False, AUTH, "SCRAM: the channel binding is not that of the first message"),
    (True, PING, "wrong password"), (True, AUTH, "wrong password"),
], ids=["ping", "auth", "guess-ping", "guess-auth"])
def test_many_packets_during_an_exchange(broker, guess, behind, why):
    """[MQTT5-4.12.0-4] The first wrong packet ends it, also after a guess: one answer, whatever else arrives."""
    mark = broker.mark()
    client = ScramWire(broker, "bo", "wrong", login=False)
    challenge = client.challenge()
    first = mqtt.auth(CONTINUE, props(client.scram.final(challenge))) if guess else b""
    send_all(client, first + behind * OFTEN)
    (answer,) = told(client)
    assert answer.kind == mqtt.CONNACK and answer.reason >= 0x80
    assert one_line(broker, mark, "connect-refused")["cause"] == why
