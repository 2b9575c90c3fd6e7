"""Behind a proxy: the address in its PROXY header counts; who may send one, and what happens with everything else."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

import mqtt
import proxies
import pytest
from broker_fixture import free_port
from control import row, rows
from websocket import WebSocket, read_head
from wire import Closed, Wire, fresh_address, open_stream, tls_context

TRUSTED = ["127.0.0.1/32"]
# A listener that wants a header, and one that does not.
BOTH = [{"proxy_protocol": "required", "trusted": TRUSTED}, {"limits": {"connect_timeout": "1s"}}]


def listeners(*settings):
    return [{**listener, "bind": f"127.0.0.1:{free_port()}"} for listener in settings]


def status(broker, name):
    return rows(broker, "status")[0][name]


def reload(broker):
    broker.write()
    mark = broker.mark()
    broker.process.signal(signal.SIGHUP)
    broker.wait_log("reloaded", mark)


@pytest.fixture(scope="module")
def broker(new_broker):
    """Two listeners that want a header, of two sorts of proxies; and one that does not."""
    made = new_broker(config={"listeners": listeners(*BOTH), "control": {"socket": "control.sock"},
                              "limits": {"connect_timeout": "2s"}})
    with made:
        yield made


@pytest.fixture(scope="module")
def entrances(broker, tmp_path_factory):
    """Ports of real proxies in front of it, TLS passing through: {name: port}"""
    ports = {"haproxy-v1": free_port(), "haproxy-v2": free_port(), "nginx": free_port()}
    server = "127.0.0.1:%d" % broker.addresses[0][1]
    with proxies.haproxy(tmp_path_factory.mktemp("haproxy"), {
            ports["haproxy-v1"]: ("", server, "send-proxy"),
            ports["haproxy-v2"]: ("", server, "send-proxy-v2 proxy-v2-options crc32c,unique-id")}), \
            proxies.nginx(tmp_path_factory.mktemp("nginx"), ports["nginx"], server):
        yield ports


def through(broker, port, source):
    stream = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))
    return tls_context(broker.pki).wrap_socket(stream, server_hostname="localhost")


@pytest.mark.parametrize("name", ["haproxy-v1", "haproxy-v2", "nginx"])
def test_real_proxies(broker, entrances, name):
    source = fresh_address()
    mark = broker.mark()
    with Wire(broker, stream=through(broker, entrances[name], source), client_id=f"by-{name}") as client:
        found = broker.wait_log("client-connected", mark, client_id=f"by-{name}")
        assert found["peer"].startswith(source + ":") and found["tls"] == "TLSv1.3"
        assert row(broker, f"by-{name}")["peer"].startswith(source + ":")
        with Wire(broker, listener=1) as direct:
            client.subscribe(f"t/{name}")
            direct.publish(f"t/{name}", b"1", qos=1)
            assert client.message().payload == b"1"
    mark = broker.mark()
    source = fresh_address()
    Wire(broker, stream=through(broker, entrances[name], source), password="wrong", expect=0x86).expect_close()
    assert broker.wait_log("connect-refused", mark)["peer"].startswith(source + ":")


@pytest.mark.parametrize("header, peer", [
    (proxies.v1("192.0.2.7"), "192.0.2.7:50123"),
    (proxies.v1("2001:db8::7"), "[2001:db8::7]:50123"),
    (proxies.v2("192.0.2.7"), "192.0.2.7:50123"),
    (proxies.v2("2001:db8::7"), "[2001:db8::7]:50123"),
    (proxies.v2("::ffff:192.0.2.7"), "192.0.2.7:50123"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1:"),
    (proxies.v2(), "127.0.0.1:"),
    (proxies.v2(command=proxies.LOCAL), "127.0.0.1:"),
    # On TCP nobody is believed about certificates.
    (proxies.v2("192.0.2.7", fields=proxies.tls_field("anna")), "192.0.2.7:50123"),
], ids=range(9))
def test_who_the_client_is(broker, header, peer):
    mark = broker.mark()
    with Wire(broker, header=header, client_id="who"):
        assert broker.wait_log("client-connected", mark, client_id="who")["peer"].startswith(peer)
    Wire(broker, header=header, user=None, expect=0x87).expect_close()


def test_a_header_in_pieces(broker):
    """Byte by byte, and all at once with the first bytes of TLS."""
    for header in proxies.v1("192.0.2.8"), proxies.v2("192.0.2.8"):
        stream = socket.create_connection(broker.addresses[0], timeout=20)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(header)):
            stream.sendall(header[at:at + 1])
        stream = tls_context(broker.pki).wrap_socket(stream, server_hostname="localhost")
        with Wire(broker, stream=stream) as client:
            client.settle()
        stream = socket.create_connection(broker.addresses[0], timeout=20)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        stream.sendall(header)
        tls = tls_context(broker.pki).wrap_socket(stream, server_hostname="localhost", do_handshake_on_connect=False)
        tls.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        tls.setblocking(True)
        tls.do_handshake()
        with Wire(broker, stream=tls) as client:
            client.settle()


def raw(broker, data, listener=0, source="127.0.0.1"):
    """Send it and wait until the broker closes: nothing may come back."""
    with socket.create_connection(broker.addresses[listener], timeout=20, source_address=(source, 0)) as stream:
        try:
            stream.sendall(data)
            assert stream.recv(100) == b""
        except ConnectionResetError:
            pass


@pytest.mark.parametrize("data, cause", [
    (b"\x16\x03\x01\x02\x00\x01\x00", "TLS came without a PROXY header"),
    (b"\x10\x10\x00\x04MQTT", "MQTT came without a PROXY header"),
    (b"GET / HTTP/1.1\r\n\r\n", "HTTP came without a PROXY header"),
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 99999 1\r\n", "TCP4 or TCP6"),
    (b"PROXY " + b"x" * 102, "longer than 107 bytes"),
    (proxies.SIGNATURE + b"\x21\x11\xff\xff", "longer than 4096 bytes"),
    (proxies.v2("192.0.2.7", fields=proxies.field(3, b"\0\0\0\0")), "its checksum is wrong"),
    (proxies.v2("192.0.2.7")[:20], "not whole within limits.connect_timeout"),
    (b"", "no PROXY header came within limits.connect_timeout"),
], ids=range(9))
def test_what_is_refused(broker, data, cause):
    mark = broker.mark()
    before = status(broker, "refused_proxies")
    raw(broker, data)
    found = broker.wait_log("proxy-refused", mark, cause=lambda text: cause in text)
    assert found["peer"].startswith("127.0.0.1:") and found["listener"].startswith("127.0.0.1:")
    assert status(broker, "refused_proxies") == before + 1


def test_a_header_from_elsewhere(broker):
    """A local program that is not the proxy cannot say that it is anywhere else."""
    mark = broker.mark()
    raw(broker, proxies.v1("192.0.2.7"), source="127.0.0.2")
    found = broker.wait_log("proxy-refused", mark, cause=lambda text: "not in trusted" in text)
    assert found["peer"].startswith("127.0.0.2:")


@pytest.mark.parametrize("header", [proxies.v1("192.0.2.7"), proxies.v2("192.0.2.7")], ids=["v1", "v2"])
def test_a_header_that_nobody_wants(broker, header):
    mark = broker.mark()
    raw(broker, header, listener=1)
    found = broker.wait_log("plaintext-refused", mark)
    assert "set proxy_protocol: required and trusted" in found["cause"]


@pytest.mark.parametrize("header", [proxies.v1("192.0.2.7"), proxies.v2("192.0.2.7")], ids=["v1", "v2"])
def test_a_header_that_no_unix_socket_wants(new_broker, tmp_path, header):
    tmp_path.chmod(0o755)
    with new_broker(config={"listeners": [{"bind": f"unix:{tmp_path}/s"}]}) as broker:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(broker.addresses[0])
            stream.sendall(header)
            found = broker.wait_log("connection-closed-before-connect")
        assert "set proxy_protocol: required and trusted" in found["cause"]


def seconds(event):
    return datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def test_one_deadline(broker):
    """The header takes from the time for CONNECT, and does not add to it: 2 s, while the clock on the wall is a client
    of the other listener, which has 1 s."""
    header, mark = proxies.v1("192.0.2.9"), broker.mark()
    with socket.create_connection(broker.addresses[0], timeout=20) as late, \
            socket.create_connection(broker.addresses[1], timeout=20):
        late.sendall(header[:-1])
        half = broker.wait_log("connection-closed-before-connect", mark, cause=lambda text: "connect_timeout" in text)
        late.sendall(header[-1:])
        whole = broker.wait_log("connection-closed-before-connect", mark, peer="192.0.2.9:50123")
    assert seconds(whole) - seconds(half) < 1.5


def test_limits_count_the_client(new_broker):
    """Two clients of one address, and two of another: the proxy's own address does not count."""
    with new_broker(config={"listeners": listeners(*BOTH), "limits": {"connections_per_address": 2}}) as broker:
        kept = [Wire(broker, header=proxies.v2("192.0.2.7")) for _ in range(2)]
        kept += [Wire(broker, header=proxies.v2("192.0.2.8")) for _ in range(2)]
        mark = broker.mark()
        with pytest.raises((ConnectionError, OSError)):
            open_stream(broker, header=proxies.v2("192.0.2.7"))
        found = broker.wait_log("connection-closed-before-connect", mark)
        assert found["peer"] == "192.0.2.7:50123" and "connections_per_address" in found["cause"]
        for client in kept:
            client.close()


