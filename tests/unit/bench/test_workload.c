/* Values of a workload: what is read, what is refused in which words, and files of scenarios. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conf/errors.h"
#include "tools/bench/workload_file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *key, *value;
	const char *want; /* as it is written again */
} values[] = {
    {"publishers", "100000", "100000"},
    {"qos", "2", "2"},
    {"rate", "max", "max"},
    {"rate", "0.5", "0.5"},
    {"rate", "12000", "12000"},
    {"rate_each", "3", "3"},
    {"rate-each", "3", "3"},
    {"duration", "90", "90000ms"},
    {"duration", "2m", "120000ms"},
    {"duration", "1h", "3600000ms"},
    {"warm-up", "250ms", "250ms"},
    {"warm_up", "0", "0ms"},
    {"retain", "true", "true"},
    {"layout", "shared", "shared"},
    {"arrivals", "poisson", "poisson"},
    {"payload", "24", "24"},
    {"payload", "24-1000", "24-1000"},
    {"payload", "24,100,65536", "24,100,65536"},
    {"topic", "home/bench", "home/bench"},
};

static void values_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct buf why = {0}, got = {0};
		enum workload_key key = workload_find(values[i].key);
		struct workload w;

		workload_init(&w);
		assert_int_not_equal(key, WORKLOAD_KEYS);
		if (!workload_set(&w, key, values[i].value, &why))
			fail_msg("%s %s: %.*s", values[i].key, values[i].value, (int)why.len,
			         (const char *)why.data);
		workload_format(&w, key, &got);
		if (!slice_equal(buf_slice(&got), slice_of_str(values[i].want)))
			fail_msg("%s %s: became %.*s", values[i].key, values[i].value, (int)got.len,
			         (const char *)got.data);
		buf_fini(&got);
	}
}

#define COUNT_TO(most)  "expected a whole number from 0 to " most
#define RATE_WANTED     "expected a number above 0, like 1000 or 0.5"
#define DURATION_WANTED "expected a time like 10s, 500ms, 2m or 1h, at most 604800s"
#define PAYLOAD_WANTED                                                                             \
	"expected bytes, each up to 268435455: 100, or 100-1000 (uniform), or a list of at most "  \
	"16 like 20,100,1000"
#define TOPIC_WANTED                                                                               \
	"expected the beginning of a topic name: 1 to 63 bytes without + and #, and no $ in front"

static const struct {
	const char *key, *value, *want;
} refused[] = {
    {"publishers", "", COUNT_TO("100000")},
    {"publishers", "-1", COUNT_TO("100000")},
    {"publishers", "+1", COUNT_TO("100000")},
    {"publishers", " 1", COUNT_TO("100000")},
    {"publishers", "1.5", COUNT_TO("100000")},
    {"publishers", "100001", COUNT_TO("100000")},
    {"publishers", "99999999999999999999999", COUNT_TO("100000")},
    {"qos", "3", COUNT_TO("2")},
    {"threads", "0", "expected a whole number from 1 to 64"},
    {"rate", "0", RATE_WANTED ", or max"},
    {"rate", "-5", RATE_WANTED ", or max"},
    {"rate", "nan", RATE_WANTED ", or max"},
    {"rate", "1e9", RATE_WANTED ", or max"},
    {"rate", "1.2.3", RATE_WANTED ", or max"},
    {"rate", "0x10", RATE_WANTED ", or max"},
    {"rate", "99999999999", RATE_WANTED ", or max"},
    {"rate_each", "max", RATE_WANTED},
    {"duration", "10 s", DURATION_WANTED},
    {"duration", "10d", DURATION_WANTED},
    {"duration", "s", DURATION_WANTED},
    {"duration", "604801", DURATION_WANTED},
    {"duration", "169h", DURATION_WANTED},
    {"retain", "yes", "expected true or false"},
    {"layout", "pair", "expected pairs, all or shared"},
    {"layout", "", "expected pairs, all or shared"},
    {"arrivals", "constant|poisson", "expected constant or poisson"},
    {"payload", "", PAYLOAD_WANTED},
    {"payload", "1-2-3", PAYLOAD_WANTED},
    {"payload", "1,2-3", PAYLOAD_WANTED},
    {"payload", "1-2,3", PAYLOAD_WANTED},
    {"payload", "200-100", PAYLOAD_WANTED},
    {"payload", "1,", PAYLOAD_WANTED},
    {"payload", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", PAYLOAD_WANTED},
    {"payload", "268435456", PAYLOAD_WANTED},
    {"topic", "a/+/b", TOPIC_WANTED},
    {"topic", "#", TOPIC_WANTED},
    {"topic", "", TOPIC_WANTED},
    {"topic", "$SYS", TOPIC_WANTED},
    {"topic", "0123456789012345678901234567890123456789012345678901234567890123", TOPIC_WANTED},
};

static void values_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct buf why = {0};
		struct workload w, before;

		workload_init(&w);
		memcpy(&before, &w, sizeof(w)); /* with what is between members */
		if (workload_set(&w, workload_find(refused[i].key), refused[i].value, &why))
			fail_msg("%s '%s' is taken", refused[i].key, refused[i].value);
		if (!slice_equal(buf_slice(&why), slice_of_str(refused[i].want)))
			fail_msg("%s '%s': %.*s", refused[i].key, refused[i].value, (int)why.len,
			         (const char *)why.data);
		assert_memory_equal(&w, &before, sizeof(w));
		buf_fini(&why);
	}
}

