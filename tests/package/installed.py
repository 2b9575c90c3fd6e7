"""What is tried in a machine with the package: each function runs in the name spaces of one, without a network."""

import re
import subprocess
import time
from pathlib import Path

from machine import ENVIRONMENT, Failed
from service import PATIENCE_S, Inside, Service

MANUAL = Path(__file__).resolve().parents[2] / "man/vakt.7"

CREDENTIAL = re.search(r"^\.Pa (/run/credentials/vakt\.service/server\.key)", MANUAL.read_text(encoding="utf-8"), re.M).group(1)
CLIENT = "-h localhost --cafile /etc/vakt/pki/server-ca.crt -u anna --password-file /srv/password"
RULES = "roles:\n  house:\n    - allow all home/#\n"


def require(condition, text):
    if not condition:
        raise Failed(text)


def stat_of(service, path):
    return service.shell(f"stat -c '%U:%G %a' {path}").strip()


def check_first_files(service, said):
    for word in ("port 8883", "vakt-setup", "broker-passwd /etc/vakt/users.passwd add anna", "man vakt"):
        require(word in said, f"the package did not say '{word}':\n{said}")
    require(stat_of(service, "/etc/vakt") == "root:vakt 750", "/etc/vakt: " + stat_of(service, "/etc/vakt"))
    for name, wanted in {"pki": "vakt:vakt 700", "pki/server-ca.key": "vakt:vakt 600", "pki/issued/server-ec.key": "vakt:vakt 600",
                         "users.passwd": "root:vakt 640", "broker.yaml": "root:vakt 640", "acl.yaml": "root:vakt 640"}.items():
        found = stat_of(service, f"/etc/vakt/{name}")
        require(found == wanted, f"{name}: {found}")
    require(stat_of(service, "/var/lib/broker") == "vakt:vakt 700", stat_of(service, "/var/lib/broker"))
    for path in ("/usr/share/bash-completion/completions/broker-ctl", "/etc/apparmor.d/usr.sbin.broker", "/etc/logrotate.d/vakt",
                 "/usr/share/man/man7/vakt.7.gz", "/usr/share/man/man8/broker.8.gz", "/usr/share/vakt/dashboard/index.html",
                 "/usr/share/vakt/acl/home-assistant.yaml"):
        require((service.root / path[1:]).exists(), path + " is not there")
    checked = service.shell("runuser -u vakt -- broker --check -c /etc/vakt/broker.yaml 2>&1")
    require("nobody can log in" in checked and "0 users" in checked, checked)


def first_user(service):
    """What the message of the package tells, with a password that the test knows."""
    service.shell("umask 077 && head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \\n' >/srv/password && echo >>/srv/password && "
                  "broker-passwd /etc/vakt/users.passwd add anna --role house --stdin </srv/password")
    require(stat_of(service, "/etc/vakt/users.passwd") == "root:vakt 640", stat_of(service, "/etc/vakt/users.passwd"))
    (service.root / "etc/vakt/acl.yaml").write_text(RULES, encoding="utf-8")
    require(service.reload() == 0, "the reload failed:\n" + service.log())
    said = service.shell("vakt-setup --admin keeper --program tasmota=plug")
    for word in ("The administrator keeper", "plug"):
        require(word in said, f"vakt-setup did not say '{word}':\n{said}")
    checked = service.shell("runuser -u vakt -- broker --check -c /etc/vakt/broker.yaml 2>&1")
    require("3 users" in checked and "warning" not in checked, checked)
    require(service.reload() == 0, "the reload failed:\n" + service.log())
    exported = service.shell("broker-pki -d /etc/vakt/pki export anna --for mosquitto")
    require("8883" in exported, exported)


def use(service):
    service.hear("WATCHDOG=1")
    # Nobody may do anything yet: login is refused, with the right certificate.
    service.shell("echo wrong >/srv/wrong && chmod 600 /srv/wrong && "
                  "! broker-pub -h localhost --cafile /etc/vakt/pki/server-ca.crt -u anna --password-file /srv/wrong -t home/a -m 1 -q 1")
    first_user(service)
    service.shell(f"broker-pub {CLIENT} -t home/lamp -m on -q 1 --retain")
    service.shell(f"! broker-pub {CLIENT} -t garage/door -m open -q 1")
    require("anna" not in service.shell("broker-ctl clients"), "a client that has left is still there")
    acl = service.root / "etc/vakt/acl.yaml"
    acl.write_text("roles: { house: [allow everything] }\n", encoding="utf-8")
    require(service.reload() != 0, "a configuration with errors was reloaded")
    acl.write_text(RULES, encoding="utf-8")
    require(service.reload() == 0, "the reload failed:\n" + service.log())
    read_lamp(service)


