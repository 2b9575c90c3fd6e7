"""D6: a will is published once, exactly when the standard says, across crashes too; a cancelled one never is."""

from retained import Change

SLACK_S = 1.5
LONG_S = 1000


class Wills:
    """Part of the oracle (oracle.py). A will is armed, then due, forbidden, waiting for its delay, or unknown: what the
    client cannot know."""

    def wills_are_stored(self, since):
        """A group was committed: wills of clients that connected before are on disk too. (A client without a session
        does not wait for the disk when it connects.)"""
        for connection in self.unsaved_wills:
            connection.will_stored = connection.ack_n < since
        self.unsaved_wills = [connection for connection in self.unsaved_wills if not connection.will_stored]

    def wills_at_crash(self):
        """Those that were not on disk may be lost, published or not."""
        for connection in self.unsaved_wills:
            if connection.will_state == "due":
                self.will_becomes(connection, "unknown")
                for client in self.clients.values():
                    client.session.owed.pop(connection.will.id, None)
        self.unsaved_wills.clear()

    def will_at_end(self, connection):
        if connection.will is None or connection.will_state != "armed":
            return
        if connection.ack_n is None:
            state = "unknown"
        elif connection.reason == 0:
            state = "forbidden" if connection.how == "eof" else "unknown"
        elif connection.how == "dead" and not connection.durable and not connection.will_stored:
            state = "unknown"
        else:
            state = "due" if connection.delay == 0 or not connection.durable else "waiting"
        self.will_becomes(connection, state)

    def will_becomes(self, connection, state):
        will = connection.will
        connection.will_state = state
        will.epoch, will.sent_t = self.epoch, self.t
        self.note(will, f"is {state}")
        if state in ("due", "unknown", "waiting") and will.retain and connection.will_op is None:
            connection.will_op = Change(will, None, self.n)
            self.changes(will.topic).append(connection.will_op)
        if state == "forbidden" and connection.will_op is not None:
            self.topics[will.topic].remove(connection.will_op)
            connection.will_op = None
        if state == "due":
            self.owe(will, connection.start_n)

    def will_meets_connack(self, old, new, certain):
        """Its client has connected again: the will was published before, or never will be. Not certain: a CONNECT in
        between was not answered."""
        if old.will is None:
            return
        if old.will_state == "waiting":
            self.will_becomes(old, self.delayed_state(old, new) if certain else "unknown")
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
        return "unknown"

    def wills_are_over(self):
        """Subscriptions made from now on cannot get these: they are through the journal, or lost."""
        for will in self.old_wills:
            will.over_n = self.n
        self.old_wills.clear()

    def will_change_ends(self, connection):
        connection.will_op.end_n = self.n
        if connection.will_state == "due":
            connection.will_op.certain_n, connection.will_op.durable = self.n, connection.will_stored

    def wills_at_ready(self):
        """Wills of clients that the crash disconnected were published before the first client could connect."""
        for client in self.clients.values():
            for connection in client.waiting:
                if connection.will_op is not None and connection.will_op.end_n is None and (
                        connection.delay == 0 or not connection.durable):
                    self.will_change_ends(connection)

    def wills_by_now(self):
        """Delays that have certainly passed while the broker was running."""
        for client in self.clients.values():
            for connection in client.waiting:
                if connection.will_state != "waiting" or connection.delay >= LONG_S or client.connection is not connection:
                    continue
                if self.t - max(connection.end_t, self.ready_t) > connection.delay + SLACK_S:
                    self.will_becomes(connection, "due")

    def will_came(self, will, watcher):
        connection = self.connections[will.will]
        newer = self.client(connection.client).connection
        if connection.will_state == "armed" and newer is connection and not connection.reason:
            self.fail("D6", f"{will!r} came to {watcher.client} while its client was connected",
                      will.events + self.client(connection.client).events[-30:])
        if connection.will_state == "forbidden":
            self.fail("D6", f"{will!r} came to {watcher.client} although it was cancelled",
                      will.events + self.client(connection.client).events[-30:])
        if connection.will_state == "waiting" and connection.delay >= LONG_S and newer is connection:
            self.fail("D6", f"{will!r} came to {watcher.client} before its delay had passed",
                      will.events + self.client(connection.client).events[-30:])