static const struct {
	const char *keys[4][2];
	const char *want; /* the beginning; "": it fits */
} together[] = {
    {{{NULL}}, ""},
    {{{"publishers", "0"}, {"subscribers", "0"}}, "there is nothing to do"},
    {{{"publishers", "0"}, {"subscribers", "0"}, {"idle", "1"}}, ""},
    {{{"publishers", "0"}, {"subscribers", "0"}, {"connects", "1"}}, ""},
    {{{"connect_rate", "max"}}, "connect_rate max needs connects"},
    {{{"connect_rate", "max"}, {"connects", "1"}, {"resume", "true"}}, ""},
    {{{"resume", "true"}}, "resume needs connects"},
    {{{"publishers", "0"}, {"messages", "1"}}, "messages need publishers"},
    {{{"threads", "2"}}, "there are more threads than publishers"},
    {{{"publishers", "3"}, {"subscribers", "9"}}, ""},
    {{{"publishers", "3"}, {"subscribers", "10"}}, "with layout pairs each publisher"},
    {{{"publishers", "3"}, {"subscribers", "10"}, {"layout", "all"}}, ""},
    {{{"layout", "shared"}, {"groups", "2"}}, "there are more groups than subscribers"},
    {{{"groups", "2"}}, "groups need layout shared"},
    {{{"slow_subscribers", "2"}}, "slow_subscribers are some"},
    {{{"publishers", "100000"}, {"subscribers", "100000"}, {"layout", "all"}},
     "publishers times subscribers"},
    {{{"rate", "max"}}, ""},
    {{{"rate", "max"}, {"rate_each", "1"}}, "rate max and rate_each"},
    {{{"rate", "max"}, {"layout", "shared"}}, "rate max needs layout pairs"},
    {{{"rate", "max"}, {"layout", "shared"}, {"next_after", "ack"}, {"qos", "1"}}, ""},
    {{{"rate", "max"}, {"next_after", "ack"}}, "next_after ack needs rate max, and qos 1 or 2"},
    {{{"rate", "5"}, {"next_after", "ack"}, {"qos", "1"}},
     "next_after ack needs rate max, and qos 1 or 2"},
    {{{"rate", "max"}, {"threads", "2"}, {"publishers", "2"}, {"subscribers", "2"}},
     "rate max needs one thread"},
    {{{"rate", "max"}, {"arrivals", "poisson"}}, "rate max knows neither"},
    {{{"rate", "max"}, {"subscribers", "0"}}, "rate max with QoS 0 needs subscribers"},
    {{{"rate", "max"}, {"subscribers", "0"}, {"qos", "1"}}, ""},
    {{{"rate", "max"}, {"slow_subscribers", "1"}}, "rate max with slow_subscribers"},
    {{{"rate", "max"}, {"qos", "1"}, {"bunch", "10000"}, {"in_flight", "7"}},
     "bunch times in_flight is more than the window"},
    {{{"away", "true"}}, "away needs session_expiry"},
    {{{"away", "true"}, {"session_expiry", "1h"}, {"qos", "1"}}, ""},
    {{{"replays", "1"}}, "replays need retain"},
    {{{"warm_up_count", "1"}}, "warm_up_count needs something"},
    {{{"payload", "23"}}, "payload: the smallest that can be measured is 24 bytes"},
    {{{"payload", "100,10"}}, "payload: the smallest that can be measured is 24 bytes"},
};

