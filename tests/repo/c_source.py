"""A tokenizer for C: enough to find functions, prototypes, struct tags, and statements, without a compiler."""

import bisect
import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/|//(?:\\\n|[^\n])*)
  | (?P<directive>^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*)
  | (?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*")
  | (?P<char>[uUL]?'(?:\\.|[^'\\\n])+')
  | (?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<punct>->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\.\.\.|[^\s\w])
""", re.X | re.S | re.M)

NOT_FUNCTIONS = {"__attribute__", "_Static_assert", "static_assert", "_Alignas", "if", "for", "while", "switch", "return",
                 "sizeof", "defined"}


@dataclass
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass
class Function:
    """A function with its body. Indices are of Source.code."""
    name: str
    is_static: bool
    first: int
    open: int
    close: int


@dataclass
class Source:
    """The tokens of one file; `code` leaves out comments and directives."""
    text: str
    tokens: list = field(default_factory=list)
    code: list = field(default_factory=list)
    functions: list = field(default_factory=list)
    prototypes: list = field(default_factory=list)
    tags: list = field(default_factory=list)

    def __post_init__(self):
        self.tokens = [Token(m.lastgroup, m.group(), m.start(), m.end()) for m in TOKEN.finditer(self.text)]
        self.code = [t for t in self.tokens if t.kind not in ("comment", "directive")]
        self.line_starts = [0] + [m.end() for m in re.finditer("\n", self.text)]
        self.matching = match_brackets(self.code)
        self.find_tags()
        self.find_definitions()

    def line_of(self, offset):
        return bisect.bisect_right(self.line_starts, offset)

    def find_tags(self):
        for a, b, c in zip(self.code, self.code[1:], self.code[2:]):
            if a.text in ("struct", "union", "enum") and b.kind == "word" and c.text == "{":
                self.tags.append((a.text, b.text, self.line_of(b.start)))

    def find_definitions(self):
        """Functions and prototypes at file scope."""
        at = begin = 0
        while at < len(self.code):
            text = self.code[at].text
            if text == "(" and at in self.matching:
                at = self.matching[at]
            elif text == "{":
                close = self.matching.get(at, len(self.code) - 1)
                declared = self.declared(begin, at)
                if declared is not None:
                    self.functions.append(Function(declared, self.has_word(begin, at, "static"), begin, at, close))
                    begin = close + 1
                at = close
            elif text == ";":
                declared = self.declared(begin, at)
                if declared is not None and not self.has_word(begin, at, "static"):
                    self.prototypes.append((declared, self.line_of(self.code[begin].start)))
                begin = at + 1
            at += 1

    def has_word(self, begin, end, word):
        return any(t.text == word for t in self.code[begin:end])

    def declared(self, begin, end):
        """The name of the function that code[begin:end] declares, or None."""
        at = begin
        while at < end:
            token = self.code[at]
            if token.text in ("typedef", "="):
                return None
            close = self.matching.get(at, end)
            if token.text == "{":
                at = close + 1
                continue
            if token.text == "(":
                before = self.code[at - 1] if at > begin else None
                if before is not None and before.text in ("__attribute__", "_Alignas"):
                    at = close + 1
                    continue
                if before is None or before.kind != "word" or before.text in NOT_FUNCTIONS or self.code[at + 1].text == "*":
                    return None
                if at - 1 > begin:
                    return before.text
                # A function has a type before its name, so this is a macro: STACK_OF(X509) *name(...).
                at = close
            at += 1
        return None


def match_brackets(code):
    """{index of an opening bracket: index of its closing one}, and the other way round"""
    pairs, opened = {}, []
    closing = {")": "(", "]": "[", "}": "{"}
    for at, token in enumerate(code):
        if token.kind != "punct":
            continue
        if token.text in "([{":
            opened.append(at)
        elif token.text in closing:
            while opened and code[opened[-1]].text != closing[token.text]:
                opened.pop()
            if opened:
                start = opened.pop()
                pairs[start], pairs[at] = at, start
    return pairs
