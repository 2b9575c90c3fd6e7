"""Mutants: changes to the source that a test has to notice.

A marker in the source says where, and mutants.toml says what:

    /* mutant: NAME */          before a statement, an operand, an enumerator or a #define
    # mutant: NAME              before a line of a script

A marker moves with its code, and a rename does not touch it. One marker may name several mutants: `mutant: A, B`.
What is marked is the statement that follows, or the operand, where the marker stands within an expression. The
operators:

    skip               the statement (or the line) is left out
    never, always      the condition of if, while or for, or the operand, is false or true
    condition EXPR     the condition or operand is EXPR
    value EXPR         what is assigned, returned or defined, or the operand, is EXPR
    return EXPR        the function returns EXPR there
    instead TEXT       TEXT stands there instead
    before TEXT        TEXT stands before the statement
    after TEXT         TEXT stands after the statement
    term N OPERATOR    never, always or value of the Nth operand of the && and || in the condition or value
    replace A => B     in what is marked, B stands instead of A, which occurs exactly once there
    swap               two enumerators change places

In EXPR, @ is the old expression; in TEXT it is the statement."""

import re
import shlex
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/repo"))
from c_source import Source  # noqa: E402

C_TREES = ("broker", "acl", "auth", "conf", "tools")
SCRIPTS = ("tools/*", "tools/setup/*", "tests/scenario/node/*.js")
MARKER = re.compile(r"mutant: (\w+(?:, \w+)*)")
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "|=", "&=", "^="}
CONTROL = {"if", "while", "for", "switch"}


class Bad(Exception):
    """A mutant that cannot be applied."""


@dataclass
class Mutant:
    name: str
    breaks: str
    test: str
    operators: dict = field(default_factory=dict)  # {name of a marker: operator}

    def apply(self, root, markers):
        """{file: its changed text}"""
        edits = {}
        for name, operator in self.operators.items():
            if name not in markers:
                raise Bad(f"{self.name}: no marker 'mutant: {name}' in the source")
            path, offset = markers[name]
            text = (root / path).read_text()
            target = c_target(text, offset) if path.endswith((".c", ".h")) else script_target(text, offset)
            try:
                edits.setdefault(path, []).append(target.edit(operator))
            except Bad as error:
                raise Bad(f"{self.name}: {path}: {error}") from error
        return {path: changed((root / path).read_text(), rows) for path, rows in edits.items()}


def changed(text, edits):
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def load():
    """{name: mutant} of the table"""
    with open(HERE / "mutants.toml", "rb") as file:
        table = tomllib.load(file)
    mutants = {}
    for name, row in table.items():
        unknown = row.keys() - {"breaks", "test", "do", "also"}
        if unknown or not {"breaks", "test", "do"} <= row.keys():
            raise Bad(f"{name}: needs breaks, test and do, and may have also")
        mutants[name] = Mutant(name, row["breaks"], row["test"], {name: row["do"], **row.get("also", {})})
    return mutants


def sources(root):
    for top in C_TREES:
        yield from (path for path in sorted((root / top).rglob("*.[ch]")))
    for pattern in SCRIPTS:
        yield from (path for path in sorted(root.glob(pattern)) if path.is_file() and path.suffix not in (".c", ".h", ".build"))


def find_markers(root):
    """{name: (file, offset of the end of the marker's comment)}"""
    markers, again = {}, []
    for path in sources(root):
        text = path.read_text(errors="replace")
        for found in MARKER.finditer(text):
            if path.suffix in (".c", ".h"):
                end = text.find("*/", found.end()) + 2
            else:
                end = text.find("\n", found.end())
            for name in found.group(1).split(", "):
                if name in markers:
                    again.append(name)
                markers[name] = (str(path.relative_to(root)), end)
    if again:
        raise Bad(f"more than one marker: {' '.join(sorted(again))}")
    return markers


