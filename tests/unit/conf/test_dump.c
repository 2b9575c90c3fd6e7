/* What is said about a configuration: the dump, what changed, the manual. */
#include "conf/conf_diff.h"
#include "conf/conf_dump.h"
#include "conf/conf_load.h"
#include "conf/conf_manual.h"
#include "support.h"

static void dump_parses_to_itself(void **state)
{
	static const char *const rows[] = {
	    LISTENERS TLS,
	    INHERITING,
	    "listeners: [{bind: unix:/x, owner: 'null', group: \"a\\\"b\\\\c\\u2028\\u00e9\"}]\n",
	    "listeners: [{bind: unix:/x, limits: {queue_bytes: 9999999999}}]\n",
	    "listeners: [{bind: unix:/x}]\nlog: {format: json}\n",
	    "workers: 3\nlisteners: [{bind: unix:/x}]\nauthentication: {password_file: ' # x'}\n",
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct conf *first = parse(rows[i]), *second;
		char *dump = conf_dump(first), *again;

		second = parse(dump);
		again = conf_dump(second);
		assert_text("again", again, dump);
		assert_int_equal(second->listener_count, first->listener_count);
		assert_int_equal(second->listeners[0].own_connections,
		                 first->listeners[0].own_connections);
		free(dump);
		free(again);
		conf_free(first);
		conf_free(second);
	}
}

static void dump_of_a_listener_shows_what_differs(void **state)
{
	struct conf *conf = parse(INHERITING);
	char *dump = conf_dump(conf);
	char *listeners = strstr(dump, "listeners:\n");

	(void)state;
	assert_non_null(listeners);
	*strstr(listeners, "\ntls:\n") = '\0';
	assert_text("listeners", listeners,
	            "listeners:\n"
	            "  - bind: \"[::]:8883\"\n"
	            "    protocol: mqtt\n"
	            "    allow_from: null\n"
	            "    proxy_protocol: off\n"
	            "    trusted: null\n"
	            "    assume_user: null\n"
	            "    server_reference: null\n"
	            "    server_moved: false\n"
	            "  - bind: \"[::]:8884\"\n"
	            "    protocol: mqtt\n"
	            "    allow_from: null\n"
	            "    proxy_protocol: off\n"
	            "    trusted: null\n"
	            "    assume_user: null\n"
	            "    server_reference: null\n"
	            "    server_moved: false\n"
	            "    tls:\n"
	            "      certificates:\n"
	            "        - certificate: \"other.crt\"\n"
	            "          key: \"other.key\"\n"
	            "          ocsp_response: null\n"
	            "      client_certificates: required\n"
	            "    authentication:\n"
	            "      anonymous: true\n"
	            "      certificate_user: san_uri\n"
	            "    limits:\n"
	            "      connections: 50\n"
	            "      max_qos: 1\n"
	            "  - bind: \"unix:run/b.sock\"\n"
	            "    protocol: mqtt\n"
	            "    mode: \"0600\"\n"
	            "    owner: null\n"
	            "    group: \"broker\"\n"
	            "    allow_from: null\n"
	            "    proxy_protocol: off\n"
	            "    trusted: null\n"
	            "    trust_tls_fields: false\n"
	            "    peer_users: null\n"
	            "    assume_user: null\n"
	            "    server_reference: null\n"
	            "    server_moved: false\n"
	            "    limits:\n"
	            "      connections: 7000\n"
	            "  - bind: \"127.0.0.1:1\"\n"
	            "    protocol: mqtt\n"
	            "    allow_from: null\n"
	            "    proxy_protocol: off\n"
	            "    trusted: null\n"
	            "    assume_user: null\n"
	            "    server_reference: null\n"
	            "    server_moved: false\n"
	            "    tls:\n"
	            "      client_crl: null\n"
	            "    authorization:\n"
	            "      partial_subscriptions: filter");
	free(dump);
	conf_free(conf);
}

