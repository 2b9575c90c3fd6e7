"""MQTT over WebSocket: real clients, and one that does what it is told. What the protocol says of frames is in
tests/unit/websocket."""

import contextlib
import os
import signal
import ssl
import time

import clients
import mqtt
import paho.mqtt.client as paho
import pytest
from broker_fixture import free_bind
from websocket import BINARY, CLOSE, FIN, PING, PONG, TEXT, WebSocket, frame, read_head, upgrade_request
from wire import Closed, Wire, fresh_address, open_stream, tls_context

WEBSOCKET = 1


def listeners(**https):
    return [{"bind": free_bind()}, {"bind": free_bind(), "protocol": "https", "serve": ["websocket"], **https}]


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config={"listeners": listeners(), "workers": 2}) as running:
        yield running


def raw_tls(broker, source=None):
    """TLS to the https listener, and nothing over it yet."""
    import socket
    stream = socket.create_connection(broker.addresses[WEBSOCKET], timeout=20, source_address=source and (source, 0))
    return tls_context(broker.pki).wrap_socket(stream, server_hostname="localhost")


def plain_connect(broker, client_id, version=5, **options):
    return mqtt.connect(version, client_id, user="anna", password=broker.password("anna"), **options)


# --- real clients ---

def test_mqtt_js(broker, version, topic):
    """Each of its packets is several frames. (The URL has no path: /.)"""
    with clients.MqttJs(broker, version, listener=WEBSOCKET) as js, Wire(broker) as other:
        js.subscribe(topic, qos=1)
        other.publish(topic, b"x" * 100_000, qos=1)
        assert js.message()["payload"] == b"x" * 100_000
        other.subscribe(topic + "/back")
        js.publish(topic + "/back", "hello", qos=2)
        assert other.message().payload == b"hello"


def test_paho(broker, topic):
    got, granted = [], []
    client = paho.Client("paho-websocket", transport="websockets")
    client.tls_set(ca_certs=str(broker.pki.path("ca.crt")))
    client.username_pw_set("anna", broker.password("anna"))
    client.on_message = lambda c, u, message: got.append(message.payload)
    client.on_subscribe = lambda *a: granted.append(a)
    host, port = broker.addresses[WEBSOCKET]
    client.connect("localhost", port)
    client.loop_start()
    try:
        client.subscribe(topic, 1)
        wait_until(lambda: granted)
        for size in (0, 1, 125, 126, 65_535, 65_536, 300_000):
            client.publish(topic, b"x" * size, 1)
        wait_until(lambda: len(got) == 7)
        assert [len(payload) for payload in got] == [0, 1, 125, 126, 65_535, 65_536, 300_000]
    finally:
        client.disconnect()
        client.loop_stop()


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- the bytes ---

def test_the_upgrade_names_mqtt_and_no_extension(broker):
    """[MQTT5-6.0.0-4] [MQTT3-6.0.0-4]"""
    with contextlib.closing(raw_tls(broker)) as stream:
        stream.sendall(upgrade_request("localhost", Sec_WebSocket_Protocol="mqttv3.1, mqtt",
                                       Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))
        status, head, rest = read_head(stream)
        assert (status, head["sec-websocket-protocol"], rest) == (101, "mqtt", b"")
        assert "sec-websocket-extensions" not in head and "server" not in head


