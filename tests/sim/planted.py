#!/usr/bin/python3
"""Bugs planted on purpose: each is a real source of the broker with a few words changed, built into
an explorer of its own, which has to find it within a minute (of a machine that has time).  The product knows nothing of them.

  planted.py mutate NAME SOURCE OUTPUT     write the changed source
  planted.py check ROOT                    are the words of all of them still in the sources?
  planted.py test NAME=EXPLORER...         run them all (TAP)
"""
import os
import re
import subprocess
import sys
import time

SECONDS = 60 * max(1.0, min(os.getloadavg()[0] / (os.cpu_count() or 1), 8.0))

# name: what it breaks; the file; the words and what stands there instead; needs crashes
BUGS = {
    'early_ack': ('D1: acknowledged before the commit', 'broker/routing/publish_group.c', [
        ('		wait_for_it(w, job, c);\n', '		wait_for_it(w, job, c);\n		if (c->pending_ack != NULL && job->msg->qos == 1)\n'
         '			pending_ack_done(&c->pending_ack, c->reason, SLICE_EMPTY);\n')], True),
    'stale_retained': ('D4: after a restart a retained value is an old one', 'broker/routing/publish_group.c', [
        ('.number = change->number,', '.number = 1000000 - change->number,')], True),
    'replay_and_live': ('D4: a retained change is replayed, and comes live too', 'broker/session/subscribe.c', [
        ('is_new ? sub->since :', 'is_new ? UINT64_MAX :')], False),
    'parked_lost': ('D1: what waits for room in the store is dropped', 'broker/client/deferred_publish.c', [
        ('		if (!conn_handle(c, &p.frame, p.received_ms))\n			break;',
         '		(void)conn_handle(c, &p.frame, p.received_ms);')], True),
    'parked_overtaken': ('D3: what comes behind a message that waits for room overtakes it', 'broker/client/conn.c', [
        ('if (deferred_is_waiting(c, f) || !conn_handle', 'if (!conn_handle')], True),
    'replay_lost': ('D4: a replay that a crash interrupts does not go on', 'broker/server/restore.c', [
        ('stays = replay_restore(s, sub, kept.until);', 'stays = true;')], True),
    'replay_again': ('D4: a replay that was given long before a crash begins anew', 'broker/session/retained_replay.c', [
        ('.number = r->sub->number};', '.number = r->sub->number + 1000000};')], True),
    'lost_will': ('D6: the will of who was connected is lost in a crash', 'broker/session/will.c', [
        ('	make(s, msg, delay_s);\n	record_will(s, 0);', '	make(s, msg, delay_s);')], True),
    'will_twice': ('D6: a will published before a crash is published behind it too', 'broker/session/will.c', [
        ('job.ends_will = s->will->kept;', 'job.ends_will = false;')], True),
    'will_in_spite': ('D6: DISCONNECT does not cancel the will', 'broker/client/conn.c', [
        ('c->clean_disconnect = d.reason == REASON_SUCCESS;', 'c->clean_disconnect = false;')], False),
    'right_kept': ('S3: what was queued is sent though the rules have changed', 'broker/session/session_deliver.c', [
        ('	    receive_permitted(s, o->msg)) { /* [MQTT5-3.3.2-5] */', '	    true) {')], False),
    'qos2_again': ('D2: a PUBLISH that comes again is routed again after a crash', 'broker/routing/publish_group.c', [
        ('if (commit->keeps_identifier)\n		add_plain', 'if (false)\n		add_plain')], True),
    'qos2_new_identifier': ('D2: a QoS 2 message sent before a crash comes again as a new one', 'broker/session/session_deliver.c', [
        ('if (o->qos == 2 && session_is_recorded(s))\n		store_identifier', 'if (false)\n		store_identifier')], True),
    'qos1_anew_stop': ('D2: QoS 1 on its way comes without DUP behind a stop', 'broker/server/stop.c', [
        ('			inflight_note_sent(c->session);', '			(void)inflight_note_sent;')], True),
    'qos1_anew_away': ('D2: so it does where its client left long before a crash', 'broker/session/inflight_end.c', [
        ('		s->noting = o->next;\n		note_one(s, o);', '		s->noting = o->next;')], True),
    'lazy_identifier': ('D2: durability none: an identifier that the client holds is given again', 'broker/session/session_deliver.c', [
        ('if (o->qos == 2 && session_is_recorded(s))', 'if (o->qos == 2 && o->position != 0)')], True),
    'subscription_lost': ('D5: a SUBACK does not outlast a crash', 'broker/durability/record_batch.c', [
        ('	if (!session_is_recorded(sub->session))\n		return;\n	record_put_subscription',
         '	if (session_is_recorded(sub->session))\n		return;\n	record_put_subscription')], True),
    'ended_returns': ('D5: a session that was ended returns after a crash', 'broker/durability/record_batch.c', [
        ('		add_plain(s, RECORD_SESSION_END, 0, true);', '		add_plain(s, RECORD_INBOUND_DONE, 1, true);')],
        True),
    'own_messages': ('[MQTT5-3.8.3-3]: No Local is ignored', 'broker/routing/local_delivery.c', [
        ('(sub->options.no_local &&', '(false && sub->options.no_local &&')], False),
    'session_present': ('[MQTT5-3.2.2-3]: Session Present is not what it says', 'broker/client/connect.c', [
        ('		*present = true; /*', '		*present = s->subscriptions.count > 0; /*')], False),
    'wrong_proof': ('[MQTT5-4.12.1-2]: a wrong proof is enough to authenticate again', 'broker/client/auth_exchange.c', [
        ('accepted = e->right && e->identity != NULL;', 'accepted = (e->right || !is_first_login(e)) && e->identity != NULL;')],
        False),
    'expired_sent': ('[MQTT5-3.3.2-5]: what expired in the queue is sent', 'broker/session/session_deliver.c', [
        ('if (!msg_is_expired(o->msg, s->worker->executor.now_ms) &&', 'if (true &&')], False),
    'order': ('D3: a message overtakes those that wait', 'broker/session/session_deliver.c', [
        ('	DL_APPEND(list->head, o);', '	if (list == &s->waiting && list->count == 2)\n		DL_PREPEND(list->head, o);\n'
         '	else\n		DL_APPEND(list->head, o);')], False),
    'late_overtakes': ('D3: a message that may be late overtakes one that may not', 'broker/routing/publish_group.c', [
        ('if (durability == DURABILITY_INTERVAL && job->session->groups_pending > 0)', 'if (false)')], True),
    'queue_of_another': ('S5: the session of another user of the same client id', 'broker/session/session.c', [
        ('	return hash_id(hash_bytes(user_key.data, user_key.len)) ^\n	       hash_bytes',
         '	(void)user_key;\n	return hash_bytes'),
        ('return slice_equal(origin->user_key, wanted->user_key) &&', 'return true &&')], False),
    'window': ('[MQTT5-3.3.4-9]: Receive Maximum is ignored by one', 'broker/session/session_deliver.c', [
        ('s->in_flight_count < s->conn->receive_maximum;', 's->in_flight_count <= s->conn->receive_maximum;')], False),
    'shared_twice': ('[MQTT5-4.8.2-3]: two members of a group get it', 'broker/routing/batch.c', [
        ('	if (goes_directly(w, item->executor, through_mailbox)) {\n		deliver_target(w, msg, item);',
         '	if (goes_directly(w, item->executor, through_mailbox)) {\n		deliver_target(w, msg, item);\n'
         '		if (item->group_id != 0)\n			deliver_target(w, msg, item);')], False),
    'keep_alive': ('[MQTT5-3.1.2-22]: two keep alive intervals instead of one and a half', 'broker/client/conn.c', [
        ('(uint64_t)c->keep_alive_s * 1500;\n\n', '(uint64_t)c->keep_alive_s * 2000;\n\n')], False),
    'old_login': ('S7: a login that was judged by the users of before is accepted', 'broker/client/connect.c', [
        ('if (generation == snapshot->generation)', 'if (generation <= snapshot->generation)')], False),
    'removed_returns': ('S5: the session of a user who was removed outlives the day', 'broker/session/session.c', [
        ('if (s->removed && removed_due < due)', 'if (false)')], False),
    'removed_while_down': ('S5: who was removed while the broker was down is_durable his session', 'broker/server/restore.c', [
        ('	session_check_removal(s);', '	if (s->removed)\n		session_check_removal(s);')], True),
    'namesake_value': ('S3: a retained value of who is removed is given when a namesake comes', 'broker/session/retained_replay.c', [
        ('config_snapshot_owner_exists(snapshot, origin->user_key)', 'true')], False),
    'expiry_kept': ('[MQTT5-3.1.2-23]: a session outlives its interval', 'broker/session/session.c', [
        ('(uint64_t)s->expiry_s * 1000);', '(uint64_t)s->expiry_s * 1001);')],
        False),
}


