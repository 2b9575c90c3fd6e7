"""Fills the store of a broker that took control characters and noncharacters in names, as 887b23b did: with that broker in
VAKT_BROKER and VAKT_PASSWD. Usage: fill_names.py COMMIT. Like fill.py: run once, and never again."""

import lzma
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scenario"))
# pylint: disable=wrong-import-position
import mqtt
from broker_fixture import Pki
from old_broker import FOREVER, ODD, OldBroker
from wire import Wire


def kept(broker, version=5, **options):
    return Wire(broker, version, clean=False, props=FOREVER if version == 5 else None, **options)


def fill(broker):
    """One session of each version, with two subscriptions and what waits for them; retained messages; wills."""
    for version in (4, 5):
        with kept(broker, version, client_id=f"{ODD.client}{version}") as client:
            client.subscribe(ODD.filter, ODD.share)
            client.disconnect()
    with kept(broker, client_id="of-bob", user=ODD.user) as client:
        client.subscribe(ODD.filter)
        client.disconnect()
    will = mqtt.Will(ODD.will, b"gone", qos=1, retain=True, props={"will_delay_interval": 20})
    dead = kept(broker, client_id=ODD.client, will=will)
    dead.kill()
    broker.wait_log("client-disconnected", client_id=ODD.client)
    with Wire(broker) as client:
        for qos in (1, 2):
            client.publish(ODD.topic, b"waits %d" % qos, qos=qos, props={"response_topic": ODD.answer})
        client.publish(ODD.shared, b"shared", qos=1)
        for topic in ODD.retained:
            client.publish(topic, b"retained", qos=1, retain=True)
    with Wire(broker) as client:  # when this is acknowledged, all before it is on disk
        client.publish("last", b"last", qos=1)
    broker.crash()


def main():
    out = HERE / sys.argv[1] / "names"
    for name in ("users.passwd", "data.mdb.xz", "note"):
        (out / name).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        (temporary / "names").mkdir()
        (temporary / "pki").mkdir()
        broker = OldBroker(temporary / "names", Pki(temporary / "pki"), out)
        broker.passwd("add", "anna", "-c", "--role", "all", "--stdin", stdin=broker.password("anna") + "\n")
        broker.passwd("add", ODD.user, "--role", "all", "--stdin", stdin=broker.password(ODD.user) + "\n")
        fill(broker.start())
        data = (broker.directory / "store/data.mdb").read_bytes()
        (out / "data.mdb.xz").write_bytes(lzma.compress(data, preset=9))
        shutil.copy(broker.directory / "store/note", out)
        shutil.copy(broker.directory / "users.passwd", out)


main()
