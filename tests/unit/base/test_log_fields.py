"""A log call that does not have each field of its event once, by its name and with its type, does not compile."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Werror",
         "-fsyntax-only", "-x", "c", "-I", str(ROOT / "broker"), "-"]

# (what, call, does it compile)
CALLS = [
    ("all fields", 'LOG(LISTEN_FAILED, .bind = s, .error = s, .remedy = s)', True),
    ("bytes", 'LOG(CONFIG_ERROR, .where = SLICE("x"), .error = s)', True),
    ("no field, and none wanted", "LOG_NO_FIELDS(STOPPED)", True),
    ("a missing field", "LOG(LISTEN_FAILED, .bind = s, .error = s)", False),
    ("no field", "LOG_NO_FIELDS(LISTEN_FAILED)", False),
    ("an extra field", "LOG(LISTEN_FAILED, .bind = s, .error = s, .remedy = s, .peer = s)", False),
    ("a field of another event", "LOG(LISTEN_FAILED, .bind = s, .error = s, .peer = s)", False),
    ("a misspelled field", "LOG(LISTEN_FAILED, .bind = s, .eror = s, .remedy = s)", False),
    ("a field twice", "LOG(LISTEN_FAILED, .bind = s, .error = s, .error = s)", False),
    ("a string for bytes", "LOG(CONFIG_ERROR, .where = s, .error = s)", False),
    ("a number for a string", "LOG(LISTEN_FAILED, .bind = 7, .error = s, .remedy = s)", False),
    ("a string for a number", "LOG(READY, .listeners = s)", False),
    ("an unknown event", "LOG(NO_SUCH_EVENT, .bind = s)", False),
]


def compiles(compiler, call):
    code = f'#include "base/log.h"\nvoid f(const char *s);\nvoid f(const char *s)\n{{\n\t(void)s;\n\t{call};\n}}\n'
    return subprocess.run([*compiler, *FLAGS], input=code, text=True, capture_output=True, check=False).returncode == 0


def main():
    wrong = [what for what, call, good in CALLS if compiles(sys.argv[1:], call) != good]
    print("\n".join(f"{what}: should {'' if good else 'not '}compile" for what, call, good in CALLS if what in wrong)
          or f"{len(CALLS)} calls")
    return 1 if wrong else 0


sys.exit(main())
