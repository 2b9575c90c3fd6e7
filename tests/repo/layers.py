"""The order of the folders, read off the #include lines: a folder uses those of the rows above its own (conf and proto,
and tree, net, auth and acl are siblings: they never use each other), and there is one door per external library."""

import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()

# Lowest first. Folders of one row never use each other.
ORDER = ["base", "program", "audit", "proto conf sandbox", "tree net auth acl", "websocket", "store", "journal", "worker", "durability", "session", "routing",
         "client", "http", "script", "admin", "server", "main", "tools"]
MAY = {name: {lower for above in ORDER[:at] for lower in above.split()}
       for at, row in enumerate(ORDER) for name in row.split()}

# The doors: a header and the files behind which it stays.
DOORS = {
    r"uv\.h": ["broker/net/", "tools/mqtt/"],
    r"openssl/.*": ["broker/base/crypto.c", "broker/base/key_pin.c", "broker/net/", "tools/bench/", "tools/mqtt/", "tools/pki/"],
    r"yaml\.h": ["conf/"],
    r"seccomp\.h": ["broker/sandbox/"],
    r"http_parser\.h": ["broker/http/http_request.c"],
    r"crypt\.h": ["auth/"],
    r"lmdb\.h": ["broker/store/"],
    r"xxhash\.h": ["broker/store/"],
    r"uthash\.h|utlist\.h": ["broker/base/hash.h", "broker/base/list.h"],
}
# At most so many files may know the library.
ONE_FILE = {r"yaml\.h": 1, r"crypt\.h": 1, r"lmdb\.h": 1}

TOP = {"conf": "conf", "auth": "auth", "acl": "acl", "tools": "tools"}

def sources():
    for top in ("broker", "conf", "auth", "acl", "tools"):
        yield from sorted((ROOT / top).rglob("*.[ch]"))


def layer_of(path):
    parts = path.relative_to(ROOT).parts
    if parts[0] == "broker":
        return parts[1] if len(parts) > 2 else "main"
    return TOP[parts[0]]


def layer_included(name):
    first = name.split("/")[0]
    return first if first in MAY and "/" in name else None


def check_layer(path, line, name, errors):
    here, there = layer_of(path), layer_included(name)
    if there is None or there == here or there in MAY[here]:
        return
    errors.append(f"{path.relative_to(ROOT)}:{line}: {here} must not include {there}: {name}")


def check_door(path, line, name, errors, users):
    where = str(path.relative_to(ROOT))
    for pattern, doors in DOORS.items():
        if not re.fullmatch(pattern, name):
            continue
        users.setdefault(pattern, set()).add(where)
        if not any(where.startswith(door) for door in doors):
            errors.append(f"{where}:{line}: <{name}> belongs behind {' or '.join(doors)}")


def main():
    errors, users, count = [], {}, 0
    for path in sources():
        for line, text in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', text)
            if found:
                count += 1
                check_layer(path, line, found.group(1), errors)
                check_door(path, line, found.group(1), errors, users)
    for pattern, most in ONE_FILE.items():
        if len(users.get(pattern, ())) > most:
            errors.append(f"{pattern} is known to {sorted(users[pattern])}, and should have one door")
    if count == 0:
        errors.append(f"no #include found below {ROOT}: is this the repository?")
    print("\n".join(errors) or f"{count} includes, all in their layer")
    return 1 if errors else 0


sys.exit(main())
