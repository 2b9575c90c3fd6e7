"""What `meson install` puts on a machine: all of it, and the example configuration works there. And the pages as people read them.

Usage: test_install.py MESON BUILD-DIRECTORY PAGE...  TAP on standard output.
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

MESON, BUILD = sys.argv[1:3]
PAGES = [os.path.abspath(page) for page in sys.argv[3:]]
TIMEOUT_S = 120
WIDTHS = (60, 66, 72, 78, 80, 90, 100)
PROGRAMS = ("broker", "broker-passwd", "broker-acl", "broker-ctl", "broker-store", "broker-audit", "broker-pki",
            "broker-pub", "broker-sub", "broker-rr", "broker-bench")
MANUAL = ("man1/broker-passwd.1", "man1/broker-acl.1", "man1/broker-ctl.1", "man1/broker-store.1", "man1/broker-audit.1", "man1/broker-pki.1", "man1/broker-pub.1",
          "man1/broker-sub.1", "man1/broker-rr.1", "man1/broker-bench.1", "man5/broker.yaml.5",
          "man5/acl.yaml.5", "man7/vakt.7", "man8/broker.8", "man8/vakt-setup.8", "man7/vakt-gateway.7", "man7/vakt-tutorial.7",
          "man7/vakt-recipes.7")
DOCUMENTS = ("broker.yaml.example", "acl.yaml.example", "README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE",
             "acl/home-assistant.yaml", "acl/hemtjanst.yaml", "acl/bridge.yaml")


def run(*command, status=0, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
                          **more)
    assert done.returncode == status, (command, done)
    return done


def installed(root, prefix):
    """The one file of that name below the root."""
    found = [path for path in Path(root).rglob(Path(prefix).name) if str(path).endswith("/" + prefix)]
    assert len(found) == 1, (prefix, found)
    return found[0]


def test_everything_is_installed(root):
    for name in PROGRAMS:
        path = [p for p in Path(root).rglob(name) if p.parent.name == ("sbin" if name == "broker" else "bin")]
        assert len(path) == 1 and os.access(path[0], os.X_OK), name
        assert run(path[0], "--version").stdout.startswith(name + " ")
    for name in MANUAL:
        text = installed(root, "man/" + name).read_text(encoding="utf-8")
        assert text.startswith(".Dd ") and "fill:" not in text, name
    for name in DOCUMENTS:
        assert installed(root, "doc/vakt/" + name).stat().st_size > 100, name


def test_setup_finds_its_files(root):
    """Installed elsewhere, as a package builder does it; so the paths of the real place are replaced."""
    setup = [path for path in Path(root).rglob("vakt-setup") if path.parent.name == "sbin"][0]
    text = setup.read_text(encoding="utf-8")
    share = re.search(r"^share='(.*)'$", text, re.M)[1]
    assert share.endswith("/share/vakt/setup") and "@BINDIR@" not in text
    prefix = share.removesuffix("/share/vakt/setup")
    here = Path(os.path.abspath("vakt-setup"))
    here.write_text(text.replace(prefix + "/", f"{root}{prefix}/"), encoding="utf-8")
    here.chmod(0o700)
    os.mkdir("house", 0o700)
    done = run(here, "-c", "house/broker.yaml", "--admin", "owner", "--program", "frigate", "--name", "localhost",
               env={**os.environ, "PATH": "/usr/bin:/bin"})
    assert "the user frigate" in done.stdout and done.stderr == "", done
    assert run(here, "--version", env={"PATH": "/usr/bin:/bin"}).stdout.startswith("vakt-setup ")


def without_port(text):
    """On a port that is free here; the directories of the service manager are in this one."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    return text.replace("[::]:8883", f"127.0.0.1:{port}").replace("/var/lib/broker", "store").replace("/run/broker/", "run/")


