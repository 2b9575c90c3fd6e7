"""broker-passwd from outside: files, exit statuses, messages, the terminal, two at once.

Usage: test_passwd.py BROKER-PASSWD.  TAP on standard output.
"""
import base64
import fcntl
import hashlib
import hmac
import os
import pty
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback

EXE = os.path.abspath(sys.argv[1])
HASH = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"  # of U*U
# RFC 7677: password "pencil"
SCRAM = ("SHA-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
         "$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")


def run(*args, stdin=None, status=0):
    done = subprocess.run([EXE, *args], input=stdin, capture_output=True, timeout=60)
    assert done.returncode == status, (args, done)
    done.text = done.stdout.decode()
    done.errors = done.stderr.decode()
    return done


def read(path="users"):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(text, path="users", mode=0o600):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def mode(path="users"):
    return os.stat(path).st_mode & 0o7777


def field(name, user):
    line = next(l for l in read().splitlines() if l.startswith(user + ":"))
    values = [f for f in line.split(":")[1:] if f.split("=")[0] == name]
    assert len(values) < 2
    return values[0] if values else None


def only_the_file():
    assert os.listdir(".") == ["users"], os.listdir(".")


def test_add_makes_a_user():
    done = run("-c", "users", "add", "anna", "--role", "a", "--role", "b", "--stdin", stdin=b"secret\n")
    assert done.text == "" and done.errors == ""
    assert re.fullmatch(r"anna:id=[0-9a-f]{16}:hash=\$y\$j9T\$[./0-9A-Za-z]+\$[./0-9A-Za-z]{43}:roles=a,b\n", read())
    assert mode() == 0o600
    only_the_file()
    assert run("users", "verify", "anna", "--stdin", stdin=b"secret\n").text == "right\n"
    assert run("users", "verify", "anna", "--stdin", stdin=b"secret").text == "right\n"
    for wrong in (b"", b"Secret\n", b"secret \n"):
        assert run("users", "verify", "anna", "--stdin", stdin=wrong, status=1).text == "wrong\n"
    for impossible in (b"secret\0\n", b"s" * 600):
        run("users", "verify", "anna", "--stdin", stdin=impossible, status=2)


def test_missing_file_needs_create():
    done = run("users", "add", "anna", "--stdin", stdin=b"secret\n", status=2)
    assert "does not exist" in done.errors and "-c" in done.errors
    assert os.listdir(".") == []
    for command in ("set", "remove", "lock", "unlock", "verify"):
        assert "-c" in run("users", command, "anna", status=2).errors
    assert "-c" in run("users", "list", status=2).errors
    assert os.listdir(".") == []


def test_create_keeps_an_existing_file():
    run("-c", "users", "add", "anna", "--no-password")
    run("-c", "users", "add", "bo", "--no-password")
    assert [l.split(":")[0] for l in read().splitlines()] == ["anna", "bo"]


def test_refused_name_makes_no_file():
    for name, why in (("", "empty"), ("a/b", "'/'"), ("+", "'+'"), ("a#", "'#'"), ("#a", "comment"), ("a:b", "':'"),
                      ("$SYS", "'$'"), ("a\nb", "control"), ("a\x7f", "control"), ("x" * 257, "256"),
                      (b"\xff", "UTF-8")):
        done = run("-c", "users", "add", name, "--no-password", status=2)
        assert why in done.errors, (name, done)
    for role in ("", "a b", "a,b", "a:b", "a\nb", "x" * 257):
        run("-c", "users", "add", "anna", "--no-password", "--role", role, status=2)
    assert os.listdir(".") == []
    run("-c", "users", "add", "åsa b%$", "--no-password", "--role", "rôle")
    assert field("roles", "åsa b%$") == "roles=rôle"


def test_name_that_begins_with_a_dash_is_accepted():
    run("-c", "users", "add", "--no-password", "--", "-c")
    assert read().startswith("-c:id=")


def test_refused_password_changes_nothing():
    write("# nobody\n")
    for password, why in ((b"", "empty"), (b"\n", "empty"), (b"a\0b\n", "NUL"), (b"x" * 257, "256"), (b"x" * 5000, "256")):
        assert why in run("users", "add", "anna", "--stdin", stdin=password, status=2).errors
    assert "72" in run("users", "add", "anna", "--stdin", "--method", "bcrypt", stdin=b"x" * 73, status=2).errors
    assert read() == "# nobody\n"
    run("users", "add", "anna", "--stdin", stdin=b"x" * 256)
    run("users", "verify", "anna", "--stdin", stdin=b"x" * 256)


