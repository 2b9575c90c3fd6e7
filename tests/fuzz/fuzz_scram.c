/* SCRAM: two messages of a client, separated by a newline: refused or answered, and never accepted
 * without the password. A third line is a verifier: a valid one is encoded to the same bytes. */
#include "auth/scram.h"
#include "base/require.h"

#define VERIFIER                                                                                   \
	"SHA-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$"      \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
/* The one message that is right, to the first one that belongs to it. */
#define RIGHT "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice line(struct slice *rest)
{
	const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
	struct slice out = end == NULL ? *rest : slice_of(rest->data, (size_t)(end - rest->data));

	*rest = slice_skip(*rest, out.len + (end != NULL));
	return out;
}

static void check_auth_exchange(struct slice first, struct slice final)
{
	struct scram s = {.verifier = {.iterations = 0}};
	struct scram_verifier v;
	struct buf out = {0};
	bool right = false;

	REQUIRE(scram_verifier_parse(SLICE(VERIFIER), &v));
	if (scram_client_first(&s, first) == NULL) {
		REQUIRE(s.user.len > 0 && s.user.len <= 256 && first.len <= SCRAM_MESSAGE_MAX);
		scram_server_first(&s, &v, SLICE("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"), &out);
		REQUIRE(out.len < 512);
		buf_clear(&out);
		if (scram_client_final(&s, final, &right, &out) != NULL)
			REQUIRE(!right);
		REQUIRE((out.len > 0) == right);
		if (right) {
			struct slice proof = SLICE(RIGHT);

			REQUIRE(slice_equal(buf_slice(&s.user), SLICE("user")));
			REQUIRE(final.len > proof.len &&
			        slice_equal(slice_skip(final, final.len - proof.len), proof));
		}
	}
	buf_fini(&out);
	scram_fini(&s);
}

static void check_verifier(struct slice text)
{
	struct scram_verifier v;
	struct buf again = {0};

	if (!scram_verifier_parse(text, &v))
		return;
	scram_verifier_format(&v, &again);
	REQUIRE(slice_equal(buf_slice(&again), text));
	buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of(data, size);
	struct slice first = line(&rest);
	struct slice final = line(&rest);

	check_auth_exchange(first, final);
	check_verifier(line(&rest));
	return 0;
}
