"""clang-tidy over the product's sources, two at a time. A file that was clean is not read again until it,
any header, the rules or the way it is compiled change.

usage: tidy.py BUILD-DIRECTORY CACHE-DIRECTORY [--deep]   (a clang build: its compile_commands.json is used)

Nearly all the time goes into the few functions with very many paths, which clang's analyzer gives up in the end. Without
--deep it gives them up sooner; all others are looked at as well as with it."""

import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD, CACHE = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
# States of a function; the analyzer's own limit is 225000.
STATES = [] if "--deep" in sys.argv[3:] else [
    f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=20000")]
TREES = ("broker", "conf", "auth", "acl", "tools")


def commands():
    """{source: arguments of its compilation}"""
    found = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        source = (Path(entry["directory"]) / entry["file"]).resolve()
        if source.is_relative_to(ROOT) and source.relative_to(ROOT).parts[0] in TREES:
            found.setdefault(source, entry["command"])
    return found


def common_digest():
    digest = hashlib.sha256()
    for path in [ROOT / ".clang-tidy", *(p for t in TREES for e in ("h", "def") for p in sorted((ROOT / t).rglob(f"*.{e}")))]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.digest()


def check(source, marker):
    if marker.exists():
        return None
    ran = subprocess.run(["clang-tidy", "--quiet", "--warnings-as-errors=*", "-p", str(BUILD), *STATES, str(source)],
                         capture_output=True, text=True, check=False)
    if ran.returncode == 0:
        marker.touch()
        return ""
    return ran.stdout + (ran.stderr if not ran.stdout else "")


def main():
    CACHE.mkdir(parents=True, exist_ok=True)
    common, jobs, said = common_digest(), {}, {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for source, command in sorted(commands().items()):
            key = hashlib.sha256(common + " ".join([command, *STATES]).encode() + source.read_bytes()).hexdigest()
            jobs[source] = pool.submit(check, source, CACHE / key)
        for at, source in enumerate(jobs, 1):
            said[source] = jobs[source].result()
            print(f"[{at}/{len(jobs)}] {source.relative_to(ROOT)}", flush=True)
    bad = {source: text for source, text in said.items() if text}
    for text in bad.values():
        print(text)
    cached = sum(1 for text in said.values() if text is None)
    print(f"clang-tidy: {len(said)} files, {cached} unchanged since they were clean, {len(bad)} with findings")
    return 1 if bad or not said else 0


sys.exit(main())