def test_wrong_command_line_is_refused():
    write("")
    for args in ((), ("users",), ("users", "frob"), ("users", "add"), ("users", "add", "a", "b"), ("users", "list", "a"),
                 ("users", "list", "--stdin"), ("users", "remove", "a", "--role", "r"), ("-c", "users", "set", "a"),
                 ("users", "verify", "a", "--generate"), ("users", "set", "a", "--no-password"),
                 ("users", "add", "a", "--stdin", "--generate"), ("users", "add", "a", "--no-password", "--stdin"),
                 ("users", "add", "a", "--no-password", "--generate"), ("users", "add", "a", "--stdin", "--method", "md5"),
                 ("users", "add", "a", "--stdin", "--iterations", "5000"),
                 ("users", "add", "a", "--no-password", "--scram"), ("users", "list", "--scram"),
                 ("users", "verify", "a", "--stdin", "--scram"), ("users", "add", "a", "--method"), ("users", "add", "a", "--frob")):
        assert run(*args, stdin=b"x\n", status=2).errors != "", args
    assert read() == ""
    assert "usage" in run("--help").text
    assert run("--version").text.startswith("broker-passwd ")


def test_each_method_makes_a_hash_of_its_kind():
    for method, prefix in (("yescrypt", "$y$"), ("sha512crypt", "$6$"), ("bcrypt", "$2b$")):
        run("-c", "users", "add", method, "--stdin", "--method", method, stdin=b"secret\n")
        assert field("hash", method).startswith("hash=" + prefix)
        run("users", "verify", method, "--stdin", stdin=b"secret\n")
        run("users", "verify", method, "--stdin", stdin=b"secre\n", status=1)


def assert_verifier(user, password, iterations):
    """What is stored is what RFC 5802 says, worked out by another library."""
    method, count, *keys = field("scram", user)[len("scram="):].split("$")
    salt, stored, server = (base64.b64decode(k, validate=True) for k in keys)
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, int(count))
    assert (method, int(count), len(salt)) == ("SHA-256", iterations, 16)
    assert stored == hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert server == hmac.digest(salted, b"Server Key", "sha256")
    return salt


def test_scram_adds_a_verifier():
    run("-c", "users", "add", "anna", "--scram", "--stdin", "--role", "a", stdin=b"secret\n")
    assert re.fullmatch(r"anna:id=[0-9a-f]{16}:hash=[^:]+:scram=[^:]+:roles=a\n", read())
    first = assert_verifier("anna", b"secret", 15000)
    run("users", "verify", "anna", "--stdin", stdin=b"secret\n")
    run("users", "add", "bo", "--scram", "--iterations", "4096", "--stdin", stdin="påssword, p=\n".encode())
    assert assert_verifier("bo", "påssword, p=".encode(), 4096) != first
    done = run("users", "set", "anna", "--scram", "--iterations", "5000", "--stdin", stdin=b"new\n")
    assert done.errors == "" and assert_verifier("anna", b"new", 5000) != first
    made = run("users", "set", "anna", "--scram", "--generate").text.strip()
    assert_verifier("anna", made.encode(), 15000)
    run("users", "lock", "anna")
    run("users", "unlock", "anna")
    assert_verifier("anna", made.encode(), 15000)


def test_set_without_scram_warns_that_the_verifier_is_removed():
    run("-c", "users", "add", "anna", "--scram", "--stdin", stdin=b"secret\n")
    done = run("users", "set", "anna", "--stdin", stdin=b"new\n")
    assert "SCRAM" in done.errors and "--scram" in done.errors
    assert field("scram", "anna") is None and field("hash", "anna") is not None
    assert run("users", "set", "anna", "--stdin", stdin=b"newer\n").errors == ""


def test_scram_password_must_be_text():
    write("# nobody\n")
    for password, why in ((b"se\tcret\n", "control"), (b"se\xffcret\n", "UTF-8")):
        assert why in run("users", "add", "anna", "--scram", "--stdin", stdin=password, status=2).errors
    assert read() == "# nobody\n"
    for count in ("4095", "0", "-4096", "x", "4096x", "", "10000001", "99999999999999999999"):
        run("users", "add", "anna", "--scram", "--iterations", count, "--stdin", stdin=b"x\n", status=2)
    assert read() == "# nobody\n"


def test_generated_password_is_printed_and_right():
    one = run("-c", "users", "add", "anna", "--generate")
    assert re.fullmatch(r"[a-km-np-z2-9]{24}\n", one.text), one
    run("users", "verify", "anna", "--stdin", stdin=one.stdout)
    two = run("users", "set", "anna", "--generate")
    assert one.text != two.text
    run("users", "verify", "anna", "--stdin", stdin=one.stdout, status=1)
    run("users", "verify", "anna", "--stdin", stdin=two.stdout)
    assert run("users", "add", "anna", "--generate", status=2).text == ""


