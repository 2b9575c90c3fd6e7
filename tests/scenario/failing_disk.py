"""A broker whose disk can fail: tests/crash/powerloss.c is preloaded into it."""

import contextlib
import itertools
import os

from broker_fixture import ROOT

LIBRARY = os.environ.get("VAKT_POWERLOSS", str(ROOT / "build/tests/crash/powerloss.so"))
ACL = {"roles": {"all": ["allow all #", "allow subscribe $SYS/#"]}}
numbers = itertools.count(1)


def serial():
    """A number that no other test has."""
    return next(numbers)


class Disk:
    """Controls the preloaded library while the broker runs."""

    def __init__(self, broker):
        self.trouble = broker.directory / "trouble"
        broker.environment.update(
            LD_PRELOAD=LIBRARY, VAKT_DISK=str(broker.directory.resolve() / "store"), VAKT_DISK_TROUBLE=str(self.trouble),
            ASAN_OPTIONS=f"{broker.environment['ASAN_OPTIONS']}:verify_asan_link_order=0")

    def begin(self, kind, error):
        fresh = self.trouble.with_suffix(".new")
        fresh.write_text(f"{kind} {error}")
        fresh.rename(self.trouble)

    def heal(self):
        self.trouble.unlink(missing_ok=True)


def new_broker_and_disk(new_broker, config):
    broker = new_broker(config=config, acl=ACL)
    return broker, Disk(broker)


@contextlib.contextmanager
def running(broker, disk):
    """The broker runs, on a disk that works at first."""
    disk.heal()
    broker.environment["VAKT_DISK_SEED"] = str(serial())
    with broker:
        yield broker
        disk.heal()
