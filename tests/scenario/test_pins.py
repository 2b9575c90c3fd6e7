"""Users who are pinned to keys: a certificate that names one counts only with such a key, whatever the transport, at each
login, at a resumed session of TLS, and at a reload."""

import http.client
import shutil
import signal
import ssl

import pytest
from broker_fixture import free_bind
from control import ctl, row, rows
from wire import Wire, tls_context

KEEP = {"session_expiry_interval": 3600}
HTTPS = 1
TLS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


@pytest.fixture(scope="module")
def certificates(pki):
    """Two keys of porch, and the first one once more for lamp."""
    for name in ("pin-old", "pin-new"):
        pki.client("pin-clients", name, "porch")
    shutil.copy(pki.path("pin-old.key"), pki.path("pin-lamp.key"))
    pki.client("pin-clients", "pin-lamp", "lamp")
    return pki


def pinned_broker(new_broker, pki, mode="optional", **authentication):
    listeners = [{"bind": free_bind()}, {"bind": free_bind(), "protocol": "https", "serve": ["websocket", "publish"]}]
    broker = new_broker(config={"listeners": listeners, "control": {"socket": "control.sock"},
                                "tls": {"client_certificates": mode, "client_ca": str(pki.path("pin-clients.crt"))},
                                "authentication": {"certificate_user": "cn" if mode != "none" else "none", **authentication}},
                        users={"porch": ["all"], "lamp": ["all"]})
    change(broker, "pin", "porch", "pin-old")
    return broker


def change(broker, command, user, certificate):
    """broker-passwd pin or unpin; taken over, if the broker runs."""
    mark = broker.process and broker.mark()
    broker.passwd(command, user, *(["--all"] if certificate is None else ["--certificate", str(broker.pki.path(f"{certificate}.crt"))]))
    if broker.process:
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded", mark)


@pytest.fixture(scope="module")
def broker(new_broker, certificates):
    with pinned_broker(new_broker, certificates) as broker:
        yield broker


def connect(broker, certificate, user=None, password=None, version=None, **options):
    context = tls_context(broker.pki, certificate=certificate, maximum=version, minimum=version)
    return Wire(broker, user=user, password=password, context=context, **options)


@pytest.mark.parametrize("listener", [0, HTTPS], ids=["mqtt", "websocket"])
def test_only_a_pinned_key_counts(broker, listener):
    connect(broker, "pin-old", listener=listener).close()
    mark = broker.mark()
    connect(broker, "pin-new", listener=listener, expect=0x86).expect_close()
    said = broker.wait_log("connect-refused", mark)
    assert said["cause"] == "the key of the certificate is not one that the user is pinned to"
    assert said["certificate"] == "CN=porch" and said["key"].startswith("sha256/")
    connect(broker, "pin-new", user="porch", password=broker.password("porch"), listener=listener, expect=0x86).expect_close()


def test_the_key_alone_names_nobody(broker):
    """The certificate of lamp has the key of porch: it is lamp, which is not pinned."""
    mark = broker.mark()
    connect(broker, "pin-lamp").close()
    assert broker.wait_log("client-connected", mark)["user"] == "lamp"
    connect(broker, "pin-lamp", user="porch", password="x", expect=0x86).expect_close()


def test_a_password_without_a_certificate_is_as_good_as_before(broker):
    with Wire(broker, user="porch") as client:
        client.settle()


@pytest.mark.parametrize("mode", ["none", "required"])
def test_other_demands_on_clients(new_broker, certificates, mode):
    with pinned_broker(new_broker, certificates, mode) as broker:
        if mode == "required":
            connect(broker, "pin-old").close()
            connect(broker, "pin-new", expect=0x86).expect_close()
            return
        connect(broker, "pin-new", user="porch", password=broker.password("porch")).close()
    said = broker.command("--check")
    assert "user 'porch' is pinned to keys, and no listener takes names from certificates" in said.stdout + said.stderr


def test_a_key_that_is_unpinned_ends_its_connections(new_broker, certificates):
    with pinned_broker(new_broker, certificates) as broker:
        change(broker, "pin", "porch", "pin-new")
        options = {"clean": False, "props": KEEP}
        with connect(broker, "pin-old", client_id="old", **options) as old, connect(broker, "pin-new", client_id="new", **options) as new, \
                Wire(broker, user="porch", client_id="by-password") as other:
            old.subscribe("kept")
            mark = broker.mark()
            change(broker, "unpin", "porch", "pin-old")
            assert old.expect_close().reason == 0x87
            assert "unpinned from sha256/" in str(broker.logged("policy-changed", mark) or broker.process.lines[mark:])
            new.settle()
            other.settle()
            connect(broker, "pin-old", expect=0x86).expect_close()
            # The session is the user's, not the key's.
            with connect(broker, "pin-new", client_id="old", **options) as again:
                assert again.connack.session_present
            change(broker, "unpin", "porch", "pin-new")
            assert new.expect_close().reason == 0x87
            other.settle()
        connect(broker, "pin-new", expect=0x86).expect_close()
        change(broker, "unpin", "porch", None)
        connect(broker, "pin-new", client_id="new").close()


def test_a_pin_that_comes_ends_connections_with_other_keys(new_broker, certificates):
    with pinned_broker(new_broker, certificates) as broker, connect(broker, "pin-lamp") as lamp, connect(broker, "pin-old") as porch:
        change(broker, "pin", "lamp", "pin-new")
        assert lamp.expect_close().reason == 0x87
        porch.settle()


@TLS
def test_resumption_skips_no_pin(new_broker, certificates, version):
    with pinned_broker(new_broker, certificates) as broker:
        context = tls_context(broker.pki, certificate="pin-old", maximum=version, minimum=version)
        with Wire(broker, user=None, password=None, context=context) as first:
            first.settle()
            session = first.stream.session
        with Wire(broker, user=None, password=None, context=context, session=session) as second:
            second.settle()
            assert second.stream.session_reused
        change(broker, "unpin", "porch", "pin-old")
        third = Wire(broker, user=None, password=None, context=context, session=session, expect=0x86)
        third.expect_close()


def post(broker, certificate):
    host, port = broker.addresses[HTTPS]
    connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=tls_context(broker.pki, certificate=certificate))
    connection.request("POST", "/publish/pins/x", body=b"x")
    status = connection.getresponse().status
    connection.close()
    return status


def test_scripts(broker):
    assert post(broker, "pin-old") in (200, 204)
    assert post(broker, "pin-new") == 401


def test_administrators_see_keys(broker):
    with connect(broker, "pin-old", client_id="seen"):
        porch = [r for r in rows(broker, "users") if r["user"] == "porch"][0]
        seen = [r for r in rows(broker, "client", "seen") if "certificate_key" in r][0]
        assert porch["pins"] == seen["certificate_key"] and seen["certificate_key"].startswith("sha256/") and seen["certificate"] == "CN=porch"
        assert porch["pins"] in ctl(broker, "users").stdout
        assert row(broker, "seen") is not None
