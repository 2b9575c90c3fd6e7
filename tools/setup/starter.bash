# shellcheck shell=bash
# What a broker gets to begin with, shared by tools/run and vakt-setup(8). Sourced, not run; the caller has set
# `set -euo pipefail` and `umask 077`.

# Addresses of this machine.
starter_addresses() {
	if command -v ip >/dev/null; then
		# Not those that come and go: privacy addresses of IPv6, and addresses still being tried.
		ip -o addr show scope global 2>/dev/null | grep -Ev ' (temporary|deprecated|tentative)' |
			awk '{ sub("/.*", "", $4); print $4 }'
	else
		hostname -I | tr ' ' '\n' | grep -v '^fe80' | grep .
	fi
}

# Names and addresses that clients may dial, one a line.
starter_names() {
	local host
	host=$(hostname)
	{
		printf '%s\n' localhost 127.0.0.1 ::1
		if [ -n "$host" ] && [ "$host" != localhost ]; then
			printf '%s\n' "$host" "${host%%.*}.local"
		fi
		starter_addresses
	} | grep -E '^[A-Za-z0-9._:-]+$' | awk '!seen[$0]++'
}

# Sets `pki` and `ca` for the directory $1. Earlier versions had the certificates beside broker.yaml, and a broker.yaml that
# names them there: broker-pki takes such a directory over, and the old names go on as links.
starter_find_pki() {
	pki=pki ca=pki/server-ca.crt
	# shellcheck disable=SC2034 # both are for the caller
	[ ! -e "$1/ca.crt" ] || pki=. ca=ca.crt
}

# A file that is new each time, and takes the place of what has the name: nothing is written through a link.
starter_place() { # FILE, from stdin
	local new
	new=$(mktemp "$(dirname -- "$1")/.new.XXXXXX")
	cat >"$new"
	mv -fT -- "$new" "$1"
}

# `bind` of the first listener for a port: IPv6 and IPv4 where the machine has both.
starter_bind() { # PORT
	if [ -e /proc/net/if_inet6 ]; then echo "[::]:$1"; else echo "0.0.0.0:$1"; fi
}

starter_broker_yaml() { # MAKER BIND PKI STORE SOCKET
	cat <<YAML
# Made by $1, and yours to change: it is not written again.
listeners:
  - bind: "$2"
tls:
  certificates:
    - { certificate: $3/issued/server-ec.crt, key: $3/issued/server-ec.key }
    - { certificate: $3/issued/server-rsa.crt, key: $3/issued/server-rsa.key }
  client_certificates: optional # "broker-pki client USER" makes one
  client_ca: $3/client-ca.crt
  client_crl: $3/client-ca.crl
authentication:
  password_file: users.passwd
  certificate_user: cn
authorization:
  acl_file: acl.yaml
persistence:
  directory: $4 # what was acknowledged outlives the broker
YAML
	# A socket's path has at most 107 bytes.
	case $5 in
	/*) [ "${#5}" -gt 107 ] || printf 'control:\n  socket: %s # for broker-ctl\n' "$5" ;;
	*) [ $((${#PWD} + ${#5})) -gt 102 ] || printf 'control:\n  socket: %s # for broker-ctl\n' "$5" ;;
	esac
}
