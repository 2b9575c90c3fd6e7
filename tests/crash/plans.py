"""When the broker dies: while it starts, as soon as it is ready, at a moment, at an acknowledgement, while it stops."""

import doctor
from facts import Violation
from round import Died

LIFE_S = 0.7
CURES_EACH = 4


class Plan:
    """One life of the broker, from its start to its death."""

    kinds = ["time"] * 7 + ["acks"] * 5 + ["delivers"] * 2 + ["boot"] * 3 + ["ready"] * 2 + ["stopping", "stop"]

    def __init__(self, house, kind=None):
        self.house = house
        self.kind = kind or house.rng.choice(self.kinds)
        self.reads = house.rng.random() < 0.4
        self.checks = house.rng.random() < 0.25
        self.span = house.rng.random()
        self.at = None

    def live(self, boot_s):
        """Start, live, die. boot_s: how long a start takes; returns how long this one took."""
        house = self.house
        house.trigger = None
        house.start()
        started = house.now()
        if self.kind == "boot":
            self.at = started + self.span * boot_s * 1.3
            house.trigger = lambda: house.now() >= self.at
        try:
            house.come_in()
            boot_s = house.now() - started
            self.live_on()
        except Died:
            pass
        return boot_s

    def live_on(self):
        """It is ready. Ends with Died, or a clean stop."""
        house = self.house
        if self.kind == "ready":
            self.die_after(0.02 * self.span)
        if self.reads:
            house.read_values()
        if self.checks:
            house.check()
        if self.kind == "acks":
            wanted = house.acknowledged + 1 + int(300 * self.span ** 2)
            house.trigger = lambda: house.acknowledged >= wanted
        elif self.kind == "delivers":
            wanted = house.delivered + 1 + int(1000 * self.span ** 2)
            house.trigger = lambda: house.delivered >= wanted
        elif self.kind in ("time", "boot"):
            self.die_after(LIFE_S * self.span)
        end = house.now() + (LIFE_S * self.span if self.kind in ("stop", "stopping") else 5 * LIFE_S)
        while house.now() < end:
            house.live()
        if self.kind in ("stop", "stopping"):
            self.stop()
        self.die_after(0)
        house.step()

    def stop(self):
        if self.kind == "stopping":
            self.die_after(0.03 * self.span)
        self.house.stop()
        raise Died

    def die_after(self, delay_s):
        self.at = self.house.now() + delay_s
        self.house.trigger = lambda: self.house.now() >= self.at


def last_day(house):
    """After the last death everything is there, and the broker ends well."""
    house.trigger = None
    house.start()
    house.come_in()
    house.read_values()
    house.check()
    house.stop()


def kills(house, count, _):
    """A whole round."""
    boot_s = 0.2
    for _ in range(count):
        boot_s = Plan(house).live(boot_s)
    last_day(house)


def peace(house, seconds, _):
    """No deaths: the oracle itself is on trial, and its eyes: what happened is doctored, and it must see that."""
    house.start()
    house.come_in()
    end = house.now() + seconds
    while house.now() < end:
        part = house.now() + 0.7
        while house.now() < part:
            house.live()
        house.check()
    house.stop()
    house.tried, missed = doctor.unnoticed(house.history, house.rng, CURES_EACH)
    if missed:
        raise Violation("oracle", f"doctored histories that it believes: {missed}", [])
