/* PROXY headers from anywhere.  One that is whole says the same however it is followed, and is
 * incomplete or refused when it is cut; what is taken from it lies inside. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"
#include "net/proxy/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct slice part, struct slice whole)
{
	return part.len == 0 ||
	       (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

/* As much of it as can be there, in memory of its size. */
static enum proxy_header_result parse_part(struct slice in, size_t len)
{
	uint8_t *copy = xalloc(len == 0 ? 1 : len);
	struct proxy_header h;
	enum proxy_header_result result;

	if (len > 0)
		memcpy(copy, in.data, len);
	result = proxy_header_parse(slice_of(copy, len), &h);
	REQUIRE((result == PROXY_HEADER_BAD) == (h.cause != NULL));
	free(copy);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct proxy_header h;
	enum proxy_header_result result = proxy_header_parse(in, &h);
	enum proxy_header_result before = PROXY_HEADER_INCOMPLETE;

	if (result == PROXY_HEADER_COMPLETE) {
		char text[PEER_TEXT_MAX];

		REQUIRE(h.len > 0 && h.len <= size && h.len <= PROXY_HEADER_MAX);
		REQUIRE(is_inside(h.common_name, slice_of(data, h.len)));
		REQUIRE(!h.has_source || peer_address_text(&h.source, text, sizeof(text)) > 0);
		REQUIRE(parse_part(in, h.len) == PROXY_HEADER_COMPLETE);
	}
	REQUIRE(result != PROXY_HEADER_INCOMPLETE || size < PROXY_HEADER_MAX);
	/* Once it is decided, it stays so. */
	for (size_t len = 0; len <= size && len < 300; len++) {
		enum proxy_header_result now = parse_part(in, len);

		REQUIRE(before == PROXY_HEADER_INCOMPLETE || now == before);
		before = now;
	}
	REQUIRE(before == PROXY_HEADER_INCOMPLETE || before == result);
	return 0;
}
