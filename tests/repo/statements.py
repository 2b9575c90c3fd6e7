"""Which normative statements of MQTT are tagged, [MQTT3-x.y.z-n], [MQTT5-...] or [MQTT-...] (both): lists
those that stand only at the code or only at a test. It informs and always ends well."""

import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ".").resolve()
BRIEF = "--brief" in sys.argv
# More numbers of the same section may follow the first one: ", -5".
TAG = re.compile(r"\[MQTT([35]?)-(\d+(?:\.\d+)+)-(\d+)((?:,\s*-\d+)*)\]")


def tags_in(text):
    for version, section, number, more in TAG.findall(text):
        for one in [number, *re.findall(r"-(\d+)", more)]:
            for v in version or "35":
                yield f"MQTT{v}-{section}-{one}"


def collect(tops, suffixes):
    found = {}
    for top in tops:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in suffixes and path.is_file() and "node_modules" not in path.parts:
                for tag in tags_in(path.read_text(errors="replace")):
                    found.setdefault(tag, str(path.relative_to(ROOT)))
    return found


def order(tag):
    return [int(n) for n in re.findall(r"\d+", tag)]


def main():
    code = collect(["broker", "conf", "auth", "acl", "tools"], {".c", ".h", ".def"})
    tests = collect(["tests"], {".c", ".h", ".py", ".js", ".inc"})
    only_code, only_tests = set(code) - set(tests), set(tests) - set(code)
    print(f"{len(code)} statements tagged in the code, {len(tests)} in tests; "
          f"{len(only_code)} only in the code, {len(only_tests)} only in tests")
    if not BRIEF:
        for title, tags, where in (("only in the code", only_code, code), ("only in tests", only_tests, tests)):
            for tag in sorted(tags, key=order):
                print(f"  {title}: [{tag}]  {where[tag]}")


main()
