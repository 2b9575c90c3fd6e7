"""Debian's mosquitto as a bridge: with level 0x84, which it sends first, with plain 3.1.1, and with 5.0."""

import getpass
import os
import shutil
import subprocess

import pytest
from broker_fixture import ROOT, free_port
from process import TIMEOUT_S, LineProcess
from wire import Wire

ACL = {"roles": {"all": ["allow all #"],
                 "bridge": ["allow all #", "allow publish $SYS/broker/connection/#", "allow subscribe $SYS/broker/connection/#"]}}
KINDS = {"0x84": ["bridge_protocol_version mqttv311"],
         "3.1.1": ["bridge_protocol_version mqttv311", "try_private false"],
         "5.0": ["bridge_protocol_version mqttv50"]}

# The package installs it where only root's PATH has it; tools/dependencies unpacks it into a build directory.
MOSQUITTO = (shutil.which("mosquitto", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
             or str(ROOT / "build-check/mosquitto/usr/sbin/mosquitto"))


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(users={"anna": ["all"], "other-house": ["bridge"]}, acl=ACL) as h:
        yield h


class Neighbour:
    """A mosquitto that bridges `home/#` in both directions; its own clients connect without TLS on the loopback
    interface."""

    def __init__(self, directory, broker, kind, qos=1):
        self.port = free_port()
        port = broker.addresses[0][1]
        (directory / "mosquitto.conf").write_text("\n".join([
            f"listener {self.port} 127.0.0.1", "allow_anonymous true", "log_type all",
            f"user {getpass.getuser()}",
            "connection house", f"address 127.0.0.1:{port}", f"topic home/# both {qos}", f"remote_clientid neighbour-{kind}",
            "remote_username other-house", f"remote_password {broker.password('other-house')}",
            f"bridge_cafile {broker.pki.path('ca.crt')}", "restart_timeout 1", "notifications true", *KINDS[kind], ""]))
        self.process = LineProcess([MOSQUITTO, "-c", str(directory / "mosquitto.conf")], stdin=subprocess.DEVNULL)

    def say(self, topic, text, *options):
        subprocess.run(["mosquitto_pub", "-p", str(self.port), "-t", topic, "-m", text, "-q", "1", *options], check=True,
                       timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)

    def hear(self, topic, count):
        return LineProcess(["stdbuf", "-oL", "mosquitto_sub", "-p", str(self.port), "-t", topic, "-q", "1", "-C", str(count), "-d",
                            "-F", "MESSAGE %r %t %p"], stdin=subprocess.DEVNULL)


@pytest.fixture(params=KINDS)
def neighbour(request, broker, tmp_path):
    mark = broker.mark()
    n = Neighbour(tmp_path, broker, request.param)
    try:
        connected = broker.wait_log("client-connected", mark, client_id=f"neighbour-{request.param}")
        n.kind, n.version = request.param, connected["version"]
        n.process.wait_line("Received SUBACK")
        yield n
    finally:
        n.process.signal(15)
        n.process.wait()
        n.process.kill()


def test_both_ways_and_no_echo(broker, neighbour, topic):
    topic = topic.replace("t/", "home/")
    with Wire(broker) as client:
        client.subscribe("home/#", qos=1)
        neighbour.say(f"{topic}/there", "from the neighbour")
        assert client.message().payload == b"from the neighbour"
        listener = neighbour.hear("home/#", 2)
        try:
            listener.wait_line("Subscribed")
            client.publish(f"{topic}/here", b"from the house", qos=1)
            listener.wait_line(f"MESSAGE 0 {topic}/here from the house")
            assert client.message().payload == b"from the house"
            # An echo of either would arrive before this.
            neighbour.say(f"{topic}/last", "last")
            assert client.message().payload == b"last"
            listener.wait_line(f"MESSAGE 0 {topic}/last last")
        finally:
            listener.kill()


def test_a_retained_value_stays_retained(broker, neighbour, topic):
    """A bridge is told that a live change was retained, so that it can retain it too; an ordinary client is not."""
    topic = topic.replace("t/", "home/kept-")
    with Wire(broker) as client:
        live = neighbour.hear(topic, 1)
        try:
            live.wait_line("Subscribed")
            client.publish(topic, b"kept", qos=1, retain=True)
            live.wait_line(f"MESSAGE 0 {topic} kept")
        finally:
            live.kill()
        if neighbour.kind != "3.1.1":
            late = neighbour.hear(topic, 1)
            try:
                late.wait_line(f"MESSAGE 1 {topic} kept")
            finally:
                late.kill()
        client.publish(topic, b"", qos=1, retain=True)


def test_the_level_is_what_was_asked_for(neighbour):
    assert neighbour.version == ("5.0" if neighbour.kind == "5.0" else "3.1.1")
