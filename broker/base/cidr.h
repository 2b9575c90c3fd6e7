/* Networks of addresses in CIDR notation.  IPv4 in IPv6 (::ffff:192.0.2.0/120) becomes IPv4, as the
 * addresses do that are compared.  Thread: any; pure. */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cidr {
	uint8_t bytes[16];
	uint8_t len; /* of an address: 4 or 16 */
	uint8_t prefix;
};

#define CIDR_TEXT 64

/* "192.0.2.0/24", "2001:db8::/32"; an address alone is a network of one. False: *why is what to
 * write instead (the caller frees it), or NULL: it is nothing of the kind. */
bool cidr_parse(const char *text, struct cidr *out, char **why);
/* As it is parsed. The length, cut to cap - 1. */
size_t cidr_text(const struct cidr *c, char *out, size_t cap);
/* `address` has 4 or 16 bytes. */
bool cidr_has(const struct cidr *c, const uint8_t *address, size_t len);

#endif
