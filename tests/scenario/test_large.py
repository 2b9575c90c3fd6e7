"""One message that is larger than a bound which counts several: it passes where nothing else is there."""

import threading

import mqtt
import pytest
from wire import Wire

BIG = 12 << 20


@pytest.mark.parametrize("workers", [1, 4])
def test_qos0_reaches_a_client_that_reads(new_broker, workers):
    with new_broker(config={"workers": workers, "limits": {"max_packet_size": "32M", "queue_bytes": "32M"}}) as broker:
        with Wire(broker, client_id="reader") as reader, Wire(broker, client_id="writer") as writer:
            reader.subscribe("t")
            for n in range(3):
                payload = bytes([n]) * BIG
                sender = threading.Thread(target=writer.send, args=(mqtt.publish(5, "t", payload),))
                sender.start()
                got = reader.expect(mqtt.PUBLISH)
                sender.join()
                assert got.payload == payload
