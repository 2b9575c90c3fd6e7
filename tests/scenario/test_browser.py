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
