"""Stopping the broker: status 0, every client told, nothing lost that was acknowledged."""

import signal

import mqtt
import pytest
from wire import Wire


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("workers", [1, 3])
def test_clients_get_disconnect_when_the_broker_stops(new_broker, number, workers):
    broker = new_broker(config={"workers": workers}).start()
    clients = [Wire(broker, version=4 + n % 2, will=mqtt.Will("t/will", b"gone")) for n in range(10)]
    for client in clients:
        client.subscribe("t/#")
    mark = broker.mark()
    broker.process.signal(number)
    for client in clients:
        said = client.expect_close()
        if client.version == 5:
            assert said.reason == 0x8B
    broker.wait_log("stopping", mark)
    broker.wait_log("stopped", mark)
    broker.stop(None)


def test_stop_under_load(new_broker):
    """Handshakes half done, passwords being checked, messages in flight."""
    broker = new_broker(config={"workers": 2, "limits": {"receive_maximum": 200}}).start()
    sub = Wire(broker)
    sub.subscribe("t/#")
    pub = Wire(broker)
    for number in range(200):
        pub.send(mqtt.publish(5, "t/x", b"x" * 1000, qos=number % 3, packet_id=number + 1 if number % 3 else 0))
        if number == 100:
            half = Wire(broker, connect=False)
            hashing = Wire(broker, connect=False)
            hashing.send(mqtt.connect(5, "hashing", user="anna", password="wrong"))
    broker.stop()
    for client in (sub, pub, half, hashing):
        client.close()


def test_a_reader_that_does_not_read(new_broker):
    """It cannot delay the stop."""
    broker = new_broker().start()
    stuck = Wire(broker)
    stuck.subscribe("t/#", qos=0)
    with Wire(broker) as pub:
        for _ in range(300):
            pub.send(mqtt.publish(5, "t/x", b"x" * 100_000))
        pub.settle()
    broker.stop()
    stuck.close()


def test_stop_right_after_the_start(new_broker):
    new_broker().start().stop()


def test_a_second_signal_changes_nothing(new_broker):
    broker = new_broker().start()
    broker.process.signal(signal.SIGTERM)
    broker.process.signal(signal.SIGTERM)
    broker.stop()
