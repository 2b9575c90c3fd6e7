/* What broker-audit and a start read from an audit file: any line, a head, a time, and a line that
 * the broker wrote, of which no byte may be another one. */
#include <stdint.h>
#include <stdlib.h>

#include "audit/audit_chain.h"
#include "audit_tool/audit_select.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_head(struct slice text)
{
	char again[AUDIT_HEAD_TEXT];
	struct audit_head head;

	if (!audit_head_parse(text, &head))
		return;
	audit_head_text(&head, again);
	REQUIRE(slice_equal(text, slice_of_str(again)));
}

static void check_select(struct slice line)
{
	const struct audit_select all = {.topic = NULL}, some = {.topic = "a/+", .user = "anna"};
	struct audit_select since = {.topic = NULL};
	char *text = slice_dup(line);

	if (audit_select_has(&some, line))
		REQUIRE(audit_select_has(&all, line));
	(void)audit_select_since(&since, text, INT64_C(1800000000000));
	free(text);
}

/* The input as the one member of a line: whatever stands there, the chain holds. */
static void check_chain(struct slice input)
{
	static const uint8_t key[AUDIT_KEY_BYTES] = {1};
	const struct slice key_bytes = slice_of(key, sizeof(key));
	struct audit_head head = {0}, again = {0}, third = {0};
	struct buf line = {0}, out = {0};

	buf_put_slice(&line, SLICE("{\"a\":"));
	buf_put_slice(&line, input);
	buf_put_slice(&line, SLICE("}\n"));
	audit_chain_append(key_bytes, &head, buf_slice(&line), &out);
	REQUIRE(audit_chain_follows(key_bytes, &again, slice_of(out.data, out.len - 1)));
	REQUIRE(audit_head_equal(&head, &again) && head.number == 1);
	out.data[input.len % out.len] ^= 1;
	REQUIRE(!audit_chain_follows(key_bytes, &third, slice_of(out.data, out.len - 1)) ||
	        input.len % out.len == out.len - 1);
	buf_fini(&line);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_of(data, size);
	struct audit_head head;

	(void)audit_chain_read(input, &head);
	check_head(input);
	check_select(input);
	check_chain(input);
	return 0;
}
