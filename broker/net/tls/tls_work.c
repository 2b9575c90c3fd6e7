/* Records are counted where OpenSSL takes them, and classified by what came out.  Without
 * read-ahead OpenSSL asks for a header of five bytes, then for the body; it never takes more than
 * one record with data in a call, so that all others that it took in that call were idle. */
#include "net/tls/tls_work.h"

#include "base/require.h"

#define HEADER_BYTES 5
#define SECOND_MS    1000

/* --- records --- */

static uint32_t handshake_bytes_max(const struct tls_work *w)
{
	return w->hello_seen ? TLS_HELLO_BYTES_MAX + TLS_HANDSHAKE_BYTES_MAX : TLS_HELLO_BYTES_MAX;
}

static size_t take_header(struct tls_work *w, struct slice in, size_t n)
{
	if (n > (size_t)HEADER_BYTES - w->header_len)
		n = (size_t)HEADER_BYTES - w->header_len;
	for (size_t i = 0; i < n; i++) {
		if (w->header_len == 3)
			w->length_high = in.data[i];
		else if (w->header_len == 4)
			w->body_left = (uint32_t)w->length_high << 8 | in.data[i];
		w->header_len++;
	}
	if (w->header_len < HEADER_BYTES)
		return n;
	w->header_len = 0;
	w->finished += w->body_left == 0;
	return n;
}

size_t tls_work_take(struct tls_work *w, struct slice in, size_t cap)
{
	size_t n = in.len < cap ? in.len : cap;

	REQUIRE(w->header_len < HEADER_BYTES);
	if (n == 0)
		return 0;
	if (w->in_handshake && w->handshake_bytes > handshake_bytes_max(w))
		return 0;
	if (w->body_left == 0) {
		if (w->header_len == 0 && w->may_begin == 0)
			return 0;
		w->may_begin -= w->header_len == 0;
		return take_header(w, in, n);
	}
	if (n > w->body_left)
		n = w->body_left;
	/* mutant: tls_long_hello */
	w->handshake_bytes += w->in_handshake ? (uint32_t)n : 0;
	w->body_left -= (uint32_t)n;
	w->finished += w->body_left == 0;
	return n;
}

/* --- shares --- */

void tls_work_turn(struct tls_work *w, uint64_t now_ms)
{
	w->in_handshake = false;
	w->records_left = TLS_RECORDS_PER_TURN;
	w->idle_left = TLS_IDLE_PER_TURN;
	if (now_ms - w->second_ms < SECOND_MS)
		return;
	w->second_ms = now_ms;
	w->idle_this_second = 0;
	w->small_this_second = 0;
}

bool tls_work_begin(struct tls_work *w)
{
	w->finished = 0;
	w->may_begin = w->records_left == 0 ? 0 : 1 + w->idle_left;
	return w->records_left > 0;
}

void tls_work_end(struct tls_work *w, size_t got)
{
	unsigned with_data = got > 0 && w->finished > 0;
	unsigned idle = w->finished > with_data ? w->finished - with_data : 0;

	if (with_data > 0 && got < TLS_SMALL_BYTES)
		w->small_this_second++;
	/* mutant: tls_share_of_a_turn */
	w->records_left -= w->records_left > 0 && with_data > 0;
	/* mutant: tls_idle_records */
	w->idle += idle;
	/* mutant: tls_idle_per_second */
	w->idle_this_second += idle;
	if (idle <= w->idle_left)
		w->idle_left -= idle;
	else
		w->records_left = 0;
}

void tls_work_begin_handshake(struct tls_work *w)
{
	w->in_handshake = true;
	w->finished = 0;
	w->may_begin = TLS_HANDSHAKE_PER_TURN;
}

void tls_work_end_handshake(struct tls_work *w, bool hello_seen)
{
	/* mutant: tls_handshake_in_pieces */
	w->handshake_records += w->finished;
	w->hello_seen = hello_seen;
}

void tls_work_moved(struct tls_work *w)
{
	w->idle = 0;
	w->small_this_second = 0;
}

/* --- too much --- */

static uint32_t read_u24(struct reader *r)
{
	uint32_t high = read_u8(r);

	return high << 16 | read_u16(r);
}

/* RFC 8446 4.4.2, RFC 5246 7.4.2 */
unsigned tls_work_count_certificates(struct slice message, bool is_13)
{
	struct reader r = reader_of(message);
	unsigned n = 0;

	(void)read_u32(&r); /* type and length */
	if (is_13)
		(void)read_bytes(&r, read_u8(&r));
	(void)read_u24(&r);
	while (reader_left(&r) > 0) {
		(void)read_bytes(&r, read_u24(&r));
		if (is_13)
			(void)read_bytes(&r, read_u16(&r));
		n++;
	}
	return n;
}

static struct tls_excess excess_above(const char *counted, uint32_t number, uint32_t bound)
{
	if (number <= bound)
		return (struct tls_excess){0};
	return (struct tls_excess){.counted = counted, .number = number, .bound = bound};
}

struct tls_excess tls_work_excess(const struct tls_work *w)
{
	struct tls_excess e = excess_above("records without data since the last whole MQTT packet",
	                                   w->idle, TLS_IDLE_MAX);

	if (e.counted == NULL)
		e = excess_above("records without data in a second", w->idle_this_second,
		                 TLS_IDLE_PER_SECOND);
	return e;
}

struct tls_excess tls_work_handshake_excess(const struct tls_work *w)
{
	struct tls_excess e =
	    excess_above("records of a handshake", w->handshake_records, TLS_HANDSHAKE_RECORDS_MAX);

	if (e.counted == NULL)
		e = excess_above("certificates in a client's chain", w->certificates,
		                 TLS_CERTIFICATES_MAX);
	if (e.counted == NULL)
		e = excess_above(w->hello_seen ? "bytes of a handshake" : "bytes of a ClientHello",
		                 w->handshake_bytes, handshake_bytes_max(w));
	return e;
}

uint64_t tls_work_delay_ms(const struct tls_work *w, uint64_t now_ms)
{
	uint64_t since_ms = now_ms - w->second_ms;

	if (w->small_this_second < TLS_SMALL_PER_SECOND || since_ms >= SECOND_MS)
		return 0;
	return SECOND_MS - since_ms;
}
