/* The YAML reader: trees with places, and everything that is refused. */
#include "conf/yaml.h"
#include "support.h"

/* A tree in one line: "{a@1:1: 'x'@1:4, b@2:1: [~@2:5]}"; plain scalars bare, quoted ones quoted.
 */
static void describe(const struct yaml_node *node, struct buf *out)
{
	static const char *const open[] = {"", "[", "{"}, *const close[] = {"", "]", "}"};

	buf_printf(out, "%s", open[node->kind]);
	for (size_t i = 0; i < node->count; i++) {
		buf_printf(out, "%s", i == 0 ? "" : ", ");
		if (node->kind == YAML_MAPPING) {
			describe(node->entries[i].key, out);
			buf_printf(out, ": ");
		}
		describe(node->entries[i].value, out);
	}
	buf_printf(out, "%s", close[node->kind]);
	if (node->kind == YAML_SCALAR)
		buf_printf(out, node->quoted ? "'%s'" : "%s", node->text);
	buf_printf(out, "@%u:%u", node->line, node->column);
}

static void nodes_know_their_line_and_column(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} rows[] = {
	    {"scalar", "hello", "hello@1:1"},
	    {"mapping", "a: 1\nb: \"2\"\n", "{a@1:1: 1@1:4, b@2:1: '2'@2:4}@1:1"},
	    {"nested", "a:\n  - x\n  - {y: z}\n", "{a@1:1: [x@2:5, {y@3:6: z@3:9}@3:5]@2:3}@1:1"},
	    {"columns count characters", "\xc3\xa9: x\n", "{\xc3\xa9@1:1: x@1:4}@1:1"},
	    {"no value", "a:\n", "{a@1:1: @1:3}@1:1"},
	    {"comment", "# one\na: x # two\n", "{a@2:1: x@2:4}@2:1"},
	    {"start marker", "---\na: x\n...\n", "{a@2:1: x@2:4}@2:1"},
	    {"byte order mark",
	     "\xef\xbb\xbf"
	     "a: x\n",
	     "{a@1:1: x@1:4}@1:1"},
	    {"folded", "a: >\n  x\n  y\n", "{a@1:1: 'x y\n'@1:4}@1:1"},
	    {"empty list and mapping", "a: []\nb: {}\n", "{a@1:1: []@1:4, b@2:1: {}@2:4}@1:1"},
	    {"windows line ends", "a: x\r\nb: y\r\n", "{a@1:1: x@1:4, b@2:1: y@2:4}@1:1"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct errors e = {0};
		struct yaml_node *node = yaml_load("f", slice_of_str(rows[i].text), &e);
		struct buf out = {0};

		assert_int_equal(e.count, 0);
		assert_non_null(node);
		describe(node, &out);
		buf_put_u8(&out, '\0');
		assert_text(rows[i].name, (char *)out.data, rows[i].want);
		buf_fini(&out);
		yaml_free(node);
	}
}

static void empty_document_is_no_error(void **state)
{
	static const char *const rows[] = {"", "\n\n", "# only a comment\n"};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct errors e = {0};

		assert_null(yaml_load("f", slice_of_str(rows[i]), &e));
		assert_int_equal(e.count, 0);
	}
}

static void expect_errors(const char *name, struct slice bytes, const char *want)
{
	struct errors e = {0};
	struct yaml_node *node = yaml_load("f", bytes, &e);
	char *text = errors_text(&e);

	assert_null(node);
	assert_text(name, text, want);
	free(text);
	errors_fini(&e);
}

