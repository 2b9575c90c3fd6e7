"""broker-pki export: what it gives each client is what that client connects with."""

import base64
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from broker_fixture import ROOT, BrokerFixture
from private_pki import PKI, PrivatePki, openssl
from process import TIMEOUT_S, LineProcess
from test_pki import PkiFiles

NODE = ROOT / "tests/scenario/node"
BEARSSL = os.environ.get("VAKT_BEARSSL_CLIENT", str(ROOT / "build/tests/scenario/drivers/bearssl_client"))


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A broker, and the user anna with a certificate and without a password."""
    home = tmp_path_factory.mktemp("installation")
    pki = PrivatePki(home)
    pki.run("client", "anna")
    broker = BrokerFixture(home, PkiFiles(pki), config=pki.tls(), users={})
    broker.add_user("anna", ["all"], password=False)
    with broker:
        yield pki, broker


def export(installation, program, *options, user="anna"):
    pki, broker = installation
    return pki.run("export", user, "--for", program, "--host", "localhost", "--port", str(broker.port), *options)


def run_client(command, **options):
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=TIMEOUT_S, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def connects(installation, certificate, key, ca=None):
    """With openssl, which verifies the broker; the certificate logs in."""
    pki, broker = installation
    mark = broker.mark()
    # CONNECT of MQTT 3.1.1, clean session, keep alive 60, client id "x"; then DISCONNECT.
    packets = bytes.fromhex("100d00044d5154540402003c000178") + bytes.fromhex("e000")
    done = subprocess.run(["openssl", "s_client", "-quiet", "-connect", f"localhost:{broker.port}", "-CAfile",
                           str(ca or pki.file("server-ca.crt")), "-verify_return_error", "-verify_hostname", "localhost",
                           "-cert", str(certificate), "-key", str(key)], input=packets, capture_output=True, check=False,
                          timeout=TIMEOUT_S)
    assert b"verify error" not in done.stderr, done.stderr
    return broker.wait_log("client-connected", mark)["user"] == "anna"


def connects_with_bearssl(installation, directory, ca, certificate, key):
    """As an ESP8266: P-256 and TLS 1.2. The files are PEM; the library wants DER."""
    if not os.path.exists(BEARSSL):
        pytest.skip("bearssl_client is not built: its library is not installed (libbearssl-dev)")
    pki, broker = installation
    for name, command in (("ca", ["x509", "-in", ca]), ("certificate", ["x509", "-in", certificate]),
                          ("key", ["ec", "-in", key])):
        openssl(*command, "-outform", "DER", "-out", directory / f"{name}.der")
    mark = broker.mark()
    packets = bytes.fromhex("100d00044d5154540402003c000178")  # CONNECT; CONNACK has 4 bytes
    done = subprocess.run([BEARSSL, str(broker.port), directory / "ca.der", "1", "4", directory / "certificate.der",
                           directory / "key.der"], input=packets, capture_output=True, check=False, timeout=TIMEOUT_S)
    assert done.stdout == b"full\n", done.stdout + done.stderr
    return broker.wait_log("client-connected", mark)["user"] == "anna"


def pem(text, kind):
    return re.search(rf"-----BEGIN [A-Z ]*{kind}-----.*?-----END [A-Z ]*{kind}-----\n", text, re.S)[0]


def write(directory, **files):
    for name, text in files.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o600)
    return [directory / name for name in files]


def test_mosquitto_connects_with_its_options(installation, tmp_path):
    """As the file that mosquitto_pub and mosquitto_sub read by themselves."""
    for name in ("mosquitto_pub", "mosquitto_sub"):
        (tmp_path / name).write_text(export(installation, "mosquitto"))
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "PATH": "/usr/bin"}
    listener = LineProcess(["stdbuf", "-oL", "mosquitto_sub", "-t", "a/#", "-v", "-d"], env=environment)
    try:
        listener.wait_line("Subscribed")
        run_client(["mosquitto_pub", "-t", "a/b", "-m", "hello", "-q", "1"], env=environment)
        listener.wait_line("a/b hello")
    finally:
        listener.kill()


def test_paho_connects_with_its_lines(installation):
    lines = export(installation, "paho")
    program = f"""
