"""D5: a session is present exactly when it must be; and what the ends of connections mean for it."""

from facts import Life, Session

SLACK_S = 1.5


class Sessions:
    """Part of the oracle (oracle.py)."""

    def on_connect(self, life, name, version, clean, expiry, will, delay):
        """CONNECT left. expiry: None: for ever, else seconds (0: with the connection)."""
        client = self.client(name)
        new = Life(life, name, version, clean, FOREVER_S if expiry is None else expiry, will, delay)
        new.start_n, new.start_t = self.n, self.t
        self.lives[life] = new
        self.say(name, f"CONNECT on connection {life}, MQTT {version}, clean start {clean}, expiry {expiry}"
                 + (f", will {will!r} delay {delay}" if will is not None else ""))
        if will is not None:
            client.seq += 1
            will.seq, will.first_n, will.epoch = client.seq, self.n, self.epoch
            self.messages[will.id] = will
        if client.life is not None and client.life.end_n is None and not client.life.kept:
            self.end_session(name)  # it goes with its connection [MQTT3-3.1.2-6]
        session = client.session
        if session.state == "sure":
            self.expire(session, surely=True)
        if session.state == "maybe":
            session.doubt()  # whatever came since: the client forgets its half now
        if session.state != "none" and (clean or not new.keeps):
            new.doubts = True
            if clean:
                session.doubt()
        client.life = new
        client.waiting.append(new)

    def expire(self, session, surely):
        """A finite expiry interval that may have passed; or surely has, when CONNECT is sent."""
        if session.expiry is None or session.left_t is None:
            return
        latest = max(session.left_t, session.crash_t or 0)
        if surely and self.t - latest > session.expiry + SLACK_S:
            self.end_session(session.client)
        elif self.t - session.left_t > session.expiry - SLACK_S / 3 or session.crash_t is not None:
            session.doubt()

    def end_session(self, name):
        client = self.client(name)
        client.session = Session(name)
        self.say(name, "its session has ended")

    def on_connack(self, life, present):
        life = self.lives[life]
        client = self.client(life.client)
        self.say(life.client, f"CONNACK on connection {life.id}, session present {present}")
        if client.session.state == "sure":
            self.expire(client.session, surely=False)
        state = client.session.state
        if present and (life.clean or state == "none"):
            self.fail("D5", f"{life.client} has a session on connection {life.id}: it was ended", client.tale[-30:])
        if not present and state == "sure" and not life.clean:
            self.fail("D5", f"{life.client} has no session any more on connection {life.id}", client.tale[-30:])
        if not present:
            client.session = Session(life.client)
        session = client.session
        session.state = "sure"
        session.expiry = life.expiry if 0 < life.expiry < LONG_S else None
        session.left_t = session.crash_t = None
        life.ack_n, life.ack_t = self.n, self.t
        life.will_kept = life.keeps
        if life.will is not None and not life.keeps:
            self.unkept.append(life)
        self.earlier_are_over(client, life)

    def earlier_are_over(self, client, life):
        """Whatever was said on connections before this one was read, or never will be."""
        before = [old for old in client.waiting if old is not life]
        for at, old in enumerate(before):
            if old.end_n is None:
                self.close_life(old, "taken over")
            self.life_over(old)
            self.will_meets_connack(old, life, sure=all(later.ack_n for later in before[at + 1:]))
        client.waiting = [life]

    def on_disconnect(self, life, reason, expiry):
        """DISCONNECT left; expiry: the session's from now on, None: as it is."""
        life = self.lives[life]
        self.say(life.client, f"DISCONNECT reason {reason}, expiry {expiry} on connection {life.id}")
        life.reason, life.left_t = reason, self.t
        if expiry == 0:
            life.keeps = False
            self.client(life.client).session.doubt()

    def on_end(self, life, how):
        """eof: the broker closed it and is alive; dead: it died; closed: the client did."""
        life = self.lives[life]
        self.say(life.client, f"the end of connection {life.id}: {how}")
        for one in self.client(life.client).waiting:  # one that it was taking over too
            if one.end_n is None:
                self.close_life(one, how)
            if how in ("eof", "dead"):
                self.life_over(one)

    def close_life(self, life, how):
        life.end_n, life.end_t, life.how = self.n, self.t, how
        self.will_at_end(life)
        client = self.client(life.client)
        session = client.session
        if client.life is not life:
            return
        if life.ack_n is None:
            if life.doubts or life.keeps and session.state == "none":
                session.doubt()
        elif not life.keeps and (not life.kept or how == "eof"):
            self.end_session(life.client)
        client.session.left_t = life.end_t if life.left_t is None else life.left_t
        client.session.crash_t = self.t if how == "dead" else None

    def life_over(self, life):
        """What it sent and was not acknowledged is carried out now or never."""
        if life.over:
            return
        life.over = True
        ended = [message for message in life.open.values() if not self.is_open_elsewhere(message, life)]
        for message in ended:
            if message.over_n is None:
                message.over_n = self.n
        self.retained_over(life, ended)
        life.open = {}

    def is_open_elsewhere(self, message, life):
        current = self.client(life.client).life
        return current is not life and current is not None and message.id in current.open


LONG_S = 1000
FOREVER_S = 1 << 32