def changed(name, source):
    with open(source) as f:
        text = f.read()
    for before, after in BUGS[name][2]:
        if before not in text:
            raise SystemExit(f'planted bug {name}: these words are not in {source} any more: {before!r}')
        text = text.replace(before, after)
    return text


def mutate(name, source, output):
    text = changed(name, source)
    with open(output, 'w') as f:
        f.write(text)


def check(root):
    """The explorers are built in optimised builds only: whoever changes the words is log_limits in every build."""
    for name, (_, source, _, _) in BUGS.items():
        changed(name, f'{root}/{source}')
    return 0


def run(name, explorer):
    began = time.monotonic()
    arguments = [explorer, '--for', str(SECONDS), '--unshrunk'] + (['--crashes'] if BUGS[name][3] else [])
    done = subprocess.run(arguments, capture_output=True, text=True)
    took = time.monotonic() - began
    said = re.search(r'^DIFFERENCE.*$', done.stderr, re.M)
    return done.returncode == 1, took, said.group(0)[:160] if said else done.stderr[-160:]


def test(rows):
    print(f'1..{len(rows)}')
    failed = 0
    for number, row in enumerate(rows, 1):
        name, explorer = row.split('=', 1)
        found, took, said = run(name, explorer)
        failed += not found
        print(f"{'ok' if found else 'not ok'} {number} - {name}: {BUGS[name][0]}")
        print(f'# {took:.1f} s: {said}', flush=True)
    return 1 if failed else 0


def main():
    if sys.argv[1] == 'mutate':
        mutate(*sys.argv[2:])
        return 0
    if sys.argv[1] == 'check':
        return check(sys.argv[2])
    if sys.argv[1] == 'list':
        for name, (_, source, _, _) in BUGS.items():
            print(name, source)
        return 0
    return test(sys.argv[2:])


sys.exit(main())
