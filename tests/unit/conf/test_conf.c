/* broker.yaml as a whole: what a listener inherits, combinations, every error with its place. */
#include "conf/conf_diff.h"
#include "conf/conf_dump.h"
#include "conf/conf_load.h"
#include "conf/conf_manual.h"
#include "support.h"

#define HTTPS(more) "listeners: [{bind: \"[::]:8884\", protocol: https" more "}]\n"
#define CERTS       "certificates: [{certificate: c, key: k}]"
#define TCP         "listeners: [{bind: \"[::]:8883\"}]\n"

static const struct {
	const char *name, *text, *want;
} wrong[] = {
    {"empty", "# nothing\n",
     "f: error: the file is empty: it needs listeners: and tls: at least\n"},
    {"text", "hello\n",
     "f:1:1: error: the file must be a mapping (lines of 'key: value'), not a single value\n"},
    {"list", "- a\n",
     "f:1:1: error: the file must be a mapping (lines of 'key: value'), not a list\n"},
    {"no listeners", "tls: {" CERTS "}\n",
     "f:1:1: error: key 'listeners' is missing: a list of 1 to 64 mappings (each "
     "begins with '- '); "
     "for example: listeners: [{bind: \"[::]:8883\"}]\n"},
    {"listeners without value", "listeners:\n",
     "f:1:11: error: listeners has no value, it must be a list of 1 to 64 mappings (each begins "
     "with '- '); "
     "for example: listeners: [{bind: \"[::]:8883\"}]\n"},
    {"listeners null", "listeners: ~\n",
     "f:1:12: error: listeners must be a list of 1 to 64 mappings (each begins with '- '), not "
     "'~'; "
     "for example: listeners: [{bind: \"[::]:8883\"}]\n"},
    {"no listener in the list", "listeners: []\n",
     "f:1:12: error: listeners must be a list of 1 to 64 mappings (each begins with '- '), not an "
     "empty list; "
     "for example: listeners: [{bind: \"[::]:8883\"}]\n"},
    {"listeners is a mapping", "listeners: {bind: \"[::]:8883\"}\n",
     "f:1:12: error: listeners must be a list of 1 to 64 mappings (each begins with '- '), not a "
     "mapping; "
     "for example: listeners: [{bind: \"[::]:8883\"}]\n"},
    {"a listener is text", "listeners: [\"[::]:8883\"]\n",
     "f:1:13: error: an item of listeners must be a mapping (- key: value), not a single value\n"},
    {"listener without bind", "listeners: [{protocol: mqtt}]\n",
     "f:1:13: error: key 'bind' is missing in listeners: an address with a port like "
     "\"[::]:8883\", or unix:/path\n"},
    {"bind is a list", "listeners: [{bind: [a]}]\n",
     "f:1:20: error: bind must be an address with a port like \"[::]:8883\", or unix:/path, not a "
     "list\n"},
    {"bind has no value", "listeners:\n  - bind:\n",
     "f:2:10: error: bind has no value, it must be an address with a port like \"[::]:8883\", or "
     "unix:/path\n"},
    {"bind on several lines", "listeners: [{bind: \"unix:/a\\nb\"}]\n",
     "f:1:20: error: bind must be an address with a port like \"[::]:8883\", or unix:/path, not "
     "'unix:/a\\x0ab'\n"},

    {"unknown key", TCP "tls: {" CERTS "}\nlimts: {}\n",
     "f:3:1: error: unknown key 'limts'; did you mean 'limits'?\n"},
    {"unknown key in a section", TCP "tls: {" CERTS "}\nlimits: {max_qoss: 1}\n",
     "f:3:10: error: unknown key 'max_qoss' in limits; did you mean 'max_qos'?\n"},
    {"unknown key like nothing", TCP "tls: {" CERTS "}\nlog: {colour: red}\n",
     "f:3:7: error: unknown key 'colour' in log; known are level, areas, format, trace, audit\n"},
    {"key in the wrong section", TCP "tls: {" CERTS "}\nacl_file: x\n",
     "f:3:1: error: unknown key 'acl_file'; its place is in authorization:\n"},
    {"top-level key in a section", TCP "tls: {" CERTS ", workers: 2}\n",
     "f:2:49: error: unknown key 'workers' in tls; its place is the top level\n"},
    {"section is a list", TCP "tls: {" CERTS "}\nlimits:\n  - connections: 5\n",
     "f:4:3: error: limits must be a mapping (lines of 'key: value'), not a list\n"},
    {"section is text", TCP "tls: {" CERTS "}\nlog: debug\n",
     "f:3:6: error: log must be a mapping (lines of 'key: value'), not 'debug'\n"},
    {"out of range", "workers: 100\n" TCP "tls: {" CERTS "}\n",
     "f:1:10: error: workers must be a whole number from 1 to 64, or auto, not '100'\n"},
    {"size out of range", TCP "tls: {" CERTS "}\nlimits: {max_packet_size: 1G}\n",
     "f:3:27: error: max_packet_size must be a size from 1k to 256M (bytes, or with the unit k, M "
     "or G), not '1G'\n"},
    {"duration without unit", TCP "tls: {" CERTS "}\nlimits: {max_session_expiry: 60}\n",
     "f:3:30: error: max_session_expiry must be a duration from 0 to 36500d (with its unit: s, m, "
     "h or d), not '60'; write '60s'\n"},
    {"boolean", TCP "tls: {" CERTS "}\nauthentication: {anonymous: yes}\n",
     "f:3:29: error: anonymous must be true or false, not 'yes'; write 'true'\n"},
    {"mode", "listeners: [{bind: unix:/x, mode: rw}]\n",
     "f:1:35: error: mode must be an octal mode from 0000 to 0777, like \"0660\", not 'rw'\n"},

    {"old TLS", TCP "tls: {" CERTS ", min_version: \"1.1\"}\n",
     "f:2:62: error: min_version must be 1.2 or 1.3, not '1.1'; versions older than TLS 1.2 are "
     "insecure and cannot be enabled; write '1.2'\n"},
    {"websocket", "listeners: [{bind: \"[::]:8884\", protocol: websocket}]\ntls: {" CERTS "}\n",
     "f:1:43: error: protocol must be mqtt or https, not 'websocket'; MQTT over WebSocket is "
     "protocol: https with serve: [websocket]\n"},
    {"https without serve", HTTPS("") "tls: {" CERTS "}\n",
     "f:1:13: error: a listener with protocol: https serves what serve lists, and that is missing: "
     "add, for example, serve: [websocket]\n"},
    {"serve what nobody knows", HTTPS(", serve: [websocket, files]") "tls: {" CERTS "}\n",
     "f:1:69: error: serve must be a list like [websocket], of websocket, metrics, health, "
     "dashboard or publish, not 'files'\n"},
    {"serve nothing", HTTPS(", serve: []") "tls: {" CERTS "}\n",
     "f:1:57: error: serve must be a list like [websocket], of websocket, metrics, health, "
     "dashboard or publish, not an empty list\n"},
    {"https on a Unix socket", "listeners: [{bind: unix:/x, protocol: https, serve: websocket}]\n",
     "f:1:39: error: protocol: https needs TLS, and a unix socket has none: use an address with a "
     "port\n"},
    {"keys of https elsewhere",
     "listeners: [{bind: \"[::]:1\", serve: [health], hsts: 1d}]\ntls: {" CERTS "}\n",
     "f:1:30: error: serve is for listeners with protocol: https only: add that, or remove it\n"
     "f:1:47: error: hsts is for listeners with protocol: https only: add that, or remove it\n"},
    {"metrics that nobody can read", HTTPS(", serve: metrics") "tls: {" CERTS "}\n",
     "f:1:13: error: nobody could read the metrics: add metrics: {token_file: FILE} or "
     "metrics: {allow_from: [ADDRESS]}, or let client certificates name users (client_certificates "
     "and certificate_user)\n"},
    {"two services on one path",
     HTTPS(", serve: [websocket, health], health: {path: /mqtt}") "tls: {" CERTS "}\n",
     "f:1:93: error: two services have the path /mqtt: give each a path of its own\n"},
    {"a path that is none",
     HTTPS(", serve: websocket, websocket: {paths: [/mqtt, mqtt]}") "tls: {" CERTS "}\n",
     "f:1:95: error: paths: 'mqtt': the path of a URL begins with a slash, like /mqtt\n"},
    {"an origin that is none",
     HTTPS(", serve: websocket, websocket: {origins: \"home.example\"}") "tls: {" CERTS "}\n",
     "f:1:89: error: origins: 'home.example': an origin is same, any, or what a browser sends: a "
     "scheme and a host like https://home.example, with the port if it is not the usual one\n"},
    {"TCP without certificates", TCP,
     "f:1:13: error: this TCP listener has no certificate, and without TLS there are unix sockets "
     "only: add "
     "tls: {certificates: [{certificate: FILE, key: FILE}]}\n"},
    {"certificates switched off",
     "listeners: [{bind: \"[::]:1\", tls: {certificates: ~}}]\ntls: {" CERTS "}\n",
     "f:1:13: error: this TCP listener has no certificate, and without TLS there are unix sockets "
     "only: add "
     "tls: {certificates: [{certificate: FILE, key: FILE}]}\n"},
    {"certificates are wrong, which is enough", TCP "tls: {certificates: c.crt}\n",
     "f:2:21: error: certificates must be a list of 1 to 16 mappings (each begins with '- '), not "
     "'c.crt'\n"},
    {"certificate without key", TCP "tls: {certificates: [{certificate: c}]}\n",
     "f:2:22: error: key 'key' is missing in certificates: the path of a file\n"},
    {"key without certificate", TCP "tls: {certificates: [{key: k}]}\n",
     "f:2:22: error: key 'certificate' is missing in certificates: the path of a file\n"},
    {"certificate null", TCP "tls: {certificates: [{certificate: ~, key: k}]}\n",
     "f:2:36: error: certificate must be the path of a file, not '~'\n"},
    {"no client CA", TCP "tls: {" CERTS ", client_certificates: optional}\n",
     "f:2:70: error: client_certificates needs client_ca: the file with the CA that signs the "
     "clients' certificates\n"},
    {"no client CA, told once",
     "listeners: [{bind: \"[::]:1\"}, {bind: \"[::]:2\"}]\ntls: {" CERTS
     ", client_certificates: required}\n",
     "f:2:70: error: client_certificates needs client_ca: the file with the CA that signs the "
     "clients' certificates\n"},
    {"no client CA at the listener",
     "listeners: [{bind: \"[::]:1\"}, {bind: \"[::]:2\", tls: {client_certificates: "
     "required}}]\ntls: {" CERTS "}\n",
     "f:1:75: error: client_certificates needs client_ca: the file with the CA that signs the "
     "clients' certificates\n"},
    {"client CA taken away",
     "listeners: [{bind: \"[::]:1\", tls: {client_ca: ~}}]\ntls: {" CERTS
     ", client_certificates: required, client_ca: a}\n",
     "f:1:35: error: client_certificates needs client_ca: the file with the CA that signs the "
     "clients' certificates\n"},
    {"certificate_user without certificates",
     TCP "tls: {" CERTS "}\nauthentication: {certificate_user: cn}\n",
     "f:3:36: error: certificate_user needs client certificates: set client_certificates: optional "
     "or required in tls:\n"},
    {"certificate_user at one listener only",
     "listeners:\n- {bind: \"[::]:1\", tls: {client_certificates: required}}\n- {bind: \"[::]:2\", "
     "tls: {client_certificates: none}}\n"
     "tls: {" CERTS
     ", client_ca: a, client_certificates: optional}\nauthentication: {certificate_user: cn}\n",
     "f:3:3: error: certificate_user needs client certificates: set client_certificates: optional "
     "or required in tls:\n"},
    {"certificate and password, no certificates",
     TCP "tls: {" CERTS "}\nauthentication: {login: certificate_and_password}\n",
     "f:3:25: error: login: certificate_and_password needs certificates that name users: set "
     "client_certificates: optional or required in tls:, and certificate_user\n"},
    {"certificate and password, certificates name nobody",
     TCP "tls: {" CERTS ", client_ca: a, client_certificates: required}\n"
         "authentication: {login: certificate_and_password}\n",
     "f:3:25: error: login: certificate_and_password needs certificates that name users: set "
     "client_certificates: optional or required in tls:, and certificate_user\n"},
    {"certificate and password, and peer_users",
     "listeners: [{bind: unix:/x, peer_users: {1000: a}}]\n"
     "authentication: {login: certificate_and_password}\n",
     "f:1:13: error: login: certificate_and_password and peer_users do not go together: a process "
     "at a Unix socket shows neither; set login: either for this listener\n"},
    {"password_file of a listener",
     "listeners: [{bind: \"[::]:1\", authentication: {password_file: p}}]\ntls: {" CERTS "}\n",
     "f:1:47: error: password_file cannot be set in a listener: a user is the same on all "
     "listeners; "
     "set it in authentication: at the top level\n"},

    {"acl_file of a listener",
     "listeners: [{bind: \"[::]:1\", authorization: {acl_file: p}}]\ntls: {" CERTS "}\n",
     "f:1:46: error: acl_file cannot be set in a listener: the rules are the same on all "
     "listeners; set it in authorization: at the top level\n"},

    {"CONNECT larger than a packet", TCP "tls: {" CERTS "}\nlimits: {max_connect_size: 3M}\n",
     "f:3:28: error: max_connect_size is larger than max_packet_size: a CONNECT is a packet too, "
     "lower it or raise max_packet_size\n"},
    {"packet smaller than a CONNECT", TCP "tls: {" CERTS "}\nlimits: {max_packet_size: 1k}\n",
     "f:1:1: error: max_connect_size is larger than max_packet_size: a CONNECT is a packet too, "
     "lower it or raise max_packet_size\n"},
    {"two rules by one key, told once each for all listeners",
     "listeners: [{bind: unix:a}, {bind: unix:b}]\nlimits: {max_packet_size: 32M, "
     "max_connect_size: 33M}\n",
     "f:1:1: error: queue_bytes is smaller than max_packet_size: the largest message could never "
     "wait, raise it or lower max_packet_size\n"
     "f:2:50: error: max_connect_size is larger than max_packet_size: a CONNECT is a packet too, "
     "lower it or raise max_packet_size\n"},
    {"packet smaller than a CONNECT at the listener",
     "listeners: [{bind: \"[::]:1\", limits: {max_packet_size: 1k}}]\ntls: {" CERTS "}\n",
     "f:1:38: error: max_connect_size is larger than max_packet_size: a CONNECT is a packet too, "
     "lower it or raise max_packet_size\n"},
    {"queue smaller than a packet", TCP "tls: {" CERTS "}\nlimits: {queue_bytes: 1M}\n",
     "f:3:23: error: queue_bytes is smaller than max_packet_size: the largest message could never "
     "wait, raise it or lower max_packet_size\n"},
    {"limits of a unix listener too", "listeners: [{bind: unix:/x, limits: {queue_bytes: 1M}}]\n",
     "f:1:51: error: queue_bytes is smaller than max_packet_size: the largest message could never "
     "wait, raise it or lower max_packet_size\n"},

    {"mode on TCP",
     "listeners: [{bind: \"[::]:1\", mode: 0660, owner: a, group: b}]\ntls: {" CERTS "}\n",
     "f:1:30: error: mode is for unix sockets only, this listener is on TCP: remove it\n"
     "f:1:42: error: owner is for unix sockets only, this listener is on TCP: remove it\n"
     "f:1:52: error: group is for unix sockets only, this listener is on TCP: remove it\n"},
    {"TLS on a unix socket", "listeners: [{bind: unix:/x, tls: {}}]\n",
     "f:1:29: error: tls is for TCP only, this listener is a unix socket: remove it\n"},
    {"PROXY headers of nobody", "listeners: [{bind: unix:/x, proxy_protocol: required}]\n",
     "f:1:45: error: proxy_protocol: required needs trusted: who may send a PROXY header can say "
     "that a client is anywhere; write the address of the proxy, trusted: [\"192.0.2.7\"], or on "
     "a unix socket the number of its user, trusted: [\"uid:998\"]\n"},
    {"an address as sender on a unix socket",
     "listeners: [{bind: unix:/x, proxy_protocol: required, trusted: 10.0.0.0/8}]\n",
     "f:1:64: error: a unix socket has no addresses: write the number of the proxy's user, "
     "uid:998\n"},
    {"a user as sender on TCP",
     "listeners: [{bind: \"[::]:1\", proxy_protocol: required, trusted: [10.0.0.1, uid:7]}]\n"
     "tls: {" CERTS "}\n",
     "f:1:65: error: uid: is for unix sockets: on TCP the user of a proxy is not known; write its "
     "address\n"},
    {"addresses of a unix socket", "listeners: [{bind: unix:/x, allow_from: 10.0.0.0/8}]\n",
     "f:1:41: error: a unix socket has no addresses: mode, owner and group say who may connect; "
     "remove allow_from, or set proxy_protocol: required where a proxy connects for others\n"},
    {"a network with an address",
     "listeners: [{bind: \"[::]:1\", allow_from: [\"::1\", 10.0.0.5/8]}]\ntls: {" CERTS "}\n",
     "f:1:50: error: allow_from: '10.0.0.5/8': the address has bits behind its prefix: write "
     "10.0.0.0/8 for the network, or 10.0.0.5 for this address alone\n"},
    {"TLS fields on TCP",
     "listeners: [{bind: \"[::]:1\", trust_tls_fields: true}]\ntls: {" CERTS "}\n",
     "f:1:30: error: trust_tls_fields is for unix sockets only, this listener is on TCP: remove "
     "it\n"},
    {"TLS fields and other names",
     "listeners: [{bind: unix:/x, proxy_protocol: required, trusted: uid:7, trust_tls_fields: "
     "true, "
     "authentication: {certificate_user: san_dns}}]\n",
     "f:1:89: error: a PROXY header has the common name of a certificate only: set "
     "certificate_user: cn for this listener, or remove trust_tls_fields\n"},
    {"an assumed user from anywhere",
     "listeners: [{bind: \"[::]:1\", assume_user: porch, allow_from: ~}]\ntls: {" CERTS "}\n",
     "f:1:43: error: assume_user on TCP needs allow_from: each client that comes without a login "
     "is "
     "this user; name the addresses of the gateway, allow_from: [\"192.0.2.7\"]\n"},
    {"peers and a proxy",
     "listeners: [{bind: unix:/x, proxy_protocol: required, trusted: uid:7, peer_users: {1: a}}]\n",
     "f:1:83: error: peer_users and proxy_protocol do not go together: the peer of each connection "
     "is the proxy; remove one of them\n"},
    {"peers and an assumed user",
     "listeners: [{bind: unix:/x, assume_user: porch, peer_users: {1: a}}]\n",
     "f:1:42: error: assume_user and peer_users do not go together: a peer that peer_users does "
     "not "
     "name needs a password; give them a socket each\n"},
    {"user 65534", "listeners: [{bind: unix:/x, proxy_protocol: required, trusted: uid:65534}]\n",
     "f:1:64: error: trusted: 65534 is what the system shows of everybody whose user namespace is "
     "another one: it names nobody in particular\n"},
    {"bind twice", "listeners: [{bind: \"[::1]:1\"}, {bind: \"[0::1]:1\"}]\ntls: {" CERTS "}\n",
     "f:1:39: error: bind '[0::1]:1' is taken by the listener on line 1 already: remove one\n"},
    {"IPv4 beside all",
     "listeners: [{bind: \"[::]:1\"}, {bind: \"0.0.0.0:1\"}]\ntls: {" CERTS "}\n",
     "f:1:38: error: bind '0.0.0.0:1' is taken by the listener on line 1 already ([::] takes IPv4 "
     "too): remove one\n"},
    {"all beside IPv4",
     "listeners: [{bind: \"0.0.0.0:1\"}, {bind: \"[::]:1\"}]\ntls: {" CERTS "}\n",
     "f:1:41: error: bind '[::]:1' is taken by the listener on line 1 already ([::] takes IPv4 "
     "too): remove one\n"},
    {"one address beside all of IPv4",
     "listeners: [{bind: \"0.0.0.0:1\"}, {bind: \"127.0.0.1:1\"}]\ntls: {" CERTS "}\n",
     "f:1:41: error: bind '127.0.0.1:1' is taken by the listener on line 1 already: remove one\n"},
    {"all beside one address",
     "listeners: [{bind: \"192.0.2.1:1\"}, {bind: \"[::]:1\"}]\ntls: {" CERTS "}\n",
     "f:1:43: error: bind '[::]:1' is taken by the listener on line 1 already ([::] takes IPv4 "
     "too): remove one\n"},
    {"all beside one address of IPv6",
     "listeners: [{bind: \"[::1]:1\"}, {bind: \"[::]:1\"}]\ntls: {" CERTS "}\n",
     "f:1:39: error: bind '[::]:1' is taken by the listener on line 1 already: remove one\n"},
    {"socket twice", "listeners:\n- bind: unix:x\n- bind: unix:x\n",
     "f:3:9: error: bind 'unix:x' is taken by the listener on line 2 already: remove one\n"},
    {"listeners twice, of different length",
     "listeners: [{bind: unix:x}]\nlisteners: [{bind: unix:a}, {bind: unix:b, mode: 1}]\n",
     "f:2:1: error: duplicate key 'listeners': it is on line 1 already; remove one\n"},
    {"duplicate key and unknown key at once",
     TCP "tls: {" CERTS "}\nworkers: 1\nworkers: 2\nx: 1\n",
     "f:4:1: error: duplicate key 'workers': it is on line 3 already; remove one\nf:5:1: error: "
     "unknown key 'x'; known are workers, listeners, tls, authentication, authorization, "
     "persistence, limits, log, audit, control, user, sandbox\n"},
};

