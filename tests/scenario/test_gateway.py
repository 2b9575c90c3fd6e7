"""vakt-gateway(7): devices without TLS, or with an old one, through HAProxy, nginx, stunnel and socat, each configured as the page
says, to a broker that is configured as the page says."""

import os
import re
import signal
import socket
import ssl
import subprocess

import pytest
from broker_fixture import ENVIRONMENT, ROOT, BrokerFixture, free_port
from private_pki import PKI
from process import TIMEOUT_S, LineProcess
from proxies import Server, find_server
from wire import Closed, Wire

PAGE = (ROOT / "man/vakt-gateway.7").read_text(encoding="utf-8")
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
ACL = "roles: { device: [ 'allow publish home/%u/state/#', 'allow subscribe home/%u/command/#' ] }\n"
OLD = getattr(ssl.TLSVersion, "TLSv1")


def block(mark):
    """A literal block of the page, by the comment before it."""
    text = re.search(rf'^\.\\" {mark}\n(?:\.\\".*\n)*\.Bd.*\n((?:.*\n)*?)\.Ed$', PAGE, re.M)[1]
    return text.replace(" \\&\n", "\n").replace("\\&", "").replace("\\e", "\\")


class Gateway:
    """The broker of the page, and what stands for the page's names here."""

    def __init__(self, directory, pki):
        self.directory = directory
        self.plain = self.old = None
        self.places = {"/run/broker/": f"{directory}/", "/etc/vakt/": f"{directory}/", "uid:998": f"uid:{os.getuid()}",
                       "server 192.0.2.1": "server 127.0.0.1"}
        self.broker = BrokerFixture(directory, pki, users={})
        self.broker.write_file("broker.yaml", self.here(block("example: broker.yaml")))
        self.broker.config = {"listeners": [{"bind": f"unix:{directory}/{name}.sock"} for name in ("gateway", "socat")]}
        self.broker.write_file("acl.yaml", ACL)
        self.broker.passwd("-c", "add", "porch", "--assumed", "--role", "device")
        self.broker.add_user("attic", ["device"])

    def here(self, text):
        for name, place in self.places.items():
            text = text.replace(name, place)
        return text

    def make_certificates(self):
        commands = self.here(block("gateway: certificates")).replace("broker-pki", PKI, 1).replace("\nbroker-pki", f"\n{PKI}")
        subprocess.run(["bash", "-ec", commands], cwd=self.directory, env=ENVIRONMENT, check=True, capture_output=True, timeout=TIMEOUT_S)

    def file(self, name, text):
        path = self.directory / name
        path.write_text(self.here(text), encoding="utf-8")
        return path

    def program(self, way):
        """It runs, on ports of its own, until it is left."""
        self.plain, self.old = free_port(), free_port()
        self.places.update({"192.0.2.1:1883": f"127.0.0.1:{self.plain}", "192.0.2.1:8884": f"127.0.0.1:{self.old}",
                            "TCP-LISTEN:1883,bind=192.0.2.1": f"TCP-LISTEN:{self.plain},bind=127.0.0.1"})
        return getattr(self, f"run_{way}")()

    def run_haproxy(self):
        text = re.sub(r"\n +(ssl-min-ver)", r" \1", block("gateway: haproxy"))
        return Server([find_server("haproxy"), "-db", "-f", self.file("haproxy.cfg", text)], [self.plain, self.old], self.directory)

    def run_nginx(self):
        program = find_server("nginx")
        modules = program.parents[1] / "lib/nginx/modules"
        head = f"load_module {modules}/ngx_stream_module.so;\ndaemon off;\nmaster_process off;\npid {self.directory}/nginx.pid;\n" \
               "error_log stderr;\nevents { }\n"
        path = self.file("nginx.conf", head + block("gateway: nginx"))
        return Server([program, "-e", "stderr", "-p", self.directory, "-c", path], [self.plain], self.directory)

    def run_stunnel(self):
        path = self.file("stunnel.conf", "foreground = yes\npid =\n" + block("gateway: stunnel"))
        return Server([find_server("stunnel4"), path], [self.old], self.directory)

    def run_socat(self):
        return Server(["bash", "-c", "exec " + self.here(block("gateway: socat"))], [self.plain], self.directory)


