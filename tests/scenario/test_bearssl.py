"""A real client with BearSSL, as an ESP8266 has it: TLS 1.2, session ids, neither tickets nor extended master secret. A full
handshake takes such a device one or two seconds."""

import os
import signal
import ssl
import subprocess

import mqtt
import pytest
from broker_fixture import ROOT, free_bind
from process import TIMEOUT_S
from wire import Wire

PROGRAM = os.environ.get("VAKT_BEARSSL_CLIENT", str(ROOT / "build/tests/scenario/drivers/bearssl_client"))
if not os.path.exists(PROGRAM):
    pytest.skip("bearssl_client is not built: its library is not installed (libbearssl-dev)", allow_module_level=True)


def visit(broker, topic, times, listener=0):
    """Connects, publishes with QoS 1, and leaves; that many times."""
    ca = broker.directory / "ca.der"
    ca.write_bytes(ssl.PEM_cert_to_DER_cert(broker.pki.path("ca.crt").read_text()))
    packets = (mqtt.connect(4, "esp8266", user="anna", password=broker.password("anna"))
               + mqtt.publish(4, topic, b"21.5", qos=1, packet_id=1))
    done = subprocess.run([PROGRAM, str(broker.addresses[listener][1]), str(ca), str(times), "8"], input=packets,
                          capture_output=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().split("\n")[:-1]


def test_it_resumes_on_every_worker_and_after_a_reload(new_broker):
    with new_broker(config={"workers": 2}) as broker, Wire(broker) as sub:
        sub.subscribe("t/esp")
        assert visit(broker, "t/esp", 8) == ["full"] + ["resumed"] * 7
        assert [sub.message().payload for _ in range(8)] == [b"21.5"] * 8
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded", mark)
        assert visit(broker, "t/esp", 2) == ["full", "resumed"]


def test_it_never_resumes_where_clients_have_certificates(new_broker, pki):
    """Without extended master secret a session would carry a certificate from one connection to another."""
    broker = new_broker()
    tls = {"client_certificates": "optional", "client_ca": str(pki.authority("bearssl-clients"))}
    broker.config["listeners"].append({"bind": free_bind(), "tls": {**broker.config["tls"], **tls}})
    broker.write()
    with broker:
        assert visit(broker, "t/esp", 3, listener=1) == ["full"] * 3