static void errors_have_place_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(wrong); i++) {
		char *got = errors_of("f", slice_of_str(wrong[i].text));

		assert_text(wrong[i].name, got, wrong[i].want);
		free(got);
	}
}

static void listeners_beyond_the_maximum_are_refused(void **state)
{
	struct buf text = {0};
	char *got;

	(void)state;
	buf_printf(&text, "listeners:\n");
	for (int i = 0; i < 65; i++)
		buf_printf(&text, "- bind: unix:/run/%d.sock\n", i);
	got = errors_of("f", buf_slice(&text));
	assert_text("65", got,
	            "f:2:1: error: listeners must be a list of 1 to 64 mappings (each begins with "
	            "'- '), not a list; for example: listeners: [{bind: \"[::]:8883\"}]\n");
	free(got);
	buf_fini(&text);
}

/* What somebody sees who wrote the file in a hurry. */
static void all_errors_of_a_file_are_reported_at_once(void **state)
{
	static const char text[] = "workers: 0\n"
				   "listner:\n"
				   "  - bind: \"[::]:8883\"\n"
				   "listeners:\n"
				   "  - bind: localhost:8883\n"
				   "  - bind: \"[::]:8883\"\n"
				   "    authentication: { password_file: other.passwd }\n"
				   "tls:\n"
				   "  certificates:\n"
				   "    - certificate: server.crt\n"
				   "  min_version: \"1.0\"\n"
				   "websockets:\n"
				   "  directory: /var/lib/broker\n"
				   "limits:\n"
				   "  max_keepalive: 60\n"
				   "  max_qos: [0, 1]\n";
	char *got = errors_of("/etc/broker/broker.yaml", slice_of_str(text));

	(void)state;
	assert_text(
	    "golden", got,
	    "/etc/broker/broker.yaml:1:10: error: workers must be a whole number from 1 to 64, or "
	    "auto, not '0'\n"
	    "/etc/broker/broker.yaml:2:1: error: unknown key 'listner'; did you mean "
	    "'listeners'?\n"
	    "/etc/broker/broker.yaml:5:11: error: bind: names are not taken, only numeric "
	    "addresses: write \"127.0.0.1:8883\", or \"[::1]:8883\" for IPv6\n"
	    "/etc/broker/broker.yaml:7:23: error: password_file cannot be set in a listener: a "
	    "user is the same on all listeners; set it in authentication: at the top level\n"
	    "/etc/broker/broker.yaml:10:7: error: key 'key' is missing in certificates: the path "
	    "of a file\n"
	    "/etc/broker/broker.yaml:11:16: error: min_version must be 1.2 or 1.3, not '1.0'; "
	    "versions older than TLS 1.2 are insecure and cannot be enabled; write '1.2'\n"
	    "/etc/broker/broker.yaml:12:1: error: unknown key 'websockets'; it is of another "
	    "broker: a listener with protocol: https and serve: [websocket]\n"
	    "/etc/broker/broker.yaml:15:18: error: max_keepalive must be a duration from 0 to "
	    "65535s (with its unit: s, m, h or d), not '60'; write '60s'\n"
	    "/etc/broker/broker.yaml:16:12: error: max_qos must be a whole number from 0 to 2, not "
	    "a list\n");
	free(got);
}

