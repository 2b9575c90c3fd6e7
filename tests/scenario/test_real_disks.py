"""A file system of its own for the store, on a loop device: the kernel makes it read-only while the broker runs, or it is
mounted read-only. "Failed store" in broker(8). (Errors of single calls: test_disk_trouble.py.)"""

import os
import shutil
import subprocess

import mqtt
import pytest
from wire import Wire

KEPT = {"session_expiry_interval": 3600}


class FileSystem:
    def __init__(self, directory):
        self.image, self.place = directory / "image", directory / "mounted"
        self.place.mkdir()
        with self.image.open("wb") as image:
            image.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)

    def mount(self, options="loop"):
        return subprocess.run(["mount", "-o", options, *([self.image] if options.startswith("loop") else []), self.place],
                              capture_output=True, text=True)

    def unmount(self):
        subprocess.run(["umount", self.place], check=True)

    def repair(self):
        """After an abort, as the next boot does it."""
        assert subprocess.run(["e2fsck", "-p", self.image], capture_output=True).returncode in (0, 1)


@pytest.fixture
def file_system(tmp_path):
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("file systems are mounted by root, and made by mkfs.ext4")
    found = FileSystem(tmp_path)
    made = found.mount()
    if made.returncode != 0:
        pytest.skip(f"no loop device can be mounted here: {made.stderr.strip()}")
    yield found
    subprocess.run(["umount", "--lazy", found.place], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture
def broker(new_broker, file_system):
    broker = new_broker(config={"persistence": {"directory": str(file_system.place / "store")}})
    yield broker
    if broker.process is not None:
        broker.stop()


def test_the_kernel_makes_it_read_only(broker, file_system):
    """As after an error of the disk: what is not stored is not acknowledged, everything else goes on, and what was
    acknowledged is there after the repair. D1 D7"""
    broker.start()
    with Wire(broker, client_id="kept", clean=False, props=KEPT) as sub:
        sub.subscribe("queue/#")
        sub.disconnect()
    with Wire(broker) as pub, Wire(broker) as live:
        live.subscribe("live", qos=0)
        pub.publish("queue/1", b"stored", qos=1)
        mark = broker.mark()
        assert file_system.mount("remount,abort").returncode == 0
        pub.send(mqtt.publish(5, "queue/2", b"lost?", qos=1, packet_id=9))
        said = broker.wait_log("store-failed", mark)
        assert said["error"] in ("Read-only file system", "Input/output error")
        assert "check the disk, then restart" in said["remedy"]
        with Wire(broker) as other:
            other.publish("live", b"goes on")
            assert live.message().payload == b"goes on"
        pub.settle()  # PINGRESP, and no PUBACK before it
    broker.stop()
    file_system.unmount()
    file_system.repair()
    assert file_system.mount().returncode == 0
    broker.start()
    with Wire(broker, client_id="kept", clean=False, props=KEPT) as sub:
        assert sub.connack.session_present
        assert sub.message().payload == b"stored"


def test_it_is_mounted_read_only(broker, file_system):
    """The start says so, and changes nothing."""
    broker.start()
    with Wire(broker) as pub:
        pub.publish("retained", b"stays", qos=1, retain=True)
    broker.stop()
    assert file_system.mount("remount,ro").returncode == 0
    for options in (["--check"], []):
        refused = broker.command(*options)
        assert refused.returncode == 2 and "ead-only file system" in refused.stderr, refused.stderr
    assert file_system.mount("remount,rw").returncode == 0
    broker.start()
    with Wire(broker) as sub:
        sub.subscribe("retained")
        assert sub.message().payload == b"stays"
