"""Bounds of what all clients share: retained messages, memory, connections of one address or user, and the rate of
publishing. (Limits of a single client: test_limits.py.)"""

import signal
import time

import mqtt
import pytest
from wire import Closed, Wire, fresh_address, tls_context

BOTH = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
KEEP = {"session_expiry_interval": 100}
QUOTA = 0x97


def broker_with(new_broker, **limits):
    return new_broker(config={"limits": limits}, users={"anna": ["all"], "bertil": ["all"]})


def retained(broker, topic):
    """The retained messages that a new subscriber gets."""
    with Wire(broker) as reader, Wire(broker) as writer:
        reader.subscribe(topic, qos=1)
        reader.settle()
        writer.publish("end/of/it", b"", qos=1)
        reader.subscribe("end/of/it")
        writer.publish("end/of/it", b"end", qos=1)
        return sorted(m.topic for m in reader.until(b"end"))


@BOTH
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_retained_messages(new_broker, version, qos):
    """[MQTT5-3.4.2-1] [MQTT5-3.5.2-1]: the fourth is refused; existing ones are replaced and deleted; other clients see
    nothing of the refused one."""
    with broker_with(new_broker, retained_messages=3, retained_per_user=3) as broker:
        mark = broker.mark()
        with Wire(broker, version) as client, Wire(broker) as witness:
            witness.subscribe("r/#", qos=1)
            for number in range(3):
                client.publish(f"r/{number}", b"1", qos=1, retain=True)
            client.settle()
            said = client.publish("r/3", b"1", qos=qos, retain=True)
            if qos > 0:
                assert said.reason == (QUOTA if version == 5 else 0)
            client.publish("r/3", b"live", qos=qos)
            client.publish("r/0", b"a longer one", qos=qos, retain=True)
            client.publish("r/1", b"", qos=qos, retain=True)
            client.publish("r/3", b"last", qos=1, retain=True)
            assert [m.payload for m in witness.until(b"last")] == [b"1", b"1", b"1", b"live", b"a longer one", b""]
        assert retained(broker, "r/#") == ["r/0", "r/2", "r/3"]
        told = broker.wait_log("retain-refused", mark, topic="r/3")
        assert told["user"] == "anna" and told["cause"] == "limits.retained_messages is reached"


def test_retained_of_one_user(new_broker):
    with broker_with(new_broker, retained_messages=100, retained_per_user=2) as broker:
        with Wire(broker) as anna, Wire(broker) as anna_again, Wire(broker, user="bertil") as bertil:
            anna.publish("r/1", b"1", qos=1, retain=True)
            anna_again.publish("r/2", b"1", qos=1, retain=True)
            refused = anna.publish("r/3", b"1", qos=1, retain=True)
            assert refused.reason == QUOTA
            assert "retained_per_user" in refused.props["reason_string"]
            bertil.publish("r/3", b"1", qos=1, retain=True)
            anna.publish("r/3", b"2", qos=1, retain=True)  # what is there is replaced, whoever wrote it
            anna.publish("r/1", b"", qos=1, retain=True)
            anna.publish("r/2", b"", qos=1, retain=True)
            anna.publish("r/4", b"1", qos=1, retain=True)
        assert retained(broker, "r/#") == ["r/3", "r/4"]


def test_retained_bytes(new_broker):
    with broker_with(new_broker, retained_bytes="120k", retained_bytes_per_user=0) as broker:
        with Wire(broker) as client:
            client.publish("r/1", b"x" * 60_000, qos=1, retain=True)
            assert client.publish("r/2", b"x" * 60_000, qos=1, retain=True).reason == QUOTA
            assert client.publish("r/1", b"x" * 110_000, qos=2, retain=True).reason == QUOTA
            client.publish("r/1", b"x" * 59_000, qos=1, retain=True)
            client.publish("r/2", b"x" * 30_000, qos=1, retain=True)
            client.publish("r/1", b"", qos=1, retain=True)
            client.publish("r/3", b"x" * 60_000, qos=1, retain=True)
        assert retained(broker, "r/#") == ["r/2", "r/3"]


def test_a_retained_will_that_is_refused(new_broker):
    """The cause names its limit; a will on a topic that has a retained message replaces it."""
    with broker_with(new_broker, retained_messages=1) as broker:
        mark = broker.mark()
        with Wire(broker) as witness:
            witness.subscribe("state/#", qos=1)
            with Wire(broker) as pub:
                pub.publish("state/lamp", b"online", qos=1, retain=True)
            for name in ("fan", "lamp"):
                dies = Wire(broker, will=mqtt.Will(f"state/{name}", b"offline " + name.encode(), retain=True))
                dies.kill()
            broker.wait_log("retain-refused", mark, topic="state/fan")
            assert [m.topic for m in witness.until(b"offline lamp")] == ["state/lamp"]


def test_memory(new_broker):
    """Above it queued messages are dropped and nothing more is retained; connected clients get everything."""
    limits = {"memory": "1M", "memory_per_user": 0, "queue_messages": 1000, "queue_bytes": "8M", "retained_bytes": "8M"}
    with broker_with(new_broker, **limits) as broker:
        mark = broker.mark()
        away = Wire(broker, client_id="away", props=KEEP)
        away.subscribe("m/#", qos=1)
        away.disconnect()
        with Wire(broker) as here, Wire(broker) as pub:
            here.subscribe("m/#", qos=1)
            for number in range(30):
                pub.publish("m/t", b"%03d" % number + b"x" * 50_000, qos=1)
                assert here.message().payload.startswith(b"%03d" % number)
                here.settle()
            assert pub.publish("m/r", b"x" * 100_000, qos=1, retain=True).reason == QUOTA
            dropped = broker.wait_log("message-dropped", mark, client_id="away")
            assert dropped["cause"] == "limits.memory is reached"
            with Wire(broker, client_id="away", clean=False) as back:
                back.subscribe("other")
                pub.publish("other", b"last", qos=1)
                got = [m.payload[:3] for m in back.until(b"last")]
                assert 15 <= len(got) <= 20 and got[:15] == [b"%03d" % n for n in range(15)]
            pub.publish("m/r", b"x" * 100_000, qos=1, retain=True)