def test_a_reload_takes_trust_away(new_broker):
    with new_broker(config={"listeners": listeners(*BOTH)}) as broker:
        client = Wire(broker, header=proxies.v2("192.0.2.7"))
        direct = Wire(broker, listener=1)
        mark = broker.mark()
        broker.config["listeners"][0]["trusted"] = ["127.0.0.2"]
        reload(broker)
        assert client.expect(mqtt.DISCONNECT).reason == 0x87
        assert "is not trusted any more" in broker.wait_log("client-disconnected", mark)["cause"]
        direct.settle()
        raw(broker, proxies.v1("192.0.2.7"))
        stream = open_stream(broker, header=proxies.v2("192.0.2.7"), source="127.0.0.2")
        Wire(broker, stream=stream).close()
        direct.close()


# allow_from

def test_allow_from(new_broker):
    settings = listeners({"allow_from": ["127.0.0.1", "127.2.0.0/16", "::1"]},
                         {"proxy_protocol": "required", "trusted": TRUSTED, "allow_from": ["192.0.2.0/24"]})
    with new_broker(config={"listeners": settings, "control": {"socket": "control.sock"},
                            "log": {"audit": "audit.log"}}) as broker:
        Wire(broker).close()
        kept = Wire(broker, source="127.2.3.4")
        mark = broker.mark()
        for _ in range(30):
            raw(broker, b"\x16\x03\x01", source="127.3.0.1")
        found = broker.wait_log("address-refused", mark)
        assert found["peer"].startswith("127.3.0.1:") and "proxy" not in found
        raw(broker, proxies.v2("203.0.113.9"), listener=1)
        found = broker.wait_log("address-refused", mark, peer="203.0.113.9:50123")
        assert found["proxy"].startswith("127.0.0.1:")
        assert status(broker, "refused_addresses") == 31
        assert len(broker.logged("address-refused", mark)) == 21  # 20 lines of a listener in ten seconds
        by_proxy = Wire(broker, listener=1, header=proxies.v2("192.0.2.7"))
        # A reload judges those who are connected, too.
        broker.config["listeners"][0]["allow_from"] = ["127.0.0.1"]
        broker.config["listeners"][1]["allow_from"] = ["192.0.2.8"]
        mark = broker.mark()
        reload(broker)
        for client in kept, by_proxy:
            assert client.expect(mqtt.DISCONNECT).reason == 0x87
        assert "allow_from does not have its address" in broker.wait_log("client-disconnected", mark)["cause"]
        Wire(broker).close()
        audit = (broker.directory / "audit.log").read_text()
        assert "address-refused" in audit and "203.0.113.9:50123" in audit