static const struct {
	const char *name;
	struct slice bytes;
	const char *want;
} refused[] = {
    {"duplicate key", SLICE_INIT("a: 1\nb: 2\na: 3\n"),
     "f:3:1: error: duplicate key 'a': it is on line 1 already; remove one\n"},
    {"duplicates of one key", SLICE_INIT("a: 1\n\"a\": 2\n'a': 3\n"),
     "f:2:1: error: duplicate key 'a': it is on line 1 already; remove one\nf:3:1: error: "
     "duplicate key 'a': it is on line 1 already; remove one\n"},
    {"duplicate key deep down", SLICE_INIT("a:\n  - {b: 1, c: 2, b: 3}\n"),
     "f:2:18: error: duplicate key 'b': it is on line 2 already; remove one\n"},
    {"anchor", SLICE_INIT("a: &x 1\n"),
     "f:1:4: error: anchors (&) are not supported: write the value out\n"},
    {"anchor of a mapping", SLICE_INIT("a: &x {b: 1}\n"),
     "f:1:4: error: anchors (&) are not supported: write the value out\n"},
    {"anchor of a list", SLICE_INIT("a: &x [1]\n"),
     "f:1:4: error: anchors (&) are not supported: write the value out\n"},
    {"alias", SLICE_INIT("a: &x 1\nb: *x\n"),
     "f:1:4: error: anchors (&) are not supported: write the value out\n"
     "f:2:4: error: aliases (*) are not supported: write the value out\n"},
    {"alias that means nothing", SLICE_INIT("a: *x\n"),
     "f:1:4: error: aliases (*) are not supported: write the value out\n"},
    {"merge key", SLICE_INIT("a: &x {b: 1}\nc:\n  <<: *x\n"),
     "f:1:4: error: anchors (&) are not supported: write the value out\n"
     "f:3:7: error: aliases (*) are not supported: write the value out\n"},
    {"tag", SLICE_INIT("a: !!str 1\n"), "f:1:4: error: tags (!) are not supported: remove it\n"},
    {"tag of a list", SLICE_INIT("a: !x [1]\n"),
     "f:1:4: error: tags (!) are not supported: remove it\n"},
    {"tag of a mapping", SLICE_INIT("!x\na: 1\n"),
     "f:1:1: error: tags (!) are not supported: remove it\n"},
    {"bare exclamation mark", SLICE_INIT("a: ! 1\n"),
     "f:1:4: error: tags (!) are not supported: remove it\n"},
    {"second document", SLICE_INIT("a: 1\n---\nb: 2\n"),
     "f:2:1: error: a second document begins here: one file is one document, remove '---'\n"},
    {"key is a list", SLICE_INIT("? [a]\n: 1\n"),
     "f:1:3: error: a key must be plain text, not a list or a mapping\n"},
    {"key is a mapping", SLICE_INIT("{{a: b}: 1}"),
     "f:1:2: error: a key must be plain text, not a list or a mapping\n"},
    {"NUL byte", SLICE_INIT("a: 1\nb: x\0y\n"),
     "f:2:5: error: a NUL byte: this is not a text file, or was cut or damaged; name another one, "
     "or remove the byte\n"},
    {"NUL byte at the end", SLICE_INIT("a: 1\n\0"),
     "f:2:1: error: a NUL byte: this is not a text file, or was cut or damaged; name another one, "
     "or remove the byte\n"},
    {"escaped NUL", SLICE_INIT("a: \"x\\0y\"\n"),
     "f:1:4: error: a NUL character inside a value: remove it\n"},
    {"tab", SLICE_INIT("a:\n\tb: 1\n"), "f:2:1: error: a tab cannot indent YAML: use spaces\n"},
    {"not UTF-8", SLICE_INIT("a: 1\nb: \xff\n"),
     "f:2:4: error: this character is not UTF-8: save the file as UTF-8 (from Latin-1: 'iconv -f "
     "latin1 -t utf-8 FILE')\n"},
    {"UTF-16",
     SLICE_INIT("\xff\xfe"
                "a"),
     "f: error: it is UTF-16, as PowerShell and some editors write it: save it as UTF-8\n"},
    {"control character", SLICE_INIT("a: \x1b\n"),
     "f:1:4: error: a control character (0x1b): remove it\n"},
    {"list never closed", SLICE_INIT("a: [1, 2\n"),
     "f:2:1: error: the list that opens with '[' on line 1 is not closed here with ']', or a comma "
     "is missing between its entries\n"},
    {"indentation", SLICE_INIT("a: 1\n b: 2\n"),
     "f:2:2: error: this line is indented by 1, which fits nothing above it (line 1 has 0): keys "
     "that belong together begin in one column, and what belongs to a key is indented deeper than "
     "it\n"},
    {"quote never closed", SLICE_INIT("a: 'x\n"),
     "f:1:4: error: the quote that opens here is never closed: end the value with the same one\n"},
    {"colon without a blank", SLICE_INIT("a: 1\nb:2\n"),
     "f:2:1: error: a blank is missing after the colon: write 'b: 2'\n"},
};

static void unsupported_yaml_is_refused_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(refused); i++)
		expect_errors(refused[i].name, refused[i].bytes, refused[i].want);
}

/* `count` times a text. */
static struct buf repeated(const char *text, size_t count)
{
	struct buf b = {0};

	for (size_t i = 0; i < count; i++)
		buf_put_slice(&b, slice_of_str(text));
	return b;
}

static void depth_is_bounded(void **state)
{
	struct buf deepest = repeated("[", 16), deeper = repeated("[", 17);
	struct buf flow = repeated("[", 1000000), block = repeated("- ", 1000000);
	struct buf braces = repeated("{a: ", 100000);
	struct errors e = {0};
	struct yaml_node *node;

	(void)state;
	for (size_t i = 0; i < 16; i++)
		buf_put_u8(&deepest, ']');
	node = yaml_load("f", buf_slice(&deepest), &e);
	assert_non_null(node);
	yaml_free(node);
	expect_errors("17", buf_slice(&deeper), "f:1:17: error: nested more than 16 deep\n");
	expect_errors("flow", buf_slice(&flow), "f:1:17: error: nested more than 16 deep\n");
	expect_errors("block", buf_slice(&block), "f:1:33: error: nested more than 16 deep\n");
	expect_errors("braces", buf_slice(&braces), "f:1:65: error: nested more than 16 deep\n");
	buf_fini(&deepest);
	buf_fini(&deeper);
	buf_fini(&flow);
	buf_fini(&block);
	buf_fini(&braces);
}