def renew(service):
    """Certificates that end soon, and the unit of the timer: the broker shows the new one, for the same names."""
    pki = "broker-pki -d /etc/vakt/pki"
    service.shell(f"runuser -u vakt -- {pki} server --days 20 house 127.0.0.1 localhost")
    require(service.reload() == 0, "the reload failed:\n" + service.log())
    show = "openssl s_client -connect localhost:8883 -CAfile /etc/vakt/pki/server-ca.crt -verify_return_error </dev/null 2>/dev/null | " \
           "openssl x509 -noout -ext subjectAltName -checkend 2592000"
    require("will expire" in service.shell(show + " || true"), "the certificate of 20 days is not shown")
    service.run_unit("vakt-renew.service")
    shown = service.shell(show)
    require("will not expire" in shown and "DNS:house" in shown and "IP Address:127.0.0.1" in shown, shown)
    service.run_unit("vakt-renew.service")
    read_lamp(service)


def use_credential(service):
    """LoadCredential= as vakt(7) has it: the key is nowhere but in the directory of credentials."""
    config = service.root / "etc/vakt/broker.yaml"
    before = config.read_text(encoding="utf-8")
    service.shell("install -d -m 0700 /etc/private && mv /etc/vakt/pki/issued/server-ec.key /etc/private/server.key && "
                  "chown root:root /etc/private/server.key && chmod 0600 /etc/private/server.key")
    config.write_text(before.replace("pki/issued/server-ec.key", CREDENTIAL), encoding="utf-8")
    with service.credentials({"server.key": "/etc/private/server.key"}):
        require(f"{service.credential_directory}/server.key" == CREDENTIAL, "vakt(7) names another directory")
        with service:
            shown = service.shell("openssl s_client -connect localhost:8883 -CAfile /etc/vakt/pki/server-ca.crt -verify_return_error "
                                  "-sigalgs ECDSA+SHA256 </dev/null 2>/dev/null | openssl x509 -noout -text")
            require("id-ecPublicKey" in shown, shown)
            read_lamp(service)
            require(service.reload() == 0, "the reload failed:\n" + service.log())
            service.stop()
    config.write_text(before, encoding="utf-8")
    service.shell("install -o vakt -g vakt -m 0600 /etc/private/server.key /etc/vakt/pki/issued/server-ec.key")


def read_lamp(service):
    said = service.shell(f"timeout {PATIENCE_S} broker-sub {CLIENT} -t home/lamp -C 1")
    require(said.strip() == "on", f"the retained message is '{said}'")


def rotate(service):
    """The lines of the package: the file is moved away, and the broker writes a new one."""
    audit = service.root / "var/log/broker/audit.log"
    service.shell("logrotate --force /etc/logrotate.d/vakt")
    service.process.send_signal(10)  # SIGUSR1: systemctl would send it
    service.shell(f"broker-pub {CLIENT} -t home/lamp -m on -q 1 --retain")
    deadline = PATIENCE_S
    while "client-connected" not in audit.read_text(encoding="utf-8") and deadline > 0:
        service.shell("sleep 0.2")
        deadline -= 0.2
    require(deadline > 0, "the audit file was not opened anew")
    require((audit.parent / "audit.log.1").stat().st_size > 0, "the old audit file is empty")


def install(root):
    apt = "apt-get install -y -q --no-install-recommends /srv/deb/vakt*.deb"
    said = Inside(root).shell(apt)
    service = Service(root)
    check_first_files(service, said)
    with service:
        use(service)
        renew(service)
        rotate(service)
        service.stop()
    with service:  # a stop keeps everything
        read_lamp(service)
        service.stop()
    use_credential(service)
    ca = (root / "etc/vakt/pki/server-ca.crt").read_bytes()
    service.shell("apt-get remove -y -q vakt")
    require(not (root / "usr/sbin/broker").exists() and (root / "etc/vakt/users.passwd").exists(), "remove: wrong files are left")
    said = service.shell(apt)
    require("There is no user yet" not in said, said)
    require((root / "etc/vakt/pki/server-ca.crt").read_bytes() == ca, "there is a new CA")
    with Service(root) as again:
        read_lamp(again)
        again.stop()
    service.shell("apt-get purge -y -q vakt vakt-dashboard")
    for path in ("etc/vakt", "var/lib/broker", "var/log/broker", "run/broker", "etc/logrotate.d/vakt", "etc/apparmor.d/usr.sbin.broker"):
        require(not (root / path).exists(), f"purge: /{path} is left")


