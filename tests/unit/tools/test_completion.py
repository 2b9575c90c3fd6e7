"""What bash completes for broker-ctl: the script is run by bash itself, with the words as bash gives them."""

import re
import subprocess
import sys

SCRIPT, CTL = sys.argv[1:]
ROWS = [
    # words before the cursor, what is completed
    (["cli"], ["clients", "client"]),
    (["--json", "de"], ["delete-retained", "delays", "denials", "delete-session"]),
    (["-c", "clients", "ki"], ["kick"]),
    (["--user", "anna", "ki"], ["kick"]),
    (["ends", ""], ["--match", "--limit", "--after"]),
    (["ends", "--l"], ["--limit"]),
    (["explain", "--action", "p"], ["publish"]),
    (["log", "--level", ""], ["error", "warning", "info", "debug"]),
    (["kick", "lamp", "--us"], ["--user"]),
    (["kick", "--user", "kick", "--us"], ["--user"]),
    (["status", "--"], []),
    (["--es"], ["--escaped"]),
]


def complete(words):
    quoted = " ".join(f"'{word}'" for word in ["broker-ctl", *words])
    done = subprocess.run(["bash", "--norc", "-c", f". {SCRIPT}; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _broker_ctl; "
                           "printf '%s\\n' \"${COMPREPLY[@]}\""], check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == "", done.stderr
    return done.stdout.split()


def main():
    failed = 0
    for words, wanted in ROWS:
        found = complete(words)
        if sorted(found) != sorted(wanted):
            print(f"{words}: {found}, not {wanted}")
            failed += 1
    usage = subprocess.run([CTL, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout
    commands = set(re.findall(r"^  ([a-z][a-z-]*) ", usage, re.MULTILINE))
    missing = commands - set(complete([""]))
    if missing or not commands:
        print(f"commands that are not completed: {missing}")
        failed += 1
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
