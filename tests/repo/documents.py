"""The documents and the code agree: a document that is named exists, a code like D3 is defined, and the tables of
broker/README.md and README.md have every folder, thread and library. In the documents, each file and each
`file.c:symbol` exists. No limit, figure, event or stream is without
effect."""

import ast
import re
import sys
from pathlib import Path

from hygiene import ROOT, tracked

DOCUMENTS = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "broker/README.md", "broker/DESIGN.md"]
PRODUCT = ("broker/", "auth/", "acl/", "conf/", "tools/")

# Headers of C, POSIX and Linux. Any other belongs to a library, which README.md lists with its header.
SYSTEM = set("""assert.h errno.h inttypes.h limits.h math.h signal.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h
stdio.h stdlib.h string.h time.h dirent.h endian.h execinfo.h fcntl.h fnmatch.h getopt.h glob.h grp.h libgen.h netdb.h poll.h
pthread.h pwd.h sched.h strings.h sysexits.h syslog.h termios.h unistd.h""".split())
SYSTEM_FOLDERS = {"sys", "arpa", "netinet", "net", "linux", "asm"}

CHANGES = ("listener protocol", "MQTT property", "identity source", "$SYS", "limit", "log event", "ACL condition",
           "journal record", "check at start and reload", "broker-ctl")

NAMED_DOCUMENT = re.compile(r"(?<![\w/.*-])((?:[\w-]+/)*[\w-]+\.md)\b")
CODE = re.compile(r"(?<![\w.\\$/+=-])([DRST][1-9]\d?)(?![\w.=/+-]*[\w=/+])")
DEFINED = re.compile(r"^- \*\*([A-Z]\d+)\*\* ", re.M)
# `broker/base/log.c`, `events.def`, `client/conn.c:conn_fail`, `tests/sim/`
IN_BACKTICKS = re.compile(r"`((?:[\w.-]+/)+(?:[\w.*-]+)?|[\w.-]+\.(?:c|h|def|py|md|build))(?::(\w+))?(?:\(\))?`")


def table_after(text, heading):
    """The rows of the first table below a heading, each a list of cells."""
    at = text.find(f"\n{heading}\n")
    rows = []
    for line in text[at + 1:].splitlines()[1:] if at >= 0 else ():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows or line.startswith("#"):
            break
    return rows[2:]


def check_named(name, text, names, errors):
    for number, line in enumerate(text.splitlines(), 1):
        for document in NAMED_DOCUMENT.findall(line):
            if not any(known == document or known.endswith("/" + document) for known in names):
                errors.append(f"{name}:{number}: {document} is not in the repository")


def check_codes(name, text, defined, errors):
    for number, line in enumerate(text.splitlines(), 1):
        for code in CODE.findall(line):
            if code not in defined:
                errors.append(f"{name}:{number}: {code} is defined neither in broker/DESIGN.md nor in SECURITY.md")


def library_headers(readme):
    return {header for row in table_after(readme, "## Libraries") for header in re.findall(r"`([\w./*]+)`", row[1])}


def check_files(name, text, libraries, errors):
    """What stands in backticks and looks like a file of the repository is one."""
    tops = {path.name for path in ROOT.iterdir()} | {path.name for path in (ROOT / "broker").iterdir() if path.is_dir()}
    for number, line in enumerate(text.splitlines(), 1):
        for file, symbol in IN_BACKTICKS.findall(line):
            is_elsewhere = "/" in file and file.split("/")[0] not in tops | {".."}
            is_example = re.search(r"\b[A-Z]{3,}\b|_[A-Z]{3,}\b", file) and not file.endswith(".md")
            if file in libraries or is_elsewhere or is_example:
                continue
            found = [path for base in (ROOT / name, ROOT / "broker/x", ROOT / "x") for path in base.parent.glob(file)]
            if not found and "/" not in file:
                searched = [top for top in ROOT.iterdir() if top.is_dir() and "build" not in top.name]
                found = [*ROOT.glob(file), *(path for top in searched for path in top.rglob(file))]
            if not found:
                errors.append(f"{name}:{number}: there is no {file}")
            elif symbol and not any(re.search(rf"\b{symbol}\b", path.read_text()) for path in found if path.is_file()):
                errors.append(f"{name}:{number}: {file} has no {symbol}")


