/* Headers that each answer has: what a browser needs to be told so that it does no harm with it. */
#include "http/http_answer_head.h"

#include <strings.h>
#include <time.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/require.h"

static const struct {
	unsigned status;
	const char *text;
} texts[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *http_status_text(unsigned status)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "Unknown";
}

static const struct {
	const char *name, *value;
} defaults[] = {
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
                                "form-action 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
};

static bool has_header(const struct http_answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->header_count; i++) {
		struct slice own = answer->headers[i].name;

		if (own.len == strlen(name) &&
		    strncasecmp((const char *)own.data, name, own.len) == 0)
			return true;
	}
	return false;
}

static void put_date(struct buf *out)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm parts;
	char text[64];
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

	if (gmtime_r(&now, &parts) == NULL ||
	    strftime(text, sizeof(text), "%d @@@ %Y %H:%M:%S GMT", &parts) == 0)
		return;
	memcpy(strchr(text, '@'), months[parts.tm_mon], 3); /* no locale's names */
	buf_printf(out, "Date: %s, %s\r\n", days[parts.tm_wday], text);
}

static bool may_have_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

static void put_framing(struct buf *out, const struct http_answer_head *head)
{
	const struct http_answer *a = head->answer;

	if (a->content_type != NULL)
		buf_printf(out, "Content-Type: %s\r\n", a->content_type);
	if (head->is_chunked)
		buf_put_slice(out, SLICE("Transfer-Encoding: chunked\r\n"));
	else if (may_have_body(a->status))
		buf_printf(out, "Content-Length: %zu\r\n", a->body.len);
	if (a->status != 101 && !has_header(a, "connection"))
		buf_printf(out, "Connection: %s\r\n", head->close ? "close" : "keep-alive");
}

void http_answer_head_put(struct buf *out, const struct http_answer_head *head)
{
	const struct http_answer *a = head->answer;

	REQUIRE(a->status >= 100 && a->status <= 599);
	buf_printf(out, "HTTP/1.1 %u %s\r\n", a->status, http_status_text(a->status));
	put_date(out);
	for (size_t i = 0; a->status != 101 && i < ARRAY_LEN(defaults); i++) {
		if (!has_header(a, defaults[i].name))
			buf_printf(out, "%s: %s\r\n", defaults[i].name, defaults[i].value);
	}
	if (head->hsts_s != CONF_HSTS_OFF)
		buf_printf(out, "Strict-Transport-Security: max-age=%u\r\n", head->hsts_s);
	for (size_t i = 0; i < a->header_count; i++) {
		buf_put_slice(out, a->headers[i].name);
		buf_put_slice(out, SLICE(": "));
		buf_put_slice(out, a->headers[i].value);
		buf_put_slice(out, SLICE("\r\n"));
	}
	put_framing(out, head);
	buf_put_slice(out, SLICE("\r\n"));
}
