"""MQTT.js in a browser: pages whose origin is listed, and pages whose origin is not."""

import contextlib

import chromium
import pytest
from broker_fixture import free_bind
from wire import Wire

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="chromium is not installed (apt-get install chromium)")

PAGE = """<!doctype html><script src="/mqtt.js"></script><script>
const client = mqtt.connect(%(url)s, {username: 'anna', password: %(password)s, protocolVersion: %(version)d, reconnectPeriod: 0});
client.on('connect', () => { console.log('connected'); client.subscribe('browser/in', () => console.log('subscribed')); });
client.on('message', (topic, payload) => client.publish('browser/out', 'seen ' + payload.length, {qos: 1}));
client.on('close', () => console.log('closed'));
</script>"""


SENDER = """<!doctype html><script>
const send = (host, options) => fetch('https://' + host + ':%(port)s/publish/page/' + host, {method: 'POST', body: 'x', ...options}).then(
    () => console.log('answered at ' + host), () => console.log('failed at ' + host));
send('localhost', {mode: 'no-cors', credentials: 'include'}).then(() => send('127.0.0.1', {mode: 'no-cors', credentials: 'include'})).then(
    () => send('localhost', {headers: {'X-Mine': 'x'}})).then(() => console.log('all sent'));
</script>"""


@contextlib.contextmanager
def open_site(new_broker, pki, version, listed):
    """A broker, and a site with a page that connects to it."""
    broker, bind = new_broker(), free_bind()
    text = PAGE % {"url": repr(f"wss://localhost:{bind.rsplit(':', 1)[1]}/mqtt"), "version": version,
                   "password": repr(broker.password("anna"))}
    with chromium.Site(pki, {"/": text}) as site:
        broker.config["listeners"].append({"bind": bind, "protocol": "https", "serve": ["websocket"],
                                           "websocket": {"origins": ["same", site.origin] if listed else ["same"]}})
        broker.write()
        with broker:
            yield broker, site


@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
def test_a_page_whose_origin_is_listed(new_broker, pki, tmp_path, version):
    with open_site(new_broker, pki, version, listed=True) as (broker, site), Wire(broker) as other:
        other.subscribe("browser/out")
        with chromium.Page(site.origin + "/", tmp_path / "profile") as browser:
            browser.said("subscribed")
            other.publish("browser/in", b"x" * 100_000, qos=1)
            assert other.message().payload == b"seen 100000"


def test_a_page_of_another_origin(new_broker, pki, tmp_path):
    with open_site(new_broker, pki, 5, listed=False) as (broker, site):
        with chromium.Page(site.origin + "/", tmp_path / "profile") as browser:
            assert "origin" in broker.wait_log("http-refused", status=403)["cause"]
            browser.said("closed")


@pytest.mark.parametrize("listed", [False, True], ids=["unlisted", "listed"])
def test_a_page_that_publishes(new_broker, pki, tmp_path, listed):
    """Another port is the same site to a browser, and another host another one: what a page sends there without asking first
    (no-cors) is refused before any login, unless its origin is listed. Nobody may ask first (a header of its own)."""
    bind = free_bind()
    with chromium.Site(pki, {"/": SENDER % {"port": bind.rsplit(":", 1)[1]}}) as site:
        broker = new_broker(acl={"anonymous": {"rules": ["allow all page/#"]}}, config={"authentication": {"anonymous": True}})
        broker.config["listeners"].append({"bind": bind, "protocol": "https", "serve": ["publish"],
                                           "publish": {"origins": ["same", site.origin] if listed else ["same"]}})
        broker.write()
        with broker, Wire(broker, user=None) as sub:
            sub.subscribe("page/#")
            mark = broker.mark()
            with chromium.Page(site.origin + "/", tmp_path / "profile") as page:
                page.said("all sent")
            if listed:
                assert [sub.message().topic for _ in range(2)] == ["page/localhost", "page/127.0.0.1"]
            else:
                for host in ("localhost", "127.0.0.1"):
                    line = broker.wait_log("http-refused", mark, status=403, request=f"POST /publish/page/{host}")
                    assert "origin" in line["cause"].lower() and not line.get("user")
            sub.publish("page/last", b"x", qos=1)
            assert sub.message().topic == "page/last"
