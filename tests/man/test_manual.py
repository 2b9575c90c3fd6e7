"""The examples of the manual pages, run.

Usage: test_manual.py BROKER BROKER-PASSWD BROKER-ACL PKI PAGE...  TAP on standard output.

A literal block of a page stands under a comment that says what it is:
  .\\" example: broker.yaml   written into a directory of the page's own, and checked
  .\\" example: acl.yaml      the same; its tests must pass, and there must be some
  .\\" example: shell         lines with $ are run there, the others are what they print
  .\\" example: syntax        only shows how something looks
Blocks of one page follow one another: what one wrote is there for the next.
"""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

BROKER, PASSWD, ACL, PKI = (os.path.abspath(path) for path in sys.argv[1:5])
PAGES = [os.path.abspath(path) for path in sys.argv[5:]]
TIMEOUT_S = 60
KINDS = ("broker.yaml", "acl.yaml", "shell", "syntax")
JUDGE = """\
listeners: [{ bind: "127.0.0.1:8883", authentication: { anonymous: true } }]
tls: { certificates: [{ certificate: server.crt, key: server.key }] }
authorization: { acl_file: acl.yaml }
"""


def blocks(page):
    """(line, kind, text) of each literal block."""
    lines = open(page, encoding="utf-8").read().split("\n")
    at = 0
    while at < len(lines):
        if lines[at].startswith(".Bd"):
            mark = re.fullmatch(r'\.\\" example: (\S+)', lines[at - 1])
            assert mark and mark.group(1) in KINDS, f"{page}:{at}: a block that does not say what example it is"
            end = lines.index(".Ed", at)
            text = "\n".join(lines[at + 1:end]) + "\n"
            yield at + 1, mark.group(1), text.replace("\\&", "").replace("\\e", "\\")
            at = end
        at += 1


def write(name, text):
    with open(name, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(name, 0o600)


def run(*command, status=0):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S,
                          check=False)
    assert done.returncode == status, (command, done)
    return done


# An example shows one file of several: who has a role or a password, and what is allowed, stands in another.
ELSEWHERE = re.compile(r"nobody has the role|clients can log in here, and everything is denied|acl_file is not set|"
                       r"nobody can log in here: there is no unlocked user|have? no password, and no listener")


def complaints(checked):
    return [line for line in checked.stderr.splitlines() if not ELSEWHERE.search(line)]


def example_acl(text):
    """Judged with the page's users, if it has made some before."""
    write("acl.yaml", text)
    write("judge.yaml", JUDGE + ("authentication: { password_file: users.passwd }\n"
                                 if os.path.exists("users.passwd") else ""))
    checked = run(BROKER, "--check", "-c", "judge.yaml")
    assert not complaints(checked), complaints(checked)
    tested = run(ACL, "test", "-c", "judge.yaml")
    assert re.search(r"^[1-9]\d* passed, 0 failed, 0 skipped$", tested.stdout, re.M), tested.stdout


def example_config(text):
    """The service manager makes /run/broker; here a directory of the test stands for it."""
    os.makedirs("run", mode=0o700, exist_ok=True)
    write("broker.yaml", text.replace("/run/broker/", "run/"))
    users = "".join(f"{name}:id={number:016x}:roles=all{word}\n" for number, (name, word) in enumerate(
        (("anna", ""), ("family", ""), ("porch", ":assumed")), 1)) if "assume_user" in text else ""
    made = [name for name, content in (("users.passwd", users), ("acl.yaml", 'roles: { all: ["allow all #"] }\n'))
            if not os.path.exists(name) and not write(name, content)]
    checked = run(BROKER, "--check", "-c", "broker.yaml")
    assert not complaints(checked), complaints(checked)
    for name in made:
        os.remove(name)


def commands(text):
    """(command, the lines it prints), a command may go on behind a backslash."""
    found = []
    for line in text.rstrip("\n").split("\n"):
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (found[-1][0][:-1] + line.strip(), [])
        else:
            found[-1][1].append(line)
    return found


def on_terminal(command):
    """Run on a terminal of its own; whoever asks for a password gets one. Exit status and what was printed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv("/bin/sh", ["sh", "-c", command])
    said, answered, deadline = b"", 0, time.monotonic() + TIMEOUT_S
    try:
        while time.monotonic() < deadline:
            if not select.select([fd], [], [], 1)[0]:
                continue
            try:
                piece = os.read(fd, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            said += piece
            prompts = len(re.findall(rb"(New password for \w+|Repeat password): ", said))
            for _ in range(prompts - answered):
                os.write(fd, b"a long one, from the manual\n")
            answered = prompts
        else:
            os.kill(pid, 9)
    finally:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(fd)
    lines = [line for line in said.decode().replace("\r\n", "\n").split("\n")
             if line and not re.match(r"New password for|Repeat password", line)]
    return status, lines


def example_shell(text):
    for command, expected in commands(text):
        status, lines = on_terminal(command)
        assert lines == expected, f"{command}\nprints\n" + "\n".join(lines) + "\ninstead of\n" + "\n".join(expected)
        denies = bool(lines) and lines[0].startswith("deny")
        assert status == (1 if denies else 0), (command, status)


RUN = {"acl.yaml": example_acl, "broker.yaml": example_config, "shell": example_shell}


def make_house(directory):
    os.mkdir(directory)
    os.chdir(directory)
    for name, tool in (("broker", BROKER), ("broker-passwd", PASSWD), ("broker-acl", ACL)):
        os.makedirs("../bin", exist_ok=True)
        if not os.path.lexists("../bin/" + name):
            os.symlink(tool, "../bin/" + name)
    for name in os.listdir("../pki"):
        shutil.copy2("../pki/" + name, name)


def make_pki():
    os.mkdir("pki")
    at = os.getcwd()
    os.chdir("pki")
    for command in (["ca", "ca", "Manual CA"], ["ca", "clients", "Manual clients"],
                    ["leaf", "ca", "server-ec", "server", "ec", "localhost", "DNS:localhost"],
                    ["leaf", "ca", "server-rsa", "server", "rsa", "localhost", "DNS:localhost"],
                    ["crl", "clients", "clients.crl"]):
        run(PKI, *command)
    for suffix in ("crt", "key"):
        shutil.copy2("server-ec." + suffix, "server." + suffix)
    os.chdir(at)


def main():
    examples = [(page, *block) for page in PAGES for block in blocks(page) if block[1] != "syntax"]
    failed, last = 0, None
    root = tempfile.mkdtemp(prefix="vakt-manual-")
    os.environ["PATH"] = root + "/bin:" + os.environ["PATH"]
    print(f"1..{len(examples) + 1}")
    try:
        os.chdir(root)
        make_pki()
        for number, (page, line, kind, text) in enumerate(examples, 1):
            if page != last:
                make_house(os.path.join(root, os.path.basename(page)))
                last = page
            name = f"{os.path.basename(page)}:{line}: {kind}"
            try:
                RUN[kind](text)
                print(f"ok {number} - {name}")
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"not ok {number} - {name}\n# " + traceback.format_exc().replace("\n", "\n# "))
    finally:
        os.chdir("/")
        shutil.rmtree(root)
    kinds = {kind for _, _, kind, _ in examples}
    complete = kinds == set(RUN)
    print(f"{'ok' if complete else 'not ok'} {len(examples) + 1} - there is an example of each kind")
    return 1 if failed or not complete else 0


if __name__ == "__main__":
    sys.exit(main())
