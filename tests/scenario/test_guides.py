"""vakt-tutorial(7) and vakt-recipes(7) as a reader follows them: every command, every file. What vakt-setup prints for a program
is entered there: in zigbee2mqtt and Node-RED themselves where they are installed, otherwise in Paho."""

import re
import shutil
import subprocess
import tempfile
import threading

import paho.mqtt.client as paho
import pytest
from broker_fixture import ROOT
from guides import Guide, add_lines, blocks
from private_pki import PKI
from process import TIMEOUT_S
from programs import START_S, Flows, NodeRed, Zigbee2Mqtt, installed
from radio import Lamp, Radio
from wire import Wire

MAN = ROOT / "man"
# Where host, port, password and CA stand among what is to be entered. A number that is not named stands nowhere: 8883 is the default.
ENTERED = {
    "homeassistant": (r"Broker +(\S+)", r"Port +(\d+)", r"Username, Password +homeassistant, (\S+)", r"upload (\S+)"),
    "frigate": (r"host: '(.*)'", r"port: (\d+)", r"password: '(.*)'", r"tls_ca_certs: (\S+)"),
    "door": (r"broker: '(.*)'", r"port: (\d+)", r"mqtt_password: '(.*)'", None),
    "plug": (r"MqttHost (\S+);", r"MqttPort (\d+);", r"MqttPassword (\S+)", None),
    "shellyplus1-a8032abe54dc": (r"Server +(\S+):\d+", r"Server +\S+:(\d+)", r"Username, Password +\S+, (\S+)", None),
}


@pytest.fixture
def guide():
    """On a machine on which the package was installed a minute ago."""
    root = tempfile.mkdtemp(prefix="vakt-guide-")
    made = Guide(root)
    try:
        yield made
        made.close()
    finally:
        made.end()
        shutil.rmtree(root)


def test_the_tutorial(guide):
    guide.play(MAN / "vakt-tutorial.7")
    assert {"owner", "porch"} <= set(guide.site.passwords) and "vakt-attic" in guide.units


def play_certbot(guide):
    """What it has in /etc/letsencrypt/live, here from a CA that is made for it."""
    made, live = guide.root / "public", guide.root / "letsencrypt/live/localhost"
    for words in (["init"], ["server", "localhost"]):
        subprocess.run([PKI, "-d", made, *words], check=True, capture_output=True, env=guide.environment, timeout=TIMEOUT_S)
    live.mkdir(parents=True)
    for name, source in (("privkey", "issued/server-ec.key"), ("fullchain", "issued/server-ec.crt"), ("chain", "server-ca.crt")):
        shutil.copy(made / source, live / f"{name}.pem")


def log_in(guide, user):
    """With exactly what was to be entered."""
    text = guide.entries[user]
    host, port, password, ca = (pattern and re.search(pattern, text)[1] for pattern in ENTERED[user])
    if ca is None:
        pem = re.search(r" *-----BEGIN CERT.*?-----END CERTIFICATE-----\n", text, re.S)
        ca = guide.root / "ca.pem"
        ca.write_text(re.sub("^ +", "", pem[0], flags=re.M) if pem else (guide.site.directory / "pki/server-ca.crt").read_text())
    client, answer, answered = paho.Client(f"guide-{user}"), [], threading.Event()
    client.tls_set(str(ca))
    client.username_pw_set(user, password)
    client.on_connect = lambda *found: (answer.append(found[3]), answered.set())
    client.connect(host, int(port))
    client.loop_start()
    assert answered.wait(TIMEOUT_S) and answer == [0], (user, answer)
    client.disconnect()
    client.loop_stop()


def test_the_recipes(guide):
    play_certbot(guide)
    guide.play(MAN / "vakt-recipes.7")
    for user in ENTERED:
        log_in(guide, user)
    assert set(guide.entries) >= {*ENTERED, "zigbee2mqtt", "nodered", "porch"} and "haproxy" in guide.units
    assert guide.site.logged("client-connected")
    play_zigbee2mqtt(guide)
    play_node_red(guide)


def play_zigbee2mqtt(guide):
    installed("zigbee2mqtt")
    lines = re.sub("^  ", "", guide.entries["zigbee2mqtt"], flags=re.M)
    radio = Radio(Lamp(0x1234, 0x000D6FFFFE000001, "TRADFRI bulb E27 W opal 1000lm", "IKEA of Sweden"))
    program = Zigbee2Mqtt.configured(guide.root / "zigbee2mqtt", radio, lines)
    try:
        program.wait_line("Zigbee2MQTT started!", timeout_s=START_S)
        with Wire(guide.site, user="homeassistant") as head:
            head.subscribe("zigbee2mqtt/bridge/state")
            assert b"online" in head.message().payload
    finally:
        program.kill()
        radio.close()


def play_node_red(guide):
    installed("node-red")
    text = guide.entries["nodered"]
    host, port = re.search(r"Server, Port +(\S+), (\d+)", text).groups()
    assert (host, port) == ("localhost", str(guide.site.port)) and guide.site.passwords["nodered"] in text
    flows = Flows()
    at = flows.broker(guide.site, "nodered", version=5, status=re.search(r"birth, close, will +topic (\S+)", text)[1])
    flows.when(at, "home/#", "return null;")  # it connects for nodes that use it
    program = NodeRed(guide.root / "node-red", flows)
    try:
        with Wire(guide.site, user="homeassistant") as head:
            head.subscribe("node-red/nodered/status")
            while head.message().payload != b"online":
                pass
    finally:
        program.kill()


def test_lines_are_added_where_a_reader_adds_them():
    text = "a:\n  - 1 # one\n#  - 2\nb:\n  c: 3\n"
    assert add_lines(text, "a:\n  - 4\n") == "a:\n  - 1 # one\n#  - 2\n  - 4\nb:\n  c: 3\n"
    assert add_lines(text, "b:\n  d: 5\ne: 6\n") == text + "  d: 5\ne: 6\n"


@pytest.mark.parametrize("page", ["vakt-tutorial.7", "vakt-recipes.7"])
def test_most_blocks_are_run(page):
    kinds = [kind for _, kind, _, _ in blocks(MAN / page)]
    assert kinds.count("syntax") <= 2 and kinds.count("shell") > 5
