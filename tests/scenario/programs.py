"""Programs that stand in houses, as they are published on npm: zigbee2mqtt and Node-RED. tools/dependencies installs them from
programs/*/package-lock.json; where they could not be had, tests that need them are skipped."""

import json
import os
import subprocess

import pytest
from broker_fixture import free_port
from clients import HERE
from process import LineProcess
from timeouts import scaled_timeout

START_S = scaled_timeout(90)


def installed(name):
    """The directory of a program."""
    place = HERE / "programs" / name / "node_modules"
    if not (place / ".ready").exists():
        pytest.skip(f"{name} is not installed (tools/dependencies check fetches it from npm)")
    return place / name


class Zigbee2Mqtt(LineProcess):
    """zigbee2mqtt with its data in a directory of its own, and with the radio that the test emulates."""

    def __init__(self, directory, broker, user, radio, version, names):
        self.start(directory, radio, names, "", {
            "mqtt": {"server": f"mqtts://localhost:{broker.addresses[0][1]}", "ca": str(broker.pki.path("ca.crt")), "user": user,
                     "password": broker.password(user), "version": version},
            "homeassistant": {"enabled": True}})

    @classmethod
    def configured(cls, directory, radio, text):
        """With lines of configuration.yaml that say all about the broker."""
        made = cls.__new__(cls)
        made.start(directory, radio, {}, text, {})
        return made

    def start(self, directory, radio, names, text, settings):
        directory.mkdir()
        settings = {
            "version": 4,
            **settings,
            "serial": {"adapter": "deconz", "port": radio.url},
            "advanced": {"channel": 11, "pan_id": 4660, "ext_pan_id": list(range(8)), "network_key": list(range(16)),
                         "log_output": ["console"]},
            "frontend": {"enabled": False},
            "devices": {device: {"friendly_name": name} for device, name in names.items()},
        }
        (directory / "configuration.yaml").write_text(
            text + "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items()), encoding="utf-8")
        place = installed("zigbee2mqtt")
        # It would build itself anew where it finds a git repository with another commit than its own.
        environment = {**os.environ, "ZIGBEE2MQTT_DATA": str(directory), "Z2M_ONBOARD_NO_SERVER": "1",
                       "GIT_CEILING_DIRECTORIES": str(place.parent)}
        super().__init__(["node", "index.js"], cwd=place, stdin=subprocess.DEVNULL, env=environment)


class Flows:
    """What Node-RED runs: brokers that it connects to, and rules of the kind `when this arrives, say that`."""

    def __init__(self):
        self.nodes, self.secrets = [{"id": "tab", "type": "tab", "label": "house"}], {}

    def add(self, kind, **fields):
        self.nodes.append({"id": f"node-{len(self.nodes)}", "type": kind, **fields})
        return self.nodes[-1]["id"]

    def broker(self, broker, user, version, status=None):
        """`status` is the topic of its birth, close and will messages."""
        tls = self.add("tls-config", cert="", key="", ca=str(broker.pki.path("ca.crt")), verifyservercert=True)
        said = {}
        for kind, payload in (("birth", "online"), ("close", "closed"), ("will", "offline")):
            said.update({f"{kind}Topic": status or "", f"{kind}Payload": payload, f"{kind}Retain": "true", f"{kind}Qos": "1"})
        made = self.add("mqtt-broker", broker="localhost", port=str(broker.addresses[0][1]), usetls=True, tls=tls, clientid="",
                        protocolVersion=str(version), keepalive="60", cleansession=True, autoConnect=True, **said)
        self.secrets[made] = {"user": user, "password": broker.password(user)}
        return made

    def when(self, broker, topic_filter, script):
        """`script` is the body of a function of `msg`; what it returns is published."""
        out = self.add("mqtt out", z="tab", topic="", qos="1", retain="false", broker=broker, wires=[])
        rule = self.add("function", z="tab", func=script, outputs=1, wires=[[out]])
        return self.add("mqtt in", z="tab", topic=topic_filter, qos="1", datatype="auto-detect", broker=broker, inputs=0,
                        wires=[[rule]])


class NodeRed(LineProcess):
    """Node-RED without its editor."""

    def __init__(self, directory, flows):
        directory.mkdir()
        files = {"flows.json": flows.nodes, "flows_cred.json": flows.secrets}
        for name, content in files.items():
            (directory / name).write_text(json.dumps(content), encoding="utf-8")
        settings = {"flowFile": "flows.json", "credentialSecret": False, "uiHost": "127.0.0.1", "uiPort": free_port(),
                    "httpAdminRoot": False, "telemetry": {"enabled": False}, "logging": {"console": {"level": "info"}}}
        (directory / "settings.js").write_text(f"module.exports = {json.dumps(settings)}\n", encoding="utf-8")
        super().__init__(["node", "red.js", "--userDir", str(directory), "--settings", str(directory / "settings.js")],
                         cwd=installed("node-red"), stdin=subprocess.DEVNULL)
