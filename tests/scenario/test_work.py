"""One packet that causes very much work: its sender waits, other clients do not. (Its cost in steps:
tests/sim/test_work.c.)"""

import mqtt
import pytest
from wire import Closed, Wire

SAME = 100000


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config={"workers": 1}) as broker:
        yield broker


def see_others_served(broker, busy, kind, packet_id):
    """Another client pings, publishes and receives until the answer arrives."""
    rounds = 0
    with Wire(broker) as good:
        good.subscribe("work/good", qos=1)
        answer = None
        while answer is None:
            good.publish("work/good", str(rounds).encode(), qos=1)
            assert good.message().payload == str(rounds).encode()
            good.settle()
            rounds += 1
            answer = answered(busy, kind, packet_id)
    return answer


def answered(wire, kind, packet_id):
    """The answer, if it has arrived."""
    wire.stream.setblocking(False)
    try:
        wire.fill()
    except (BlockingIOError, OSError) as error:
        if isinstance(error, Closed):
            raise
    finally:
        wire.stream.settimeout(60)
    whole = wire.split()
    if whole is None:
        return None
    packet = mqtt.parse(wire.version, *whole)
    assert (packet.kind, packet.packet_id) == (kind, packet_id)
    return packet


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("keeps", [False, True], ids=["clean", "kept"])
def test_the_same_filter_very_often(broker, keeps, qos):
    """[MQTT5-3.8.4-3], [MQTT5-3.8.4-6], [MQTT3-3.8.4-4]"""
    props = {"session_expiry_interval": 100} if keeps else None
    with Wire(broker) as pub:
        pub.publish("work/same/a", b"1", qos=1, retain=True)
    with Wire(broker, client_id=f"busy-{keeps}-{qos}", props=props) as busy:
        busy.send(mqtt.subscribe(5, 1, [("work/same/+", qos)] * SAME))
        answer = see_others_served(broker, busy, mqtt.SUBACK, 1)
        assert answer.reasons == [qos] * SAME
        assert busy.message().payload == b"1"
        busy.settle()
        assert busy.messages == []
        busy.send(mqtt.unsubscribe(5, 2, ["work/same/+"] * SAME))
        answer = see_others_served(broker, busy, mqtt.UNSUBACK, 2)
        assert answer.reasons == [0] + [0x11] * (SAME - 1)
        busy.disconnect(props={"session_expiry_interval": 0} if keeps else None)


def test_packets_after_a_large_subscribe_wait(broker):
    """[MQTT5-4.6.0-1] One answer after the other, in the order of the packets."""
    filters = [f"work/many/{n}/+" for n in range(9000)]
    with Wire(broker) as busy:
        busy.send(mqtt.subscribe(5, 1, [(one, 1) for one in filters]) + mqtt.packet(mqtt.PINGREQ, 0, b"") +
                  mqtt.publish(5, "work/many/8999/x", b"own", qos=1, packet_id=7) + mqtt.unsubscribe(5, 2, filters))
        assert busy.read().reasons == [1] * len(filters)
        busy.expect(mqtt.PINGRESP)
        assert busy.take().kind in (mqtt.PUBLISH, mqtt.PUBACK)
        assert busy.take().kind in (mqtt.PUBLISH, mqtt.PUBACK)
        assert busy.expect(mqtt.UNSUBACK, 2).reasons == [0] * len(filters)
        assert [one.payload for one in busy.messages] == [b"own"]


def test_a_packet_that_is_wrong_at_its_end_does_nothing(broker):
    """[MQTT5-3.8.3-5] Everything is checked before anything is done."""
    packet = mqtt.subscribe(5, 1, [("work/wrong/+", 0)] * SAME + [("work/wrong/+", 0xC0)])
    with Wire(broker, client_id="wrong", props={"session_expiry_interval": 100}) as busy:
        busy.send(packet)
        assert busy.expect_close().reason == 0x81
    with Wire(broker, client_id="wrong", clean=False) as again, Wire(broker) as pub:
        assert again.connack.session_present
        pub.publish("work/wrong/a", b"", qos=1)
        again.settle()
        assert again.messages == []


def test_a_client_that_disconnects_during_a_large_subscribe(broker):
    """Partly done or not: the session is intact, and can be used."""
    filters = [f"work/leave/{n}/+" for n in range(9000)]
    for _ in range(5):
        with Wire(broker, client_id="leaver", clean=False, props={"session_expiry_interval": 100}) as busy:
            busy.send(mqtt.subscribe(5, 1, [(one, 1) for one in filters]))
    with Wire(broker, client_id="leaver", clean=False, props={"session_expiry_interval": 0}) as busy:
        assert busy.connack.session_present
        assert busy.subscribe(*filters, qos=1).reasons == [1] * len(filters)
        busy.settle()
