"""Everything that a client can have many or much of has a limit; a packet beyond it ends with the standard's code.
(User properties, levels and lengths of single packets: test_abuse.py. Queues: test_session.py.)"""

import time

import mqtt
import pytest
from wire import Closed, Wire, fresh_address, tls_context

LIMITS = {"connections": 30, "max_packet_size": "8k", "max_packet_size_enforcement": "strict", "max_connect_size": "1k", "receive_maximum": 4,
          "topic_alias_maximum": 3, "max_qos": 1, "retain_available": False, "max_keepalive": "100s",
          "max_session_expiry": "10m", "subscriptions": 5, "subscription_bytes": "1300", "sessions_per_user": 3, "topic_levels": 6}
ANNOUNCED = {"maximum_packet_size": 8192, "receive_maximum": 4, "topic_alias_maximum": 3, "maximum_qos": 1,
             "retain_available": 0, "server_keep_alive": 100}
KEEP = {"session_expiry_interval": 100}
BOTH = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config={"limits": LIMITS}, users={"anna": ["all"], "many": ["all"], "few": ["all"]}) as broker:
        broker.context = tls_context(broker.pki)
        yield broker


@pytest.fixture
def client(broker, version):
    with Wire(broker, version, context=broker.context) as client:
        yield client


def ends_with(client, reason):
    """The connection ends, with this code if the version has one."""
    said = client.expect_close()
    assert (said.reason if said else None) == (reason if client.version == 5 else None)


def test_limits_are_announced_in_connack(broker):
    """[MQTT5-3.1.2-21]"""
    with Wire(broker, keep_alive=0, props={"session_expiry_interval": 0xFFFFFFFF}) as client:
        assert client.connack.props == {**client.connack.props, **ANNOUNCED, "session_expiry_interval": 600}
        client.disconnect(0, {"session_expiry_interval": 0})


TOO_MUCH = [
    ("max_packet_size", lambda v: mqtt.publish(v, "limits/t", b"x" * 8192), 0x95),
    ("max_qos", lambda v: mqtt.publish(v, "limits/t", b"", qos=2, packet_id=1), 0x9B),
    ("retain_available", lambda v: mqtt.publish(v, "limits/t", b"", retain=True), 0x9A),
]


@BOTH
@pytest.mark.parametrize("packet, reason", [row[1:] for row in TOO_MUCH], ids=[row[0] for row in TOO_MUCH])
def test_packets_beyond_a_limit_are_refused(client, version, packet, reason):
    """[MQTT5-3.2.2-11], [MQTT5-3.2.2-14], [MQTT5-3.2.2-15] A 3.1.1 client was not told: see test_refusals.py."""
    client.send(packet(version))
    if version == 5 or reason == 0x95:
        ends_with(client, reason)
    else:
        client.take() if reason == 0x9B else client.settle()


@BOTH
def test_packets_at_a_limit_are_accepted(client, version):
    frame = len(mqtt.publish(version, "1/2/3/4/5/6", b"x" * 4000, qos=1, packet_id=1)) - 4000
    client.publish("1/2/3/4/5/6", b"x" * (8192 - frame), qos=1)
    client.subscribe("1/2/3/4/5/#", qos=1)
    client.settle()


def test_aliases(broker):
    """[MQTT5-3.3.2-9]"""
    with Wire(broker, context=broker.context) as client:
        for alias in (1, 2, 3):
            client.publish(f"limits/{alias}", props={"topic_alias": alias})
        client.settle()
        client.publish("limits/4", props={"topic_alias": 4})
        ends_with(client, 0x94)


def test_client_that_ignores_server_keep_alive(new_broker):
    """[MQTT5-3.1.2-21]: it is silent for its own keep alive, and the log says which setting it did not follow."""
    with new_broker(config={"limits": {"max_keepalive": "1s"}}) as broker:
        mark = broker.mark()
        with Wire(broker, keep_alive=0) as client, Wire(broker, keep_alive=1) as other:
            assert client.connack.props["server_keep_alive"] == 1
            ends_with(client, 0x8D)
            ends_with(other, 0x8D)
        for wire, named in ((client, True), (other, False)):
            closed = broker.wait_log("client-disconnected", mark, client_id=wire.client_id)
            assert ("limits.max_keepalive" in closed["cause"]) == named


