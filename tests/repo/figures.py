"""Figures of the structure, and bounds for those that may only improve.

usage: figures.py [--check | --list] [CHECKOUT]

Without an option all figures of the product code (broker, acl, auth, conf, tools) are printed. --list names every
place as well. --check compares with BOUNDS: who improves a figure lowers its bound. RANGES are coarse: they notice a
drift over many changes, and not one change."""

import argparse
import re
import statistics
import sys
from collections import Counter, defaultdict
from pathlib import Path

import retired
from c_source import Source

PRODUCT = ("broker", "acl", "auth", "conf", "tools")
TESTS = ("sim", "crash", "scenario", "mutation")

# At most so many of each. Lower a bound when fewer are left, and never raise one.
BOUNDS = {
    "units in include cycles": 0,
    "prototypes defined elsewhere": 0,
    "duplicate basenames": 0,
    "duplicate struct tags": 0,
    "retired words": 0,
    "retired words in tests": 0,
}


# (at least, at most). What is measured may move a little with each change; the average should not fall back.
RANGES = {
    "functions called from one place only, in %": (0, 41),
    "assertions in 1,000 lines": (11, 40),
}


class Product:
    """All sources of the product, parsed."""

    def __init__(self, root):
        self.root = root
        files = [path for top in PRODUCT for path in sorted((root / top).rglob("*")) if path.suffix in (".c", ".h", ".def")]
        self.sources = {str(path.relative_to(root)): Source(path.read_text(errors="replace")) for path in files}
        self.c_files = [path for path in self.sources if path.endswith(".c")]
        self.headers = [path for path in self.sources if path.endswith(".h")]

    def lines(self, paths):
        return sum(len(self.sources[path].text.splitlines()) for path in paths)


def unit_of(path):
    return re.sub(r"\.[ch]$", "", path)


def function_lengths(product):
    """Lines from the opening brace to the closing one."""
    rows = []
    for path in product.c_files:
        source = product.sources[path]
        for one in source.functions:
            lines = source.line_of(source.code[one.close].start) - source.line_of(source.code[one.open].start) + 1
            rows.append((lines, f"{path}: {one.name}"))
    return sorted(rows)


def called_once(product):
    """(functions that are called at one place and used nowhere else, all functions)"""
    used, called = defaultdict(Counter), defaultdict(Counter)
    for path, source in product.sources.items():
        own = {id(source.code[at]) for one in source.functions for at in range(one.first, one.open)}
        own |= prototype_tokens(source)
        for token, after in zip(source.code, [*source.code[1:], None]):
            if token.kind == "word" and id(token) not in own:
                used[token.text][path] += 1
                called[token.text][path] += after is not None and after.text == "("
        for token in source.tokens:
            if token.kind == "directive":
                for word in set(re.findall(r"\w+", token.text)):
                    used[word][path] += 1
    once, functions = [], 0
    for path in product.c_files:
        for one in product.sources[path].functions:
            functions += 1
            scope = [path] if one.is_static else product.sources
            uses = sum(used[one.name][p] for p in scope) if one.is_static else sum(used[one.name].values())
            calls = sum(called[one.name][p] for p in scope) if one.is_static else sum(called[one.name].values())
            if uses == 1 and calls == 1:
                once.append(f"{path}: {one.name}")
    return once, functions


def prototype_tokens(source):
    """Words that are part of a declaration at file scope, of functions without a body."""
    own, depth, begin = set(), 0, 0
    for at, token in enumerate(source.code):
        if token.text in ("{", "}"):
            depth += 1 if token.text == "{" else -1
            begin = at + 1
        elif token.text == ";" and depth == 0:
            if source.declared(begin, at) is not None:
                own |= {id(one) for one in source.code[begin:at]}
            begin = at + 1
    return own


