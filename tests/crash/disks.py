"""Rounds in which the disk fails: it loses power, returns errors, is full, or changes bytes (powerloss.c)."""

import errno
import os
import shutil
import subprocess
import time

from broker import Refused
from model import Violation
from timeouts import scaled_timeout
from actors import Publisher, Subscriber
from plans import Plan, final_check
from round import Died, GaveUp

CUT_S = 2.0
RESUME_S = scaled_timeout(30)
FILL = 256 << 10
HOARDED = 60000


class Skipped(Exception):
    """This machine cannot run it."""


class Shim:
    """Controls the preloaded library."""

    def __init__(self, world, library):
        self.world, self.library = world, library
        self.trouble = world.broker.directory / "trouble"
        self.cut = 0
        world.environment = self.environment

    def environment(self):
        self.heal()
        return {"LD_PRELOAD": self.library, "VAKT_DISK": str(self.world.broker.store),
                "VAKT_DISK_SEED": str(self.world.rng.randrange(1 << 30)), "VAKT_DISK_CUT": str(self.cut),
                "VAKT_DISK_TROUBLE": str(self.trouble), "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def begin(self, kind, error=0, after=0):
        fresh = self.trouble.with_suffix(".new")
        fresh.write_text(f"{kind} {error} {after}")
        fresh.rename(self.trouble)

    def heal(self):
        self.trouble.unlink(missing_ok=True)


class CutPlan(Plan):
    """The power is cut at some call to the disk, at the latest after CUT_S."""

    kinds = ["cut"]

    def __init__(self, world, shim):
        super().__init__(world)
        self.shim = shim
        shim.cut = int(2 ** world.rng.uniform(0, 15))

    def run_connected(self):
        world = self.world
        if self.reads:
            world.read_values()
        if self.checks:
            world.check()
        end = world.now() + CUT_S
        while world.now() < end:
            world.run_turn()
        self.shim.begin("cut")
        self.die_after(0.5)
        while True:
            world.run_turn()


def power(world, count, library):
    """A whole round."""
    shim = Shim(world, library)
    world.killed_by_itself = True
    for _ in range(count):
        CutPlan(world, shim).run(0)
    shim.cut = 0
    final_check(world)


# --- writes and syncs that fail ---

KINDS = [("write", errno.ENOSPC), ("write", errno.EIO), ("short", errno.ENOSPC), ("short", errno.EIO),
         ("sync", errno.EIO), ("sync", errno.ENOSPC)]


def troubles(world, count, library):
    """The disk fails now and then; acknowledged messages must survive."""
    shim = Shim(world, library)
    world.killed_by_itself = True
    for at in range(count):
        world.tolerant, world.trigger = False, None
        world.start()
        world.wait_until_reachable()
        if at % 3 == 0:
            world.check()
        run_for(world, 0.5 * world.rng.random())
        try:
            run_with_trouble(world, shim, *world.rng.choice(KINDS))
        except Died:
            pass
    world.tolerant = False
    final_check(world)


def run_for(world, seconds):
    end = world.now() + seconds
    while world.now() < end:
        world.run_turn()


def run_with_trouble(world, shim, kind, error):
    """A failure begins. Either it ends and service continues, or the broker reports that its store has failed."""
    world.tolerant = True
    shim.begin(kind, error, world.rng.choice([0, 0, 1, 2, 5, 20]))
    wait_said(world, "event=store-full", "event=store-failed")
    run_for(world, world.rng.choice([0.1, 0.5, 1.5]))
    shim.heal()
    if "event=store-failed" not in world.broker.said():
        wait_said(world, "event=store-resumed", "event=store-failed")
    if "event=store-failed" in world.broker.said():
        no_promises(world)
    else:
        world.tolerant = False
        world.check()
    if world.rng.random() < 0.5:
        shim.begin("cut")
        run_for(world, 0.2)
    world.broker.kill()
    world.broker_gone("killed after its trouble")


def wait_said(world, *events, meanwhile=lambda: None):
    """Run until the broker has logged one of these."""
    end = time.monotonic() + RESUME_S
    while not any(event in world.broker.said() for event in events):
        if time.monotonic() > end:
            raise Violation("D7", f"the broker does not say {' or '.join(events)}",
                            world.broker.said().splitlines()[-20:])
        meanwhile()
        run_for(world, 0.05)


def no_promises(world):
    """A failed store must not acknowledge what it should make durable."""
    run_for(world, 0.05)
    world.promises.clear()
    run_for(world, 0.3)
    kept = [world.messages[number] for number in world.promises if not world.messages[number].topic.startswith("g/")]
    if kept:
        raise Violation("D7", f"acknowledged although the store has failed: {kept}",
                        [line for message in kept for line in message.events])


# --- a real file system that is full ---

def full(world, megabytes, _):
    """A queue fills a small file system; then a file is deleted, and service continues. The file alone is not enough:
    the broker has reserved blocks and free pages, and may take messages as fast as they arrive. So messages are sent to
    a client that is away until the file system is full."""
    store = world.broker.store
    mount(store, megabytes)
    try:
        fill_up(world, store)
    finally:
        if world.broker.is_alive():
            world.broker.kill()
        subprocess.run(["umount", str(store)], check=False)


def mount(store, megabytes):
    store.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() != 0:
        raise Skipped("a small file system needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={int(megabytes) + 12}m,mode=0700", "vakt", str(store)],
                          check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Skipped(f"no small file system: {done.stderr.strip()}")


def hoard(world):
    """More for the client that is away."""
    for actor in world.actors:
        if isinstance(actor, Publisher) and actor.peer.up and not actor.peer.leaving and actor.peer.fits():
            actor.peer.publish(world.message(actor.peer.name, "h/0", 1, size=HOARDED))


def fill_up(world, store):
    hoarder = Subscriber(world, "hoarder", 5, wanted={"h/0": 1})
    hoarder.rate = 0  # it connects and disconnects only here
    world.actors.append(hoarder)
    world.versions["hoarder"] = 5
    world.start()
    world.wait_until_reachable()
    world.check()
    hoarder.peer.disconnect()
    if not world.wait(lambda: hoarder.peer.sock is None, RESUME_S):
        raise Violation("protocol", "a client cannot leave", world.broker.said().splitlines()[-20:])
    filler = store / "filler"
    with open(filler, "wb") as out:
        while shutil.disk_usage(store).free > FILL:
            out.write(b"x" * (FILL // 2))
            out.flush()
    world.tolerant = True
    wait_said(world, "event=store-full", meanwhile=lambda: hoard(world))
    lazy = world.lazy_delivered
    run_for(world, 2)
    if world.lazy_delivered == lazy:
        raise Violation("D7", "QoS 0 does not go on while the disk is full", world.broker.said().splitlines()[-20:])
    filler.unlink()
    wait_said(world, "event=store-resumed")
    world.tolerant = False
    world.check()
    world.broker.kill()
    world.broker_gone("killed")
    final_check(world)


# --- bytes that change ---

def bit_flips(world, count, _):
    """The store is damaged between two runs. The start refuses it and says what to do, or nothing is missing; or the
    damage is noticed later and reported, and the round ends, because the store cannot be repaired."""
    for _ in range(count):
        Plan(world, "time").run(0.2)
        whole = world.broker.directory / "whole"
        shutil.rmtree(whole, ignore_errors=True)
        shutil.copytree(world.broker.store, whole)
        what = damage(world.rng, world.broker.store / "data.mdb")
        end = survives(world, what)
        kind = f"{what.split()[0]} {end}"
        world.damages[kind] = world.damages.get(kind, 0) + 1
        if end == "noticed":
            return
        if end == "refused":
            shutil.rmtree(world.broker.store)
            shutil.copytree(whole, world.broker.store)
    final_check(world)


def damage(rng, path):
    """Change some bits, zero a sector, or truncate the file. Returns what it did."""
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


def survives(world, what):
    """How the broker reacted."""
    world.trigger = None
    try:
        world.is_damaged = world.tolerant = True
        world.start()
        world.wait_until_reachable()
        world.tolerant = False
        world.read_values()
        world.check()
        end = "survived"
    except Refused as refused:
        if refused.status != 2 or "broker-store" not in refused.said:
            raise Violation("damage", f"({what}) {refused}", []) from refused
        return "refused"
    except GaveUp:
        end = "noticed"
    except Violation as wrong:
        if "event=store-failed" not in world.broker.said():
            raise Violation(wrong.rule, f"after damage ({what}): {wrong.text}", wrong.events) from wrong
        end = "noticed"
    finally:
        world.is_damaged = world.tolerant = False
    world.broker.kill()
    if end == "survived":
        world.broker_gone("killed")
    return end
