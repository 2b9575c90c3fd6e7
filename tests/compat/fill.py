"""Fills the store of an older broker by real clients, and kills it: run by `make`, with that broker in VAKT_BROKER and
VAKT_PASSWD, and its sources' starter directory made. Usage: fill.py COMMIT STARTER_DIRECTORY."""

import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scenario"))
# pylint: disable=wrong-import-position
import mqtt
from broker_fixture import Pki
from old_broker import AHEAD, CERTIFICATE, FOREVER, LARGE, OUT_IDS, PROPS, REPLAYED, UNIX, OldBroker
from wire import Wire

NO_LOCAL, RETAIN_AS_PUBLISHED = 0x04, 0x08
USERS = [("anna", "--role", "all"), ("bert", "--role", "all", "--method", "sha512crypt"),
         ("cara", "--role", "guest", "--method", "bcrypt"),
         ("dora", "--role", "all", "--scram", "--iterations", "4096"), ("fred", "--role", "owner"),
         ("greta", "--role", "owner"), ("lena", "--role", "all")]


def add_users(broker):
    for number, (name, *options) in enumerate(USERS):
        create = ["-c"] if number == 0 else []
        broker.passwd("add", name, *create, *options, "--stdin", stdin=broker.password(name) + "\n")
    broker.passwd("add", "porch", "--no-password")
    broker.passwd("lock", "lena")


def kept(broker, client_id, version=5, *, props=None, **options):
    props = {**FOREVER, **(props or {})} if version == 5 else None
    return Wire(broker, version, client_id=client_id, clean=False, props=props, **options)


def leave(broker, client_id, *filters, version=5, **options):
    with kept(broker, client_id, version, **options) as client:
        client.subscribe(*filters)
        client.disconnect()


def leave_sessions(broker):
    leave(broker, "queue-5", "queue/#", "both")
    leave(broker, "queue-4", "queue/#", "both", version=4, user="bert")
    leave(broker, "watch", "wills/#", "in/#")
    leave(broker, "scram", "both", user="dora")
    leave(broker, "anonymous", "public/#", user=None, listener=UNIX)
    leave(broker, "certificate", "queue/#", user=None, listener=CERTIFICATE, context=broker.certificate_context)
    with kept(broker, "options") as client:
        client.subscribe("options/id", props={"subscription_identifier": 268435455})
        client.subscribe("options/own", options=NO_LOCAL)
        client.subscribe("options/rap", options=RETAIN_AS_PUBLISHED)
        client.subscribe("$share/group/options/share")
        client.subscribe("options/gone")
        client.unsubscribe("options/gone")
        client.disconnect()


def fill_queues(broker):
    with Wire(broker, user="bert") as client:
        for number in range(6):
            client.publish(f"queue/{number}", f"message {number}", qos=1 + number % 2, props=PROPS)
        client.publish("both", LARGE, qos=1)
        client.publish("public/weather", b"rain", qos=1)


def retain(broker):
    with Wire(broker) as client:
        client.publish("kept/props", b"with properties", qos=1, retain=True, props=PROPS)
        client.publish("kept/long", b"expires late", qos=2, retain=True,
                       props={"message_expiry_interval": 0xFFFFFFF0})
        client.publish("kept/large", LARGE, qos=1, retain=True)
        client.publish("kept/zero", b"of QoS 0", qos=0, retain=True)
        client.publish("kept/gone", b"for a while", qos=1, retain=True)
        client.publish("kept/gone", b"", qos=1, retain=True)
        for number in range(REPLAYED):
            client.publish(f"many/{number}", str(number), qos=1, retain=True)
    for user in ("fred", "greta"):
        with Wire(broker, user=user) as client:
            client.publish(f"device/{user}", f"of {user}", qos=1, retain=True)


def leave_wills(broker):
    """One whose time comes while the broker is away, one that waits, one that was cancelled."""
    for name, delay in (("soon", 20), ("later", 0xFFFFFFF0)):
        will = mqtt.Will(f"wills/{name}", name.encode(), qos=1, props={"will_delay_interval": delay})
        client = kept(broker, f"will-{name}", will=will)
        client.kill()
        broker.wait_log("client-disconnected", client_id=client.client_id)
    with kept(broker, "will-never", will=mqtt.Will("wills/never", b"never", qos=1)) as client:
        client.disconnect()


def hang(broker):
    """Clients that are in the middle of something when the broker dies."""
    now = kept(broker, "will-now",
               will=mqtt.Will("wills/now", b"now", qos=1, retain=True, props={"content_type": "text/plain"}))
    received = kept(broker, "in", user="bert")
    received.send(mqtt.publish(5, "in/x", b"once", qos=2, packet_id=11))
    received.expect(mqtt.PUBREC, 11)
    sent = kept(broker, "out", user="dora", ack=False)
    sent.subscribe("out/#")
    with Wire(broker) as client:
        for number, qos in enumerate((1, 2, 2)):
            client.publish(f"out/{number}", f"out {number}", qos=qos)
    got = [sent.message() for _ in range(3)]
    assert tuple(message.packet_id for message in got) == OUT_IDS
    sent.send(mqtt.ack(5, mqtt.PUBREC, got[2].packet_id))
    sent.expect(mqtt.PUBREL, got[2].packet_id)
    replay = kept(broker, "replay", props={"receive_maximum": 1}, ack=False)
    replay.subscribe("ahead")
    with Wire(broker) as client:
        for number in range(AHEAD):
            client.publish("ahead", str(number), qos=1)
    replay.message()
    replay.subscribe("many/#", qos=1)  # the values come after what waits already
    return [now, received, sent, replay]


def fill(broker):
    leave_sessions(broker)
    fill_queues(broker)
    retain(broker)
    leave_wills(broker)
    clients = hang(broker)
    with Wire(broker) as client:  # when this is acknowledged, all before it is on disk
        client.publish("kept/last", b"last", qos=1, retain=True)
    broker.crash()
    for client in clients:
        client.close()


def check_tables(directory):
    """Each has something, but that of sessions which are just being removed."""
    info = subprocess.run([os.environ["VAKT_STORE"], str(directory / "store"), "info"], check=True, text=True,
                          capture_output=True).stdout
    empty = [line.split()[0] for line in info.splitlines() if line.endswith(" 0 rows")]
    assert empty == ["ending"], info


def save(directory, out):
    (out / "data.mdb.xz").write_bytes(lzma.compress((directory / "store/data.mdb").read_bytes(), preset=9))
    shutil.copy(directory / "store/note", out)


def main():
    out = HERE / sys.argv[1]
    for name in ("users.passwd", "data.mdb.xz", "note"):
        (out / "house" / name).unlink(missing_ok=True)
    (out / "starter").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        (temporary / "house").mkdir()
        (temporary / "pki").mkdir()
        broker = OldBroker(temporary / "house", Pki(temporary / "pki"), out / "house")
        add_users(broker)
        fill(broker.start())
        check_tables(broker.directory)
        save(broker.directory, out / "house")
        shutil.copy(broker.directory / "users.passwd", out / "house")
        (out / "house/all-keys.yaml").write_text(broker.command("--dump").stdout, encoding="utf-8")
    for name in ("broker.yaml", "acl.yaml", "users.passwd", "password"):
        shutil.copy(Path(sys.argv[2]) / name, out / "starter")


main()