def check_identifiers(name, text, sources, errors):
    """What stands in backticks and looks like a function or a struct is in the code."""
    words = {word for source in sources.values() for word in re.findall(r"\b[a-z]\w*_\w+\b", source)}
    for number, line in enumerate(text.splitlines(), 1):
        errors += [f"{name}:{number}: the code has no {word}"
                   for word in re.findall(r"`(?:struct |enum )?([a-z][a-z0-9]*_[a-z0-9_]+)(?:\(\))?`", line)
                   if word not in words]


def check_folders(readme, errors):
    layers = (ROOT / "tests/repo/layers.py").read_text()
    order = next(ast.literal_eval(node.value) for node in ast.parse(layers).body
                 if isinstance(node, ast.Assign) and node.targets[0].id == "ORDER")
    listed = [re.sub(r"[`/]|\.\.|\.c\b", "", row[0]) for row in table_after(readme, "## Folders, lowest first")]
    wanted = [folder for row in order for folder in row.split() if folder != "tools"]
    rank = {folder: at for at, row in enumerate(order) for folder in row.split()}
    there = {path.name for path in (ROOT / "broker").iterdir() if path.is_dir()}
    errors += [f"broker/README.md: the table of folders lacks {folder}" for folder in wanted if folder not in listed]
    errors += [f"broker/README.md: there is no folder {folder}" for folder in listed if folder not in rank]
    errors += [f"tests/repo/layers.py: ORDER lacks broker/{folder}" for folder in there - set(rank)]
    ranks = [rank.get(folder, 0) for folder in listed]
    if ranks != sorted(ranks):
        errors.append("broker/README.md: the table of folders has another order than ORDER in tests/repo/layers.py")


def check_threads(readme, sources, errors):
    rows = " ".join(row[0] for row in table_after(readme, "## Threads"))
    names = set()
    for text in sources.values():
        names |= set(re.findall(r"\bthread_start\([^;]*?\"([\w-]+)\"", text))
        names |= set(re.findall(r"= LOG_OUTPUT_INITIALIZER\(\"([\w-]+)\"", text))
        if re.search(r"\bthread_start\([^;\"]*\bname\b", text) and "thread_fn *fn" not in text:
            names |= set(re.findall(r"snprintf\(name, sizeof\(name\), \"([\w-]+?)-?%u\"", text))
    if not {"worker", "journal"} <= names:
        errors.append(f"threads are not found in the code any more: {sorted(names)}")
    errors += [f"broker/README.md: the table of threads lacks {name}" for name in sorted(names) if name not in rows]


def check_map(readme, errors):
    """A row for each usual change."""
    rows = [row[0] for row in table_after(readme, "## Where to add what")]
    errors += [f"broker/README.md: 'Where to add what' says nothing about: {change}" for change in CHANGES
               if not any(change in row for row in rows)]


def check_libraries(readme, sources, errors):
    listed, used = library_headers(readme), {}
    for name, text in sources.items():
        for header in re.findall(r"^\s*#\s*include\s+<([^>]+)>", text, re.M):
            if header not in SYSTEM and header.split("/")[0] not in SYSTEM_FOLDERS:
                used.setdefault(header.split("/")[0] + "/*" if "/" in header else header, name)
    errors += [f"README.md: the table of libraries lacks <{header}>, which {name} includes"
               for header, name in sorted(used.items()) if header not in listed]
    errors += [f"README.md: nothing includes <{header}>" for header in sorted(listed - set(used) - {"cmocka.h"})]