class Target:
    """What a marker marks: text[start:end], with its condition and its value where it has them."""

    def __init__(self, text, start, end, is_statement, condition=None, value=None, neighbour=None,
                 terms=()):
        self.terms = terms
        self.text, self.start, self.end, self.is_statement = text, start, end, is_statement
        self.condition, self.value, self.neighbour = condition, value, neighbour

    def edit(self, operator):
        verb, _, rest = operator.partition(" ")
        whole = self.text[self.start:self.end]
        if verb in ("never", "always", "condition"):
            pattern = {"never": "(0 && (@))", "always": "(1 || (@))"}.get(verb, rest)
            return self.put(self.condition, pattern, "no condition")
        if verb == "value":
            return self.put(self.value, rest, "no value")
        if verb == "term":
            return self.term(rest)
        if verb == "replace":
            return self.start, self.end, replaced(whole, rest)
        if verb == "swap":
            return self.swap()
        if not self.is_statement:
            raise Bad(f"{verb}: the marker is not before a statement")
        rest = rest.replace("@", whole)
        new = {"skip": self.skipped(), "instead": rest, "return": f"return {rest};", "before": f"{{ {rest} {whole} }}",
               "after": f"{{ {whole} {rest} }}"}.get(verb)
        if new is None:
            raise Bad(f"no such operator: {operator}")
        return self.start, self.end, new

    def skipped(self):
        return ";"

    def term(self, rest):
        number, _, operator = rest.partition(" ")
        if not number.isdigit() or not 0 < int(number) <= len(self.terms):
            raise Bad(f"there is no term {number} after the marker")
        start, end = self.terms[int(number) - 1]
        return Target(self.text, start, end, False, (start, end), (start, end)).edit(operator)

    def put(self, span, pattern, missing):
        if span is None:
            raise Bad(f"there is {missing} after the marker")
        start, end = span
        return start, end, pattern.replace("@", self.text[start:end])

    def swap(self):
        if self.neighbour is None:
            raise Bad("there are no two enumerators after the marker")
        start, end = self.neighbour
        first, second = self.text[self.start:self.end], self.text[start:end]
        return self.start, end, second + self.text[self.end:start] + first


class Line(Target):
    """A line of a script."""

    def skipped(self):
        return ""


def replaced(whole, rest):
    old, arrow, new = rest.partition("=>")
    if not arrow:
        raise Bad("replace needs A => B")
    pattern = r"\s*".join(re.escape(part) for part in old.split())
    count = len(re.findall(pattern, whole))
    if count != 1:
        raise Bad(f"{old.strip()!r} occurs {count} times after the marker, not once: {whole!r}")
    return re.sub(pattern, lambda _: new.strip(), whole)


def script_target(text, offset):
    start = re.compile(r"\s*").match(text, offset).end()
    end = text.find("\n", start)
    return Line(text, start, end, True)


def c_target(text, offset):
    """What the marker that ends at this offset marks."""
    source = Source(text)
    for token in source.tokens:
        if token.start >= offset and token.kind != "comment":
            break
    else:
        raise Bad("nothing follows the marker")
    if token.kind == "directive":
        found = re.match(r"\s*#\s*define\s+\w+\s+", token.text)
        value = (token.start + found.end(), token.end) if found else None
        return Target(text, token.start, token.end, False, value=value)
    at = next(i for i, one in enumerate(source.code) if one.start == token.start)
    return statement(source, at) if is_statement(source, at) else operand(source, at)


def is_statement(source, at):
    """Does a statement begin at code[at]?"""
    if at == 0:
        return False
    before = source.code[at - 1].text
    if before in (";", "}", "else", "do"):
        return True
    if before == "{":
        return not is_of_enum_or_value(source, at - 1)
    if before == ")":
        opened = source.matching[at - 1]
        return opened > 0 and source.code[opened - 1].text in CONTROL
    if before == ":":
        first = at - 1
        while first > 0 and source.code[first - 1].text not in (";", "{", "}", "?"):
            first -= 1
        return source.code[first - 1].text != "?" and source.code[first].kind == "word"
    return False


def is_of_enum_or_value(source, opened):
    """Is code[opened], a brace, that of an enum, a struct or an initialiser?"""
    before = [token.text for token in source.code[max(0, opened - 2):opened]]
    return before[-1:] in (["="], [","], ["("], ["{"], ["enum"]) or before[:1] in (["enum"], ["struct"], ["union"])