# HTTPS behind a proxy

def tls_only(broker, header):
    stream = socket.create_connection(broker.addresses[0], timeout=20)
    stream.sendall(header)
    return tls_context(broker.pki).wrap_socket(stream, server_hostname="localhost")


def test_websocket_behind_a_proxy(new_broker, tmp_path):
    """A listener with protocol: https takes the header like any other: the client's address counts, and allow_from."""
    https = {"protocol": "https", "serve": ["websocket", "health"], "proxy_protocol": "required", "trusted": TRUSTED,
             "allow_from": ["192.0.2.0/24", "127.1.0.0/16"]}
    with new_broker(config={"listeners": listeners(https)}) as broker:
        mark = broker.mark()
        for header in proxies.v1("192.0.2.7"), proxies.v2("192.0.2.7"):
            with Wire(broker, header=header, client_id="page") as page:
                page.settle()
        found = broker.wait_log("client-connected", mark, client_id="page")
        assert found["peer"] == "192.0.2.7:50123"
        stream = tls_only(broker, proxies.v2("192.0.2.8"))
        stream.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_head(stream)[0] == 200
        with pytest.raises(OSError):
            tls_only(broker, proxies.v2("203.0.113.9"))
        assert broker.wait_log("address-refused", mark)["peer"] == "203.0.113.9:50123"
        raw(broker, b"\x16\x03\x01")
        assert "TLS came without" in broker.wait_log("proxy-refused", mark)["cause"]
        port, source = free_port(), fresh_address()
        with proxies.haproxy(tmp_path, {port: ("", "127.0.0.1:%d" % broker.addresses[0][1], "send-proxy-v2")}):
            mark = broker.mark()
            with Wire(broker, stream=WebSocket(through(broker, port, source)), client_id="far"):
                assert broker.wait_log("client-connected", mark, client_id="far")["peer"].startswith(source + ":")
        # A reload judges it, too, also while it is HTTP.
        idle = tls_only(broker, proxies.v2("192.0.2.8"))
        page = Wire(broker, header=proxies.v2("192.0.2.7"))
        broker.config["listeners"][0]["allow_from"] = ["198.51.100.0/24"]
        reload(broker)
        assert page.expect(mqtt.DISCONNECT).reason == 0x87
        with pytest.raises((OSError, AssertionError)):
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            read_head(idle)