static void nodes_are_bounded(void **state)
{
	struct buf fine = repeated("- x\n", 99999), many = repeated("- x\n", 100000);
	struct errors e = {0};
	struct yaml_node *node = yaml_load("f", buf_slice(&fine), &e);

	(void)state;
	assert_non_null(node);
	assert_int_equal(node->count, 99999);
	yaml_free(node);
	expect_errors("many", buf_slice(&many),
	              "f:100000:3: error: more than 100000 values in one file\n");
	buf_fini(&fine);
	buf_fini(&many);
}

/* Thousands of keys in one mapping: the search for duplicates must not take the square. */
static void mapping_of_many_keys_is_read_quickly(void **state)
{
	struct errors e = {0};
	struct buf text = {0};

	(void)state;
	for (unsigned i = 0; i < 49000; i++)
		buf_printf(&text, "key%u: 1\n", i);
	buf_printf(&text, "key7: 1\n");
	assert_null(yaml_load("f", buf_slice(&text), &e));
	assert_int_equal(e.error_count, 1);
	assert_int_equal(e.items[0].line, 49001);
	errors_fini(&e);
	buf_fini(&text);
}

static void size_is_bounded(void **state)
{
	struct buf comment = repeated("# 3456789\n", 512 * 1024); /* 5 MB */
	struct slice fits = slice_of(comment.data, YAML_SIZE_MAX);
	struct errors e = {0};

	(void)state;
	expect_errors("5 MB", buf_slice(&comment),
	              "f: error: larger than the limit of 4194304 bytes\n");
	assert_null(yaml_load("f", fits, &e));
	assert_int_equal(e.count, 0);
	buf_fini(&comment);
}

static void aliases_that_multiply_are_refused(void **state)
{
	struct errors e = {0};
	struct buf text = {0};

	(void)state;
	buf_printf(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++)
		buf_printf(&text, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1,
		           i - 1, i - 1, i - 1);
	assert_null(yaml_load("f", buf_slice(&text), &e));
	assert_int_equal(e.error_count, 10 + 45);
	errors_fini(&e);
	buf_fini(&text);
}

static void tree_with_errors_is_returned_whole(void **state)
{
	struct errors e = {0};
	struct yaml_node *node =
	    yaml_load_anyway("f", SLICE("b: 0\na: &x 1\na: [2]\na: 3\nc: 4\n"), &e);
	struct buf out = {0};

	(void)state;
	assert_non_null(node);
	assert_int_equal(e.error_count, 3);
	describe(node, &out);
	buf_put_u8(&out, '\0');
	assert_text("the first stays", (char *)out.data,
	            "{b@1:1: 0@1:4, a@2:1: 1@2:4, c@5:1: 4@5:4}@1:1");
	buf_fini(&out);
	yaml_free(node);
	assert_null(yaml_load_anyway("f", SLICE("a: [1\n"), &e));
	assert_null(yaml_load_anyway("f", SLICE("a: *x\n"), &e));
	errors_fini(&e);
}

static void key_of_a_mapping_is_found(void **state)
{
	struct errors e = {0};
	struct yaml_node *node =
	    yaml_load("f", SLICE("a: 1\nb:\nc: ~\nd: null\ne: \"~\"\nf: ''\ng: []\n"), &e);

	(void)state;
	assert_non_null(node);
	assert_string_equal(yaml_get(node, "a")->text, "1");
	assert_null(yaml_get(node, "x"));
	assert_null(yaml_get(yaml_get(node, "a"), "a"));
	assert_null(yaml_get(NULL, "a"));
	assert_false(yaml_is_null(yaml_get(node, "a")));
	assert_true(yaml_is_null(yaml_get(node, "b")));
	assert_true(yaml_is_null(yaml_get(node, "c")));
	assert_true(yaml_is_null(yaml_get(node, "d")));
	assert_false(yaml_is_null(yaml_get(node, "e")));
	assert_false(yaml_is_null(yaml_get(node, "f")));
	assert_false(yaml_is_null(yaml_get(node, "g")));
	assert_true(yaml_is_null(NULL));
	yaml_free(node);
	yaml_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nodes_know_their_line_and_column),
	    cmocka_unit_test(empty_document_is_no_error),
	    cmocka_unit_test(unsupported_yaml_is_refused_with_its_place),
	    cmocka_unit_test(depth_is_bounded),
	    cmocka_unit_test(nodes_are_bounded),
	    cmocka_unit_test(mapping_of_many_keys_is_read_quickly),
	    cmocka_unit_test(size_is_bounded),
	    cmocka_unit_test(aliases_that_multiply_are_refused),
	    cmocka_unit_test(tree_with_errors_is_returned_whole),
	    cmocka_unit_test(key_of_a_mapping_is_found),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
