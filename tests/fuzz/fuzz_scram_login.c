/* The client's side of SCRAM: two messages of a server, separated by a newline. Nothing but the
 * server's own proof is accepted. */
#include "auth/scram_login.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NONCE      "rOprNGfwEbeRWgbNEkqOabcd"
#define DIGITS_MAX 4

/* Counts of more digits are slow on purpose: rows of the unit test. */
static bool is_cheap(struct slice challenge)
{
	const uint8_t *count =
	    challenge.len == 0 ? NULL : memmem(challenge.data, challenge.len, ",i=", 3);
	size_t digits = 0;

	if (count == NULL)
		return true;
	for (count += 3; count < challenge.data + challenge.len; count++)
		digits += *count >= '0' && *count <= '9';
	return digits <= DIGITS_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
	size_t len = end == NULL ? size : (size_t)(end - data);
	struct slice challenge = slice_of(data, len);
	struct slice last = slice_skip(slice_of(data, size), len + (end != NULL));
	struct scram_login s = {.step = SCRAM_LOGIN_NEW};
	struct buf out = {0};

	if (!is_cheap(challenge))
		return 0;
	scram_login_first(&s, SLICE("user"), SLICE(NONCE), &out);
	buf_clear(&out);
	REQUIRE(scram_login_check(&s, last) != NULL);
	if (scram_login_final(&s, SLICE("pencil"), challenge, &out) == NULL) {
		REQUIRE(slice_starts_with(challenge, SLICE("r=" NONCE)));
		REQUIRE(slice_starts_with(buf_slice(&out), SLICE("c=biws,r=" NONCE)));
		if (scram_login_check(&s, last) == NULL)
			REQUIRE(slice_starts_with(last, SLICE("v=")));
	} else {
		REQUIRE(out.len == 0);
	}
	buf_fini(&out);
	scram_login_fini(&s);
	return 0;
}
