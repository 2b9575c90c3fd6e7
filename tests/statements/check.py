"""Every normative statement of MQTT 3.1.1 and 5.0: where it is in the code, and which test proves it.

statements-3.1.1.tsv and statements-5.0.tsv have a row for each number of the standard, in our own words:

    statement  kind  in our words  code  test

kind: `server`; `client`: nothing a server could do, or see done; `untestable: REASON`; `deviation: REASON`, which
README.md lists. code is FILE:FUNCTION and test FILE::FUNCTION; the tag of the statement stands in both functions, or in
the comment right above. Tags are [MQTT3-number] and [MQTT5-number], and [MQTT-number] only where both tables say the
same in the same words.
body.tsv has what the standards' text asks for and gives no number to: version, section, words, code, test.

Exits with 1 when a row lacks something, or when a tag has no row."""

import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
HERE = Path(__file__).resolve().parent
VERSIONS = {"3": ("3.1.1", 141), "5": ("5.0", 251)}
# Numbers that the standards leave out.
GAPS = {"5": {"2.2.1-1"}, "3": set()}
PROVED = ("server", "deviation")
UNPROVED = ("client", "untestable")
TREES = ("broker", "conf", "auth", "acl", "tools", "tests")
SUFFIXES = (".c", ".h", ".def", ".py", ".js", ".inc")
ANY_TAG = re.compile(r"\[MQTT[^\]]{0,60}\]")
TAG = re.compile(r"\[MQTT([35]?)-(\d+\.\d+\.\d+)-(\d+)((?:,\s*-\d+)*)\]$")
errors = []


def order(number):
    return [int(n) for n in re.findall(r"\d+", number)]


def read(name, columns):
    for line, text in enumerate((HERE / name).read_text(encoding="utf-8").splitlines()[1:], 2):
        cells = text.split("\t")
        if len(cells) == columns and all(cells):
            yield f"{name}:{line}", cells
        else:
            errors.append(f"{name}:{line}: wants {columns} columns, none of them empty")


def load(version):
    name = f"statements-{VERSIONS[version][0]}.tsv"
    rows = {}
    for where, (number, *cells) in read(name, 5):
        if number in rows:
            errors.append(f"{where}: {number} is there twice")
        rows[number] = (where, *cells)
    if list(rows) != sorted(rows, key=order):
        errors.append(f"{name}: the rows are not in the order of their numbers")
    if len(rows) != VERSIONS[version][1]:
        errors.append(f"{name}: {len(rows)} statements, the standard has {VERSIONS[version][1]}")
    for number in rows:
        *section, last = order(number)
        for n in range(1, last):
            before = f"{'.'.join(map(str, section))}-{n}"
            if before not in rows and before not in GAPS[version]:
                errors.append(f"{name}: {before} is missing")
    return rows


def sources():
    for top in TREES:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file() and "node_modules" not in path.parts \
                    and path.parent != HERE and ".pytest_cache" not in path.parts:
                yield path


def tags_of(text):
    """(version, number) for each; what only looks like a tag comes as (None, text)."""
    for found in ANY_TAG.findall(text):
        tag = TAG.match(re.sub(r"\s*\n[\s*]*", " ", found))
        if tag is None:
            yield None, found
            continue
        for last in [tag[3], *re.findall(r"-(\d+)", tag[4])]:
            for version in tag[1] or "35":
                yield version + ("" if tag[1] else "="), f"{tag[2]}-{last}"


def check_tag(where, version, number, tables):
    if version is None:
        errors.append(f"{where}: {number} is no tag: [MQTT3-, [MQTT5- or [MQTT- and a number")
    elif number not in tables[version[0]]:
        errors.append(f"{where}: [MQTT{version[0]}-{number}] is not in the table")
    elif version.endswith("=") and number in tables["3"] and number in tables["5"] and \
            tables["3"][number][2] != tables["5"][number][2]:
        errors.append(f"{where}: [MQTT-{number}], but the two standards do not say the same there")


def check_tags(tables):
    for path in sources():
        where = str(path.relative_to(ROOT))
        tags = set(tags_of(path.read_text(encoding="utf-8", errors="replace")))
        for version, number in sorted(tags, key=str):
            check_tag(where, version, number, tables)


def c_function(lines, start):
    """The definition (in a header the declaration) that begins here, with the comment above it; "" is none."""
    end = start
    while not lines[end].endswith((";", "{", "}")):
        end += 1
    if lines[end] == "{":
        end = lines.index("}", end)
    first = start
    while first > 0 and lines[first - 1].startswith(("/*", " *")):
        first -= 1
    return "\n".join(lines[first:end + 1])


def python_function(lines, start):
    end = start + 1
    while end < len(lines) and not re.match(r"\S", lines[end]):
        end += 1
    return "\n".join(lines[start:end])


def function(path, name):
    """Its text; a definition rather than a declaration. None: there is no such function."""
    lines = (ROOT / path).read_text(encoding="utf-8", errors="replace").splitlines()
    if path.endswith(".py"):
        found = [python_function(lines, n) for n, text in enumerate(lines) if text.startswith(f"def {name}(")]
    else:
        found = [c_function(lines, n) for n, text in enumerate(lines) if re.match(rf"[A-Za-z_].*\b{name}\(", text)]
    return found[-1] if found else None


def check_place(where, place, separator, tag):
    path, _, name = place.rpartition(separator)
    text = function(path, name) if path and (ROOT / path).is_file() else None
    if text is None:
        errors.append(f"{where}: {place} is not there")
    elif tag is not None and tag not in {(version[0], number) for version, number in tags_of(text) if version}:
        errors.append(f"{where}: {place} has no tag [MQTT{tag[0]}-{tag[1]}]")


def check_row(version, number, row):
    where, kind, _, code, test = row
    word, _, reason = kind.partition(": ")
    where = f"{where}: {number}"
    if word in UNPROVED and (code, test) == ("-", "-") and bool(reason) == (word == "untestable"):
        return
    if word not in PROVED or bool(reason) != (word == "deviation"):
        errors.append(f"{where}: {kind!r} is no kind, or its reason, code or test is wrong")
        return
    if word == "deviation" and f"MQTT{version}-{number}" not in (ROOT / "README.md").read_text(encoding="utf-8"):
        errors.append(f"{where}: README.md does not tell of this deviation")
    check_place(where, code, ":", (version, number))
    check_place(where, test, "::", (version, number))


def main():
    tables = {version: load(version) for version in VERSIONS}
    check_tags(tables)
    for version, rows in tables.items():
        for number, row in rows.items():
            check_row(version, number, row)
        kinds = [row[1].partition(":")[0] for row in rows.values()]
        print(f"MQTT {VERSIONS[version][0]}: " + ", ".join(f"{kinds.count(k)} {k}" for k in (*PROVED, *UNPROVED)))
    body = list(read("body.tsv", 5))
    for where, (_, _, _, code, test) in body:
        check_place(where, code, ":", None)
        check_place(where, test, "::", None)
    print(f"beyond the numbers: {len(body)} rows")
    print("\n".join(errors))
    return 1 if errors else 0


sys.exit(main())