# TLS that ends at the proxy

@pytest.fixture(scope="module")
def sockets(new_broker, pki):
    """A broker with a Unix socket for a proxy of this user, and one where certificates are not believed."""
    directory = Path(tempfile.mkdtemp())  # where another user can go, too
    directory.chmod(0o755)
    believed = {"bind": f"unix:{directory}/tls.sock", "mode": "0666", "proxy_protocol": "required",
                "trusted": [f"uid:{os.getuid()}"], "trust_tls_fields": True,
                "authentication": {"certificate_user": "cn"}}
    plain = {"bind": f"unix:{directory}/plain.sock", "proxy_protocol": "required", "trusted": [f"uid:{os.getuid()}"]}
    made = new_broker(config={"listeners": [believed, plain, *listeners({})], "control": {"socket": "control.sock"}})
    made.add_user("porch", ["all"], password=False)
    made.add_user("locked", ["all"], password=False)
    made.passwd("lock", "locked")
    for name in "porch", "stranger":
        pki.client("proxied", f"proxied-{name}", name)
    with made:
        yield made
    shutil.rmtree(directory)


def test_certificates_at_haproxy(sockets, pki, tmp_path):
    """HAProxy ends TLS and verifies; the common name is the user, without a certificate a password is needed."""
    port = free_port()
    (tmp_path / "server.pem").write_text(pki.path("server-ec.crt").read_text() + pki.path("server-ec.key").read_text())
    bind = f"ssl crt {tmp_path}/server.pem ca-file {pki.path('proxied.crt')} verify optional"
    server = f"unix@{sockets.addresses[0]}"
    options = "send-proxy-v2 proxy-v2-options ssl,cert-cn,crc32c"

    def connect(certificate=None):
        stream = socket.create_connection(("127.0.0.1", port), timeout=20)
        return tls_context(pki, certificate=certificate).wrap_socket(stream, server_hostname="localhost")

    with proxies.haproxy(tmp_path, {port: (bind, server, options)}):
        mark = sockets.mark()
        Wire(sockets, stream=connect("proxied-porch"), user=None, client_id="lamp").close()
        found = sockets.wait_log("client-connected", mark, client_id="lamp")
        assert found["user"] == "porch" and found["peer"].startswith("127.0.0.1:") and found["tls"] == "TLSv1.3"
        Wire(sockets, stream=connect("proxied-porch"), user="anna", expect=0x86).expect_close()
        Wire(sockets, stream=connect("proxied-stranger"), user=None, expect=0x86).expect_close()
        Wire(sockets, stream=connect()).close()
        Wire(sockets, stream=connect(), user=None, expect=0x87).expect_close()


