"""Rounds in which it is the disk that fails: it loses power, it refuses, it is full, it changes bytes (powerloss.c)."""

import errno
import os
import shutil
import subprocess
import time

from broker import Refused
from facts import Violation
from timeouts import scaled_timeout
from people import Publisher, Subscriber
from plans import Plan, last_day
from round import Died, GaveUp

CUT_S = 2.0
RESUME_S = scaled_timeout(30)
FILL = 256 << 10
HOARDED = 60000


class Skipped(Exception):
    """This machine cannot play it."""


class Shim:
    """What the preloaded library is told."""

    def __init__(self, house, library):
        self.house, self.library = house, library
        self.trouble = house.broker.directory / "trouble"
        self.cut = 0
        house.environment = self.environment

    def environment(self):
        self.heal()
        return {"LD_PRELOAD": self.library, "VAKT_DISK": str(self.house.broker.store),
                "VAKT_DISK_SEED": str(self.house.rng.randrange(1 << 30)), "VAKT_DISK_CUT": str(self.cut),
                "VAKT_DISK_TROUBLE": str(self.trouble), "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def begin(self, kind, error=0, after=0):
        fresh = self.trouble.with_suffix(".new")
        fresh.write_text(f"{kind} {error} {after}")
        fresh.rename(self.trouble)

    def heal(self):
        self.trouble.unlink(missing_ok=True)


class CutPlan(Plan):
    """The power goes at some call to the disk, at the latest after a while."""

    kinds = ["cut"]

    def __init__(self, house, shim):
        super().__init__(house)
        self.shim = shim
        shim.cut = int(2 ** house.rng.uniform(0, 15))

    def live_on(self):
        house = self.house
        if self.reads:
            house.read_values()
        if self.checks:
            house.check()
        end = house.now() + CUT_S
        while house.now() < end:
            house.live()
        self.shim.begin("cut")
        self.die_after(0.5)
        while True:
            house.live()


def power(house, count, library):
    """A whole round."""
    shim = Shim(house, library)
    house.killed_by_itself = True
    for _ in range(count):
        CutPlan(house, shim).live(0)
    shim.cut = 0
    last_day(house)


# --- writes and syncs that fail ---

KINDS = [("write", errno.ENOSPC), ("write", errno.EIO), ("short", errno.ENOSPC), ("short", errno.EIO),
         ("sync", errno.EIO), ("sync", errno.ENOSPC)]


def troubles(house, count, library):
    """The disk fails now and then; what was acknowledged is there all the same."""
    shim = Shim(house, library)
    house.killed_by_itself = True
    for at in range(count):
        house.tolerant, house.trigger = False, None
        house.start()
        house.come_in()
        if at % 3 == 0:
            house.check()
        live_for(house, 0.5 * house.rng.random())
        try:
            suffer(house, shim, *house.rng.choice(KINDS))
        except Died:
            pass
    house.tolerant = False
    last_day(house)


def live_for(house, seconds):
    end = house.now() + seconds
    while house.now() < end:
        house.live()


def suffer(house, shim, kind, error):
    """Trouble begins; it ends, and everything goes on, or the broker says that its store has failed."""
    house.tolerant = True
    shim.begin(kind, error, house.rng.choice([0, 0, 1, 2, 5, 20]))
    wait_said(house, "event=store-full", "event=store-failed")
    live_for(house, house.rng.choice([0.1, 0.5, 1.5]))
    shim.heal()
    if "event=store-failed" not in house.broker.said():
        wait_said(house, "event=store-resumed", "event=store-failed")
    if "event=store-failed" in house.broker.said():
        no_promises(house)
    else:
        house.tolerant = False
        house.check()
    if house.rng.random() < 0.5:
        shim.begin("cut")
        live_for(house, 0.2)
    house.broker.kill()
    house.bury("killed after its trouble")


def wait_said(house, *events, meanwhile=lambda: None):
    """Live until the broker has logged one of these."""
    end = time.monotonic() + RESUME_S
    while not any(event in house.broker.said() for event in events):
        if time.monotonic() > end:
            raise Violation("D7", f"the broker does not say {' or '.join(events)}",
                            house.broker.said().splitlines()[-20:])
        meanwhile()
        live_for(house, 0.05)


def no_promises(house):
    """A store that has failed acknowledges nothing that it should keep."""
    live_for(house, 0.05)
    house.promises.clear()
    live_for(house, 0.3)
    kept = [house.messages[number] for number in house.promises if not house.messages[number].topic.startswith("g/")]
    if kept:
        raise Violation("D7", f"acknowledged although the store has failed: {kept}",
                        [line for message in kept for line in message.story])


# --- a real file system that is full ---

def full(house, megabytes, _):
    """A queue fills a small file system; a file is deleted, and everything goes on. The file alone would not do: the
    broker has set blocks aside and pages that are free, and what the others send may be taken as fast as it comes. So
    messages are sent to somebody who is away, until it is full."""
    store = house.broker.store
    mount(store, megabytes)
    try:
        fill_up(house, store)
    finally:
        if house.broker.is_alive():
            house.broker.kill()
        subprocess.run(["umount", str(store)], check=False)


def mount(store, megabytes):
    store.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() != 0:
        raise Skipped("a small file system needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={int(megabytes) + 12}m,mode=0700", "vakt", str(store)],
                          check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Skipped(f"no small file system: {done.stderr.strip()}")


def hoard(house):
    """More for the one who is away."""
    for person in house.people:
        if isinstance(person, Publisher) and person.peer.up and not person.peer.leaving and person.peer.fits():
            person.peer.publish(house.message(person.peer.name, "h/0", 1, size=HOARDED))


def fill_up(house, store):
    hoarder = Subscriber(house, "hoarder", 5, wanted={"h/0": 1})
    hoarder.rate = 0  # it comes and goes only where that is written here
    house.people.append(hoarder)
    house.versions["hoarder"] = 5
    house.start()
    house.come_in()
    house.check()
    hoarder.peer.disconnect()
    if not house.wait(lambda: hoarder.peer.sock is None, RESUME_S):
        raise Violation("peace", "a client cannot leave", house.broker.said().splitlines()[-20:])
    filler = store / "filler"
    with open(filler, "wb") as out:
        while shutil.disk_usage(store).free > FILL:
            out.write(b"x" * (FILL // 2))
            out.flush()
    house.tolerant = True
    wait_said(house, "event=store-full", meanwhile=lambda: hoard(house))
    lazy = house.lazy_delivered
    live_for(house, 2)
    if house.lazy_delivered == lazy:
        raise Violation("D7", "QoS 0 does not go on while the disk is full", house.broker.said().splitlines()[-20:])
    filler.unlink()
    wait_said(house, "event=store-resumed")
    house.tolerant = False
    house.check()
    house.broker.kill()
    house.bury("killed")
    last_day(house)


# --- bytes that change ---

def flips(house, count, _):
    """The store is damaged between two lives: the start refuses and says what to do, or nothing is missing; or it
    notices later and says so, and the round ends, for there is no way back from there."""
    for _ in range(count):
        Plan(house, "time").live(0.2)
        whole = house.broker.directory / "whole"
        shutil.rmtree(whole, ignore_errors=True)
        shutil.copytree(house.broker.store, whole)
        what = damage(house.rng, house.broker.store / "data.mdb")
        end = survives(house, what)
        kind = f"{what.split()[0]} {end}"
        house.damages[kind] = house.damages.get(kind, 0) + 1
        if end == "noticed":
            return
        if end == "refused":
            shutil.rmtree(house.broker.store)
            shutil.copytree(whole, house.broker.store)
    last_day(house)


def damage(rng, path):
    """Change some bits, blank a sector, or cut the file; says what it did."""
    size = path.stat().st_size
    kind = rng.choice(["bits", "bits", "sector", "cut"])
    if kind == "cut":
        length = rng.randrange(size)
        os.truncate(path, length)
        return f"cut from {size} to {length}"
    with open(path, "r+b") as file:
        places = sorted(rng.randrange(size) for _ in range(rng.choice([1, 1, 4, 50])))
        for place in places:
            file.seek(place if kind == "bits" else place // 512 * 512)
            old = file.read(1 if kind == "bits" else 512)
            file.seek(-len(old), os.SEEK_CUR)
            file.write(bytes([old[0] ^ 1 << rng.randrange(8)]) if kind == "bits" else bytes(len(old)))
    return f"{kind} at {places[:8]}"


def survives(house, what):
    """How it took it."""
    house.trigger = None
    try:
        house.is_damaged = house.tolerant = True
        house.start()
        house.come_in()
        house.tolerant = False
        house.read_values()
        house.check()
        end = "survived"
    except Refused as refused:
        if refused.status != 2 or "broker-store" not in refused.said:
            raise Violation("damage", f"({what}) {refused}", []) from refused
        return "refused"
    except GaveUp:
        end = "noticed"
    except Violation as wrong:
        if "event=store-failed" not in house.broker.said():
            raise Violation(wrong.rule, f"after damage ({what}): {wrong.text}", wrong.story) from wrong
        end = "noticed"
    finally:
        house.is_damaged = house.tolerant = False
    house.broker.kill()
    if end == "survived":
        house.bury("killed")
    return end