static void errors_of_another_file_do_not_refuse_this_one(void **state)
{
	struct errors e = {0};
	struct conf *conf;

	(void)state;
	errors_add(&e, "other", 1, 1, "of somebody else");
	conf = conf_parse("f", SLICE("listeners: [{bind: unix:x}]\n"), &e);
	assert_non_null(conf);
	assert_int_equal(e.error_count, 1);
	conf_free(conf);
	conf_free(NULL);
	errors_fini(&e);
}

static void listeners_override_key_by_key(void **state)
{
	struct errors e = {0};
	struct conf *conf = conf_parse("etc/x.yaml", SLICE(INHERITING), &e);
	const struct conf_listener *plain, *own, *local, *last;

	(void)state;
	assert_non_null(conf);
	assert_int_equal(conf->listener_count, 4);
	plain = &conf->listeners[0];
	own = &conf->listeners[1];
	local = &conf->listeners[2];
	last = &conf->listeners[3];

	assert_string_equal(conf->path, "etc/x.yaml");
	assert_string_equal(conf->password_file, "etc/users.passwd");
	assert_int_equal(plain->tls.certificate_count, 2);
	assert_string_equal(plain->tls.certificates[1].key, "etc/rsa.key");
	assert_int_equal(plain->tls.certificates[1].line, 21);
	assert_int_equal(plain->tls.certificates[1].column, 7);
	assert_string_equal(plain->tls.client_crl, "/crl.pem");
	assert_int_equal(plain->limits.connections, 7000);
	assert_int_equal(plain->authentication.bind_client_id, BIND_CLIENT_ID_PREFIX);
	assert_false(plain->own_connections);
	assert_int_equal(plain->line, 2);
	assert_int_equal(plain->column, 5);

	assert_int_equal(own->tls.certificate_count, 1);
	assert_string_equal(own->tls.certificates[0].certificate, "etc/other.crt");
	assert_int_equal(own->tls.client_certificates, CLIENT_CERTIFICATES_REQUIRED);
	assert_int_equal(own->tls.min_version, 13);
	assert_string_equal(own->tls.client_ca, "etc/ca.crt");
	assert_true(own->authentication.anonymous);
	assert_int_equal(own->authentication.certificate_user, CERTIFICATE_USER_SAN_URI);
	assert_int_equal(own->authentication.bind_client_id, BIND_CLIENT_ID_PREFIX);
	assert_int_equal(own->limits.connections, 50);
	assert_true(own->own_connections);
	assert_int_equal(own->limits.max_qos, 1);
	assert_int_equal(own->limits.subscriptions, 5);

	assert_true(local->is_unix);
	assert_string_equal(local->bind, "unix:etc/run/b.sock");
	assert_int_equal(local->mode, 0600);
	assert_string_equal(local->group, "broker");
	assert_null(local->owner);
	assert_true(local->own_connections); /* the same number, but its own count */
	assert_int_equal(local->limits.connections, 7000);

	assert_null(last->tls.client_crl);
	assert_false(last->own_connections);
	assert_int_equal(last->authorization.partial_subscriptions, PARTIAL_SUBSCRIPTIONS_FILTER);
	assert_int_equal(local->authorization.partial_subscriptions, PARTIAL_SUBSCRIPTIONS_REFUSE);
	assert_int_equal(conf->limits.max_qos, 2);
	assert_int_equal(conf->tls.client_certificates, CLIENT_CERTIFICATES_NONE);
	conf_free(conf);
}

