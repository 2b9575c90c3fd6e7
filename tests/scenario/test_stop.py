"""The end: status 0, everybody told, nothing lost that was promised."""

import signal

import mqtt
import pytest
from wire import Wire


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("workers", [1, 3])
def test_clients_are_told(new_house, number, workers):
    house = new_house(config={"workers": workers}).start()
    clients = [Wire(house, version=4 + n % 2, will=mqtt.Will("t/will", b"gone")) for n in range(10)]
    for client in clients:
        client.subscribe("t/#")
    mark = house.mark()
    house.process.signal(number)
    for client in clients:
        said = client.expect_close()
        if client.version == 5:
            assert said.reason == 0x8B
    house.wait_log("stopping", mark)
    house.wait_log("stopped", mark)
    house.stop(None)


def test_in_the_middle_of_everything(new_house):
    """Handshakes half done, passwords being checked, messages under way."""
    house = new_house(config={"workers": 2, "limits": {"receive_maximum": 200}}).start()
    sub = Wire(house)
    sub.subscribe("t/#")
    pub = Wire(house)
    for number in range(200):
        pub.send(mqtt.publish(5, "t/x", b"x" * 1000, qos=number % 3, packet_id=number + 1 if number % 3 else 0))
        if number == 100:
            half = Wire(house, connect=False)
            hashing = Wire(house, connect=False)
            hashing.send(mqtt.connect(5, "hashing", user="anna", password="wrong"))
    house.stop()
    for client in (sub, pub, half, hashing):
        client.close()


def test_a_reader_that_does_not_read(new_house):
    """It cannot hold the end up."""
    house = new_house().start()
    stuck = Wire(house)
    stuck.subscribe("t/#", qos=0)
    with Wire(house) as pub:
        for _ in range(300):
            pub.send(mqtt.publish(5, "t/x", b"x" * 100_000))
        pub.settle()
    house.stop()
    stuck.close()


def test_straight_away(new_house):
    new_house().start().stop()


def test_twice_is_not_worse(new_house):
    house = new_house().start()
    house.process.signal(signal.SIGTERM)
    house.process.signal(signal.SIGTERM)
    house.stop()
