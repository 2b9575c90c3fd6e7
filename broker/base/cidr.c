/* Addresses by inet_pton, prefixes by hand. */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/require.h"

#define IP4_BYTES     4
#define IP6_BYTES     16
#define MAPPED_PREFIX 96

static bool parse_address(const char *text, struct cidr *out)
{
	*out = (struct cidr){0};
	if (inet_pton(AF_INET, text, out->bytes) == 1)
		out->len = IP4_BYTES;
	else if (inet_pton(AF_INET6, text, out->bytes) == 1)
		out->len = IP6_BYTES;
	return out->len != 0;
}

static bool parse_prefix(const char *text, unsigned max, uint8_t *out)
{
	size_t len = strlen(text);
	unsigned long value;

	if (len == 0 || len > 3 || strspn(text, "0123456789") != len || (text[0] == '0' && len > 1))
		return false;
	value = strtoul(text, NULL, 10);
	*out = (uint8_t)value;
	return value <= max;
}

/* The bits that count in a byte. */
static uint8_t mask_of(const struct cidr *c, size_t byte)
{
	size_t before = byte * 8;

	if (c->prefix >= before + 8)
		return 0xff;
	if (c->prefix <= before)
		return 0;
	return (uint8_t)(0xffU << (before + 8 - c->prefix) & 0xffU);
}

static void unmap(struct cidr *c)
{
	static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	if (c->len != IP6_BYTES || c->prefix < MAPPED_PREFIX ||
	    memcmp(c->bytes, mapped, sizeof(mapped)) != 0)
		return;
	memmove(c->bytes, c->bytes + sizeof(mapped), IP4_BYTES);
	memset(c->bytes + IP4_BYTES, 0, sizeof(mapped));
	c->len = IP4_BYTES;
	c->prefix = (uint8_t)(c->prefix - MAPPED_PREFIX);
}

/* An address with a prefix that it does not end at: which of the two was meant is not known. */
static char *why_longer(const struct cidr *c)
{
	struct cidr network = *c, host = *c;
	char network_text[CIDR_TEXT], host_text[CIDR_TEXT];

	for (size_t i = 0; i < c->len; i++)
		network.bytes[i] &= mask_of(c, i);
	host.prefix = (uint8_t)(c->len * 8);
	(void)cidr_text(&network, network_text, sizeof(network_text));
	(void)cidr_text(&host, host_text, sizeof(host_text));
	return xasprintf("the address has bits behind its prefix: write %s for the network, or %s "
	                 "for this address alone",
	                 network_text, host_text);
}

bool cidr_parse(const char *text, struct cidr *out, char **why)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN] = "";
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	bool longer = false;

	*why = NULL;
	if (len >= sizeof(address))
		return false;
	(void)snprintf(address, sizeof(address), "%.*s", (int)len, text);
	if (!parse_address(address, out))
		return false;
	out->prefix = (uint8_t)(out->len * 8);
	if (slash != NULL && !parse_prefix(slash + 1, out->len * 8U, &out->prefix)) {
		*why = xasprintf("the prefix after the '/' must be a number from 0 to %u",
		                 out->len * 8U);
		return false;
	}
	unmap(out);
	for (size_t i = 0; i < out->len; i++)
		longer |= (out->bytes[i] & ~mask_of(out, i)) != 0;
	if (longer)
		*why = why_longer(out);
	return !longer;
}

size_t cidr_text(const struct cidr *c, char *out, size_t cap)
{
	char address[INET6_ADDRSTRLEN] = "?";
	int n;

	REQUIRE(cap > 0);
	(void)inet_ntop(c->len == IP4_BYTES ? AF_INET : AF_INET6, c->bytes, address,
	                sizeof(address));
	if (c->prefix == c->len * 8)
		n = snprintf(out, cap, "%s", address);
	else
		n = snprintf(out, cap, "%s/%u", address, c->prefix);
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

bool cidr_has(const struct cidr *c, const uint8_t *address, size_t len)
{
	REQUIRE(len == 4 || len == 16);
	if (len != c->len)
		return false;
	for (size_t i = 0; i < len; i++) {
		/* mutant: network_of_a_prefix */
		if ((address[i] & mask_of(c, i)) != c->bytes[i])
			return false;
	}
	return true;
}