static void manual_describes_every_key(void **state)
{
	char *manual = conf_manual();
	char *dump;
	struct conf *conf = parse("listeners: [{bind: unix:/x}]\n");

	(void)state;
	dump = conf_dump(conf);
	for (char *save, *line = strtok_r(dump, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		char *item;

		line += strspn(line, " -");
		item = xasprintf("\n.It Ic %.*s\n", (int)strcspn(line, ":"), line);
		if (strstr(manual, item) == NULL)
			fail_msg("%s", item);
		free(item);
	}
	assert_non_null(strstr(manual, "Takes a size from 1k to 256M (bytes, or with the unit k, M "
	                               "or G); the default is 2M.\n"));
	for (const char *line = manual; *line != '\0'; line = strchr(line, '\n') + 1)
		if (line[0] == '\'' ||
		    (line[0] == '.' && strncmp(line, ".It Ic ", 7) != 0 &&
		     strncmp(line, ".Ss ", 4) != 0 && strncmp(line, ".Bl -tag", 8) != 0 &&
		     strncmp(line, ".El\n", 4) != 0))
			fail_msg("%.40s", line);
	free(manual);
	free(dump);
	conf_free(conf);
}

/* --- what changed --- */

static void put_change(void *arg, const struct conf_change *change)
{
	buf_printf(arg, "%s%s%s: %s -> %s%s\n", change->name, change->bind == NULL ? "" : " of ",
	           change->bind == NULL ? "" : change->bind, change->before, change->after,
	           change->at_restart ? " at restart" : "");
}

static void changes_are_told_where_they_were_made(void **state)
{
	static const struct {
		const char *name, *before, *after, *want;
	} changes[] = {
	    {"nothing", LISTENERS TLS, LISTENERS TLS, ""},
	    {"for all: told once, not for each listener that follows",
	     "listeners: [{bind: unix:a}, {bind: unix:b, limits: {max_qos: 0}}]\n",
	     "listeners: [{bind: unix:a}, {bind: unix:b, limits: {max_qos: 0}}]\nlimits: {max_qos: "
	     "1}\n",
	     "limits.max_qos: 2 -> 1\n"},
	    {"at one listener", "listeners: [{bind: unix:a}, {bind: unix:b}]\n",
	     "listeners: [{bind: unix:b, authentication: {anonymous: true}}, {bind: unix:a}]\n",
	     "authentication.anonymous of unix:b: false -> true\n"},
	    {"listeners that come and go are told elsewhere", "listeners: [{bind: unix:a}]\n",
	     "listeners: [{bind: unix:b, mode: \"0600\"}]\n", ""},
	    {"at restart", "listeners: [{bind: unix:a}]\nworkers: 2\n",
	     "listeners: [{bind: unix:a}]\nworkers: 3\n", "workers: 2 -> 3 at restart\n"},
	    {"certificates",
	     "listeners: [{bind: unix:a}]\ntls: {certificates: [{certificate: a, key: b}]}\n",
	     "listeners: [{bind: unix:a}]\ntls: {certificates: [{certificate: a, key: c}]}\n",
	     "tls.certificates: [{certificate: \"a\", key: \"b\", ocsp_response: null}] -> "
	     "[{certificate: \"a\", key: \"c\", ocsp_response: null}]\n"},
	    {"topics", "listeners: [{bind: unix:a}]\npersistence: {directory: d}\n",
	     "listeners: [{bind: unix:a}]\npersistence: {directory: d, topics: [{filter: a/#, "
	     "durability: none}]}\n",
	     "persistence.topics: [] -> [{filter: \"a/#\", durability: none}]\n"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(changes); i++) {
		struct conf *before = parse(changes[i].before), *after = parse(changes[i].after);
		struct buf got = {0};

		conf_diff(before, after, put_change, &got);
		buf_put_u8(&got, '\0');
		assert_text(changes[i].name, (char *)got.data, changes[i].want);
		buf_fini(&got);
		conf_free(before);
		conf_free(after);
	}
}

static void what_waits_for_a_restart_is_compared_with_the_start(void **state)
{
	struct conf *first = parse("listeners: [{bind: unix:a}]\nworkers: 2\n");
	struct conf *second =
	    parse("listeners: [{bind: unix:a}]\nworkers: 3\nlimits: {max_qos: 1}\n");
	struct conf_started *started = conf_started_new(first);
	struct buf got = {0};

	(void)state;
	for (int i = 0; i < 2; i++) /* still pending */
		conf_started_diff(started, second, put_change, &got);
	conf_started_diff(started, first, put_change, &got); /* and back */
	buf_put_u8(&got, '\0');
	assert_text("pending", (char *)got.data,
	            "workers: 2 -> 3 at restart\nworkers: 2 -> 3 at restart\n");
	buf_fini(&got);
	conf_started_free(started);
	conf_free(first);
	conf_free(second);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dump_parses_to_itself),
	    cmocka_unit_test(dump_of_a_listener_shows_what_differs),
	    cmocka_unit_test(manual_describes_every_key),
	    cmocka_unit_test(changes_are_told_where_they_were_made),
	    cmocka_unit_test(what_waits_for_a_restart_is_compared_with_the_start),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
