"""The access rules for programs on servers, as vakt-setup puts them in place: collectd and the exporter for Prometheus as Debian has
them, configured with what vakt-setup prints; the traffic of the others after their documentation. Nothing that they do may be denied."""

import os
import re
import subprocess
import textwrap
import urllib.request

import pytest
from broker_fixture import free_port
from clients import HERE
from mqtt import Will
from process import TIMEOUT_S, LineProcess
from programs import START_S, Zigbee2Mqtt, installed
from proxies import find_server
from radio import Radio
from test_programs import denials
from test_setup import Site, table
from wire import Wire, tls_context


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("services"))
    made.directory.chmod(0o700)
    programs = ("collectd=server", "glances=desk", "rtl_433=radio", "home-assistant", "iobroker", "janus", "kamailio", "tasmota=plug",
                "prometheus-exporter", "sensor=porch")
    made.setup("--login", "certificate", "--name", "localhost", *[word for program in programs for word in ("--program", program)])
    with made:
        yield made


@pytest.fixture(autouse=True)
def nothing_is_denied(site):
    before = len(denials(site))
    yield
    assert denials(site)[before:] == []


def client(site, user, **more):
    """By certificate, or with the password that it has."""
    if user in site.passwords:
        return Wire(site, 4, user=user, **more)
    return Wire(site, 4, user=None, context=tls_context(site, certificate=user), **more)


def printed(site, user):
    return textwrap.dedent(site.block(user))


def test_collectd(site):
    program = find_server("collectd")
    files = program.parents[2]
    head = f'FQDNLookup false\nInterval 1\nBaseDir "{site.directory}/collectd"\nPIDFile "{site.directory}/collectd.pid"\n' \
           f'PluginDir "{files}/usr/lib/collectd"\nTypesDB "{files}/usr/share/collectd/types.db"\nLoadPlugin load\n' \
           "LoadPlugin logfile\n<Plugin logfile>\n  LogLevel info\n  File STDOUT\n</Plugin>\n"
    (site.directory / "collectd").mkdir(mode=0o700)
    config = site.write_file("collectd.conf", head + printed(site, "server"))
    with client(site, "prometheus") as reader:
        reader.subscribe("collectd/+/load/load")
        child = LineProcess([str(program), "-f", "-C", str(config)], stdin=subprocess.DEVNULL)
        try:
            found = reader.message()
            assert found.topic == "collectd/server/load/load"
            assert re.match(rb"\d+\.\d+:[\d.]+:[\d.]+:[\d.]+", found.payload), found
        finally:
            child.kill()


def test_exporter_for_prometheus(site):
    program, port = find_server("prometheus-mqtt-exporter"), free_port()
    metric = "metrics:\n- {prom_name: temperature, mqtt_name: temperature, help: h, type: gauge}\ncache: {timeout: 60m}\n"
    config = site.write_file("exporter.yaml", printed(site, "prometheus") + metric)
    child = LineProcess([str(program), "-config", str(config), "-listen-address", "127.0.0.1", "-listen-port", str(port), "-log-level", "debug"],
                        stdin=subprocess.DEVNULL, cwd=site.directory)
    try:
        with client(site, "porch") as porch:
            porch.publish("home/porch/state/weather", b'{"temperature":21.5}', qos=1, retain=True)
        child.wait_line("Got message")
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20).read().decode()
        assert re.search(r'^temperature\{.*sensor="porch".*\} 21\.5', text, re.M), text
    finally:
        child.kill()


def test_glances_and_rtl_433(site):
    with client(site, "prometheus") as reader, client(site, "desk", client_id="glances_desk", clean=False) as glances, client(site, "radio") as radio:
        reader.subscribe("glances/#", "rtl_433/#", "$SYS/broker/version")
        glances.publish("glances/desk/cpu/user", b"1.5")
        said = ["events", "states", "devices/Acurite-Tower/A/1234/temperature_C"]
        for rest in said:
            radio.publish(f"rtl_433/radio/{rest}", b"{}")
        got = [found.topic for found in (reader.message() for _ in range(5)) if not found.topic.startswith("$SYS")]
        assert sorted(got) == sorted(["glances/desk/cpu/user"] + [f"rtl_433/radio/{rest}" for rest in said])


def test_iobroker(site):
    with client(site, "homeassistant") as head, client(site, "iobroker", will=Will("iobroker/info/connection", b"false", 1, True)) as adapter:
        head.subscribe("iobroker/zigbee/#")
        adapter.subscribe("iobroker/#", qos=0)
        adapter.publish("iobroker/zigbee/0/lamp/state", b"true", qos=1, retain=True)
        assert head.message().payload == adapter.message().payload == b"true"
        head.publish("iobroker/zigbee/0/lamp/state", b"false", qos=1)
        assert adapter.message().payload == b"false"


def test_janus_and_kamailio(site):
    """With the topics of their own configurations (janus.transport.mqtt.jcfg and janus.eventhandler.mqttevh.jcfg of 1.1.2)."""
    with client(site, "janus", will=Will("/janus/status", b'{"online": false}', 1, False)) as janus:
        janus.subscribe("to-janus", "to-janus-admin", qos=1)
        for topic in ("from-janus", "from-janus-admin", "/janus/events/handle", "/janus/status"):
            janus.publish(topic, b"{}", qos=1)
    with client(site, "kamailio", will=Will("kamailio/kamailio/status", b"0", 1, True)) as kamailio:
        kamailio.subscribe("kamailio/kamailio/command/#", qos=1)
        kamailio.publish("kamailio/kamailio/calls", b"1", qos=1)


