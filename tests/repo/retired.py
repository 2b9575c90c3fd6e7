"""Words that the product and its tests no longer use, with the words that took their place."""

import re

# (part of an identifier, instead, folders): `part` is one or more whole words between underscores. "" is everywhere.
PRODUCT = ("broker/", "acl/", "auth/", "conf/", "tools/")
SESSIONS = ("broker/worker/", "broker/durability/", "broker/session/", "broker/routing/", "broker/client/", "broker/server/")
STORE = ("broker/store/", "broker/journal/")
TESTS = ("tests/sim/", "tests/crash/", "tests/scenario/", "tests/mutation/")
PARTS = [
    ("home|homes|inbox", "executor, owner, mailbox", PRODUCT),
    ("keeper|keepers", "journal_writer, writer", ("",)),
    ("keep(?!_alive)|keeps|kept", "session_journal, record", SESSIONS + STORE),
    ("held", "coalescer, pending", SESSIONS + STORE),
    ("fact|facts|hasten", "pending_records, urgent", SESSIONS + STORE + ("tests/crash/",)),
    ("parked|puts?_by(?!_)", "deferred", ("",)),
    ("farewell|goodbye", "deferred_close, shutdown", ("",)),
    ("adopt|adoption", "apply", ("",)),
    ("policy", "config_snapshot", ("broker/",)),
    ("tally|watchlist|rested", "keyed_counter, file_watch, settled", PRODUCT),
    ("sweep|sweeps", "expire, admission", PRODUCT),
    ("parcels?|handover|hand_over", "batch, dispatch", ("",)),
    ("notices?", "notifications", PRODUCT),
    ("receipts?", "pending_ack", PRODUCT),
    ("(?<!stream_)backlog", "disk_queue", ("broker/session/", "broker/durability/")),
    ("(?<!auth_)exchange", "auth_exchange", ("broker/client/", "broker/session/")),
    ("outgoing|on_wire|unwritten", "inflight, queued, in_flight, next_resend", ("broker/",)),
    ("(?<!under_)way", "delivery_info", SESSIONS),
    ("told|tells?|complain", "log_limits, report", PRODUCT),
    ("holders?|account|(?<!near_)miss", "principal, explanation, near_miss", ("acl/", "tools/")),
    ("judges?|judged", "authorize, validate", ("",)),
    ("policy_slots|disown|stripes?", "listener_id, release_owner, lock_shard", ("",)),
    ("seals?|unseal|notes?|stamps?", "checksum, last_known_time, timestamp", ("broker/store/",)),
    ("let_go", "release", ("",)),
    ("room|tight|loosen|loosened", "space, low_space", PRODUCT),
    ("exit_wrong|house", "EXIT_USAGE, context", PRODUCT),
    ("barren|welcomed", "unproductive_bytes, has_connack", ("",)),
    ("town|people|person|prover|doctor|cures?|planted|house", "environment, actors, scram_client, mutator, mutants, fixture",
     TESTS),
    ("peace|(?<!bit_)flips|ghosts|sure|maybe|tale", "baseline, bit_flips, ..., tri-state", TESTS),
]
# Names of files and of struct tags: the whole name.
NAMES = [("order|house|load|rate|totals|tally|account|miss|exchange|outgoing|way|slots|notices|receipt|held|kept|keep|policy",
          "what it is (options, load_average, rate_limiter, keyed_counter, ...)", ("broker/", "tools/")),
         (r"\w*_inside", "*_internal", ("",))]
# Names of functions that say a verb and no object.
BARE = ["make|take|leave|look|tell|answer|begin|place", "verb and object", PRODUCT]
# Names of libraries and of the kernel.
OTHERS = {"FALLOC_FL_KEEP_SIZE"}
# In comments and messages.
PROSE = re.compile(r"\b(keepers?|farewell|goodbye|parked|puts? by|hasten(s|ed)?|adopt(s|ed|ion)?|watchlist|rested|parcels?|"
                   r"handover|receipts?|told|complains?|judged?|judges|stripes?|loosen(ed)?|tally|tallies|barren|disown(s|ed)?)\b",
                   re.I)


def compiled(rows):
    return [(re.compile(rf"(?:^|_)(?:{words})(?:_|$)", re.I), instead, folders) for words, instead, folders in rows]


PARTS = compiled(PARTS)
NAMES = [(re.compile(words), instead, folders) for words, instead, folders in NAMES]
BARE[0] = re.compile(BARE[0])


def in_part(name, path):
    """What to say in place of the retired word in this identifier, or None."""
    for pattern, instead, folders in PARTS:
        if path.startswith(folders) and pattern.search(name) and name not in OTHERS:
            return instead
    return None


def in_name(name, path):
    """The same for the name of a file or a struct tag."""
    for pattern, instead, folders in NAMES:
        if path.startswith(folders) and pattern.fullmatch(name):
            return instead
    return in_part(name, path)
