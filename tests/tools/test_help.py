"""What all programs have in common: --help in one style, --version, mistakes in one line, a manual that says what the exit status means.

Usage: test_help.py MANUAL-DIRECTORY BUILD-MANUAL-DIRECTORY PROGRAM...  TAP on standard output."""

import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

PLACES = [Path(path) for path in sys.argv[1:3]]
PROGRAMS = [Path(path).absolute() for path in sys.argv[3:]]
WIDTH = 100
COMPLETION = PLACES[0].parent / "tools/completion/vakt.bash"
COMMANDS = {"broker-acl": {"explain", "test"}, "broker-passwd": {"add", "set", "lock", "unlock", "apply", "restore-ids", "pin", "unpin"},
            "broker-pki": {"init", "server", "client", "export", "revoke"},
            "broker-store": {"info", "check", "dump", "backup", "compact", "restore"},
            "broker-audit": {"key", "verify", "tail", "search"}}


def run(program, *words, status):
    path = os.pathsep.join({str(p.parent) for p in PROGRAMS}) + os.pathsep + os.environ["PATH"]
    done = subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PATH": path})
    assert done.returncode == status, (program, words, done)
    return done


def manual(name):
    (page,) = [path for place in PLACES for path in place.glob(f"{name}.[0-9]")]
    return page.read_text(encoding="utf-8")


def test_help(program):
    done = run(program, "--help", status=0)
    lines = done.stdout.split("\n")
    assert done.stderr == "" and lines[0].startswith(f"usage: {program.name} "), lines[0]
    assert lines[-2] == f"The manual: man {program.name}" and lines[-3] == "" and lines[-4].startswith("  --help, --version"), lines[-5:]
    assert not [line for line in lines if len(line) > WIDTH or line != line.rstrip()], [line for line in lines if len(line) > WIDTH]


def test_short_help(program):
    """-h is the host where a program has one."""
    text = run(program, "--help", status=0).stdout
    if "-h is --help" in text:
        assert run(program, "-h", status=0).stdout == text
    else:
        assert "-h, --host" in text


def test_version(program):
    assert re.fullmatch(rf"{program.name} \d+\.\d+\.\d+\n", run(program, "--version", status=0).stdout)


def test_mistakes_are_one_line(program):
    """With the way to --help, not with all of it."""
    valued = re.search(r"--[a-z-]+(?= [A-Z])", run(program, "--help", status=0).stdout)[0]
    for words, said in ((["--nonsense"], "there is no option '--nonsense'"), ([valued], f"{valued} needs a value")):
        done = run(program, *words, status=2)
        assert done.stdout == "" and said in done.stderr, done
        assert re.fullmatch(rf"{program.name}: .* \(see {program.name} --help\)\n", done.stderr), done.stderr


def test_the_manual_has_every_option(program):
    page = manual(program.name).replace("\\-", "-")
    if "client_options" in page or program.name in ("broker-sub", "broker-rr", "broker-bench"):
        page += manual("broker-pub")
    for option in set(re.findall(r"--([a-z][a-z-]+)", run(program, "--help", status=0).stdout)):
        assert re.search(rf"Fl Fl {option}\b|--{option}\b", page), (program.name, option)


def test_the_manual_says_what_the_status_means(program):
    text = re.search(r"^\.Sh EXIT STATUS\n((?:(?!\.Sh ).*\n)*)", manual(program.name), re.M)[1]
    for number in ("0", "1", "2"):
        assert re.search(rf"\b{number}\b", text), (program.name, number)


def complete(program, *words):
    """What bash would offer for the last of the words."""
    script = f"""source {COMPLETION}
        _vakt {program} "$2" "$1"
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    path = str(program.parent) + os.pathsep + os.environ["PATH"]
    done = subprocess.run(["bash", "-c", script, "bash", *([program.name, *words][-2:])], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=True, env={**os.environ, "PATH": path})
    assert done.stderr == "", done.stderr
    return set(done.stdout.split())


def test_completion_knows_options_and_commands(program):
    """broker-ctl has one of its own, made of its table."""
    if program.name == "broker-ctl":
        return
    help_text = run(program, "--help", status=0).stdout
    assert re.search(rf"^complete .*\b{program.name}( |$)", COMPLETION.read_text(encoding="utf-8"), re.M)
    assert complete(program, "--") == {"--" + name for name in re.findall(r"(?<![\w-])--([a-z][a-z-]*)", help_text)}
    assert complete(program, "--hel") == {"--help"}
    wanted = COMMANDS.get(program.name, set())
    offered = complete(program, "")
    assert offered >= wanted and (wanted or not offered), (program, offered)
    if program.name in ("broker-sub", "broker-rr"):
        assert complete(program, "--output", "") == {"text", "json", "csv", "raw"}
    if program.name == "vakt-setup":
        assert {"home-assistant", "zigbee2mqtt"} <= complete(program, "--program", "")
    if program.name == "broker-pub":
        assert complete(program, "--cafile", "") == set()  # bash completes names of files


def main():
    tests = [(f, name, program) for name, f in globals().items() if name.startswith("test_") for program in PROGRAMS]
    failed = 0
    print(f"1..{len(tests)}")
    for number, (test, name, program) in enumerate(tests, 1):
        try:
            test(program)
            print(f"ok {number} - {program.name}: {name}")
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {program.name}: {name}\n# " + traceback.format_exc().replace("\n", "\n# "))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