static void certificate_user_names_a_field_of_the_certificate(void **state)
{
	static const struct {
		const char *word;
		enum conf_certificate_user want;
	} rows[] = {{"cn", CERTIFICATE_USER_CN},
	            {"san_dns", CERTIFICATE_USER_SAN_DNS},
	            {"san_uri", CERTIFICATE_USER_SAN_URI},
	            {"san_email", CERTIFICATE_USER_SAN_EMAIL}};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = xasprintf(TCP "tls: {" CERTS ", client_ca: a, client_certificates: "
		                           "optional}\nauthentication: {certificate_user: %s}\n",
		                       rows[i].word);
		struct conf *conf = parse(text);

		assert_int_equal(conf->listeners[0].authentication.certificate_user, rows[i].want);
		conf_free(conf);
		free(text);
	}
}

static void allowed_combinations_load_without_errors(void **state)
{
	static const char *const rows[] = {
	    "listeners: [{bind: \"[::]:0\"}, {bind: \"[::]:0\"}]\ntls: {" CERTS "}\n",
	    "listeners: [{bind: \"127.0.0.1:1\"}, {bind: \"[::1]:1\"}]\ntls: {" CERTS "}\n",
	    "listeners: [{bind: \"127.0.0.1:1\"}, {bind: \"127.0.0.1:2\"}]\ntls: {" CERTS "}\n",
	    "listeners: [{bind: unix:/x}]\nauthentication: {certificate_user: cn}\n",
	    "listeners: [{bind: \"[::]:1\", tls: {" CERTS "}}]\n",
	    "listeners: [{bind: \"[::]:1\", tls: {client_certificates: required}}]\n"
	    "tls: {" CERTS ", client_ca: a}\nauthentication: {certificate_user: cn}\n",
	    "listeners: [{bind: unix:/x}]\nlimits:\nlog:\ntls:\n",
	    "\"listeners\": [{\"bind\": \"unix:/x\"}]\n",
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		conf_free(parse(rows[i]));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(errors_have_place_and_remedy),
	    cmocka_unit_test(listeners_beyond_the_maximum_are_refused),
	    cmocka_unit_test(all_errors_of_a_file_are_reported_at_once),
	    cmocka_unit_test(errors_of_another_file_do_not_refuse_this_one),
	    cmocka_unit_test(listeners_override_key_by_key),
	    cmocka_unit_test(certificate_user_names_a_field_of_the_certificate),
	    cmocka_unit_test(allowed_combinations_load_without_errors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
