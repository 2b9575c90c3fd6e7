"""The sizes of the style: no file above 900 lines, no function above 100 or nested deeper than three levels.
Reads the C sources by their layout: clang-format puts a function's braces into the first column and indents
with one tab a level."""

import re
import statistics
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
FILE_LINES, FUNCTION_LINES, NESTING = 900, 100, 3
C_TREES = ("broker", "conf", "auth", "acl", "tools", "tests")


def functions(lines):
    """(name, first line, number of lines between and with the braces)"""
    opened = name = None
    for number, text in enumerate(lines, 1):
        named = re.match(r"[A-Za-z_].*?(\w+)\(", text)
        if named and opened is None:
            name = named.group(1)
        if text == "{":
            opened = number
        elif text == "}" and opened is not None:
            yield name, opened, number - opened + 1
            opened = None


def deepest(lines):
    """(levels that an if or a loop opens within others, line offset)"""
    opened = ((re.match(r"(\t+)(?:\} else )?(?:if|for|while|switch|do|HASH_ITER)\b", text), offset)
              for offset, text in enumerate(lines))
    return max(((len(found[1]), offset) for found, offset in opened if found), default=(0, 0))


def check_function(where, lines, name, line, length, errors):
    if length > FUNCTION_LINES:
        errors.append(f"{where}:{line}: {name} has {length} lines, at most {FUNCTION_LINES}")
    depth, offset = deepest(lines[line - 1:line + length - 1])
    if depth > NESTING:
        errors.append(f"{where}:{line + offset}: {name} nests {depth} levels deep, at most {NESTING}")


def c_files():
    for top in C_TREES:
        yield from sorted(path for path in (ROOT / top).rglob("*.[ch]") if "node_modules" not in path.parts)


def scripts():
    for pattern in ("tests/**/*.py", "tests/**/*.js", "tools/*", "tools/**/*.py"):
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file() and path.suffix not in (".c", ".h") and "node_modules" not in path.parts:
                yield path


def main():
    errors, lengths, files = [], [], []
    for path in [*c_files(), *scripts()]:
        lines = path.read_text().splitlines()
        where = path.relative_to(ROOT)
        files.append(len(lines))
        if len(lines) > FILE_LINES:
            errors.append(f"{where}: {len(lines)} lines, at most {FILE_LINES}: there are two files in there")
        if path.suffix != ".c":
            continue
        for name, line, length in functions(lines):
            lengths.append(length)
            check_function(where, lines, name, line, length, errors)
    if not lengths:
        errors.append(f"no function found below {ROOT}: is this the repository?")
    else:
        lengths.sort()
        print(f"{len(files)} files, {len(lengths)} functions: p50 {statistics.median(lengths):.0f} lines, "
              f"p90 {lengths[len(lengths) * 9 // 10]}, longest {lengths[-1]}")
    print("\n".join(errors))
    return 1 if errors else 0


sys.exit(main())