def test_set_keeps_everything_else():
    text = "# the house\nbo:id=00000000000000b0\n\nanna:locked:roles=x,y:hash=%s:id=00000000000000a1\n# end\n" % HASH
    write(text)
    done = run("users", "set", "anna", "--stdin", stdin=b"new\n")
    assert "still locked" in done.errors
    assert field("id", "anna") == "id=00000000000000a1"
    assert field("roles", "anna") == "roles=x,y" and field("locked", "anna") == "locked"
    assert [l for l in read().splitlines() if not l.startswith("anna:")] == ["# the house", "bo:id=00000000000000b0", "", "# end"]
    assert read().splitlines()[3].startswith("anna:")
    assert "'list'" in run("users", "set", "eve", "--stdin", stdin=b"x\n", status=2).errors
    assert "'set'" in run("users", "add", "anna", "--stdin", stdin=b"x\n", status=2).errors


def test_locked_user_is_refused_until_unlocked():
    write("anna:id=00000000000000a1:hash=%s\n" % HASH)
    run("users", "verify", "anna", "--stdin", stdin=b"U*U\n")
    run("users", "lock", "anna")
    run("users", "lock", "anna")
    assert field("locked", "anna") == "locked"
    assert "locked" in run("users", "verify", "anna", "--stdin", stdin=b"U*U\n", status=1).errors
    run("users", "unlock", "anna")
    run("users", "unlock", "anna")
    assert read() == "anna:id=00000000000000a1:hash=%s\n" % HASH
    run("users", "lock", "eve", status=2)


def test_user_added_again_has_another_id():
    run("-c", "users", "add", "anna", "--no-password")
    first = field("id", "anna")
    run("users", "remove", "anna")
    assert read() == ""
    run("users", "remove", "anna", status=2)
    run("users", "add", "anna", "--no-password")
    assert field("id", "anna") != first


def test_verify_of_user_without_password_fails():
    write("card:id=00000000000000a1\n")
    assert "no password" in run("users", "verify", "card", "--stdin", stdin=b"x\n", status=1).errors
    assert "no user" in run("users", "verify", "eve", "--stdin", stdin=b"x\n", status=1).errors


def test_list_shows_every_user():
    write("# x\nanna:id=00000000000000a1:hash=%s:scram=" % HASH + SCRAM + ":roles=a,b\nåsa:id=00000000000000a2:locked\n")
    assert [l.split() for l in run("users", "list").text.splitlines()] == [
        ["USER", "PASSWORD", "SCRAM", "LOCKED", "ROLES"], ["anna", "bcrypt", "4096", "no", "a,b"],
        ["åsa", "none", "-", "yes", "-"]]
    columns = {l.index(w) for l, w in zip(run("users", "list").text.splitlines(), ("PASSWORD", "bcrypt", "none"))}
    assert len(columns) == 1


def certificate(name, *, ca=False):
    """NAME.crt and NAME.der of a new key; its pin."""
    extension = "basicConstraints=critical,CA:" + ("TRUE" if ca else "FALSE")
    subprocess.run(["openssl", "req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=" + name, "-addext", extension, "-keyout", name + ".key", "-out", name + ".crt"], check=True,
                   capture_output=True)
    subprocess.run(["openssl", "x509", "-in", name + ".crt", "-outform", "DER", "-out", name + ".der"], check=True)
    public = subprocess.run(["openssl", "x509", "-in", name + ".crt", "-noout", "-pubkey"], check=True, capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public.stdout, check=True, capture_output=True)
    return "sha256/" + base64.b64encode(hashlib.sha256(der.stdout).digest()).decode()


def test_keys_are_pinned_and_unpinned():
    write("anna:id=00000000000000a1:hash=%s:roles=a\nbo:id=00000000000000a2\nporch:id=00000000000000a3:assumed\n" % HASH)
    pin, bo = certificate("anna"), certificate("bo")
    assert run("users", "pin", "anna", "--certificate", "anna.crt").text == "anna: pinned to " + pin + "\n"
    assert field("pins", "anna") == "pins=" + pin
    again = run("users", "pin", "anna", "--certificate", "anna.der", "--pin", bo)
    assert field("pins", "anna") == "pins=" + pin + "," + bo and again.errors == ""
    shared = run("users", "pin", "bo", "--certificate", "anna.crt").errors
    assert "'anna' is pinned to the same key" in shared and "CN=anna and does not name 'bo'" in shared
    assert [line.split()[-1] for line in run("users", "list").text.splitlines() if "pinned to" in line] == [pin, bo, pin]
    # What others change of the entry leaves the pins alone.
    run("users", "set", "anna", "--stdin", stdin=b"new\n")
    run("users", "lock", "anna")
    run("users", "grant", "anna", "b")
    assert field("pins", "anna") == "pins=" + pin + "," + bo and field("roles", "anna") == "roles=a,b"
    run("users", "apply", stdin=b"anna:roles=c\nbo:\n".replace(b"bo:\n", b"bo:roles=c\n") + b"porch:assumed\n")
    assert field("pins", "anna") == "pins=" + pin + "," + bo and field("pins", "bo") == "pins=" + pin
    said = run("users", "apply", stdin=("anna:pins=%s\nbo:roles=c\nporch:assumed\n" % bo).encode()).text
    assert "anna: pins, roles" in said.replace("roles, pins", "pins, roles") and field("pins", "anna") == "pins=" + bo
    left = run("users", "unpin", "anna", "--pin", bo)
    assert field("pins", "anna") == "pins=none" and "pinned to no key now" in left.errors
    assert "  pinned to no key\n" in run("users", "list").text
    run("users", "unpin", "anna", "--all")
    assert field("pins", "anna") is None
    before = read()
    for words, error in [
            (["pin", "bo"], "'pin' needs a key"), (["unpin", "bo"], "'unpin' needs a key"),
            (["unpin", "bo", "--all", "--pin", pin], "'unpin' needs a key"), (["pin", "bo", "--all"], "does not take --all"),
            (["unpin", "bo", "--pin", bo], "is not pinned to " + bo), (["pin", "bo", "--pin", "sha256/x"], "is neither sha256/"),
            (["pin", "bo", "--certificate", "bo.key"], "not a certificate in PEM"), (["pin", "eve", "--pin", bo], "no user 'eve'"),
            (["pin", "porch", "--pin", bo], "never logs in"), (["pin", "bo", "--certificate", "none.crt"], "none.crt")]:
        assert error in run("users", *words, status=2).errors, words
    certificate("ca", ca=True)
    assert "certificate of a CA" in run("users", "pin", "bo", "--certificate", "ca.crt", status=2).errors
    assert read() == before


