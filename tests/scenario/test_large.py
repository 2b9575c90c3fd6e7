"""One message that is larger than a bound which counts several: it passes where nothing else is there."""

import threading

import mqtt
import pytest
from broker_fixture import free_bind
from wire import Wire

BIG, HUGE = 12 << 20, 30 << 20


class Reader(Wire):
    """Its buffer does not move with each read."""

    def fill(self):
        data = self.stream.recv(1 << 20)
        assert data
        self.buffer = bytearray(self.buffer) if isinstance(self.buffer, bytes) else self.buffer
        self.buffer += data

    def split(self):
        whole = super().split()
        return whole and (whole[0], bytes(whole[1]))


def pass_on(writer, reader, payload, qos):
    sender = threading.Thread(target=writer.send, args=(mqtt.publish(5, "t", payload, qos=qos, packet_id=qos),))
    sender.start()
    got = reader.expect(mqtt.PUBLISH)
    sender.join()
    assert got.payload == payload


@pytest.mark.parametrize("workers", [1, 4])
def test_qos0_reaches_a_client_that_reads(new_broker, workers):
    with new_broker(config={"workers": workers, "limits": {"max_packet_size": "32M", "queue_bytes": "32M"}}) as broker:
        with Reader(broker, client_id="reader") as reader, Wire(broker, client_id="writer") as writer:
            reader.subscribe("t")
            for n in range(3):
                pass_on(writer, reader, bytes([n]) * BIG, 0)


@pytest.mark.parametrize("listener", [0, 1], ids=["tls", "unix"])
def test_memory_for_one_is_enough(new_broker, tmp_path, listener):
    """With as little memory as --check accepts without a warning."""
    limits = {"max_packet_size": HUGE + 1024, "queue_bytes": HUGE + 1024, "memory": 4 * (HUGE + 1024)}
    binds = [{"bind": free_bind()}, {"bind": f"unix:{tmp_path}/socket"}]
    with new_broker(config={"listeners": binds, "limits": limits}, users={"anna": ["all"], "bert": ["all"]}) as broker:
        assert not broker.logged("config-warning")
        with Reader(broker, listener=listener) as reader, Wire(broker, user="bert", listener=listener) as writer:
            reader.subscribe("t")
            for qos in (0, 1, 2):
                pass_on(writer, reader, bytes([qos]) * HUGE, qos)


@pytest.mark.parametrize("persistence", [{}, {"persistence": {"directory": "store"}}], ids=["memory", "store"])
def test_the_largest_message_waits_in_an_empty_queue(new_broker, persistence):
    """limits.queue_bytes can be as small as limits.max_packet_size: what is allowed on the wire can wait, too."""
    size = 8192
    with new_broker(config={"limits": {"max_packet_size": size, "max_connect_size": size, "queue_bytes": size}, **persistence}) as broker:
        keep = {"session_expiry_interval": 3600}
        with Wire(broker, client_id="away", clean=False, props=keep) as reader:
            reader.subscribe("t", qos=1)
            reader.disconnect()
        with Wire(broker, client_id="writer") as writer:
            payload = b"x" * (size - len(mqtt.publish(5, "t", b"", qos=1, packet_id=1)) - 2)
            assert len(mqtt.publish(5, "t", payload, qos=1, packet_id=1)) in (size - 1, size)
            assert writer.publish("t", payload, qos=1).reason == 0
        with Wire(broker, client_id="away", clean=False, props=keep) as reader:
            assert reader.message().payload == payload
