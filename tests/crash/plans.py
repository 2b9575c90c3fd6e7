"""When the broker is killed: while it starts, when it is ready, at a moment, at an acknowledgement, while it stops."""

import mutator
from model import Violation
from round import Died

LIFE_S = 0.7
MUTATIONS_EACH = 4


class Plan:
    """One run of the broker, from its start to its end."""

    kinds = ["time"] * 7 + ["acks"] * 5 + ["delivers"] * 2 + ["boot"] * 3 + ["ready"] * 2 + ["stopping", "stop"]

    def __init__(self, world, kind=None):
        self.world = world
        self.kind = kind or world.rng.choice(self.kinds)
        self.reads = world.rng.random() < 0.4
        self.checks = world.rng.random() < 0.25
        self.span = world.rng.random()
        self.at = None

    def run(self, boot_s):
        """Start, run, end. boot_s: how long a start takes; returns how long this one took."""
        world = self.world
        world.trigger = None
        world.start()
        started = world.now()
        if self.kind == "boot":
            self.at = started + self.span * boot_s * 1.3
            world.trigger = lambda: world.now() >= self.at
        try:
            world.wait_until_reachable()
            boot_s = world.now() - started
            self.run_connected()
        except Died:
            pass
        return boot_s

    def run_connected(self):
        """It is ready. Ends with Died, or a clean stop."""
        world = self.world
        if self.kind == "ready":
            self.die_after(0.02 * self.span)
        if self.reads:
            world.read_values()
        if self.checks:
            world.check()
        if self.kind == "acks":
            wanted = world.acknowledged + 1 + int(300 * self.span ** 2)
            world.trigger = lambda: world.acknowledged >= wanted
        elif self.kind == "delivers":
            wanted = world.delivered + 1 + int(1000 * self.span ** 2)
            world.trigger = lambda: world.delivered >= wanted
        elif self.kind in ("time", "boot"):
            self.die_after(LIFE_S * self.span)
        end = world.now() + (LIFE_S * self.span if self.kind in ("stop", "stopping") else 5 * LIFE_S)
        while world.now() < end:
            world.run_turn()
        if self.kind in ("stop", "stopping"):
            self.stop()
        self.die_after(0)
        world.step()

    def stop(self):
        if self.kind == "stopping":
            self.die_after(0.03 * self.span)
        self.world.stop()
        raise Died

    def die_after(self, delay_s):
        self.at = self.world.now() + delay_s
        self.world.trigger = lambda: self.world.now() >= self.at


def final_check(world):
    """After the last crash everything is there, and the broker stops without an error."""
    world.trigger = None
    world.start()
    world.wait_until_reachable()
    world.read_values()
    world.check()
    world.stop()


def kills(world, count, _):
    """A whole round."""
    boot_s = 0.2
    for _ in range(count):
        boot_s = Plan(world).run(boot_s)
    final_check(world)


def baseline(world, seconds, _):
    """A run without crashes, to test the oracle itself: it must report nothing, and each mutation of the history."""
    world.start()
    world.wait_until_reachable()
    end = world.now() + seconds
    while world.now() < end:
        part = world.now() + 0.7
        while world.now() < part:
            world.run_turn()
        world.check()
    world.stop()
    world.tried, missed = mutator.undetected(world.history, world.rng, MUTATIONS_EACH)
    if missed:
        raise Violation("oracle", f"mutated histories that it accepts: {missed}", [])