@pytest.mark.parametrize("name, verify, expect", [
    ("porch", 0, 0), ("locked", 0, 0x86), ("nobody", 0, 0x86), ("por\0ch", 0, 0x86), (b"porch\xff", 0, 0x86),
    ("", 0, 0x86), ("x" * 300, 0, 0x86), ("anna/+/#", 0, 0x86), ("\x1b[31m", 0, 0x86), ("porch", 18, None),
], ids=range(10))
def test_common_names(sockets, name, verify, expect):
    header = proxies.v2("192.0.2.7", fields=proxies.tls_field(name, verify))
    if expect is None:
        mark = sockets.mark()
        with pytest.raises(Closed):
            Wire(sockets, header=header, user=None)
        assert "could not verify" in sockets.wait_log("proxy-refused", mark)["cause"]
    elif expect == 0:
        Wire(sockets, header=header, user=None).close()
    else:
        Wire(sockets, header=header, user=None, expect=expect).expect_close()


@pytest.mark.parametrize("name", ["porch", None], ids=["certificate", "none"])
def test_one_that_leaves_before_its_connect(sockets, name):
    """After TLS at the proxy, without a byte: nobody knows the name that it asked for, and nobody asks."""
    mark = sockets.mark()
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(sockets.addresses[0])
        stream.sendall(proxies.v2("192.0.2.9", fields=proxies.tls_field(name)))
    found = sockets.wait_log("connection-closed-before-connect", mark)
    assert found["peer"].startswith("192.0.2.9:") and "certificate is for" not in found["cause"]
    Wire(sockets, header=proxies.v2("192.0.2.7", fields=proxies.tls_field("porch")), user=None).close()


def test_fields_that_are_not_believed(sockets):
    header = proxies.v2("192.0.2.7", fields=proxies.tls_field("porch"))
    Wire(sockets, listener=1, header=header, user=None, expect=0x87).expect_close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_at_the_socket(sockets):
    """The header of somebody who is not the proxy is not read."""
    mark = sockets.mark()
    header = proxies.v2("192.0.2.7", fields=proxies.tls_field("porch"))
    subprocess.run(["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "socat", "-t5", "-",
                    f"UNIX-CONNECT:{sockets.addresses[0]}"], input=header, check=False, timeout=30, capture_output=True)
    found = sockets.wait_log("proxy-refused", mark)
    assert found["peer"] == "unix:uid=12345" and "not in trusted" in found["cause"]


def test_the_check_says_whom_a_proxy_may_become(sockets):
    done = sockets.command("--check")
    line = next(line for line in done.stdout.splitlines() + done.stderr.splitlines() if "tls.sock" in line)
    assert line.endswith(f"only by a proxy, which may name any address: uid {os.getuid()}; it may become anna, porch")


def test_clients_are_listed_by_their_own_address(sockets):
    with Wire(sockets, listener=1, header=proxies.v2("192.0.2.77"), client_id="listed"):
        assert [r["peer"] for r in rows(sockets, "clients") if r["client_id"] == "listed"] == ["192.0.2.77:50123"]
