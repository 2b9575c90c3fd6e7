"""D5: a session is present exactly when it must be; and the effects of the ends of connections."""

from model import Connection, Session

SLACK_S = 1.5


class Sessions:
    """Part of the oracle (oracle.py)."""

    def on_connect(self, connection, name, version, clean, expiry, will, delay):
        """CONNECT was sent. expiry: None: never expires, else seconds (0: with the connection)."""
        client = self.client(name)
        new = Connection(connection, name, version, clean, FOREVER_S if expiry is None else expiry, will, delay)
        new.start_n, new.start_t = self.n, self.t
        self.connections[connection] = new
        self.say(name, f"CONNECT on connection {connection}, MQTT {version}, clean start {clean}, expiry {expiry}"
                 + (f", will {will!r} delay {delay}" if will is not None else ""))
        if will is not None:
            client.seq += 1
            will.seq, will.first_n, will.epoch = client.seq, self.n, self.epoch
            self.messages[will.id] = will
        if client.connection is not None and client.connection.end_n is None and not client.connection.kept:
            self.end_session(name)  # it goes with its connection [MQTT3-3.1.2-6]
        session = client.session
        if session.state == "certain":
            self.expire(session, certainly=True)
        if session.state == "unknown":
            session.doubt()  # whatever came since: the client discards its half now
        if session.state != "none" and (clean or not new.durable):
            new.doubts = True
            if clean:
                session.doubt()
        client.connection = new
        client.waiting.append(new)

    def expire(self, session, certainly):
        """A finite expiry interval that may have passed; or certainly has, when CONNECT is sent."""
        if session.expiry is None or session.left_t is None:
            return
        latest = max(session.left_t, session.crash_t or 0)
        if certainly and self.t - latest > session.expiry + SLACK_S:
            self.end_session(session.client)
        elif self.t - session.left_t > session.expiry - SLACK_S / 3 or session.crash_t is not None:
            session.doubt()

    def end_session(self, name):
        client = self.client(name)
        client.session = Session(name)
        self.say(name, "its session has ended")

    def on_connack(self, connection, present):
        connection = self.connections[connection]
        client = self.client(connection.client)
        self.say(connection.client, f"CONNACK on connection {connection.id}, session present {present}")
        if client.session.state == "certain":
            self.expire(client.session, certainly=False)
        state = client.session.state
        if present and (connection.clean or state == "none"):
            self.fail("D5", f"{connection.client} has a session on connection {connection.id}: it was ended", client.events[-30:])
        if not present and state == "certain" and not connection.clean:
            self.fail("D5", f"{connection.client} has no session any more on connection {connection.id}", client.events[-30:])
        if not present:
            client.session = Session(connection.client)
        session = client.session
        session.state = "certain"
        session.expiry = connection.expiry if 0 < connection.expiry < LONG_S else None
        session.left_t = session.crash_t = None
        connection.ack_n, connection.ack_t = self.n, self.t
        connection.will_stored = connection.durable
        if connection.will is not None and not connection.durable:
            self.unsaved_wills.append(connection)
        self.earlier_are_over(client, connection)

    def earlier_are_over(self, client, connection):
        """What was sent on connections before this one was read, or never will be."""
        before = [old for old in client.waiting if old is not connection]
        for at, old in enumerate(before):
            if old.end_n is None:
                self.close_connection(old, "taken over")
            self.connection_over(old)
            self.will_meets_connack(old, connection, certain=all(later.ack_n for later in before[at + 1:]))
        client.waiting = [connection]

    def on_disconnect(self, connection, reason, expiry):
        """DISCONNECT was sent. expiry: the session's from now on; None: unchanged."""
        connection = self.connections[connection]
        self.say(connection.client, f"DISCONNECT reason {reason}, expiry {expiry} on connection {connection.id}")
        connection.reason, connection.left_t = reason, self.t
        if expiry == 0:
            connection.durable = False
            self.client(connection.client).session.doubt()

    def on_end(self, connection, how):
        """eof: the broker closed it and is alive; dead: it died; closed: the client did."""
        connection = self.connections[connection]
        self.say(connection.client, f"the end of connection {connection.id}: {how}")
        for one in self.client(connection.client).waiting:  # one that it was taking over too
            if one.end_n is None:
                self.close_connection(one, how)
            if how in ("eof", "dead"):
                self.connection_over(one)

    def close_connection(self, connection, how):
        connection.end_n, connection.end_t, connection.how = self.n, self.t, how
        self.will_at_end(connection)
        client = self.client(connection.client)
        session = client.session
        if client.connection is not connection:
            return
        if connection.ack_n is None:
            if connection.doubts or connection.durable and session.state == "none":
                session.doubt()
        elif not connection.durable and (not connection.kept or how == "eof"):
            self.end_session(connection.client)
        client.session.left_t = connection.end_t if connection.left_t is None else connection.left_t
        client.session.crash_t = self.t if how == "dead" else None

    def connection_over(self, connection):
        """What it sent and was not acknowledged takes effect now or never."""
        if connection.over:
            return
        connection.over = True
        ended = [message for message in connection.open.values() if not self.is_open_elsewhere(message, connection)]
        for message in ended:
            if message.over_n is None:
                message.over_n = self.n
        self.retained_over(connection, ended)
        connection.open = {}

    def is_open_elsewhere(self, message, connection):
        current = self.client(connection.client).connection
        return current is not connection and current is not None and message.id in current.open


LONG_S = 1000
FOREVER_S = 1 << 32
