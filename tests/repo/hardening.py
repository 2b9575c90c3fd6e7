"""The built programs keep the hardening that the build asks for: PIE, RELRO with immediate binding, no executable stack, the stack
protector, FORTIFY where it is compiled in, and, on x86-64, CET in all code of ours. (A program as a whole has the CET note only where
the C library's start files have it, and Debian's have not.) Usage: hardening.py FORTIFY BUILD PROGRAM..."""

import platform
import re
import subprocess
import sys
from pathlib import Path


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], check=True, capture_output=True, text=True).stdout


def faults_of_program(path, fortify):
    head, symbols = readelf("-h", "-l", "-d", path), readelf("--dyn-syms", path)
    stack = re.search(r"GNU_STACK .*", head)
    wanted = {
        "position-independent": re.search(r"Type:\s+DYN", head) and re.search(r"FLAGS_1.*\bPIE\b", head),
        "RELRO": "GNU_RELRO" in head,
        "immediate binding": re.search(r"FLAGS_1.*\bNOW\b", head),
        "a stack that is not executed": stack and "RWE" not in stack.group(),
        "the stack protector": "__stack_chk_fail" in symbols,
        "FORTIFY": not fortify or re.search(r"__\w+_chk\b", symbols.replace("__stack_chk_fail", "")),
    }
    return [f"{path}: without {name}" for name, found in wanted.items() if not found]


def faults_of_objects(build):
    objects = [str(path) for part in ("broker", "tools") for path in Path(build, part).rglob("*.c.o")]
    if not objects:
        return [f"{build}: no objects to look at"]
    return [f"{path}: without CET" for path in objects if "IBT, SHSTK" not in readelf("-n", path)]


def main(fortify, build, *programs):
    faults = [fault for program in programs for fault in faults_of_program(program, fortify == "fortify")]
    if platform.machine() == "x86_64":
        faults += faults_of_objects(build)
    print("\n".join(faults))
    return 1 if faults or not programs else 0


sys.exit(main(*sys.argv[1:]))