def rows_of(table, pattern, least, errors):
    """What a pattern finds in the rows of a .def file."""
    found = re.findall(pattern, (ROOT / table).read_text(), re.M)
    if len(found) < least:
        errors.append(f"{table}: only {len(found)} rows are found")
    return found


def check_rows(sources, errors):
    """A row without an effect: a limit that nothing reads, a figure that nothing counts or computes, an event that
    nothing logs. And the other way round: a stream that no listener opens, an identity source
    that no key names."""
    broker = {name: text for name, text in sources.items() if name.startswith("broker/")}
    text, elsewhere = "".join(broker.values()), "".join(broker[name] for name in broker if name != "broker/admin/stats.c")
    tables = (ROOT / "broker/client/close_reasons.def").read_text()
    errors += [f"conf/limits.def: nothing in broker/ reads {member}"
               for member in rows_of("conf/limits.def", r"^(?:SHARED_)?LIMIT\([\w ]+, (\w+),", 20, errors)
               if not re.search(rf"(?:->|\.){member}\b", text)]
    figures = "broker/worker/figures.def"
    errors += [f"{figures}: nothing counts {member}" for member in rows_of(figures, r"^COUNTER\((\w+),", 20, errors)
               if not re.search(rf"\bcounters(?:\.|->){member}\b", elsewhere) and not re.search(rf"\b{member}\b", tables)]
    errors += [f"{figures}: broker/admin/stats.c does not compute {member}"
               for member in rows_of(figures, r"^FIGURE\((\w+),", 5, errors)
               if not re.search(rf"->{member} = ", broker["broker/admin/stats.c"])]
    logged = set(re.findall(r"\b(?:LOG\(|LOG_NO_FIELDS\(|EVENT_)(\w+)", "".join(sources.values())))
    errors += [f"broker/base/events.def: nothing logs {event}"
               for event in rows_of("broker/base/events.def", r"^EVENT\((\w+),", 30, errors) if event not in logged]
    opened = broker["broker/net/listener.c"] + (ROOT / "conf/protocols.def").read_text()
    errors += [f"conf/protocols.def: no protocol uses {name}" for name in broker
               if (stream := re.fullmatch(r"broker/net/(\w+_stream)\.c", name)) and f"{stream[1]}_new" not in opened]
    backends = rows_of("conf/identity_sources.def", r"^IDENTITY_SOURCE\(\w+, (\w+),", 1, errors)
    errors += [f"conf/identity_sources.def: no row names {name}" for name in sources
               if (backend := re.fullmatch(r"auth/(?!identity_)(\w+_backend)\.c", name)) and backend[1] not in backends]


def main():
    files = {name: path for name, path in tracked()}
    defined = {code for name in ("broker/DESIGN.md", "SECURITY.md") for code in DEFINED.findall(files[name].read_text())}
    libraries = library_headers(files["README.md"].read_text())
    errors, sources = [], {}
    for name, path in files.items():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if name.startswith(PRODUCT) and path.suffix in (".c", ".h"):
            sources[name] = text
        if name.startswith("tests/compat/") or name == "tests/repo/documents.py":
            continue
        check_named(name, text, files, errors)
        if path.suffix in (".c", ".h", ".def", ".py", ".md", ".toml", ".build"):
            check_codes(name, text, defined, errors)
        if name in DOCUMENTS:
            check_files(name, text, libraries, errors)
    for name in ("broker/README.md", "broker/DESIGN.md"):
        check_identifiers(name, files[name].read_text(), sources, errors)
    readme = files["broker/README.md"].read_text()
    check_folders(readme, errors)
    check_threads(readme, sources, errors)
    check_map(readme, errors)
    check_libraries(files["README.md"].read_text(), sources, errors)
    check_rows(sources, errors)
    print("\n".join(errors) or f"{len(files)} files agree with the documents; {len(defined)} codes")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