@BOTH
def test_receive_maximum(broker, client, version):
    """[MQTT5-4.9.0-2]: what is acknowledged counts no more. (One too many, 0x93: test_publish.py.)"""
    for number in range(1, 21):
        client.publish("limits/t", str(number), qos=1, packet_id=number)
    client.settle()


@BOTH
def test_subscriptions(client, version):
    """[MQTT5-3.9.3-2], [MQTT3-3.9.3-2]"""
    refused = 0x97 if version == 5 else 0x80
    client.subscribe(*[f"limits/{n}" for n in range(7)], qos=0, expect=[0] * 5 + [refused] * 2)
    client.subscribe("limits/0", "limits/9", qos=1, expect=[1, refused])  # one that is replaced needs no room
    client.unsubscribe("limits/0")
    client.subscribe("limits/9", qos=1)


@BOTH
def test_bytes_of_subscriptions(client, version):
    """[MQTT5-3.9.3-2], [MQTT3-3.9.3-2]"""
    refused = 0x97 if version == 5 else 0x80
    first, second, third = ("limits/" + letter * 400 for letter in "abc")
    client.subscribe(first, second, third, "limits/small", qos=1, expect=[1, 1, refused, 1])
    client.subscribe(first, qos=0)  # one that is replaced needs no room
    client.unsubscribe(first)
    client.subscribe(third, qos=1)


@BOTH
def test_levels_of_a_filter(client, version):
    client.subscribe("1/2/3/4/5/6/#", "+/+/+/+/+/+/+", "ok", qos=1,
                     expect=[0x8F, 0x8F, 1] if version == 5 else [0x80, 0x80, 1])


@BOTH
def test_connect_size(broker, version):
    """The will is the largest part of it."""
    def opened(size, **options):
        will = mqtt.Will("limits/will", b"x" * 500)
        less = len(mqtt.connect(version, "sized", user="anna", password=broker.password("anna"), will=will))
        will.payload += b"x" * (size - less)
        return Wire(broker, version, client_id="sized", will=will, context=broker.context, **options)

    with opened(1024) as client:
        client.disconnect()
    if version == 5:
        opened(1025, expect=0x95).close()
    else:
        with pytest.raises(Closed):
            opened(1025)


WILLS = [("qos", {"qos": 2}, 0x9B), ("retain", {"retain": True}, 0x9A)]


@BOTH
@pytest.mark.parametrize("options, reason", [row[1:] for row in WILLS], ids=[row[0] for row in WILLS])
def test_will_beyond(broker, version, options, reason):
    """[MQTT5-3.2.2-12], [MQTT5-3.2.2-13]"""
    will = mqtt.Will("limits/will", b"x", **options)
    if version == 5:
        with Wire(broker, 5, will=will, context=broker.context, expect=reason):
            return
    with pytest.raises(Closed):
        Wire(broker, 4, will=will, context=broker.context)


@BOTH
def test_will_too_deep(broker, version):
    will = mqtt.Will("1/2/3/4/5/6/7", b"x")
    if version == 5:
        with Wire(broker, 5, will=will, context=broker.context, expect=0x90):
            return
    with pytest.raises(Closed):
        Wire(broker, 4, will=will, context=broker.context)


def test_sessions_of_a_user(broker):
    """Three stored sessions; the next is refused, one without a session is not, and other users are not affected."""
    def connect(number, **options):
        return Wire(broker, client_id=f"kept-{number}", user="many", clean=False, context=broker.context, **options)

    for number in range(3):
        connect(number, props=KEEP).disconnect()
    connect(4, props=KEEP, expect=0x97).close()
    connect(4).disconnect()
    with Wire(broker, user="few", clean=False, props=KEEP, context=broker.context) as other:
        other.disconnect(0, {"session_expiry_interval": 0})
    with connect(1, props=KEEP) as again:
        assert again.connack.session_present
        again.disconnect(0, {"session_expiry_interval": 0})
    connect(4, props=KEEP).disconnect()


