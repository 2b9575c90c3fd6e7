"""D1, D2, D3: acknowledged messages arrive, QoS 2 once, in order; and no client gets what it has not subscribed to."""

from model import Group, Subscription, matches

SETTLED_S = 20


class Deliveries:
    """Part of the oracle (oracle.py)."""

    # what publishers do

    def on_publish(self, connection, message):
        """A PUBLISH was sent, for the first time or again."""
        own = self.messages.get(message.id)
        client = self.client(message.by)
        if own is None:
            own = self.messages[message.id] = message
            client.seq += 1
            own.seq, own.first_n = client.seq, self.n
        own.sends += 1
        own.epoch, own.over_n, own.sent_n, own.sent_t = self.epoch, None, self.n, self.t
        own.positions.append(client.positions)
        client.positions += 1
        self.connections[connection].open[own.id] = own
        self.note(own, f"sent by {message.by} on connection {connection}")
        if own.retain:
            self.retained_sent(self.connections[connection], own)

    def on_ack(self, connection, number):
        """PUBACK or PUBREC arrived: the broker is responsible now."""
        message = self.messages[number]
        self.connections[connection].open.pop(number, None)
        self.note(message, f"acknowledged on connection {connection}")
        if message.retain:
            self.retained_acked(self.connections[connection], message)
        self.retained_seen(self.connections[connection], message.sent_n)
        if message.acked_n is not None:
            return
        message.acked_n = message.over_n = self.n
        if self.owe(message, message.first_n):
            self.wills_are_stored(message.first_n)

    def owe(self, message, since):
        """Every session that certainly matched must get it. True if there is one."""
        groups, anybody = set(), False
        if message.empty or message.topic.startswith("g/"):
            return False  # a deletion has no bytes to know it by; g/ is allowed today and not tomorrow
        for client in self.clients.values():
            session = client.session
            if session.state != "certain":
                continue
            if session.expiry is None and session.granted(message, since) > 0:
                anybody = True
                if message.id not in session.got:
                    session.owed[message.id] = message
            groups |= {sub.group for sub in session.subs.values() if sub.group is not None and message.qos > 0
                       and sub.qos > 0 and sub.is_certain(since) and matches(sub.bare, message.topic)}
        for name in groups:
            group = self.group(name)
            if message.id not in group.got:
                group.owed[message.id] = message
        return anybody or bool(groups)

    def group(self, name):
        return self.groups.setdefault(name, Group(name))

    # what subscribers see

    def on_deliver(self, connection, number, topic, qos, retain, dup):
        """A PUBLISH arrived, except one of QoS 2 that the client holds already."""
        connection = self.connections[connection]
        message = self.messages.get(number)
        if message is None:
            self.fail("D2", f"{connection.client} got message {number} on {topic}, QoS {qos}{' DUP' if dup else ''}, which "
                      "was never sent, or was settled long ago", self.client(connection.client).events[-30:])
        self.note(message, f"came to {connection.client} on connection {connection.id}, QoS {qos}{' DUP' if dup else ''}"
                  f"{' retained' if retain else ''}")
        if topic != message.topic or qos > message.qos:
            self.fail("D1", f"{message!r} came to {connection.client} as {topic}, QoS {qos}", message.events)
        if retain:
            return
        session = self.client(connection.client).session
        if message.will is not None:
            self.will_came(message, connection)
            message.acked_n = message.acked_n or self.n  # the broker has published it
        self.is_subscribed(session, connection, message)
        is_new = message.id not in session.got
        self.is_once(session, connection, message, qos)
        self.is_in_order(session, connection, message, qos, is_new)
        session.owed.pop(number, None)

    def is_subscribed(self, session, connection, message):
        """For members of a shared subscription too."""
        takers = [sub for sub in [*session.subs.values(), *session.past]
                  if sub.may_take(message, is_durable=connection.durable)]
        if not takers:
            self.fail("D5", f"{session.client} got {message!r} without a subscription that could match it",
                      message.events + self.client(session.client).events[-30:])
        for name in {sub.group for sub in takers if sub.group is not None}:
            group = self.group(name)
            group.owed.pop(message.id, None)
            before = group.got.setdefault(message.id, session.client)
            if before != session.client and message.qos == 2:
                self.fail("D2", f"{message!r} came to {before} and to {session.client} of the group {name}",
                          message.events)

    def is_once(self, session, connection, message, qos):
        copies = connection.counts[message.id] = connection.counts.get(message.id, 0) + 1
        in_all = session.got[message.id] = session.got.get(message.id, 0) + 1
        if message.id in session.qos2_got or qos == 2 and in_all > 1:
            self.fail("D2", f"{message!r} came to {session.client} twice", message.events)
        if (in_all if qos == 0 else copies) > (message.sends if message.qos == 1 and message.will is None else 1):
            self.fail("D2", f"{message!r} came {copies} times on connection {connection.id}, {in_all} times in all, but was "
                      f"sent {message.sends} times", message.events)
        if qos == 2:
            session.qos2_got.add(message.id)

    def is_in_order(self, session, connection, message, qos, is_new):
        """New ones in the order in which they were first sent (if the subscription is older than that); repeated ones
        as the publisher repeated them."""
        if message.will is not None or message.topic.startswith(("s/", "g/")):
            return  # a will has its own time; a group has no order; g/ may be refused first and permitted when sent again
        key = (message.by, message.qos, qos)
        if is_new and (message.qos != 1 or qos > 0):  # QoS 0 is lost while the subscriber is away, and sent again
            last = session.last.get(key)
            if last is not None and message.seq < last[0] and session.granted(message, message.first_n) >= 0:
                self.fail("D3", f"{message!r} (its publisher's {message.seq}th) came to {session.client} after the "
                          f"{last[0]}th (message {last[1]})", message.events + self.events_of(last[1]))
            if last is None or message.seq > last[0]:
                session.last[key] = (message.seq, message.id)
        at = connection.positions.get(key, -1)
        place = next((place for place in message.positions if place > at), None)
        if place is None:
            self.fail("D3", f"{message!r} came to {session.client} on connection {connection.id} behind one that was sent "
                      "after every sending of it", message.events)
        connection.positions[key] = place

    # subscriptions

    def on_subscribe(self, connection, topic_filter, qos):
        session = self.client(self.connections[connection].client).session
        self.say(session.client, f"SUBSCRIBE {topic_filter} QoS {qos} on connection {connection}")
        sub = session.subs.get(topic_filter)
        if sub is None:
            session.subs[topic_filter] = Subscription(topic_filter, qos, self.n, self.t)
        sub = session.subs[topic_filter]
        if sub.leaving_n is not None:
            sub.leaving_n = sub.certain_n = None

    def on_suback(self, connection, topic_filter):
        session = self.client(self.connections[connection].client).session
        self.say(session.client, f"SUBACK {topic_filter}")
        sub = session.subs.get(topic_filter)
        if sub is not None and sub.leaving_n is None and sub.certain_n is None:
            sub.certain_n = self.n

    def on_unsubscribe(self, connection, topic_filter):
        session = self.client(self.connections[connection].client).session
        self.say(session.client, f"UNSUBSCRIBE {topic_filter} on connection {connection}")
        if topic_filter in session.subs:
            session.subs[topic_filter].leaving_n = self.n
            self.wills_may_be_late(session, topic_filter)

    def wills_may_be_late(self, session, topic_filter):
        """The broker may notice the end of a connection after packets that other clients sent later."""
        for number, will in list(session.owed.items()):
            if will.will is not None and will.acked_n is None and matches(topic_filter, will.topic):
                del session.owed[number]

    def on_unsuback(self, connection, topic_filter):
        session = self.client(self.connections[connection].client).session
        self.say(session.client, f"UNSUBACK {topic_filter}")
        sub = session.subs.get(topic_filter)
        if sub is not None and sub.leaving_n is not None:
            del session.subs[topic_filter]
            sub.gone_n = self.n
            session.past.append(sub)

    # the end of a phase

    def missing(self):
        """[(who, message)] of what must still arrive."""
        return [(client.name, message) for client in self.clients.values()
                for message in client.session.owed.values()] + [
                    (f"the group {group.name}", message) for group in self.groups.values()
                    for message in group.owed.values()]

    def check_deliveries(self):
        for who, message in self.missing():
            rule = "D6" if message.will is not None else "D1"
            self.fail(rule, f"{message!r} never came to {who}",
                      message.events + (self.client(who).events[-30:] if who in self.clients else []))

    def forget_deliveries(self):
        """Messages that were settled some checks and some time ago are not expected any more: sessions whose clients do
        not connect for a check have ended since, or were emptied."""
        values = self.values()
        for number, message in list(self.messages.items()):
            settled = message.over_n is not None and (message.acked_n is not None or message.qos == 0
                                                      or message.will is not None)
            if (settled and message.epoch <= self.epoch - 3 and message.sent_t < self.t - SETTLED_S
                    and number not in values):
                del self.messages[number]
        for client in self.clients.values():
            session = client.session
            session.past = [sub for sub in session.past if sub.gone_n > self.epoch_ns[0]]
            session.got = {number: count for number, count in session.got.items() if number in self.messages}
        for group in self.groups.values():
            group.got = {number: who for number, who in group.got.items() if number in self.messages}