def test_malformed_file_is_not_changed():
    for text, why in (("anna\n", "users:1:"), ("anna:id=00000000000000a1", "newline"), ("anna:$7$x\n", "another broker"),
                      ("a:id=00000000000000a1\n\na:id=00000000000000a2\n", "users:3:")):
        write(text)
        for args in (("add", "bo", "--no-password"), ("remove", "anna"), ("list",), ("lock", "anna")):
            assert why in run("users", *args, status=2).errors, (text, args)
        assert read() == text
        only_the_file()


def test_change_keeps_mode_and_owner():
    for before, after in ((0o640, 0o640), (0o600, 0o600), (0o644, 0o640)):
        write("", mode=before)
        done = run("users", "add", "anna", "--no-password")
        assert mode() == after, oct(mode())
        assert ("note:" in done.errors) == (before & 7 != 0)
    write("", mode=0o666)
    assert "run: chmod o-w users" in run("users", "add", "bert", "--no-password", status=2).errors
    assert read() == ""
    os.chmod("users", 0o640)
    if os.geteuid() == 0:
        run("users", "add", "anna", "--no-password")
        os.chown("users", 12345, 23456)
        assert "--trust-owner 12345" in run("users", "lock", "anna", status=2).errors
        run("--trust-owner", "12345", "users", "lock", "anna")
        assert (os.stat("users").st_uid, os.stat("users").st_gid, mode()) == (12345, 23456, 0o640)
    only_the_file()


def test_root_may_change_the_file_of_its_owner():
    """File and directory are of one owner, whom root's tool trusts, and who gets the file."""
    if os.geteuid() != 0:
        return
    os.mkdir("house", 0o755)
    os.chown("house", 12345, 23456)
    run("-c", "house/users", "add", "anna", "--no-password")
    assert (os.stat("house/users").st_uid, os.stat("house/users").st_gid) == (12345, 23456)
    run("house/users", "lock", "anna")
    assert (os.stat("house/users").st_uid, os.stat("house/users").st_gid, mode("house/users")) == (12345, 23456, 0o600)
    os.chown("house/users", 0, 0)
    assert "belongs to 12345" in run("house/users", "unlock", "anna", status=2).errors
    os.chown("house/users", 12346, 23456)
    assert "run: chown root" in run("house/users", "unlock", "anna", status=2).errors
    assert ":locked" in read("house/users")


def test_link_pipe_or_directory_is_refused():
    write("", "real")
    os.symlink("real", "link")
    os.symlink("nowhere", "dangling")
    for path in ("link", "dangling"):
        assert "symbolic link, which a change would replace" in run("-c", path, "add", "anna", "--no-password", status=2).errors
    os.mkfifo("fifo", 0o600)
    os.mkdir("dir")
    for path in ("fifo", "dir"):
        assert "regular" in run(path, "list", status=2).errors
    run("-c", "dir/", "add", "anna", "--no-password", status=2)
    run("-c", "nodir/users", "add", "anna", "--no-password", status=2)
    run("-c", os.path.abspath("dir/users"), "add", "anna", "--no-password")
    assert read("real") == "" and os.path.islink("link")