import paho.mqtt.client as mqtt
client = mqtt.Client()
{lines}
client.loop_start()
client.publish("a/b", "x", qos=1).wait_for_publish({TIMEOUT_S})
client.disconnect()
print("published")
"""
    assert "published" in run_client([sys.executable, "-c", program])


def test_mqttjs_connects_with_its_lines(installation, tmp_path):
    (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
    (tmp_path / "client.mjs").write_text(export(installation, "mqttjs") + """
client.on('connect', () => client.publish('a/b', 'x', { qos: 1 }, () => { console.log('published'); client.end() }))
client.on('error', (e) => { console.error(e); process.exit(1) })
""")
    assert "published" in run_client(["node", "client.mjs"], cwd=tmp_path)


def test_zigbee2mqtt_gets_yaml_with_its_files(installation):
    pki, broker = installation
    text = export(installation, "zigbee2mqtt")
    found = dict(re.findall(r"^  (\w+): (.*)$", text, re.M))
    assert found["server"] == f"'mqtts://localhost:{broker.port}'" and found["reject_unauthorized"] == "true"
    certificate, key, ca = (json.loads(found[name]) for name in ("cert", "key", "ca"))
    assert connects(installation, certificate, key, ca)


def test_home_assistant_is_told_where_each_file_goes(installation):
    pki, _ = installation
    text = export(installation, "home-assistant")
    for name in ("server-ca.crt", "issued/client-anna.crt", "issued/client-anna.key"):
        assert str(pki.file(name)) in text


def test_home_assistant_connects_with_what_it_is_told(installation, tmp_path):
    """What the form asks for goes into Paho as the integration does it: the uploaded files are copied, tls_set has them
    with CERT_REQUIRED, and the host name is checked."""
    text = export(installation, "home-assistant")
    said = {name: re.search(rf"{name} +(?:Custom, and upload )?(.+)", text)[1]
            for name in ("Broker", "Port", "Broker certificate validation", "    client certificate", "private key")}
    files = {}
    for name in ("Broker certificate validation", "    client certificate", "private key"):
        files[name] = tmp_path / name.strip().replace(" ", "-")
        files[name].write_bytes(Path(said[name]).read_bytes())
    program = f"""
import ssl
import paho.mqtt.client as mqtt
client = mqtt.Client("homeassistant", protocol=mqtt.MQTTv311)
client.tls_set({str(files["Broker certificate validation"])!r}, certfile={str(files["    client certificate"])!r},
               keyfile={str(files["private key"])!r}, cert_reqs=ssl.CERT_REQUIRED, tls_version=ssl.PROTOCOL_TLS_CLIENT)
