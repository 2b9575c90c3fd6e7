"""Hundreds of packets that are invalid or too large (abuse.py): each ends as the standard says, no other client is
affected, and the broker's memory does not grow."""

import contextlib
import os
import socket
from pathlib import Path

import abuse
import mqtt
import pytest
from wire import Closed, Wire, tls_context

MB = 1 << 20
PAGE = os.sysconf("SC_PAGESIZE")
# A sanitizer delays freeing: little of it here, or the memory figure means nothing.
ENVIRONMENT = {"ASAN_OPTIONS": "halt_on_error=1:detect_leaks=1:quarantine_size_mb=4:thread_local_quarantine_size_kb=64"}


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config={"limits": {"connections": 300, "max_packet_size_enforcement": "strict"}}, environment=ENVIRONMENT) as broker:
        broker.context = tls_context(broker.pki)
        yield broker


def memory(broker):
    """Resident, in bytes."""
    return int(Path(f"/proc/{broker.process.pid}/statm").read_text().split()[1]) * PAGE


@pytest.fixture(scope="module")
def bystander(broker):
    with Wire(broker, context=broker.context, keep_alive=0) as client:
        client.subscribe("bystander")
        yield client


@pytest.fixture(autouse=True)
def nobody_else_notices(bystander):
    yield
    bystander.publish("bystander", b"alive", qos=1)
    assert bystander.message().payload == b"alive"


@pytest.fixture(scope="module")
def patient(broker):
    """One connection for each version, for rows that do not end it; a new one after a row that did."""
    clients = {}

    def of(version):
        if version not in clients or clients[version].stream.fileno() < 0:
            clients[version] = Wire(broker, version, context=broker.context, ack=False)
        return clients[version]
    yield of
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module")
def flat(broker, bystander):
    """The rows leave little memory in use, whatever they send."""
    before = memory(broker)
    yield
    bystander.settle()
    grown = memory(broker) - before
    assert grown < 64 * MB, f"the broker grew by {grown / MB:.1f} MB"


def outcome(client, data):
    """Whether the connection stays open, and the reason of a DISCONNECT. Other packets do not matter here."""
    said = None
    try:
        client.send(data + mqtt.packet(mqtt.PINGREQ, 0, b""))
    except Closed:
        pass  # there may be something to read
    try:
        while (packet := client.take()).kind != mqtt.PINGRESP:
            if packet.kind == mqtt.DISCONNECT:
                said = packet.reason
    except Closed:
        client.close()
        return False, said
    return True, said


@pytest.mark.parametrize("row", abuse.ROWS, ids=str)
def test_row(broker, patient, flat, row):
    """[MQTT5-1.5.5-1], [MQTT5-4.13.1-1], [MQTT3-4.8.0-1]"""
    lives, said = outcome(patient(row.version), row.data)
    if lives or row.version == 4 or row.ends == abuse.LIVES:
        assert (lives, said) == (row.ends == abuse.LIVES, None)
    else:
        assert said in row.ends


def said_to(client, data):
    """All packets that it gets; it may be refused while it still sends."""
    with pytest.raises(Closed):
        client.send(data)
        while True:
            client.fill()
    with contextlib.suppress(Closed):
        while True:
            client.fill()
    return client.buffer


@pytest.mark.parametrize("name, data", abuse.CONNECTS, ids=[name for name, data in abuse.CONNECTS])
def test_instead_of_connect(broker, flat, name, data):
    """[MQTT-3.1.0-1], [MQTT-3.1.4-1]: at most a CONNACK that refuses, and the end"""
    with Wire(broker, connect=False, context=broker.context) as client:
        said = said_to(client, data)
    if said:
        assert said[0] == 0x20 and said[2] == 0
        assert said[3] in (abuse.CODES_311 if len(said) == 4 else abuse.CODES_5)


def refused_with_a_will(broker, number):
    will = mqtt.Will("abuse/will", b"x" * 50_000, props={"user_property": [("a", "b")] * 20})
    with Wire(broker, 5 - number % 2, connect=False, context=broker.context) as client:
        client.send(mqtt.connect(client.version, f"refused-{number}", will=will))
        client.expect_close()


def malformed(broker, number):
    with Wire(broker, connect=False, context=broker.context) as client:
        with contextlib.suppress(Closed):
            client.send(abuse.CONNECTS[number % len(abuse.CONNECTS)][1])
        client.kill()


def half_open(broker, number):
    """Closed after the TCP handshake, in the middle of TLS, after TLS, in the middle of CONNECT."""
    if number % 4 < 2:
        with socket.create_connection(broker.addresses[0]) as stream:
            stream.sendall(b"\x16\x03\x01\x02\0\x01\0\x01\xfc"[:number % 4 * 9])
            return
    with Wire(broker, connect=False, context=broker.context) as client:
        client.send(mqtt.connect(5, "half", will=mqtt.Will("abuse/will", b"x" * 60_000))[:number % 4 % 2 * 50_000])
        client.kill()


def taken_over(broker, number):
    """A session with a will, a subscription and a queued message, ended by the next one."""
    will = mqtt.Will("abuse/will", b"x" * 50_000, props={"will_delay_interval": 100})
    with Wire(broker, client_id="taken", context=broker.context, will=will, clean=number % 3 == 0,
              props={"session_expiry_interval": 100}) as client:
        client.subscribe("abuse/taken/#")
        client.publish("abuse/taken/x", b"x" * 10_000, qos=1)


@pytest.mark.parametrize("abuser", [refused_with_a_will, malformed, half_open, taken_over])
def test_again_and_again(broker, bystander, abuser):
    """Memory of the first rounds may stay (buffers, tables); later rounds leave none."""
    for number in range(60):
        abuser(broker, number)
    bystander.settle()
    before = memory(broker)
    for number in range(240):
        abuser(broker, number)
    bystander.settle()
    assert memory(broker) - before < 12 * MB


def test_half_open_all_at_once(broker, bystander):
    """Two hundred connections in the middle of their CONNECT, with everything that they may make the broker store."""
    data = mqtt.connect(5, "half", will=mqtt.Will("abuse/will", b"x" * 60_000))[:-1]
    before = memory(broker)
    waiting = []
    for _ in range(200):
        client = Wire(broker, connect=False, context=broker.context)
        client.send(data)
        waiting.append(client)
    bystander.settle()
    assert memory(broker) - before < 200 * len(data) * 4 + 24 * MB
    for client in waiting:
        client.kill()