static void values_fit_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(together); i++) {
		struct buf why = {0};
		struct workload w;
		bool ok;

		workload_init(&w);
		w.publishers = w.subscribers = 1;
		for (size_t n = 0; n < 4 && together[i].keys[n][0] != NULL; n++)
			assert_true(workload_set(&w, workload_find(together[i].keys[n][0]),
			                         together[i].keys[n][1], &why));
		ok = workload_check(&w, &why);
		if (ok != (together[i].want[0] == '\0') ||
		    !slice_starts_with(buf_slice(&why), slice_of_str(together[i].want)))
			fail_msg("row %zu: %.*s", i, (int)why.len, (const char *)why.data);
		buf_fini(&why);
	}
}

static const struct {
	const char *name, *text, *scenario;
	const char *want; /* the errors; "": none, and publishers is 7 */
} files[] = {
    {"the only one", "scenarios:\n  a:\n    publishers: 7\n", NULL, ""},
    {"by its name", "scenarios:\n  a: {}\n  b: { publishers: 7, description: x }\n", "b", ""},
    {"a list of sizes", "scenarios:\n  a: { publishers: 7, payload: [24, 100] }\n", NULL, ""},
    {"nothing", "", NULL,
     "f.yaml:1: error: expected one key 'scenarios:', and below it a name for each scenario\n"},
    {"a list", "- a\n", NULL, "f.yaml:1:1: error: expected 'scenarios:'\n"},
    {"which one", "scenarios:\n  a: {}\n  b: {}\n", NULL,
     "f.yaml:2:3: error: which of its scenarios? --scenario is one of: a, b\n"},
    {"not there", "scenarios:\n  a: {}\n  b: {}\n", "c",
     "f.yaml:2:3: error: there is no scenario 'c'; there are: a, b\n"},
    {"unknown key", "scenarios:\n  a:\n    publisher: 7\n", NULL,
     "f.yaml:3:5: error: unknown key 'publisher'; did you mean 'publishers'?\n"},
    {"a dash", "scenarios:\n  a:\n    warm-up: 7\n", NULL,
     "f.yaml:3:5: error: unknown key 'warm-up'; did you mean 'warm_up'?\n"},
    {"far from any", "scenarios:\n  a:\n    quux: 7\n", NULL,
     "f.yaml:3:5: error: unknown key 'quux'; the keys are those of broker-bench --help, with _ in "
     "place of -\n"},
    {"bad value", "scenarios:\n  a:\n    qos: many\n", NULL,
     "f.yaml:3:10: error: qos: expected a whole number from 0 to 2, not 'many'\n"},
    {"in another scenario", "scenarios:\n  a: { publishers: 7 }\n  b: { qos: 4 }\n", "a",
     "f.yaml:3:13: error: qos: expected a whole number from 0 to 2, not '4'\n"},
    {"not one value", "scenarios:\n  a:\n    qos: [1]\n", NULL,
     "f.yaml:3:10: error: expected one value\n"},
    {"no mapping", "scenarios:\n  a: 5\n", NULL,
     "f.yaml:2:6: error: expected keys and values, like 'rate: 1000'\n"},
    {"twice", "scenarios:\n  a: { qos: 1, qos: 2 }\n", NULL,
     "f.yaml:2:16: error: duplicate key 'qos': it is on line 2 already; remove one\n"},
};

static void files_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct errors errors = {0};
		struct workload w;
		char *text;
		bool ok;

		workload_init(&w);
		ok = workload_file_parse(&w, "f.yaml", slice_of_str(files[i].text),
		                         files[i].scenario, &errors);
		text = errors_text(&errors);
		if (ok != (files[i].want[0] == '\0') || strcmp(text, files[i].want) != 0)
			fail_msg("%s: %s", files[i].name, text);
		if (ok)
			assert_int_equal(w.publishers, 7);
		free(text);
		errors_fini(&errors);
	}
}

static void sizes_are_drawn(void **state)
{
	struct prng prng = {1};
	struct buf why = {0};
	struct workload w;
	unsigned ends = 0;

	(void)state;
	workload_init(&w);
	assert_int_equal(workload_draw_size(&w, &prng), 100);
	assert_true(workload_set(&w, WORKLOAD_KEY_payload, "24-27", &why));
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t size = workload_draw_size(&w, &prng);

		assert_in_range(size, 24, 27);
		ends |= 1u << (size - 24);
	}
	assert_int_equal(ends, 15);
	assert_true(workload_set(&w, WORKLOAD_KEY_payload, "30,40", &why));
	for (unsigned i = 0; i < 100; i++)
		assert_true(workload_draw_size(&w, &prng) % 10 == 0);
	assert_int_equal(workload_largest_size(&w), 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_read),     cmocka_unit_test(values_are_refused),
	    cmocka_unit_test(values_fit_together), cmocka_unit_test(files_are_read),
	    cmocka_unit_test(sizes_are_drawn),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
