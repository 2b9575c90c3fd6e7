/* What holds where broker.yaml says nothing. */
#include "conf/conf_dump.h"
#include "conf/conf_load.h"
#include "support.h"

/* The file of the interface description, with its values: the defaults are the same. */
static void defaults_are_those_of_the_interface(void **state)
{
	static const char text[] = LISTENERS TLS "workers: auto\n"
						 "authentication:\n"
						 "  anonymous: false\n"
						 "  anonymous_sessions: false\n"
						 "  certificate_user: none\n"
						 "  login: either\n"
						 "  bind_client_id: none\n"
						 "authorization:\n"
						 "  partial_subscriptions: refuse\n"
						 "persistence:\n"
						 "  directory: ~\n"
						 "  durability: ack\n"
						 "  interval: 1s\n"
						 "  max_size: 8G\n"
						 "  topics: ~\n"
						 "limits:\n"
						 "  connections: 10000\n"
						 "  connections_per_address: 5000\n"
						 "  connections_per_user: 0\n"
						 "  max_packet_size: 2M\n"
						 "  max_packet_size_enforcement: lenient\n"
						 "  max_connect_size: 64k\n"
						 "  receive_maximum: 1000\n"
						 "  receive_maximum_enforcement: lenient\n"
						 "  message_rate: 0\n"
						 "  byte_rate: 0\n"
						 "  topic_alias_maximum: 10\n"
						 "  max_qos: 2\n"
						 "  retain_available: true\n"
						 "  retained_messages: 100000\n"
						 "  retained_bytes: 256M\n"
						 "  retained_per_user: 50000\n"
						 "  retained_bytes_per_user: auto\n"
						 "  memory: 1G\n"
						 "  memory_per_user: auto\n"
						 "  store_per_user: auto\n"
						 "  max_keepalive: 0\n"
						 "  max_session_expiry: 30d\n"
						 "  queue_messages: 1000\n"
						 "  queue_bytes: 16M\n"
						 "  connect_timeout: 10s\n"
						 "  unauthenticated: 1000\n"
						 "  subscriptions: 10000\n"
						 "  subscription_bytes: 8M\n"
						 "  sessions_per_user: 1000\n"
						 "  topic_levels: 128\n"
						 "  user_properties: 64\n"
						 "log:\n"
						 "  level: info\n"
						 "  format: text\n";
	struct conf *given = parse(text), *left_out = parse(LISTENERS TLS);
	char *given_dump = conf_dump(given), *left_out_dump = conf_dump(left_out);

	(void)state;
	assert_text("defaults", left_out_dump, given_dump);
	free(given_dump);
	free(left_out_dump);
	conf_free(given);
	conf_free(left_out);
}

static void defaults_are_kept_in_their_units(void **state)
{
	struct conf *conf = parse(LISTENERS TLS);
	const struct conf_limits *l = &conf->limits;

	(void)state;
	assert_in_range(conf->workers, 1, 64);
	assert_int_equal(conf->tls.min_version, 12);
	assert_int_equal(conf->tls.client_certificates, CLIENT_CERTIFICATES_NONE);
	assert_null(conf->tls.client_ca);
	assert_null(conf->tls.client_crl);
	assert_null(conf->password_file);
	assert_null(conf->acl_file);
	assert_null(conf->persistence_directory);
	assert_int_equal(conf->durability, DURABILITY_ACK);
	assert_int_equal(conf->persistence_interval_ms, 1000);
	assert_int_equal(conf->persistence_max_bytes, (uint64_t)8 << 30);
	assert_int_equal(conf->persistence_topic_count, 0);
	assert_null(conf->log_audit);
	assert_false(conf->log_json);
	assert_int_equal(conf->log_level, LOG_LEVEL_INFO);
	assert_int_equal(l->connections, 10000);
	assert_int_equal(l->max_packet_size, 2097152);
	assert_int_equal(l->max_connect_size, 65536);
	assert_int_equal(l->receive_maximum, 1000);
	assert_int_equal(l->topic_alias_maximum, 10);
	assert_int_equal(l->max_qos, 2);
	assert_true(l->retain_available);
	assert_int_equal(l->max_keepalive_s, 0);
	assert_int_equal(l->max_session_expiry_s, 2592000);
	assert_int_equal(l->queue_messages, 1000);
	assert_int_equal(l->queue_bytes, 16777216);
	assert_int_equal(l->connect_timeout_ms, 10000);
	assert_int_equal(l->unauthenticated, 1000);
	assert_int_equal(l->subscriptions, 10000);
	assert_int_equal(l->sessions_per_user, 1000);
	assert_int_equal(l->topic_levels, 128);
	assert_int_equal(l->user_properties, 64);
	assert_int_equal(l->subscription_bytes, 8388608);
	assert_int_equal(l->message_rate, 0);
	assert_int_equal(l->byte_rate, 0);
	assert_int_equal(l->connections_per_address, 5000);
	assert_int_equal(l->connections_per_user, 0);
	assert_int_equal(conf->shared.retained_messages, 100000);
	assert_int_equal(conf->shared.retained_bytes, 268435456);
	assert_int_equal(conf->shared.retained_per_user, 50000);
	assert_int_equal(conf->shared.memory_bytes, 1073741824);
	conf_free(conf);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_those_of_the_interface),
	    cmocka_unit_test(defaults_are_kept_in_their_units),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