@pytest.mark.parametrize("cut", [1, 2, 7, 126, 5000])
def test_packets_cut_in_any_way(broker, version, cut, topic):
    """[MQTT5-6.0.0-2] [MQTT3-6.0.0-2]"""
    client = Wire(broker, version, stream=WebSocket(raw_tls(broker), cut=cut))
    client.subscribe(topic)
    for size in (0, 1, 300, 20_000):
        client.publish(topic, bytes(range(256)) * (size // 256 + 1), qos=1)
        assert client.message().payload == bytes(range(256)) * (size // 256 + 1)
    client.disconnect()


def test_packets_joined_in_one_frame(broker, topic):
    with Wire(broker, listener=WEBSOCKET) as client:
        client.subscribe(topic, qos=0)
        client.send(b"".join(mqtt.publish(5, topic, b"%d" % n) for n in range(1000)))
        assert [client.message().payload for _ in range(1000)] == [b"%d" % n for n in range(1000)]


def test_control_frames_between_fragments(broker, topic):
    with Wire(broker, listener=WEBSOCKET) as client:
        client.subscribe(topic, qos=0)
        packet = mqtt.publish(5, topic, b"payload")
        client.stream.stream.sendall(frame(BINARY, packet[:3]) + frame(FIN | PING, b"first") + frame(0, packet[3:4]) +
                                     frame(FIN | PING, b"second") + frame(FIN | PONG, b"x") + frame(FIN, packet[4:]))
        assert client.message().payload == b"payload"
        assert client.stream.pongs[-1] == b"second"


def test_a_ping_is_answered(broker):
    with Wire(broker, listener=WEBSOCKET) as client:
        for payload in (b"", b"x", b"x" * 125):
            client.stream.send_frame(FIN | PING, payload)
            assert client.stream.pong() == payload


FAULTS = {
    "text": (frame(FIN | TEXT, b"x"), 1003, "text frame"),
    "unmasked": (frame(FIN | BINARY, b"x", mask=None), 1002, "not masked"),
    "extension": (frame(FIN | 0x40 | BINARY, b"x"), 1002, "extension"),
    "continuation": (frame(FIN, b"x"), 1002, "continues nothing"),
    "long ping": (b"\x89\xfe\x00\x7e\0\0\0\0", 1002, "125 bytes"),
    "long form": (b"\x82\xfe\x00\x01\0\0\0\0x", 1002, "shortest form"),
    "63 bits": (b"\x82\xff" + b"\xff" * 8 + b"\0\0\0\0", 1002, "highest bit"),
    "close with bad words": (frame(FIN | CLOSE, b"\x03\xe8\xff"), 1007, "UTF-8"),
    "close with a bad code": (frame(FIN | CLOSE, b"\x03\xed"), 1002, "code"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "before-connect"])
def test_a_broken_rule_ends_the_connection_and_is_logged(broker, name, connected):
    """The will is published, and the line in the log has the cause."""
    sent, code, cause = FAULTS[name]
    mark = broker.mark()
    with Wire(broker, listener=WEBSOCKET, connect=connected, expect=None) as client:
        client.stream.stream.sendall(sent)
        assert client.stream.end() == code
    event = "client-disconnected" if connected else "connection-closed-before-connect"
    broker.wait_log(event, after=mark, cause=lambda text: cause in text)


def test_the_will_of_a_client_that_closes_without_disconnect(broker, topic):
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        with Wire(broker, listener=WEBSOCKET, will=mqtt.Will(topic, b"gone")) as client:
            client.stream.send_frame(FIN | CLOSE, b"\x03\xe8")
            assert client.stream.end() == 1000
        assert watcher.message().payload == b"gone"


def test_close_codes_of_the_broker(new_broker):
    with new_broker(config={"listeners": listeners(), "limits": {"max_packet_size": "64k"}}) as broker:
        with Wire(broker, listener=WEBSOCKET) as client:
            client.disconnect()
            assert client.stream.close_code == 1000
        with Wire(broker, listener=WEBSOCKET, connect=False) as client:
            client.send(b"\x10\xff\xff\x7f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x04lamp")
            assert client.stream.end() == 1009
        with Wire(broker, listener=WEBSOCKET, connect=False) as client:
            client.send(plain_connect(broker, "x").replace(b"the password of anna", b"The password of anna"))
            assert client.stream.end() == 1008
        with Wire(broker, listener=WEBSOCKET, client_id="twice") as old, Wire(broker, client_id="twice"):
            assert old.expect_close().reason == 0x8E
            assert old.stream.close_code == 1000
        with Wire(broker, listener=WEBSOCKET) as client:
            broker.stop()
            assert client.expect_close().reason == 0x8B
            assert client.stream.close_code == 1001


# --- as any client ---

@pytest.mark.parametrize("first, second", [(0, 1), (1, 0), (1, 1)], ids=["tls-websocket", "websocket-tls", "websocket"])
def test_takeover(broker, version, first, second, topic):
    """The session goes on over the other transport."""
    options = {"client_id": f"takeover-{first}{second}-{version}", "clean": False}
    if version == 5:
        options["props"] = {"session_expiry_interval": 600}
    with Wire(broker, version, listener=first, **options) as old:
        old.subscribe(topic)
        with Wire(broker, version, listener=second, **options) as new, Wire(broker) as other:
            assert new.connack.session_present
            old.expect_close()
            other.publish(topic, b"kept", qos=1)
            assert new.message().payload == b"kept"
            new.send(mqtt.disconnect(version))


def test_move_to_another_worker_in_the_middle_of_a_frame(broker, topic):
    """CONNECT is whole, and the rest of its frame comes when the connection is elsewhere."""
    for n in range(12):
        stream = WebSocket(raw_tls(broker))
        connect, rest = plain_connect(broker, f"moves-{n}"), mqtt.packet(mqtt.PINGREQ, 0, b"") * 40
        data = frame(FIN | BINARY, connect + rest)
        split = len(data) - len(rest) + n
        stream.stream.sendall(data[:split])
        client = Wire(broker, stream=stream, connect=False)
        assert client.expect(mqtt.CONNACK).reason == 0
        stream.stream.sendall(data[split:] + frame(FIN | PING, b"ping"))
        for _ in range(40):
            client.expect(mqtt.PINGRESP)
        assert stream.pong() == b"ping"
        client.close()


def test_a_crowd_over_several_workers(broker, topic):
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Wire(broker, listener=n % 2, client_id=f"crowd-{n}")) for n in range(24)]
        for client in crowd:
            client.subscribe(topic)
        for n, client in enumerate(crowd):
            client.publish(topic, b"%d" % n, qos=1)
        for client in crowd:
            assert sorted(int(client.message().payload) for _ in crowd) == list(range(24))


# --- bounds ---

def memory_kb(broker):
    with open(f"/proc/{broker.process.child.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def small_broker(new_broker):
    """A sanitizer keeps little of what was freed."""
    return new_broker(config={"listeners": listeners()},
                      environment={"ASAN_OPTIONS": "halt_on_error=1:detect_leaks=1:quarantine_size_mb=1"})


def test_pings_of_a_client_that_reads_nothing(new_broker):
    """They are dropped, not kept."""
    with small_broker(new_broker) as broker, Wire(broker, listener=WEBSOCKET) as client:
        client.publish("warm", b"up", qos=1)
        ping = (frame(FIN | PING, b"x" * 125) * 100 + frame(FIN | BINARY, mqtt.packet(mqtt.PINGREQ, 0, b"")))
        client.stream.settimeout(2)
        before = memory_kb(broker)
        with contextlib.suppress(TimeoutError, ssl.SSLError, ConnectionError):
            for _ in range(4000):
                client.stream.stream.sendall(ping)
        assert memory_kb(broker) - before < 20_000


def test_frames_without_mqtt_are_bounded(broker):
    mark = broker.mark()
    with Wire(broker, listener=WEBSOCKET) as client:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for _ in range(20):
                client.stream.stream.sendall(frame(FIN | BINARY) * 1000)
        assert client.stream.end() == 1008
    broker.wait_log("client-disconnected", after=mark, cause=lambda text: "without a byte of MQTT" in text)


def test_pings_of_websocket_are_no_packets_of_mqtt(broker):
    """[MQTT3-3.1.2-24] [MQTT5-3.1.2-22]"""
    with Wire(broker, listener=WEBSOCKET, keep_alive=1) as client:
        begin = time.monotonic()
        client.stream.settimeout(0.2)
        while client.stream.close_code is None:
            assert time.monotonic() < begin + 15, "pings keep it alive"
            with contextlib.suppress(TimeoutError, ConnectionError, ssl.SSLError):
                client.stream.send_frame(FIN | PING, b"still here")
                client.stream.recv(100)


def test_a_claimed_length_costs_no_memory(new_broker):
    with small_broker(new_broker) as broker, contextlib.ExitStack() as stack:
        before = memory_kb(broker)
        for _ in range(20):
            client = stack.enter_context(Wire(broker, listener=WEBSOCKET))
            client.stream.stream.sendall(b"\x82\xff\x00\x00\x00\x7f\xff\xff\xff\xff\0\0\0\0")
        assert memory_kb(broker) - before < 60_000


def test_the_whole_way_in_has_one_deadline(new_broker):
    """TLS, the upgrade and CONNECT together."""
    with new_broker(config={"listeners": listeners(), "limits": {"connect_timeout": "2s"}}) as broker:
        begin = time.monotonic()
        stream = raw_tls(broker)
        request = upgrade_request("localhost")
        stream.sendall(request[:20])
        time.sleep(1)
        stream.sendall(request[20:])
        assert read_head(stream)[0] == 101
        client = WebSocket(stream, upgrade=False)
        client.end()
        assert time.monotonic() - begin < 2.9
        assert "connect_timeout" in broker.wait_log("connection-closed-before-connect")["cause"]


def test_a_listener_that_a_reload_removes(new_broker):
    with new_broker(config={"listeners": listeners()}) as broker:
        with Wire(broker, listener=WEBSOCKET) as client, Wire(broker) as other:
            del broker.config["listeners"][1]
            broker.write()
            broker.process.signal(signal.SIGHUP)
            assert client.expect_close().reason == 0x8B
            other.settle()
