/* RFC 6454; the Fetch Metadata headers of browsers. */
#include "http/http_origin.h"

#include <strings.h>

static struct slice without_default_port(struct slice authority)
{
	const struct slice port = SLICE(":443");

	if (authority.len > port.len &&
	    slice_equal(slice_skip(authority, authority.len - port.len), port))
		authority.len -= port.len;
	return authority;
}

static bool equal_without_case(struct slice a, struct slice b)
{
	return a.len == b.len && a.data != NULL && b.data != NULL &&
	       strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0;
}

/* https, this host, this port: what the client itself connected to. */
static bool is_same(struct slice origin, struct slice host)
{
	const struct slice scheme = SLICE("https://");

	if (!slice_starts_with(origin, scheme))
		return false;
	return equal_without_case(without_default_port(slice_skip(origin, scheme.len)),
	                          without_default_port(host));
}

static bool is_allowed(struct slice origin, struct slice host, const struct conf_strings *allowed)
{
	for (size_t i = 0; i < allowed->count; i++) {
		struct slice item = slice_of_str(allowed->items[i]);

		if (slice_equal(item, SLICE("any")) ||
		    (slice_equal(item, SLICE("same")) && is_same(origin, host)) ||
		    equal_without_case(without_default_port(item), without_default_port(origin)))
			return true;
	}
	return false;
}

const char *http_origin_refused(const struct http_request *r, const struct conf_strings *allowed)
{
	const struct http_field *origin = http_request_field(r, "origin");

	if (origin == NULL)
		return NULL;
	if (http_request_field_count(r, "origin") != 1)
		return "the request has two Origins";
	/* mutant: http_origin */
	if (is_allowed(origin->value, r->host, allowed))
		return NULL;
	return "a page of another origin sent the request; pages that may are listed in origins";
}

const char *http_origin_refused_fetch(const struct http_request *r,
                                      const struct conf_strings *allowed)
{
	const struct http_field *site = http_request_field(r, "sec-fetch-site");
	const char *refused = http_origin_refused(r, allowed);

	if (refused != NULL || site == NULL || http_request_field(r, "origin") != NULL)
		return refused;
	/* mutant: http_fetch_site */
	if (http_request_field_count(r, "sec-fetch-site") == 1 &&
	    (slice_equal(site->value, SLICE("same-origin")) ||
	     slice_equal(site->value, SLICE("none"))))
		return NULL;
	return "a page of another site made the browser send the request (Sec-Fetch-Site)";
}