client.tls_insecure_set(False)
client.connect({said["Broker"]!r}, {int(said["Port"])}, 60)
client.loop_start()
client.publish("homeassistant/status", "online", qos=1).wait_for_publish({TIMEOUT_S})
client.disconnect()
print("published")
"""
    assert "published" in run_client([sys.executable, "-c", program])


def test_esphome_gets_the_certificates_themselves(installation, tmp_path):
    text = "\n".join(line[4:] if line.startswith("    ") else line
                     for line in export(installation, "esphome", "--print").splitlines()) + "\n"
    parts = dict(zip(("ca", "certificate", "key"), re.split(r"  \w+: \|\n", text)[1:], strict=True))
    ca, certificate, key = write(tmp_path, **parts)
    assert connects(installation, certificate, key, ca)


def test_arduino_gets_a_header_that_compiles(installation, tmp_path):
    header = export(installation, "arduino", "--print")
    (tmp_path / "mqtt.h").write_text(header)
    (tmp_path / "main.cpp").write_text('#define PROGMEM\n#include "mqtt.h"\nint main(int n, char **) {'
                                       ' fputs(n == 1 ? mqtt_ca : n == 2 ? mqtt_certificate : mqtt_key, stdout); }\n')
    run_client(["clang++", "-fsyntax-only", "-nostdinc++", "-x", "c++", "-include", "stdio.h", str(tmp_path / "main.cpp")])
    texts = re.findall(r'R"PEM\(\n(.*?)\)PEM"', header, re.S)
    ca, certificate, key = write(tmp_path, ca=texts[0], certificate=texts[1], key=texts[2])
    assert connects(installation, certificate, key, ca)
    assert connects_with_bearssl(installation, tmp_path, ca, certificate, key)


def test_tasmota_gets_fingerprint_key_and_certificate(installation, tmp_path):
    pki, _ = installation
    text = export(installation, "tasmota", "--print")
    # The fingerprint, computed once more: SHA-1 over three parts, each behind its length.
    modulus = int(openssl("x509", "-in", pki.issued("server-rsa.crt"), "-noout", "-modulus").strip().split("=")[1], 16)
    parts = (b"ssh-rsa", (65537).to_bytes(3, "big"), modulus.to_bytes(256, "big"))
    (tmp_path / "parts").write_bytes(b"".join(len(part).to_bytes(4, "big") + part for part in parts))
    digest = openssl("dgst", "-sha1", "-r", tmp_path / "parts").split(" ")[0]
    assert re.search(r"MqttFingerprint1 (.*)", text)[1].replace(" ", "").lower() == digest
    # The key is the number alone: SEC 1 around it makes it one that openssl reads.
    number = base64.b64decode(re.search(r"TLSKey1 (.*)", text)[1])
    assert len(number) == 32
    der = bytes.fromhex("30310201010420") + number + bytes.fromhex("a00a06082a8648ce3d030107")
    (tmp_path / "key.der").write_bytes(der)
    (tmp_path / "certificate.der").write_bytes(base64.b64decode(re.search(r"TLSKey2 (.*)", text)[1]))
    openssl("ec", "-inform", "DER", "-in", "key.der", "-out", "key", cwd=tmp_path)
    openssl("x509", "-inform", "DER", "-in", "certificate.der", "-out", "certificate", cwd=tmp_path)
    assert connects(installation, tmp_path / "certificate", tmp_path / "key")
    assert connects_with_bearssl(installation, tmp_path, pki.file("server-ca.crt"), tmp_path / "certificate",
                                 tmp_path / "key")
    pki.run("client", "rsa-user", "--rsa")
    assert "wants a P-256 key" in pki.refuse("export", "rsa-user", "--for", "tasmota", "--print")


def test_pkcs12_opens_with_its_password(installation, tmp_path):
    pki, _ = installation
    (password,) = write(tmp_path, password="open sesame\n")
    assert "--password-file" in pki.refuse("export", "anna", "--for", "pkcs12", "-o", "x.p12")
    assert "say -o" in pki.refuse("export", "anna", "--for", "pkcs12", "--password-file", str(password))
    file = tmp_path / "anna.p12"
    export(installation, "pkcs12", "--password-file", str(password), "-o", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = openssl("pkcs12", "-in", file, "-passin", f"file:{password}", "-nodes")
    certificate, key = write(tmp_path, certificate=pem(text, "CERTIFICATE"), key=pem(text, "KEY"))
    assert connects(installation, certificate, key)
    assert openssl("pkcs12", "-in", file, "-passin", "pass:wrong", "-nodes", check=False).count("invalid password") > 0


def test_a_key_is_not_shown_on_a_terminal_by_accident(installation):
    pki, _ = installation
    command = f"{pki_command(pki)} export anna --for esphome"
    shown = run_script(command)
    assert "has the private key in it" in shown and "PRIVATE KEY-----" not in shown
    assert "PRIVATE KEY-----" in run_script(f"{command} --print")


def pki_command(pki):
    return f"{PKI} -d {pki.path}"


def run_script(command):
    """On a terminal of its own."""
    return subprocess.run(["script", "-qec", command, "/dev/null"], text=True, capture_output=True, check=False,
                          timeout=TIMEOUT_S).stdout


@pytest.mark.parametrize("program", ["mosquitto", "paho", "mqttjs", "zigbee2mqtt", "home-assistant", "esphome",
                                     "arduino", "tasmota"])
def test_without_a_certificate_it_is_for_a_login_with_password(installation, program):
    said = export(installation, program, user="bernd")
    assert "'bernd' has no certificate here" in said and "PRIVATE KEY" not in said and "bernd" in said.split("\n", 1)[1]


def test_a_host_that_the_certificate_does_not_name_is_told(installation):
    pki, _ = installation
    assert "is not for 'lamp.house'" in pki.run("export", "anna", "--for", "paho", "--host", "lamp.house")
    assert "cannot be a host name" in pki.refuse("export", "anna", "--for", "paho", "--host", "x';rm")


def test_names_cannot_leave_their_quotes(installation):
    name = 'a"b\\c'
    assert r'"a\"b\\c"' in export(installation, "paho", user=name)
    assert "cannot be typed" in installation[0].refuse("export", "a b", "--for", "tasmota")
