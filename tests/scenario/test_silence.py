"""Who is judged by time: clients that send or take slowly, and clients of a broker that stood still."""

import signal
import socket
import ssl
import threading
import time

import mqtt
import pytest
from timeouts import scaled_timeout
from wire import Closed, SteppedTls, Wire, tls_context

PING = mqtt.packet(mqtt.PINGREQ, 0, b"")
CLIENTS = 10
PAUSE_S = 4


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config={"limits": {"max_packet_size": "1M"}}) as broker:
        yield broker


@pytest.fixture(name="paused")
def _paused(broker):
    """Stops the process while the block runs."""
    class Pause:
        def __enter__(self):
            broker.process.stop_running()

        def __exit__(self, *_):
            broker.process.signal(signal.SIGCONT)

    return Pause()


def slow_stream(broker):
    """With small buffers, so that the broker soon has to wait."""
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    stream.settimeout(scaled_timeout(20))
    stream.connect(broker.addresses[0])
    return tls_context(broker.pki).wrap_socket(stream, server_hostname="localhost")


def test_pause_disconnects_nobody(broker, paused, topic, version):
    """Pings that waited in the socket are read before anybody's silence is judged."""
    clients = [Wire(broker, version, keep_alive=1, will=mqtt.Will(topic, b"gone")) for _ in range(CLIENTS)]
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        with paused:
            until = time.monotonic() + PAUSE_S
            while time.monotonic() < until:
                for client in clients:
                    client.send(PING)
                time.sleep(0.4)
        for client in clients:
            client.settle()
        watcher.publish(topic, b"end", qos=1)
        assert watcher.until(b"end") == []
    for client in clients:
        client.disconnect()
        client.close()


def test_rate_limit_after_a_pause(new_broker, version):
    """What waited is read with the usual burst, then at the rate: nobody is disconnected, nothing is lost."""
    rate, count = 50, 250
    with new_broker(config={"limits": {"message_rate": rate}}) as broker, Wire(broker) as reader:
        reader.subscribe("rate/#")
        senders = [Wire(broker, version, client_id=f"sender-{number}", keep_alive=4) for number in range(3)]
        broker.process.stop_running()
        for sender in senders:
            sender.send(b"".join(mqtt.publish(version, f"rate/{sender.client_id}", b"%d" % n, qos=n % 2, packet_id=n if n % 2 else 0)
                                 for n in range(1, count + 1)))
        time.sleep(PAUSE_S)
        broker.process.signal(signal.SIGCONT)
        started = time.monotonic()
        got = [reader.message() for _ in range(count * len(senders))]
        assert time.monotonic() - started >= (count - 3 * rate) / rate - 0.3
        for sender in senders:
            for n in range(1, count + 1, 2):
                sender.expect(mqtt.PUBACK, n)
            sender.settle()
        for sender in senders:
            payloads = [int(m.payload) for m in got if m.topic == f"rate/{sender.client_id}"]
            assert sorted(payloads) == list(range(1, count + 1))
            assert all([n for n in payloads if n % 2 == qos] == list(range(2 - qos, count + 1, 2)) for qos in (0, 1))
            sender.disconnect()
            sender.close()
        assert not [line for line in broker.logged("client-disconnected") if "DISCONNECT" not in line["cause"]]


def test_pause_publishes_no_will_of_a_client_that_returns(broker, paused, topic):
    """Its session and its will's delay ended meanwhile; the connection that continues it waits for its handshake."""
    props, will = {"session_expiry_interval": 2}, mqtt.Will(topic, b"gone", props={"will_delay_interval": 1})
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        with Wire(broker, client_id=topic, clean=False, props=props, will=will):
            pass
        with paused:
            stream = socket.create_connection(broker.addresses[0], timeout=scaled_timeout(20))
            tls = SteppedTls(stream, tls_context(broker.pki))
            tls.step(tls.tls.do_handshake)
            time.sleep(PAUSE_S)
        tls.shake_hands()
        with Wire(broker, client_id=topic, clean=False, props=props, stream=tls) as back:
            assert back.connack.session_present
        watcher.publish(topic, b"end", qos=1)
        assert watcher.until(b"end") == []


def test_long_packet_counts_as_life(broker, topic, version):
    """[MQTT5-3.1.2-22]: 250 kB at 50 kB each second, with a keep alive of one second"""
    packet = mqtt.publish(version, topic, bytes(250000))
    with Wire(broker) as sub, Wire(broker, version, keep_alive=1) as client:
        sub.subscribe(topic)
        for at in range(0, len(packet), 25000):
            client.send(packet[at:at + 25000])
            time.sleep(0.5)
        client.settle()
        assert len(sub.message().payload) == 250000


def test_long_tls_record_counts_as_life(broker, topic, version):
    """A record is decrypted when all of it is there, after more than one and a half keep alive intervals."""
    stream = socket.create_connection(broker.addresses[0], timeout=scaled_timeout(20))
    tls = SteppedTls(stream, tls_context(broker.pki))
    tls.shake_hands()
    with Wire(broker) as sub, Wire(broker, version, keep_alive=1, stream=tls) as client:
        sub.subscribe(topic)
        tls.tls.write(mqtt.publish(version, topic, bytes(16000)))
        record = tls.outgoing.read()
        for at in range(0, len(record), 2000):
            stream.sendall(record[at:at + 2000])
            time.sleep(0.4)
        client.settle()
        assert len(sub.message().payload) == 16000


def test_packet_that_hardly_comes_ends_the_connection(broker, topic, version):
    """A byte now and then is no sign of life."""
    packet = mqtt.publish(version, topic, bytes(1000))
    mark = broker.mark()
    with Wire(broker, version, keep_alive=1) as client:
        for at in range(len(packet)):
            try:
                client.send(packet[at:at + 1])
            except Closed:
                break
            if any(line["client_id"] == client.client_id for line in broker.logged("client-disconnected", mark)):
                break
            time.sleep(0.5)
        said = client.expect_close()
        assert version == 4 or said.reason == 0x8D
        assert at < 10
    assert "100 bytes per second" in broker.wait_log("client-disconnected", mark, client_id=client.client_id)["cause"]


def publish_much(broker, topic, count):
    with Wire(broker) as pub:
        for number in range(count):
            pub.publish(topic, b"%d:" % number + bytes(500000), qos=1)


def test_slow_reader_keeps_its_connection(broker, topic, version):
    """16 MB, 2 MB each second: its pings are not read for a while, and it is not silent."""
    with Wire(broker, version, keep_alive=1, stream=slow_stream(broker)) as client:
        client.subscribe(topic, qos=1)
        feeder = threading.Thread(target=publish_much, args=(broker, topic, 32))
        feeder.start()
        got = 0
        while got < 32:
            if client.take().kind == mqtt.PUBLISH:
                got += 1
                client.send(PING)
                time.sleep(0.25)
        feeder.join()


def test_reader_that_takes_nothing_is_silent(broker, topic, version):
    """Nothing is read from it either, so its pings do not help."""
    mark = broker.mark()
    with Wire(broker, version, keep_alive=1, stream=slow_stream(broker)) as client:
        client.subscribe(topic, qos=0)
        publish_much(broker, topic, 20)
        found = broker.wait_log("client-disconnected", mark, client_id=client.client_id)
        assert "took nothing" in found["cause"]