def test_failed_write_changes_nothing():
    write("anna:id=00000000000000a1\n")
    # Python ignores SIGXFSZ, and so does what it starts then: write() fails.
    done = subprocess.run([EXE, "users", "lock", "anna"], capture_output=True, timeout=60, restore_signals=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3, 3)))
    assert done.returncode == 1 and b"cannot write" in done.stderr, done
    assert read() == "anna:id=00000000000000a1\n"
    only_the_file()


def test_a_link_is_read():
    """What only reads follows it, by the same rules of trust."""
    os.mkdir("files", 0o700)
    write("anna:id=00000000000000a1:hash=%s\n" % HASH, "files/real")
    os.symlink("files/real", "users")
    assert "anna" in run("users", "list").text
    assert run("users", "verify", "anna", "--stdin", stdin=b"U*U\n").text == "right\n"
    for args in (("add", "bo", "--no-password"), ("set", "anna", "--stdin"), ("grant", "anna", "a"), ("remove", "anna")):
        assert "symbolic link" in run("users", *args, stdin=b"x\n", status=2).errors, args
    assert os.path.islink("users")
    os.chmod("files/real", 0o666)
    assert "others may write" in run("users", "list", status=2).errors
    os.unlink("files/real")
    os.symlink("real", "files/real")
    assert "links" in run("users", "list", status=2).errors


def test_roles_change_and_nothing_else():
    text = "# x\nanna:id=00000000000000a1:hash=%s:scram=%s:roles=a,b:locked\nbo:id=00000000000000a2\n" % (HASH, SCRAM)
    write(text)
    run("users", "grant", "anna", "c", "b", "d", "c")
    assert field("roles", "anna") == "roles=a,b,c,d"
    run("users", "revoke", "anna", "a", "d", "never-had")
    assert field("roles", "anna") == "roles=b,c"
    for name in ("id", "hash", "scram", "locked"):
        assert field(name, "anna") is not None and field(name, "anna") in text
    run("users", "revoke", "anna", "b", "c")
    assert field("roles", "anna") is None
    run("users", "grant", "bo", "rôle")
    assert read().splitlines()[2] == "bo:id=00000000000000a2:roles=rôle"
    before = read()
    assert "'list'" in run("users", "grant", "eve", "a", status=2).errors
    assert "needs a role after 'bo'" in run("users", "grant", "bo", status=2).errors
    assert "needs a user" in run("users", "revoke", status=2).errors
    assert "a role's name" in run("users", "grant", "bo", "a,b", status=2).errors
    assert "'grant' and 'revoke' change roles" in run("users", "set", "bo", "--role", "a", status=2).errors
    assert read() == before