def test_a_bridge_is_configured_as_the_template_says():
    """test_programs.py runs mosquitto with these lines."""
    template = (Site.TEMPLATES / "bridge.yaml").read_text(encoding="utf-8")
    entered = (Site.ENTER / "mosquitto-bridge").read_text(encoding="utf-8").replace("{USER}", "other-house").replace("?password ", "")
    lines = [line for line in re.findall(r"^#     (.*)", template, re.M) if line.startswith(("topic", "remote_user", "remote_clientid"))]
    assert len(lines) == 4 and [line for line in lines if line not in entered.splitlines()] == []
    assert "mosquitto-bridge" in [row[0] for row in table()]


@pytest.mark.parametrize("login", ["password", "certificate"])
def test_zigbee2mqtt(tmp_path, login):
    """A new one, without devices: it connects with the printed lines, and announces itself to Home Assistant."""
    installed("zigbee2mqtt")
    (tmp_path / "site").mkdir(mode=0o700)
    own = Site(tmp_path / "site").setup("--login", login, "--name", "localhost", "--program", "zigbee2mqtt", "--program", "home-assistant")
    radio = Radio()
    try:
        with own, client(own, "homeassistant") as head:
            head.subscribe("zigbee2mqtt/bridge/state", "homeassistant/#")
            program = Zigbee2Mqtt.configured(tmp_path / "data", radio, printed(own, "zigbee2mqtt"))
            try:
                program.wait_line("Zigbee2MQTT started!", timeout_s=START_S)
                while head.message().payload != b'{"state":"online"}':
                    pass
                program.wait_line("/permit_join/config", timeout_s=START_S)
            finally:
                program.kill()
            assert denials(own) == []
    finally:
        radio.close()


# Programs that know only the system's store of CAs


def line_for(site, what):
    """A line of the end of what vakt-setup prints."""
    return re.search(rf"^  {what} +(.*)$", site.said, re.M)[1]


def verified(command, **more):
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, **more)
    return done.returncode == 0 and "published" in done.stdout, done.stdout + done.stderr


def test_node_with_its_extra_certificates(site, tmp_path):
    (tmp_path / "node_modules").symlink_to(HERE / "node/node_modules")
    (tmp_path / "client.mjs").write_text(f"""
import mqtt from 'mqtt'
const client = mqtt.connect('mqtts://localhost:{site.port}', {{username: 'desk', password: '{site.password("desk")}', reconnectPeriod: 0}})
client.on('connect', () => client.publish('glances/desk/load/min1', '1', {{qos: 1}}, () => {{ console.log('published'); client.end() }}))
client.on('error', (e) => {{ console.error(e.code); process.exit(1) }})
""", encoding="utf-8")
    name, value = line_for(site, r"Node\.js").split("=")
    environment = {key: kept for key, kept in os.environ.items() if key != name}
    published, said = verified(["node", "client.mjs"], cwd=tmp_path, env=environment)
    assert not published and "UNABLE_TO_VERIFY_LEAF_SIGNATURE" in said or "SELF_SIGNED" in said, said
    published, said = verified(["node", "client.mjs"], cwd=tmp_path, env={**environment, name: value})
    assert published, said


def test_go_with_its_file_of_certificates(site):
    """The exporter without its own setting; it logs in as somebody who has a password."""
    program = find_server("prometheus-mqtt-exporter")
    config = site.write_file("plain.yaml", f"""mqtt: {{server: "ssl://localhost:{site.port}", user: plug, password: {site.password("plug")}, topic_path: cmnd/plug/+, qos: 0}}
metrics:
- {{prom_name: t, mqtt_name: t, help: h, type: gauge}}
cache: {{timeout: 60m}}
""")
    name, value = line_for(site, "Go, curl").split("=")
    child = LineProcess([str(program), "-config", str(config), "-listen-address", "127.0.0.1", "-listen-port", str(free_port())],
                        stdin=subprocess.DEVNULL, cwd=site.directory, env={**os.environ, name: value})
    try:
        child.wait_line("Connected to MQTT Broker")
    finally:
        child.kill()


def test_debian_with_its_store(site, tmp_path):
    """In directories of the test and without hooks: the store of this machine, and its packages, stay as they are."""
    for name in ("local", "store", "hooks"):
        (tmp_path / name).mkdir()
    ask = ["openssl", "s_client", "-connect", f"localhost:{site.port}", "-no-CAfile", "-no-CAstore", "-CApath", str(tmp_path / "store"),
           "-verify_return_error", "-verify_hostname", "localhost"]

    def is_trusted():
        return subprocess.run(ask, capture_output=True, check=False, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL).returncode == 0

    assert not is_trusted()
    line = line_for(site, "Debian").replace("/usr/local/share/ca-certificates", f"{tmp_path}/local")
    assert line.endswith("update-ca-certificates") and "/usr/" not in line
    line += f" --localcertsdir {tmp_path}/local --etccertsdir {tmp_path}/store --hooksdir {tmp_path}/hooks"
    subprocess.run(["bash", "-ec", line], capture_output=True, check=True, timeout=TIMEOUT_S,
                   env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"})
    assert is_trusted()