def operand(source, at):
    """Up to the next && || ? : , ; of the same depth, or the end of the brackets."""
    end = at
    while source.code[end].text not in ("&&", "||", "?", ":", ",", ";", ")", "]", "}"):
        end = source.matching.get(end, end) + 1
    start, stop = source.code[at].start, source.code[end - 1].end
    neighbour = None
    if source.code[end].text == ",":
        first = end = end + 1
        while source.code[end].text not in (",", "}", ")"):
            end = source.matching.get(end, end) + 1
        neighbour = (source.code[first].start, source.code[end - 1].end)
    return Target(source.text, start, stop, False, (start, stop), (start, stop), neighbour)


def statement(source, at):
    end = statement_end(source, at)
    start, stop = source.code[at].start, source.code[end].end
    condition = condition_of(source, at)
    value = value_of(source, at, end)
    condition = condition or value
    return Target(source.text, start, stop, True, condition, value, terms=terms_of(source, condition))


def terms_of(source, span):
    """The operands of && and || in a condition, outside of brackets."""
    if span is None:
        return []
    at = next(i for i, token in enumerate(source.code) if token.start == span[0])
    terms, first = [], at
    while at < len(source.code) and source.code[at].start < span[1]:
        if source.code[at].text in ("&&", "||"):
            terms.append((source.code[first].start, source.code[at - 1].end))
            first = at + 1
        at = source.matching.get(at, at) + 1
    return [*terms, (source.code[first].start, span[1])]


def statement_end(source, at):
    """The index of the last token of the statement that begins at code[at]."""
    text = source.code[at].text
    if text == "{":
        return source.matching[at]
    if text in CONTROL:
        end = statement_end(source, source.matching[at + 1] + 1)
        if text == "if" and end + 1 < len(source.code) and source.code[end + 1].text == "else":
            return statement_end(source, end + 2)
        return end
    if text == "do":
        end = statement_end(source, at + 1)
        return source.matching[end + 2] + 1
    while source.code[at].text != ";":
        at = source.matching.get(at, at) + 1
    return at


def condition_of(source, at):
    if source.code[at].text not in ("if", "while", "for"):
        return None
    first, last = at + 2, source.matching[at + 1] - 1
    if source.code[at].text == "for":
        ends = [i for i in range(first, last + 1) if source.code[i].text == ";"]
        first, last = ends[0] + 1, ends[1] - 1
    return source.code[first].start, source.code[last].end


def value_of(source, at, end):
    """What is assigned or returned."""
    if source.code[at].text == "return":
        return (source.code[at + 1].start, source.code[end - 1].end) if end > at + 1 else None
    if source.code[at].text in CONTROL or source.code[at].text == "{":
        return None
    i = at
    while i < end:
        if source.code[i].text in ASSIGNMENTS:
            return source.code[i + 1].start, source.code[end - 1].end
        i = source.matching.get(i, i) + 1
    return None


def check(root):
    """What is wrong with the table and the markers: a list of lines."""
    try:
        mutants, markers = load(), find_markers(root)
    except Bad as error:
        return [str(error)]
    wanted = {name for mutant in mutants.values() for name in mutant.operators}
    wrong = [f"{markers[name][0]}: no mutant {name} in tests/mutation/mutants.toml" for name in sorted(markers.keys() - wanted)]
    for mutant in mutants.values():
        if (missing := missing_test(root, mutant)) is not None:
            wrong.append(f"{mutant.name}: there is no {missing} for its test: {mutant.test}")
        try:
            for path, text in mutant.apply(root, markers).items():
                if text == (root / path).read_text():
                    wrong.append(f"{mutant.name}: changes nothing in {path}")
        except Bad as error:
            wrong.append(str(error))
    return wrong


def missing_test(root, mutant):
    """What a pytest test names and its file does not have, or None."""
    kind, *words = shlex.split(mutant.test)
    if kind != "pytest":
        return None
    path = root / "tests/scenario" / words[0]
    if not path.exists():
        return words[0]
    text = path.read_text()
    chosen = words[words.index("-k") + 1].split() if "-k" in words else []
    return next((word for word in chosen if word not in ("and", "or", "not") and word not in text
                 and word.replace("-", " ") not in text), None)