def test_a_generated_password_that_nobody_sees_is_nobodys():
    """Printed first: where it cannot be, nothing is changed."""
    write("anna:id=00000000000000a1:hash=%s\n" % HASH)
    before = read()
    for args in (("add", "bo", "--generate"), ("set", "anna", "--generate")):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([EXE, "users", *args], stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 1 and b"cannot write to standard output: No space left" in done.stderr, done
        done = subprocess.run(["/bin/sh", "-c", '"$0" "$@" >&-', EXE, "users", *args], stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 1 and b"cannot write to standard output" in done.stderr, done
        assert read() == before, args
    run("-c", "users", "add", "bo", "--generate")


def test_output_that_is_lost_is_an_error():
    """Also where an earlier piece of a long one was lost."""
    write("".join("user%d:id=%016x\n" % (i, i + 1) for i in range(2000)))
    for args in (["users", "list"], ["--help"], ["--version"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([EXE, *args], stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 1 and b"cannot write to standard output" in done.stderr, (args, done)


def test_the_offender_is_named():
    write("anna:id=00000000000000a1\n")
    for args, said in (((), "a file and a command are needed"), (("users",), "a command after 'users' is needed"),
                       (("users", "lst"), "there is no command 'lst'; did you mean 'list'?"),
                       (("users", "anna"), "'broker-passwd users set anna' gives a new password"),
                       (("users", "bo"), "'broker-passwd users add bo' makes the user"),
                       (("users", "a/b"), "there is no command 'a/b'"),
                       (("nowhere", "anna"), "there is no command 'anna'"),
                       (("users", "anna", "secret"), "there is no command 'anna'"),
                       (("users", "add"), "'add' needs a user"), (("users", "add", "a", "b"), "unexpected argument 'b'"),
                       (("users", "list", "a"), "unexpected argument 'a'"),
                       (("users", "add", "a", "--frob"), "there is no option '--frob'"),
                       (("users", "add", "a", "--generat"), None), (("users", "add", "b", "--methd", "x"), "did you mean --method?"),
                       (("users", "add", "b", "--method"), "--method needs a value"),
                       (("users", "list", "--stdin=x"), "--stdin takes no value"),
                       (("-b", "users", "anna", "x"), "there is no option '-b': others see passwords on a command line"),
                       (("-D", "users", "anna"), "there is no option '-D': 'broker-passwd FILE remove USER'"),
                       (("-z", "users"), "there is no option '-z'")):
        done = run(*args, status=0 if said is None else 2)
        assert said is None or said in done.errors.splitlines()[0] and done.text == "", (args, done.errors)


def test_concurrent_changes_lose_nothing():
    running = [subprocess.Popen([EXE, "-c", "users", "add", "u%d" % i, "--no-password"]) for i in range(12)]
    assert [p.wait(60) for p in running] == [0] * 12
    names = sorted(l.split(":")[0] for l in read().splitlines())
    assert names == sorted("u%d" % i for i in range(12)), names
    only_the_file()
    running = [subprocess.Popen([EXE, "users", "add", "anna", "--no-password"], stderr=subprocess.DEVNULL) for _ in range(4)]
    assert sorted(p.wait(60) for p in running) == [0, 2, 2, 2]


TIOCGPTN = 0x80045430  # the number of a terminal, from its master: linux/tty.h


class Terminal:
    """A run of broker-passwd on a terminal of its own."""

    def __init__(self, *args, hangup=signal.SIG_DFL):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # whatever who runs the tests ignores
                signal.signal(number, hangup if number == signal.SIGHUP else signal.SIG_DFL)
            os.execv(EXE, [EXE, *args])
        # Held open: where its last user closes a terminal, the kernel may tell so before it has handed over what was written.
        number = struct.unpack("I", fcntl.ioctl(self.fd, TIOCGPTN, bytes(4)))[0]
        self.held = os.open("/dev/pts/%d" % number, os.O_RDWR | os.O_NOCTTY)
        self.seen = ""

    def expect(self, text):
        end = time.monotonic() + 30
        while text not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError("waited for %r, saw %r" % (text, self.seen))
            try:
                self.seen += os.read(self.fd, 1024).decode()
            except OSError:  # the other side has closed
                raise AssertionError("waited for %r, saw %r" % (text, self.seen)) from None
        before, self.seen = self.seen.split(text, 1)
        return before

    def type(self, text):
        os.write(self.fd, text.encode())

    def echo(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def status(self):
        status = os.waitpid(self.pid, 0)[1]
        while select.select([self.fd], [], [], 0.2)[0]:
            self.seen += os.read(self.fd, 1024).decode()
        self.text = self.seen
        os.close(self.held)
        os.close(self.fd)
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def test_terminal_asks_twice_without_echo():
    t = Terminal("-c", "users", "add", "anna")
    t.expect("New password for anna: ")
    assert not t.echo()
    t.type("secret\n")
    t.expect("Repeat password: ")
    assert not t.echo()
    t.type("secret\n")
    assert t.status() == 0
    assert "secret" not in t.text
    run("users", "verify", "anna", "--stdin", stdin=b"secret\n")
    t = Terminal("users", "verify", "anna")
    t.expect("Password: ")
    t.type("secret\n")
    t.expect("right")
    assert t.status() == 0


def test_terminal_refuses_passwords_that_differ():
    t = Terminal("-c", "users", "add", "anna")
    t.expect("anna: ")
    t.type("secret\n")
    t.expect("Repeat password: ")
    t.type("secrex\n")
    assert t.status() == 2
    assert "differ" in t.text
    assert os.listdir(".") == []


def test_terminal_is_not_asked_when_the_command_is_refused():
    write("anna:id=00000000000000a1\n")
    t = Terminal("users", "add", "anna")
    assert t.status() == 2
    assert "use 'set'" in t.text and "assword for" not in t.text


def test_terminal_echo_is_restored_by_a_signal():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        t = Terminal("-c", "users", "add", "anna")
        t.expect("anna: ")
        assert not t.echo()
        os.kill(t.pid, number)
        status = os.waitpid(t.pid, 0)[1]
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number, status
        assert termios.tcgetattr(t.held)[3] & termios.ECHO
        os.close(t.held)
        os.close(t.fd)
    assert os.listdir(".") == []


def test_terminal_leaves_ignored_signals_ignored():
    t = Terminal("-c", "users", "add", "anna", hangup=signal.SIG_IGN)
    t.expect("anna: ")
    os.kill(t.pid, signal.SIGHUP)
    t.type("secret\n")
    t.expect("Repeat password: ")
    t.type("secret\n")
    assert t.status() == 0


def test_terminal_asks_again_after_stop_and_continue():
    t = Terminal("-c", "users", "add", "anna")
    t.expect("anna: ")
    # A session leader that nobody watches is not stopped by the terminal; it asks again all the same.
    os.kill(t.pid, signal.SIGTSTP)
    t.expect("anna: ")
    assert not t.echo()
    t.type("secret\n")
    t.expect("Repeat password: ")
    t.type("secret\n")
    assert t.status() == 0


def memory(pid):
    """What the process can write, piece by piece; not what a sanitizer alone has."""
    with open("/proc/%d/maps" % pid, encoding="ascii") as maps:
        ranges = [line.split()[:2] for line in maps]
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as file:
        for where, flags in ranges:
            start, end = (int(x, 16) for x in where.split("-"))
            if flags.startswith("rw") and end - start <= 1 << 28:
                try:
                    file.seek(start)
                    yield file.read(end - start)
                except OSError:
                    pass


def has(pid, secret):
    return any(secret in piece for piece in memory(pid))


def wait_for(what):
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def waits_for_a_lock(pid):
    with open("/proc/locks", encoding="ascii") as locks:
        return any("->" in line.split() and str(pid) in line.split() for line in locks)


def test_password_is_wiped_after_its_hash():
    """The change of the file may have to wait for another, and for long."""
    run("-c", "users", "add", "held", "--no-password")
    with open("users", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for options in ([], ["--scram", "--iterations", "4096"], ["--method", "bcrypt"], ["--method", "sha512crypt"]):
            with subprocess.Popen([EXE, "users", "add", "by-name", "--stdin", *options], stdin=subprocess.PIPE) as p:
                try:
                    p.stdin.write(b"KingBeneathTheHill\n")
                    p.stdin.flush()
                    wait_for(lambda: waits_for_a_lock(p.pid))
                    assert has(p.pid, b"by-name")
                    assert not has(p.pid, b"KingBeneathTheHill"), options
                finally:
                    p.kill()
    t = Terminal("users", "add", "anna")
    t.expect("New password for anna: ")
    t.type("KingBeneath\x04")  # half a line
    wait_for(lambda: has(t.pid, b"KingBeneath"))
    os.kill(t.pid, signal.SIGTSTP)
    t.expect("New password for anna: ")  # nobody stops this one: see above
    assert not has(t.pid, b"KingBeneath")
    os.kill(t.pid, signal.SIGKILL)
    t.status()


def test_without_terminal_stdin_is_suggested():
    done = subprocess.run([EXE, "-c", "users", "add", "anna"], stdin=subprocess.DEVNULL, capture_output=True,
                          start_new_session=True, timeout=60)
    assert done.returncode == 2 and b"--stdin" in done.stderr, done
    assert os.listdir(".") == []


def apply(text, *options, status=0):
    return run(*options, "users", "apply", stdin=text.encode(), status=status)


def ids():
    return {line.split(":")[0]: field("id", line.split(":")[0]) for line in read().splitlines() if line[0] != "#"}


def test_apply_keeps_the_ids_of_names_that_stay():
    fast = ("--method", "bcrypt")
    done = apply("anna:password=a:b=c :roles=x\nbo:roles=r1,r2:password=two\n# a comment\n\ncert:roles=r1\n", "-c", *fast)
    assert done.text == "added    anna\nadded    bo\nadded    cert\n3 added, 0 changed, 0 removed, 0 kept\n", done.text
    assert run("users", "verify", "anna", "--stdin", stdin=b"a:b=c :roles=x\n").text == "right\n"
    assert field("roles", "anna") is None and field("roles", "bo") == "roles=r1,r2" and field("hash", "cert") is None
    before, text = ids(), read()
    # The same again: not even the file is written.
    number = os.stat("users").st_ino
    done = apply("bo:password=two:roles=r1\n", *fast, "--dry-run")
    assert done.text == ("removed  anna\nchanged  bo: password, roles\nremoved  cert\n"
                         "nothing was changed; it would be: 0 added, 1 changed, 2 removed, 0 kept\n"), done.text
    done = apply("cert:roles=r1\nanna:password=a:b=c :roles=x\nbo:roles=r1,r2:password=two\n", *fast)
    assert done.text.endswith("0 added, 0 changed, 0 removed, 3 kept\n"), done.text
    assert read() == text and os.stat("users").st_ino == number
    # Everything about them changes; the id stays.
    done = apply("new:password=n\nanna:password=other\nbo:roles=r3\n", *fast)
    assert done.text == ("changed  anna: password\nchanged  bo: roles\nremoved  cert\nadded    new\n"
                         "1 added, 2 changed, 1 removed, 0 kept\n"), done.text
    after = ids()
    assert after["anna"] == before["anna"] and after["bo"] == before["bo"] and list(after) == ["anna", "bo", "new"]
    assert run("users", "verify", "bo", "--stdin", stdin=b"two\n").text == "right\n"  # no password was given: it has its own
    only_the_file()


def test_apply_takes_hashes_and_whole_lines():
    write("# ours\nanna:id=00000000000000a1:hash=" + HASH + ":scram=" + SCRAM + ":locked\n")
    apply("anna:hash=" + HASH + "\nbo:id=00000000000000b2:hash=" + HASH + ":locked\nci:id=00000000000000a1\n")
    assert read().startswith("# ours\nanna:id=00000000000000a1:hash=" + HASH + ":scram=" + SCRAM + ":locked\n")
    assert field("id", "bo") == "id=00000000000000b2" and "locked" in read().splitlines()[2]
    assert field("id", "ci") != "id=00000000000000a1"  # anna has it
    apply("anna:id=00000000000000ff:hash=" + HASH[:-1] + "O\n")
    assert read() == "# ours\nanna:id=00000000000000a1:hash=" + HASH[:-1] + "O:locked\n"


def test_apply_makes_verifiers():
    apply("anna:password=pencil\nbo:password=pencil\n", "-c", "--scram", "--iterations", "4096", "--method", "bcrypt")
    assert_verifier("anna", b"pencil", 4096)
    before = read()
    apply("anna:password=pencil\nbo:password=pencil\n", "--method", "bcrypt")
    assert read() == before  # the password is the same: so is its verifier
    apply("anna:password=eraser\nbo:password=pencil\n", "--method", "bcrypt")
    assert_verifier("anna", b"eraser", 4096)


MARK = b"\xef\xbb\xbf"


def test_what_an_editor_leaves_is_no_part_of_a_password():
    for text in (b"pencil", b"pencil\n", b"pencil\r\n", MARK + b"pencil\n", MARK + b"pencil\r\n"):
        run("users", "add", "anna", "-c", "--stdin", stdin=text)
        for again in (b"pencil\n", b"pencil\r\n", MARK + b"pencil"):
            assert run("users", "verify", "anna", "--stdin", stdin=again).stdout == b"right\n", (text, again)
        os.remove("users")
    write("anna:id=00000000000000a1:hash=" + HASH + "\n")
    for text in (b"anna:password=pencil\r\n", MARK + b"anna:password=pencil\n"):
        run("users", "apply", stdin=text)
        assert run("users", "verify", "anna", "--stdin", stdin=b"pencil").stdout == b"right\n"


def test_what_is_no_text_is_no_password():
    for text, why in ((b"pencil\nmore\n", "more than one line"), ("pencil\n".encode("utf-16"), "UTF-16"),
                      ("pencil\r\n".encode("utf-16le"), "UTF-16"), (b"caf\xe9\n", "not UTF-8"), (b"a\tb\n", "control character"),
                      (b"a\x1b[Ab\n", "control character"), (MARK, "empty"), (b"\r\n", "empty")):
        done = run("users", "add", "anna", "-c", "--stdin", stdin=text, status=2)
        assert why in done.errors and not os.path.exists("users"), (text, done)


def test_a_password_file_of_another_system_is_read():
    line = b"anna:id=00000000000000a1:hash=" + HASH.encode()
    for text in (line + b"\r\n", MARK + line + b"\n"):
        with open("users", "wb") as file:
            file.write(text)
        os.chmod("users", 0o600)
        assert run("users", "list").stdout.splitlines()[1].startswith(b"anna ")


def test_a_directory_that_may_not_be_written_is_named():
    if os.getuid() != 0:
        return
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        try:
            done = subprocess.run([EXE, "-c", directory + "/users", "add", "anna", "--stdin"], input=b"secret word\n",
                                  capture_output=True, timeout=60, user=54321, cwd="/")
        except PermissionError:  # the program itself is out of reach
            return
        assert done.returncode == 1 and b"may not write the directory " + directory.encode() in done.stderr, done


def test_apply_refuses_what_would_do_harm():
    write("anna:id=00000000000000a1:hash=" + HASH + "\n")
    before = read()
    for text, why in (("", "lists no user"), ("# nobody\n\n", "lists no user"), ("anna:password=x", "cut short"),
                      ("anna:password=\n", "empty"), ("anna:password=a\tb\n", "control character"),
                      ("anna:password=" + 257 * "x" + "\n", "256"), ("anna:password=a\0b\n", "NUL"),
                      ("anna:hash=" + HASH + ":password=x\n", "not both"), ("bo\nanna:pasword=x\n", ":2:"),
                      ("anna\nbo\nanna\n", "line 1"), ("a/b:password=x\n", "'/'"), ("anna:roles=a b\n", "roles")):
        done = apply(text, status=2)
        assert why in done.errors and "standard input" in done.errors and read() == before, (text, done)
        assert "password=x" not in done.errors
    assert "does not take" in run("users", "list", "--dry-run", status=2).errors
    assert "does not exist" in run("nothere", "apply", stdin=b"anna\n", status=2).errors


def main():
    tests = [(name, f) for name, f in globals().items() if name.startswith("test_")]
    failed = 0
    print("1..%d" % len(tests))
    for number, (name, test) in enumerate(tests, 1):
        directory = tempfile.mkdtemp(prefix="vakt-passwd-")
        os.chdir(directory)
        try:
            test()
            print("ok %d - %s" % (number, name))
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print("not ok %d - %s" % (number, name))
            print("# " + traceback.format_exc().replace("\n", "\n# "))
        finally:
            os.chdir("/")
            shutil.rmtree(directory)
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