# --- from older versions ---

OLD = '-h localhost --cafile {0}/ca.crt -u house -P "$(cat {0}/password)"'


def fill(service, directory):
    """What has to go on: a retained message, and one that waits for a client which is away."""
    client = OLD.format(directory)
    service.shell(f"mosquitto_sub {client} -i keeper -c -q 1 -t home/door -E")
    service.shell(f"mosquitto_pub {client} -t home/lamp -m on -q 1 -r && mosquitto_pub {client} -t home/door -m open -q 1")
    # It is refused, so it must not be there later; 3.1.1 has no answer that says so.
    service.shell(f"mosquitto_pub {client} -t garage/door -m open -q 1 -r")


def check_filled(service, directory):
    client = OLD.format(directory)
    said = service.shell(f"mosquitto_sub {client} -i keeper -c -q 1 -t home/door -C 1 -W {PATIENCE_S}")
    require(said.strip() == "open", f"the queued message is '{said}'")
    said = service.shell(f"mosquitto_sub {client} -t home/lamp -C 1 -W {PATIENCE_S}")
    require(said.strip() == "on", f"the retained message is '{said}'")
    retained = service.shell("broker-ctl retained '#'")
    require("home/lamp" in retained and "garage" not in retained, retained)
    service.shell(f"mosquitto_pub {client} -t garage/door -m open -q 1 -r -V 5 2>&1 | grep -qi 'not authori[sz]ed'")


def fill_dev(root):
    """In the machine that built the old version: its own broker on what its tools/run made."""
    machine = Inside(root)
    log = root / "srv/dev.log"
    with open(log, "wb") as out:
        broker = subprocess.Popen(["chroot", root, "/srv/former/vakt/build/broker/broker", "-c", "/srv/dev/broker.yaml"], env=ENVIRONMENT,
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "event=ready" not in log.read_text(encoding="utf-8"):
            require(time.monotonic() < deadline and broker.poll() is None, log.read_text(encoding="utf-8"))
            time.sleep(0.1)
        fill(machine, "/srv/dev")
    finally:
        broker.terminate()
        broker.wait(PATIENCE_S)


def commands_of_the_manual():
    """How vakt(7) takes over a directory of tools/run, but for what the test does in the place of systemd."""
    text = MANUAL.read_text(encoding="utf-8")
    block = re.search(r"^\.Ss Moving from a source tree$.*?^\.Bd[^\n]*\n(.*?)^\.Ed$", text, re.M | re.S).group(1)
    lines = block.splitlines()
    require(lines[0] == "systemctl stop vakt" and lines[-1] == "systemctl start vakt", block)
    return "\n".join(lines[1:-1])


def dev(root):
    """From tools/run of the old version to the package of this one."""
    Inside(root).shell("apt-get install -y -q --no-install-recommends /srv/deb/vakt_*.deb")
    service = Service(root)
    service.shell("cd /srv\n" + commands_of_the_manual())
    with service:
        check_filled(service, "/etc/vakt")
        service.stop()


def upgrade(root):
    """From the package of the old version, in use, to the one of this version."""
    Inside(root).shell("apt-get install -y -q --no-install-recommends /srv/deb/vakt_*.deb")
    service = Service(root)
    # The old tools make no PKI: its owner has brought a configuration along.
    require(not (root / "etc/vakt/broker.yaml").exists(), "the old package has made a configuration")
    service.shell("cd /srv && mv dev/store dev/store.away && mkdir -m 0700 dev/store\n" + commands_of_the_manual())
    with service:
        fill(service, "/etc/vakt")
        service.stop()
    before = {name: (root / "etc/vakt" / name).read_bytes() for name in ("broker.yaml", "acl.yaml", "users.passwd", "ca.crt")}
    said = service.shell("apt-get install -y -q --no-install-recommends /srv/new/vakt_*.deb")
    require("0.0.1" in said and "There is no user yet" not in said, said)
    for name, content in before.items():
        require((root / "etc/vakt" / name).read_bytes() == content, f"the upgrade has changed {name}")
    with Service(root) as new:
        new.hear("WATCHDOG=1")
        check_filled(new, "/etc/vakt")
        new.stop()
