/* Names of topics in URLs, and the words of MQTT in a query. */
#include "script/script_target.h"

#include "base/require.h"
#include "base/utf8.h"
#include "proto/topic.h"

static struct http_fault fault_of_status(unsigned status, const char *cause)
{
	return (struct http_fault){.status = status, .cause = cause};
}

struct http_fault script_target_topic(const struct http_request *r, const char *path,
                                      struct buf *topic)
{
	struct slice text = slice_skip(r->path, strlen(path));

	REQUIRE(topic->len == 0 && slice_starts_with(r->path, slice_of_str(path)));
	if (text.len < 2)
		return fault_of_status(404, "a topic belongs after the path: .../home/lamp");
	/* mutant: topic_is_decoded_once */
	if (!http_percent_decode(slice_skip(text, 1), topic))
		return fault_of_status(400, "a percent sign in the topic is not followed by two "
		                            "hexadecimal digits");
	/* mutant: topic_of_a_post */
	if (!topic_name_valid(buf_slice(topic)) || !utf8_is_name(buf_slice(topic)))
		return fault_of_status(400,
		                       "this is no topic name: 1 to 65535 bytes of UTF-8 without "
		                       "wildcards (+ and #) and control characters");
	return HTTP_FINE;
}

struct http_fault script_target_filter(const struct http_request *r, struct buf *filter)
{
	struct slice text;

	REQUIRE(filter->len == 0);
	if (!http_request_query(r, "filter", &text))
		return fault_of_status(400, "?filter= names what to subscribe to, with # as "
		                            "%23: /events?filter=home/%23");
	/* mutant: filter_is_checked */
	if (!http_percent_decode(text, filter) || !topic_filter_valid(buf_slice(filter)))
		return fault_of_status(400, "this is not a topic filter; # is %23 in a URL");
	return HTTP_FINE;
}

static bool take_qos(const struct http_request *r, uint8_t *qos)
{
	struct slice value;

	if (!http_request_query(r, "qos", &value))
		return true;
	if (value.len != 1 || value.data[0] < '0' || value.data[0] > '2')
		return false;
	*qos = (uint8_t)(value.data[0] - '0');
	return true;
}

static bool take_bool(const struct http_request *r, const char *name, bool *value)
{
	struct slice word;

	if (!http_request_query(r, name, &word))
		return true;
	*value = slice_equal(word, SLICE("true"));
	return *value || slice_equal(word, SLICE("false"));
}

enum word {
	WORD_QOS,
	WORD_RETAIN,
	WORDS,
};

static enum word word_of(struct slice option)
{
	const uint8_t *end = memchr(option.data, '=', option.len);
	struct slice name;

	if (end == NULL)
		return WORDS;
	name = slice_of(option.data, (size_t)(end - option.data));
	if (slice_equal(name, SLICE("qos")))
		return WORD_QOS;
	return slice_equal(name, SLICE("retain")) ? WORD_RETAIN : WORDS;
}

/* A word that is misspelt, or that is there twice, would be another message than the one that was
 * meant. */
static struct http_fault check_words(const struct http_request *r)
{
	struct slice rest = r->query;
	bool seen[WORDS] = {false};

	while (rest.len > 0) {
		const uint8_t *end = memchr(rest.data, '&', rest.len);
		size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);
		enum word word = word_of(slice_of(rest.data, len));

		if (word == WORDS)
			return fault_of_status(400, "behind the ? stand qos= and retain=, "
			                            "separated by &, and nothing else");
		/* mutant: word_is_there_twice */
		if (seen[word])
			return fault_of_status(400, "qos= or retain= is there twice");
		seen[word] = true;
		rest = slice_skip(rest, end == NULL ? len : len + 1);
	}
	return HTTP_FINE;
}

struct http_fault script_target_options(const struct http_request *r, uint8_t *qos, bool *retain)
{
	struct http_fault fault = check_words(r);

	REQUIRE(qos != NULL && retain != NULL);
	if (fault.status != 0)
		return fault;
	if (!take_qos(r, qos))
		return fault_of_status(400, "qos is 0, 1 or 2");
	if (!take_bool(r, "retain", retain))
		return fault_of_status(400, "retain is true or false");
	return HTTP_FINE;
}