def test_connections_of_an_address(new_broker):
    """One more is closed before its handshake; other addresses are not affected, and a free place is used again."""
    with broker_with(new_broker, connections_per_address=3) as broker:
        context, source, mark = tls_context(broker.pki), fresh_address(), broker.mark()
        clients = [Wire(broker, context=context, source=source) for _ in range(3)]
        with pytest.raises((Closed, OSError)):
            Wire(broker, context=context, source=source)
        dropped = broker.wait_log("connection-closed-before-connect", mark)
        assert dropped["cause"] == "limits.connections_per_address is reached"
        with Wire(broker, context=context, source=fresh_address()) as other:
            other.settle()
        clients.pop().disconnect()
        deadline = time.monotonic() + 10
        while len(clients) < 3:
            try:
                clients.append(Wire(broker, context=context, source=source))
            except (Closed, OSError):
                assert time.monotonic() < deadline
        for client in clients:
            client.settle()
            client.close()


@BOTH
def test_connections_of_a_user(new_broker, version):
    """[MQTT5-3.1.4-2]: refused with a code of each version; a client that reconnects takes its own place."""
    with broker_with(new_broker, connections_per_user=2) as broker:
        with Wire(broker, version, client_id="one") as one, Wire(broker, version, client_id="two") as two:
            Wire(broker, version, client_id="three", expect=QUOTA if version == 5 else 3).close()
            with Wire(broker, version, user="bertil", client_id="three") as other:
                other.settle()
            with Wire(broker, version, client_id="two") as again:
                two.expect_close()
                Wire(broker, version, client_id="three", expect=QUOTA if version == 5 else 3).close()
                one.disconnect()
                with Wire(broker, version, client_id="three") as three:
                    three.settle()
                    again.settle()


@BOTH
def test_message_rate(new_broker, version):
    """A client that sends faster is read more slowly, and loses nothing; others are not affected."""
    with broker_with(new_broker, message_rate=100) as broker:
        with Wire(broker, version) as client, Wire(broker) as other, Wire(broker) as reader:
            reader.subscribe("rate/#", qos=0)
            started = time.monotonic()
            client.send(b"".join(mqtt.publish(version, "rate/t", b"%d" % n) for n in range(450)))
            client.send(mqtt.publish(version, "rate/t", b"last"))
            other.publish("elsewhere", b"", qos=1)
            assert time.monotonic() - started < 1
            assert [m.payload for m in reader.until(b"last")] == [b"%d" % n for n in range(450)]
            assert time.monotonic() - started >= 1.4
            client.settle()


@BOTH
def test_byte_rate(new_broker, version):
    """Bytes of any packet: who sends more is read more slowly, and loses nothing. Others are not affected, and a reload ends it."""
    with broker_with(new_broker, byte_rate="100k") as broker:
        with Wire(broker, version) as client, Wire(broker, version) as asks, Wire(broker) as other, Wire(broker) as reader:
            reader.subscribe("rate/#", qos=0)
            started = time.monotonic()
            client.send(b"".join(mqtt.publish(version, "rate/t", b"%6d" % n * 500) for n in range(150)))
            client.send(mqtt.publish(version, "rate/t", b"last"))
            asks.send(mqtt.subscribe(version, 1, [("x" * 1000, 0)]) * 450)
            other.publish("elsewhere", b"", qos=1)
            assert time.monotonic() - started < 1
            assert [m.payload for m in reader.until(b"last")] == [b"%6d" % n * 500 for n in range(150)]
            # 450 kB, of which 300 kB are the burst and 64 kB one read.
            assert time.monotonic() - started >= 0.8
            for _ in range(450):
                asks.expect(mqtt.SUBACK)
            assert time.monotonic() - started >= 0.8
            client.settle()
            mark = broker.mark()
            del broker.config["limits"]["byte_rate"]
            broker.write()
            broker.process.signal(signal.SIGHUP)
            broker.wait_log("reloaded", mark)
            client.settle()
            started = time.monotonic()
            client.send(mqtt.publish(version, "rate/t", b"x" * 1_500_000) * 2)
            client.settle()
            assert time.monotonic() - started < 12


def test_a_low_byte_rate_does_not_break_keep_alive(new_broker):
    """A read of 64 kB stops the client for longer than its keep alive: that silence is the broker's own."""
    with broker_with(new_broker, byte_rate="10k") as broker:
        with Wire(broker, keep_alive=1) as client:
            client.send(mqtt.publish(5, "rate/t", b"x" * 60_000))
            client.settle()
            client.publish("rate/t", b"", qos=1)


def test_a_slow_message_rate_does_not_break_keep_alive(new_broker):
    """While the broker does not read it, its silence does not count."""
    with broker_with(new_broker, message_rate=1) as broker:
        with Wire(broker, keep_alive=1) as client:
            for number in range(6):
                client.send(mqtt.publish(5, "rate/t", b"%d" % number))
            client.settle()
            client.publish("rate/t", b"", qos=1)