@pytest.fixture(scope="module")
def gateway(pki, tmp_path_factory):
    made = Gateway(tmp_path_factory.mktemp("gateway"), pki)
    made.make_certificates()
    with made.broker:
        yield made


@pytest.fixture(scope="module", params=["haproxy", "nginx", "stunnel", "socat"])
def way(request, gateway):
    """One of the programs runs."""
    with gateway.program(request.param):
        yield request.param


def device(gateway, way, *, source="127.0.0.1", user=None, **more):
    """A connection without TLS, or with TLS 1.0 where the gateway speaks only TLS."""
    is_old = way == "stunnel"
    stream = socket.create_connection(("127.0.0.1", gateway.old if is_old else gateway.plain), timeout=TIMEOUT_S, source_address=(source, 0))
    if is_old:
        stream = old_tls(gateway, stream)
    return Wire(gateway.broker, 4, stream=stream, user=user, source=source, **more)


def old_tls(gateway, stream):
    context = ssl.create_default_context(cafile=str(gateway.directory / "gateway-pki/server-ca.crt"))
    context.minimum_version = context.maximum_version = OLD
    context.set_ciphers("ALL:@SECLEVEL=0")
    made = context.wrap_socket(stream, server_hostname="127.0.0.1")
    assert made.version() == "TLSv1"
    return made


def test_a_device_without_login_is_the_assumed_user(gateway, way):
    mark = gateway.broker.mark()
    with device(gateway, way) as porch, device(gateway, way, source="127.0.0.9", user="attic") as attic:
        attic.subscribe("home/attic/command/#", qos=1)
        porch.publish("home/porch/state/on", b"1", qos=1)
        porch.publish("home/attic/command/on", b"1", qos=1)
        found = gateway.broker.wait_log("publish-denied", mark)
        assert found["user"] == "porch" and found["topic"] == "home/attic/command/on"
        attic.publish("home/attic/state/on", b"1", qos=1)
        assert gateway.broker.wait_log("client-connected", mark, user="attic")


def test_a_wrong_password_is_refused(gateway, way):
    device(gateway, way, source="127.0.0.13", user="attic", password="wrong", expect=4).close()


def test_the_address_of_the_device_is_known(gateway, way):
    """And counts: with two connections of it, a third one is refused, while another device connects. socat names none."""
    mark = gateway.broker.mark()
    with device(gateway, way, source="127.0.0.21", client_id="first"), device(gateway, way, source="127.0.0.21", client_id="second"):
        found = gateway.broker.wait_log("client-connected", mark, client_id="second")
        assert ("127.0.0.21" in found["peer"]) == (way != "socat"), found
        if way == "socat":
            device(gateway, way, source="127.0.0.21").close()
        else:
            with pytest.raises(Closed):
                device(gateway, way, source="127.0.0.21")
        device(gateway, way, source="127.0.0.22").close()


def test_haproxy_speaks_an_old_tls(gateway):
    with gateway.program("haproxy"):
        stream = old_tls(gateway, socket.create_connection(("127.0.0.1", gateway.old), timeout=TIMEOUT_S))
        with Wire(gateway.broker, 4, stream=stream, user=None) as porch:
            porch.publish("home/porch/state/on", b"1", qos=1)


def test_others_cannot_use_the_socket_of_a_proxy(gateway):
    """Whoever is not the gateway cannot name addresses there, although the mode lets everybody connect."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    os.chmod(gateway.directory, 0o711)
    path = f"UNIX-CONNECT:{gateway.directory}/gateway.sock"
    mark = gateway.broker.mark()
    child = LineProcess(["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "socat", "-", path], stdin=subprocess.PIPE)
    try:
        assert child.wait() is not None
    finally:
        child.kill()
    assert gateway.broker.logged("client-connected", mark) == []


def test_a_dead_broker_is_a_closed_connection(gateway):
    """The device notices, and connects again when the broker is there."""
    with gateway.program("socat"):
        porch = device(gateway, "socat")
        gateway.broker.stop(signal.SIGTERM)
        porch.expect_close()
        gateway.broker.start()
        device(gateway, "socat").close()