def include_cycles(product):
    """Units (a.c with a.h) that include each other in a circle, the largest circle first."""
    graph = defaultdict(set)
    headers = set(product.headers)
    for path, source in product.sources.items():
        for name in re.findall(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', source.text, re.M):
            for target in (f"broker/{name}", name, str(Path(path).parent / name)):
                if target in headers:
                    if unit_of(target) != unit_of(path):
                        graph[unit_of(path)].add(unit_of(target))
                    break
    return sorted((one for one in components(graph) if len(one) > 1), key=len, reverse=True)


def components(graph):
    """Strongly connected components (Tarjan)."""
    index, low, stack, waiting, found = {}, {}, [], set(), []

    def visit(unit):
        index[unit] = low[unit] = len(index)
        stack.append(unit)
        waiting.add(unit)
        for other in sorted(graph.get(unit, ())):
            if other not in index:
                visit(other)
                low[unit] = min(low[unit], low[other])
            elif other in waiting:
                low[unit] = min(low[unit], index[other])
        if low[unit] == index[unit]:
            at = stack.index(unit)
            found.append(sorted(stack[at:]))
            waiting.difference_update(stack[at:])
            del stack[at:]

    sys.setrecursionlimit(10000)
    for unit in sorted(graph):
        if unit not in index:
            visit(unit)
    return found


def prototypes_elsewhere(product):
    """(prototypes in headers, those whose definition is not in the header's own .c)"""
    defined = defaultdict(set)
    for path in product.c_files:
        for one in product.sources[path].functions:
            if not one.is_static:
                defined[one.name].add(path)
    count, elsewhere = 0, []
    for path in product.headers:
        for name, line in product.sources[path].prototypes:
            count += 1
            if unit_of(path) + ".c" not in defined[name]:
                where = " ".join(sorted(defined[name])) or "nowhere"
                elsewhere.append(f"{path}:{line}: {name} is defined in {where}")
    return count, elsewhere


def duplicates(rows):
    """[(name, where)] -> what stands in more than one place"""
    places = defaultdict(set)
    for name, where in rows:
        places[name].add(where)
    return [f"{name}: {' '.join(sorted(where))}" for name, where in sorted(places.items()) if len(where) > 1]


def duplicate_basenames(product):
    """Units of one name in two folders, and so files of one name."""
    return duplicates((Path(path).name.rsplit(".", 1)[0], str(Path(path).parent)) for path in product.sources
                      if not path.endswith(".def"))


def duplicate_tags(product):
    return duplicates((f"{kind} {tag}", f"{path}:{line}") for path, source in product.sources.items()
                      for kind, tag, line in source.tags)


def assertions(product):
    return sum(token.text.startswith("REQUIRE") for path in product.c_files + product.headers
               for token in product.sources[path].code if token.kind == "word")


def retired_in_c(path, source):
    """{identifier: what to say instead}"""
    words = {token.text for token in source.code if token.kind == "word"}
    for token in source.tokens:
        if token.kind == "directive" and "define" in token.text:
            words |= set(re.findall(r"[A-Za-z_]\w*", re.sub(r'"(?:\\.|[^"\\])*"|/\*.*?\*/', "", token.text, flags=re.S)))
    found = {name: instead for name in words if (instead := retired.in_part(name, path))}
    found.update({tag: instead for _, tag, _ in source.tags if (instead := retired.in_name(tag, path))})
    pattern, instead, folders = retired.BARE
    if path.startswith(folders):
        found.update({f"{one.name}()": instead for one in source.functions if pattern.fullmatch(one.name)})
    return found


def retired_in_script(path, text):
    text = re.sub(r'"""(?:.*?)"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*', "", text, flags=re.S)
    return {name: instead for name in set(re.findall(r"[A-Za-z_]\w*", text)) if (instead := retired.in_part(name, path))}


def retired_of(path, found):
    """[(what is wrong, where)] of one file"""
    name = re.sub(r"\.\w+$", "", Path(path).name)
    rows = [(f"file {name}: say {instead}", path)] if (instead := retired.in_name(name, path)) else []
    return rows + [(f"{word}: say {instead}", path) for word, instead in found.items()]


def by_word(rows):
    """A word counts once, however many files have it: a move does not change the figure."""
    places = defaultdict(set)
    for word, path in rows:
        places[word].add(path)
    return [f"{word} ({' '.join(sorted(paths))})" for word, paths in sorted(places.items())]


def retired_in_product(product):
    return by_word(row for path, source in product.sources.items() for row in retired_of(path, retired_in_c(path, source)))


def retired_in_tests(root):
    rows = []
    for path in sorted(path for top in TESTS for path in (root / "tests" / top).glob("*")):
        where = str(path.relative_to(root))
        if path.suffix in (".c", ".h"):
            rows += retired_of(where, retired_in_c(where, Source(path.read_text(errors="replace"))))
        elif path.suffix == ".py" or path.name == "run":
            rows += retired_of(where, retired_in_script(where, path.read_text(errors="replace")))
    return by_word(rows)


def retired_in_prose(product):
    rows = []
    for path, source in product.sources.items():
        for token in source.tokens:
            if token.kind in ("comment", "string"):
                for found in retired.PROSE.finditer(token.text):
                    rows.append(f"{path}:{source.line_of(token.start + found.start())}: {found.group()}")
    return rows


def bounded(product):
    """The figures that have a bound, with their places."""
    return {
        "units in include cycles": [unit for cycle in include_cycles(product) for unit in cycle],
        "prototypes defined elsewhere": prototypes_elsewhere(product)[1],
        "duplicate basenames": duplicate_basenames(product),
        "duplicate struct tags": duplicate_tags(product),
        "retired words": retired_in_product(product),
        "retired words in tests": retired_in_tests(product.root),
    }


def averages(product):
    """The figures that have a range."""
    once, functions = called_once(product)
    lines = product.lines(product.c_files + product.headers)
    return {
        "functions called from one place only, in %": 100 * len(once) / functions,
        "assertions in 1,000 lines": 1000 * assertions(product) / lines,
    }


def print_all(product, with_places):
    lengths = function_lengths(product)
    values = [lines for lines, _ in lengths]
    once, functions = called_once(product)
    print(f"functions: {functions}, lines p50 {statistics.median(values):.0f}, p90 {values[len(values) * 9 // 10]}, "
          f"p99 {values[len(values) * 99 // 100]}, max {values[-1]} ({lengths[-1][1]})")
    print(f"called from one place only: {len(once)} functions, {100 * len(once) / functions:.1f} %")
    lines, count = product.lines(product.c_files + product.headers), assertions(product)
    print(f"assertions: {count} in {lines} lines, {1000 * count / lines:.1f} in 1,000")
    print(f"prototypes in headers: {prototypes_elsewhere(product)[0]}")
    prose = retired_in_prose(product)
    print(f"retired words in prose: {len(prose)}")
    for name, places in bounded(product).items():
        print(f"{name}: {len(places)}")
        if with_places:
            print("".join(f"    {place}\n" for place in places), end="")
    for cycle in include_cycles(product):
        print(f"cycle of {len(cycle)}: {' '.join(cycle)}")
    if with_places:
        print("prose:", *prose, sep="\n    ")
        print("called from one place only:", *once, sep="\n    ")
    folders = defaultdict(list)
    for path in product.c_files:
        folders[str(Path(path).parent)].append(path)
    for folder, paths in sorted(folders.items()):
        headers = [path for path in product.headers if str(Path(path).parent) == folder]
        print(f"{folder}: {len(paths)} .c files, {product.lines(paths)} lines, {len(headers)} headers, "
              f"{product.lines(headers)} lines")


def check(product):
    failed = 0
    for name, places in bounded(product).items():
        most = BOUNDS[name]
        if len(places) > most:
            failed += 1
            print(f"{name}: {len(places)}, at most {most} (tests/repo/figures.py --list names them):")
            print("".join(f"    {place}\n" for place in places), end="")
        else:
            print(f"{name}: {len(places)}, at most {most}{'' if len(places) == most else ': lower the bound'}")
    for name, value in averages(product).items():
        least, most = RANGES[name]
        failed += not least <= value <= most
        print(f"{name}: {value:.1f}, {least} to {most}")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("checkout", nargs="?", type=Path, default=Path(__file__).resolve().parents[2])
    options = parser.parse_args()
    product = Product(options.checkout.resolve())
    if not product.c_files:
        print(f"no C file below {options.checkout}: is this the repository?")
        return 1
    if options.check:
        return check(product)
    print_all(product, options.list)
    return 0


sys.exit(main())