def test_connections(broker):
    with pytest.raises((AssertionError, Closed)):
        clients = []
        try:
            for _ in range(31):
                clients.append(Wire(broker, context=broker.context))
        finally:
            assert len(clients) == 30
            for client in clients:
                client.close()


@BOTH
def test_identifiers_that_are_never_released(new_broker, version):
    """The Receive Maximum starts again with each connection (4.9). Identifiers of a stored session, and of MQTT 3.1.1,
    which has no maximum, are bounded by memory alone."""
    limits = {"receive_maximum": 2, "queue_messages": 12}
    batches = [2] * 20 if version == 5 else [2000, 500]
    with new_broker(config={"limits": limits}) as broker:
        def connect():
            return Wire(broker, version, client_id="hoards", clean=False, props=KEEP if version == 5 else None)

        def publishes(ids):
            return b"".join(mqtt.publish(version, "limits/t", b"x", qos=2, packet_id=n) for n in ids)

        sent = 0
        for count in batches:
            ids = range(sent + 1, sent + count + 1)
            sent += count
            with connect() as client:
                client.send(publishes(ids))
                assert [client.expect(mqtt.PUBREC).packet_id for _ in ids] == list(ids)
                client.kill()
        with connect() as client:
            assert client.connack.session_present
            client.send(publishes([sent]))  # again: it is known
            client.expect(mqtt.PUBREC, sent)
            for n in range(1, sent + 1):
                client.send(mqtt.ack(version, mqtt.PUBREL, n))
                assert client.expect(mqtt.PUBCOMP, n).reason == 0  # of an unknown one: 0x92


@BOTH
def test_clients_that_do_not_acknowledge_are_bounded(new_broker, version):
    """A client without a Receive Maximum: what it does not acknowledge is bounded all the same, and so is its queue;
    when it acknowledges, it continues."""
    limits = {"queue_bytes": "2M", "queue_messages": 10}
    with new_broker(config={"limits": limits}) as broker:
        with Wire(broker, version, ack=False) as slow, Wire(broker) as pub:
            slow.subscribe("limits/slow", qos=1)
            for _ in range(60):
                pub.publish("limits/slow", b"x" * 100_000, qos=1)
                slow.settle()
            assert 20 <= len(slow.messages) <= 22
            slow.acks = True
            for message in slow.messages:
                slow.acknowledge(message)
            pub.settle()
            slow.settle()
            pub.publish("limits/slow", b"afterwards", qos=1)
            assert 30 <= len(slow.until(b"afterwards")) <= 32


def test_connect_timeout(new_broker):
    """TCP alone, TLS alone, half a CONNECT: none of them stays longer than limits.connect_timeout."""
    data = mqtt.connect(5, "half", will=mqtt.Will("limits/will", b"x" * 1000))
    with new_broker(config={"limits": {"connect_timeout": "1s"}}) as broker:
        started = time.monotonic()
        waiting = [Wire(broker, connect=False) for _ in range(3)]
        for number, client in enumerate(waiting):
            client.send(data[:number * 300])
        for client in waiting:
            with pytest.raises(Closed):
                client.fill()
        assert time.monotonic() - started < 10


@pytest.mark.only_over("tls", "websocket", "proxy")    # at a Unix socket a client does not notice that it is closed
def test_unauthenticated(new_broker):
    """Many silent connections from one address do not keep others out."""
    with new_broker(config={"limits": {"unauthenticated": 8, "connect_timeout": "30s"}}) as broker:
        context, source, crowd = tls_context(broker.pki), fresh_address(), []
        for _ in range(30):
            try:
                crowd.append(Wire(broker, connect=False, context=context, source=source))
            except OSError:
                pass
        assert len(crowd) <= 9
        with Wire(broker, context=context, source=fresh_address()) as client:
            client.settle()
        for client in crowd:
            client.close()
