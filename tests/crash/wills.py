"""D6: a will is published once, exactly when the standard says, over crashes too; a cancelled one never."""

from retained import Change

SLACK_S = 1.5
LONG_S = 1000


class Wills:
    """Part of the oracle (oracle.py). A will is armed, then due, forbidden, waiting for its delay, or maybe: what
    the client cannot know."""

    def wills_are_kept(self, since):
        """A group was committed: the wills of those who connected before it was asked for are on disk too. (Nobody
        without a session waits for the disk when he connects.)"""
        for life in self.unkept:
            life.will_kept = life.ack_n < since
        self.unkept = [life for life in self.unkept if not life.will_kept]

    def wills_at_crash(self):
        """Those that were not on disk may be lost, published or not."""
        for life in self.unkept:
            if life.will_state == "due":
                self.will_becomes(life, "maybe")
                for client in self.clients.values():
                    client.session.owed.pop(life.will.id, None)
        self.unkept.clear()

    def will_at_end(self, life):
        if life.will is None or life.will_state != "armed":
            return
        if life.ack_n is None:
            state = "maybe"
        elif life.reason == 0:
            state = "forbidden" if life.how == "eof" else "maybe"
        elif life.how == "dead" and not life.keeps and not life.will_kept:
            state = "maybe"
        else:
            state = "due" if life.delay == 0 or not life.keeps else "waiting"
        self.will_becomes(life, state)

    def will_becomes(self, life, state):
        will = life.will
        life.will_state = state
        will.epoch, will.sent_t = self.epoch, self.t
        self.tell(will, f"is {state}")
        if state in ("due", "maybe", "waiting") and will.retain and life.will_op is None:
            life.will_op = Change(will, None, self.n)
            self.changes(will.topic).append(life.will_op)
        if state == "forbidden" and life.will_op is not None:
            self.topics[will.topic].remove(life.will_op)
            life.will_op = None
        if state == "due":
            self.owe(will, life.start_n)

    def will_meets_connack(self, old, new, sure):
        """Its client is back: it was published before, or never will be. Not sure: there was a CONNECT in between
        that was not answered."""
        if old.will is None:
            return
        if old.will_state == "waiting":
            self.will_becomes(old, self.delayed_state(old, new) if sure else "maybe")
        if old.will_op is not None and old.will_op.end_n is None:
            self.will_change_ends(old)
        self.old_wills.append(old.will)

    def delayed_state(self, old, new):
        """[MQTT5-3.1.3-9], [MQTT5-3.1.2-8]"""
        if new.clean:
            return "due"
        if old.delay >= LONG_S:
            return "forbidden"
        crashed = self.crash_n > old.end_n or old.how == "dead"
        if self.t - old.end_t < old.delay - SLACK_S / 3 and not crashed:
            return "forbidden"
        return "maybe"

    def wills_are_over(self):
        """Nobody who subscribes from now on can get those: they are through the journal, or lost."""
        for will in self.old_wills:
            will.over_n = self.n
        self.old_wills.clear()

    def will_change_ends(self, life):
        life.will_op.end_n = self.n
        if life.will_state == "due":
            life.will_op.sure_n, life.will_op.durable = self.n, life.will_kept

    def wills_at_ready(self):
        """Those whose clients the crash took were published before the first could connect."""
        for client in self.clients.values():
            for life in client.waiting:
                if life.will_op is not None and life.will_op.end_n is None and (
                        life.delay == 0 or not life.keeps):
                    self.will_change_ends(life)

    def wills_by_now(self):
        """Delays that have surely passed, with the broker up."""
        for client in self.clients.values():
            for life in client.waiting:
                if life.will_state != "waiting" or life.delay >= LONG_S or client.life is not life:
                    continue
                if self.t - max(life.end_t, self.ready_t) > life.delay + SLACK_S:
                    self.will_becomes(life, "due")

    def will_came(self, will, watcher):
        life = self.lives[will.will]
        newer = self.client(life.client).life
        if life.will_state == "armed" and newer is life and not life.reason:
            self.fail("D6", f"{will!r} came to {watcher.client} while its client was connected",
                      will.story + self.client(life.client).tale[-30:])
        if life.will_state == "forbidden":
            self.fail("D6", f"{will!r} came to {watcher.client} although it was cancelled",
                      will.story + self.client(life.client).tale[-30:])
        if life.will_state == "waiting" and life.delay >= LONG_S and newer is life:
            self.fail("D6", f"{will!r} came to {watcher.client} before its delay had passed",
                      will.story + self.client(life.client).tale[-30:])
