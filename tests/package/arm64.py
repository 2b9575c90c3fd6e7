"""Another processor: the package is built by Debian's cross compiler, its unit tests and what it installs run under qemu-user."""

import json

from installed import require
from machine import Failed, Machine

ARCHITECTURE = "arm64"
QEMU = "qemu-aarch64-static"
TOOLS = ("crossbuild-essential-arm64", "qemu-user-static", "libcmocka-dev:arm64", "libwslay-dev:arm64")
# A chroot has no name space of users, in which this one mounts its disk.
NOT_HERE = ("store_full",)
# Emulation is about ten times slower.
SLOWER = 20
START_S = 300

# Under qemu every program is named to it; nothing is registered with the kernel of this machine.
SMOKE = """
root=/srv/arm64/root
rm -rf $root /srv/arm64/house && dpkg-deb -x /srv/arm64/vakt_*_arm64.deb $root && mkdir -m 0700 /srv/arm64/house && cd /srv/arm64/house
for tool in broker-pki broker-passwd broker-pub broker-sub broker-ctl; do eval "$(echo $tool | tr - _)() { qemu-aarch64-static $root/usr/bin/$tool \\"\\$@\\"; }"; done
broker_pki -d pki init >/dev/null
broker_pki -d pki server localhost 127.0.0.1 >/dev/null
umask 077
echo 'roles: { house: [allow all home/#] }' >acl.yaml
head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \\n' >password && echo >>password
broker_passwd users.passwd add anna -c --role house --stdin <password
cat >broker.yaml <<CONF
listeners: [{ bind: "127.0.0.1:18883" }]
tls: { certificates: [{ certificate: pki/issued/server-ec.crt, key: pki/issued/server-ec.key }] }
authentication: { password_file: users.passwd }
authorization: { acl_file: acl.yaml }
persistence: { directory: store }
control: { socket: control.sock }
CONF
mkdir store
qemu-aarch64-static $root/usr/sbin/broker --check -c broker.yaml
client="-h localhost -p 18883 --cafile pki/server-ca.crt -u anna --password-file password"
start() {
	: >log
	qemu-aarch64-static $root/usr/sbin/broker -c broker.yaml >log 2>&1 &
	broker=$!
	tries=0
	until grep -q event=ready log; do
		tries=$((tries + 1))
		test $tries -lt START_TRIES && kill -0 $broker || { cat log; exit 1; }
		sleep 0.2
	done
}
stop() { kill $broker && wait $broker || { cat log; exit 1; }; }
start
broker_pub $client -t home/lamp -m on -q 1 --retain
! broker_pub $client -t garage/door -m open -q 1 2>/dev/null || { echo 'what no rule allows was taken'; exit 1; }
test "$(broker_sub $client -t home/lamp -C 1)" = on
stop
start
test "$(broker_sub $client -t home/lamp -C 1)" = on
broker_ctl -c broker.yaml reload
stop
echo 'the house is fine'
"""


class NotToBeHad(Exception):
    """What the test needs is not in this machine's archive."""


def make_builder(release, directory):
    """The release's builder, and what it takes to build for the other processor."""
    mark = directory / "srv/ready"
    if mark.exists() and mark.stat().st_mtime > release.builder.root.stat().st_mtime:
        return Machine(directory)
    builder = release.builder.copy(directory)
    builder.shell(f"dpkg --add-architecture {ARCHITECTURE} && apt-get update -q")
    offered = builder.run("apt-cache", "policy", "libc6:" + ARCHITECTURE, status=None)
    if "Candidate: " not in offered or "Candidate: (none)" in offered:
        raise NotToBeHad(f"Debian's mirror of this machine has no packages of {ARCHITECTURE}")
    builder.install(*TOOLS)
    builder.shell(f"cd /srv/needed && apt-get build-dep -y -q --no-install-recommends --host-architecture {ARCHITECTURE} -Pcross .")
    mark.touch()
    return builder


def build_package(builder, jobs):
    builder.shell(f"cd /srv/arm64/vakt && DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -B -a{ARCHITECTURE} -Pcross -us -uc -j{jobs}")
    said = builder.shell(f"cd /srv/arm64 && dpkg-deb --field vakt_*_{ARCHITECTURE}.deb Architecture && rm -rf root && "
                         f"dpkg-deb -x vakt_*_{ARCHITECTURE}.deb root && od -An -tx1 -j18 -N2 root/usr/sbin/broker")
    require(said.split() == [ARCHITECTURE, "b7", "00"], f"the package is not for {ARCHITECTURE}: {said}")


def unit_tests(builder):
    """(name, program below the build directory) of those that are one program."""
    listed = builder.shell("cd /srv/arm64/vakt && meson introspect obj-tests --tests")
    place = "/srv/arm64/vakt/obj-tests/"
    for test in json.loads(listed[listed.index("["):]):
        suites = {suite.split(":")[-1] for suite in test["suite"]}
        programs = [word[len(place):] for word in test["cmd"] if word.startswith(place)]
        if "unit" in suites and not suites & {"sim", "speed"} and len(programs) == 1 and not any("python" in word for word in test["cmd"]) \
                and test["name"] not in NOT_HERE:
            yield test["name"], programs[0]


def run_unit_tests(builder, jobs):
    builder.shell("cd /srv/arm64/vakt && rm -rf obj-tests && /usr/share/meson/debcrossgen --arch arm64 -o /srv/arm64/arm64.cross && "
                  f"printf \"[binaries]\\nexe_wrapper = '{QEMU}'\\n\" >/srv/arm64/qemu.cross && "
                  "meson setup --cross-file /srv/arm64/arm64.cross --cross-file /srv/arm64/qemu.cross -Dtests=enabled "
                  "--buildtype=debugoptimized obj-tests")
    names, programs = zip(*unit_tests(builder))
    require(len(names) > 100, f"only {len(names)} unit tests were found")
    builder.run("nice", "ninja", f"-j{jobs}", "-C", "/srv/arm64/vakt/obj-tests", *programs)
    said = builder.run("nice", "meson", "test", "-C", "/srv/arm64/vakt/obj-tests", "--no-rebuild", "--print-errorlogs", "--timeout-multiplier",
                       str(SLOWER), *names, status=None)
    counts = {line.split(":")[0]: int(line.split(":")[1]) for line in said.splitlines()
              if line.startswith(("Ok:", "Fail:", "Timeout:", "Skipped:"))}
    if counts.get("Fail", 1) or counts.get("Timeout", 1) or counts.get("Ok", 0) + counts.get("Skipped", 0) != len(names):
        raise Failed(said[-6000:])
    return counts["Ok"]


def run_smoke(builder):
    said = builder.shell(SMOKE.replace("START_TRIES", str(START_S * 5)))
    require(said.splitlines()[-1] == "the house is fine", said)


def test(release, bring, directory, jobs):
    """`bring`: puts the source into a directory of the machine."""
    builder = make_builder(release, directory)
    bring(builder, "arm64")
    build_package(builder, jobs)
    run_smoke(builder)
    passed = run_unit_tests(builder, jobs)
    return f"built; started, published, subscribed and stopped under qemu; {passed} unit tests passed there"