def test_the_example_is_valid(root):
    """As its comments say; the lines that show a default show it; what is shown is all known."""
    documents = installed(root, "doc/vakt/broker.yaml.example").parent
    program = {name: str([p for p in Path(root).rglob(name) if p.parent.name in ("bin", "sbin")][0]) for name in PROGRAMS}
    os.mkdir("etc", 0o700)
    os.chdir("etc")
    os.mkdir("run", 0o700)
    run(program["broker-pki"], "init")
    run(program["broker-pki"], "server", "localhost")
    example = without_port((documents / "broker.yaml.example").read_text(encoding="utf-8"))
    for name, text in (("broker.yaml", example), ("acl.yaml", (documents / "acl.yaml.example").read_text(encoding="utf-8"))):
        Path(name).write_text(text, encoding="utf-8")
        os.chmod(name, 0o600)
    run(program["broker-passwd"], "-c", "users.passwd", "add", "anna", "--role", "house", "--generate")
    run(program["broker-passwd"], "users.passwd", "add", "porch", "--role", "device", "--generate")
    checked = run(program["broker"], "--check", "-c", "broker.yaml")
    assert checked.stderr == "" and "is valid" in checked.stdout, checked
    assert "2 passed, 0 failed, 0 skipped" in run(program["broker-acl"], "test", "-c", "broker.yaml").stdout
    dumped = run(program["broker"], "--dump", "-c", "broker.yaml").stdout
    shown = re.sub(r"^#(?=(?:log|limits):|  (?!client_ca|client_crl|audit)[a-z_]+: )", "", example, flags=re.M)
    assert shown.count("\n#") < example.count("\n#") - 15
    Path("shown.yaml").write_text(shown, encoding="utf-8")
    os.chmod("shown.yaml", 0o600)
    assert run(program["broker"], "--dump", "-c", "shown.yaml").stdout == dumped
    everything = re.sub(r"^#(?=(?:log|limits):|  [a-z_]+: |  - |    (?:mode|group): |    - )", "", example, flags=re.M)
    assert everything.count("\n#") < shown.count("\n#") - 5
    Path("shown.yaml").write_text(everything, encoding="utf-8")
    os.chmod("shown.yaml", 0o600)
    assert "server-rsa.crt" in run(program["broker"], "--dump", "-c", "shown.yaml").stdout
    assert run(program["broker"], "--check", "-c", "nowhere.yaml", status=2).stderr != ""


def reader(page, width):
    """As each reader of manual pages that is here prints it."""
    if shutil.which("mandoc"):
        yield run("mandoc", "-Tutf8", f"-Owidth={width}", page).stdout
    if shutil.which("groff") and shutil.which("man"):
        yield run("man", "-l", page, env={**os.environ, "MANWIDTH": str(width), "LC_ALL": "C.UTF-8", "TERM": "dumb"}).stdout


def test_no_name_is_broken(_):
    """A field, an option, a key or a path that is broken at the end of a line is not found, and not copied."""
    for page in PAGES:
        for width in WIDTHS:
            for text in reader(page, width):
                plain = re.sub(r".\x08", "", re.sub(r"\x1b\[[0-9;]*m", "", text))
                broken = [line for line in plain.splitlines() if re.search(r"\w[-\u2010]$", line)]
                assert not broken, (page, width, broken[:3])


def main():
    tests = [(name, f) for name, f in globals().items() if name.startswith("test_")]
    failed = 0
    print(f"1..{len(tests)}")
    directory = tempfile.mkdtemp(prefix="vakt-install-")
    try:
        root = os.path.join(directory, "root")
        run(MESON, "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
        for number, (name, test) in enumerate(tests, 1):
            os.chdir(directory)
            try:
                test(root)
                print(f"ok {number} - {name}")
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"not ok {number} - {name}\n# " + traceback.format_exc().replace("\n", "\n# "))
            sys.stdout.flush()
    finally:
        os.chdir("/")
        shutil.rmtree(directory)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
