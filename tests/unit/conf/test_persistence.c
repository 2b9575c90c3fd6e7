/* persistence: what no row of test_keys can say: topics in their order, the warning that there is
 * no store, and the directory itself. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_dump.h"
#include "conf/conf_file.h"
#include "conf/conf_load.h"
#include "support.h"

static char scratch[] = "/tmp/vakt-persistence-XXXXXX";

static char *file_with(const char *lines)
{
	return xasprintf(LISTENERS TLS "persistence:\n%s", lines);
}

static void durability_topics_keep_their_order(void **state)
{
	static const struct {
		const char *filter;
		enum conf_durability durability;
	} want[] = {
	    {"home/+/command/#", DURABILITY_ACK},
	    {"home/#", DURABILITY_INTERVAL},
	    {"#", DURABILITY_NONE},
	};
	char *text = file_with("  directory: store\n  topics:\n"
	                       "    - { filter: home/+/command/#, durability: ack }\n"
	                       "    - { filter: 'home/#', durability: interval }\n"
	                       "    - { filter: '#', durability: none }\n");
	struct conf *conf = parse(text);
	char *dump = conf_dump(conf);
	struct conf *again = parse(dump);

	(void)state;
	assert_string_equal(conf->persistence_directory, "store");
	assert_int_equal(again->persistence_topic_count, ROWS(want));
	for (size_t i = 0; i < ROWS(want); i++) {
		assert_string_equal(conf->persistence_topics[i].filter, want[i].filter);
		assert_string_equal(again->persistence_topics[i].filter, want[i].filter);
		assert_int_equal(again->persistence_topics[i].durability, want[i].durability);
	}
	free(text);
	free(dump);
	conf_free(conf);
	conf_free(again);
}

static void durability_filters_are_valid_or_refused(void **state)
{
	static const struct {
		const char *filter;
		bool valid;
	} rows[] = {
	    {"'#'", true},      {"'+'", true},           {"a", true},          {"/", true},
	    {"a//b", true},     {"'a/+/+/#'", true},     {"'/#'", true},       {"'$SYS/#'", true},
	    {"' a b '", true},  {"gr\u00fcn", true},     {"'$share'", true},   {"''", false},
	    {"'a/#/b'", false}, {"'a#'", false},         {"'a/b+'", false},    {"'+a'", false},
	    {"'##'", false},    {"'$share/g/a'", false}, {"\"a\\tb\"", false}, {"[a]", false},
	    {"~", false},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char *lines = xasprintf(
		    "  directory: d\n  topics: [{filter: %s, durability: ack}]\n", rows[i].filter);
		char *text = file_with(lines);
		char *wrong = errors_of("broker.yaml", slice_of_str(text));

		if (rows[i].valid
		        ? wrong[0] != '\0'
		        : strstr(wrong, "8:") == NULL && strstr(wrong, ": filter") == NULL)
			fail_msg("%s: %s", rows[i].filter, wrong);
		free(wrong);
		free(text);
		free(lines);
	}
}

static void persistence_mistakes_have_place_and_remedy(void **state)
{
	static const struct {
		const char *name, *lines, *want;
	} rows[] = {
	    {"no durability", "  directory: d\n  topics: [{filter: a}]\n",
	     "broker.yaml:7:12: error: key 'durability' is missing in topics: ack, interval or "
	     "none\n"},
	    {"no items", "  directory: d\n  topics: []\n",
	     "broker.yaml:7:11: error: topics must be a list of 1 to 256 mappings (each begins "
	     "with '- '), not an empty list\n"},
	    {"shared", "  directory: d\n  topics: [{durability: ack, filter: $share/g/a}]\n",
	     "broker.yaml:7:38: error: filter: a shared subscription is not a topic filter: write "
	     "the part after its group\n"},
	    {"small", "  directory: d\n  max_size: 4k\n",
	     "broker.yaml:7:13: error: max_size is too small for any store: 1M at least, or 0 for "
	     "no limit\n"},
	    {"smaller than messages", "  directory: d\n  max_size: 7M\n",
	     "broker.yaml:7:13: warning: max_size is less than four times limits.max_packet_size: "
	     "a message that large may wait for space forever and delay others; raise it, or lower "
	     "max_packet_size\n"},
	    {"large enough", "  directory: d\n  max_size: 8M\n", ""},
	    {"small packets", "  directory: d\n  max_size: 1M\nlimits: {max_packet_size: 256k}\n",
	     ""},
	    {"forgotten", "  durability: none\n",
	     "broker.yaml:6:3: warning: durability does nothing without persistence.directory: add "
	     "the directory, or remove it\n"},
	    {"switched off", "  directory: ~\n  durability: none\n", ""},
	    {"all comments", "  # directory: d\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = file_with(rows[i].lines);
		char *wrong = errors_of("broker.yaml", slice_of_str(text));

		assert_text(rows[i].name, wrong, rows[i].want);
		free(wrong);
		free(text);
	}
}

/* One message of the largest size passes where nothing else is, or the owner is told. */
static void sizes_that_no_large_message_passes_are_told(void **state)
{
	static const struct {
		const char *name, *limits, *want;
	} rows[] = {
	    {"memory", "{max_packet_size: 30M, queue_bytes: 30M, memory: 119M}",
	     "memory is less than four times"},
	    {"memory is enough", "{max_packet_size: 30M, queue_bytes: 30M, memory: 120M}", NULL},
	    {"default packets", "{memory: 7M}", "memory is less than four times"},
	    {"share", "{memory: 0, memory_per_user: 3M}", "memory_per_user is less than two times"},
	    {"share is enough", "{memory: 0, memory_per_user: 4M}", NULL},
	    {"share of a bounded memory", "{memory: 64M, memory_per_user: 1M}", NULL},
	    {"no limits", "{memory: 0, memory_per_user: 0, max_packet_size: 256M, queue_bytes: 1G}",
	     NULL},
	    {"retained", "{retained_bytes: 1M}", "retained_bytes is smaller than max_packet_size"},
	    {"retained is enough", "{retained_bytes: 2M}", NULL},
	    {"defaults", "{max_packet_size: 256M, queue_bytes: 256M}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[256], *wrong;

		(void)snprintf(text, sizeof(text), "listeners: [{bind: unix:s}]\nlimits: %s\n",
		               rows[i].limits);
		wrong = errors_of("broker.yaml", slice_of_str(text));
		if (rows[i].want == NULL)
			assert_text(rows[i].name, wrong, "");
		else if (strstr(wrong, "warning: ") == NULL || strstr(wrong, rows[i].want) == NULL)
			fail_msg("%s: %s", rows[i].name, wrong);
		free(wrong);
	}
}

static void expect_directory(const char *path, int rc, const char *want)
{
	struct errors e = {0};
	char *text;

	assert_int_equal(conf_check_directory(path, "persistence.directory", &e), rc);
	text = errors_text(&e);
	assert_text(path, text, want);
	free(text);
	errors_fini(&e);
}

static void expect_refused(const char *path, const char *want)
{
	struct errors e = {0};
	char *text;

	assert_int_equal(conf_check_directory(path, "persistence.directory", &e), -EACCES);
	text = errors_text(&e);
	assert_non_null(strstr(text, want));
	free(text);
	errors_fini(&e);
}

static void directory_of_somebody_else_is_refused(void **state)
{
	(void)state;
	expect_directory("missing", 0, "");
	assert_int_equal(access("missing", F_OK), -1);
	assert_int_equal(mkdir("ours", 0700), 0);
	expect_directory("ours", 0, "");
	assert_int_equal(chmod("ours", 0702), 0);
	expect_refused("ours",
	               "ours: error: persistence.directory: others may write it (mode 0702, "
	               "owner ");
	expect_refused("ours", "; run: chmod o-w ours\n");
	assert_int_equal(symlink("/dev/null", "no"), 0);
	expect_directory("no", -ENOTDIR,
	                 "no: error: persistence.directory: this is not a directory, one is "
	                 "wanted\n");
	assert_int_equal(unlink("no"), 0);
	assert_int_equal(rmdir("ours"), 0);
}

static int enter(void **state)
{
	(void)state;
	return mkdtemp(scratch) == NULL || chdir(scratch) != 0;
}

static int leave(void **state)
{
	(void)state;
	return chdir("/") != 0 || rmdir(scratch) != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durability_topics_keep_their_order),
	    cmocka_unit_test(durability_filters_are_valid_or_refused),
	    cmocka_unit_test(persistence_mistakes_have_place_and_remedy),
	    cmocka_unit_test(sizes_that_no_large_message_passes_are_told),
	    cmocka_unit_test(directory_of_somebody_else_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, enter, leave);
}
