/* The chain of the audit file: each line holds its number and an HMAC-SHA-256 (RFC 2104) over the
 * one before and itself, so that a line that was changed, deleted or moved is found by whoever has
 * the key.  Pure.  Thread: any. */
#ifndef AUDIT_AUDIT_CHAIN_H
#define AUDIT_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define AUDIT_KEY_BYTES 32
#define AUDIT_MAC_BYTES 32
/* "NUMBER:MAC" with its NUL. */
#define AUDIT_HEAD_TEXT (20 + 1 + 2 * AUDIT_MAC_BYTES + 1)

/* Where the chain ends. Zeros: it is empty. */
struct audit_head {
	uint64_t number;
	uint8_t mac[AUDIT_MAC_BYTES];
};

/* Appends `line`, a JSON object of one line with at least one member, newline included, with the
 * two members of the chain at its end; *head is that of the new line afterwards. */
void audit_chain_append(struct slice key, struct audit_head *head, struct slice line,
                        struct buf *out);
/* The number and the MAC that a line (without its newline) says it has. False: it is no line of a
 * chain. */
bool audit_chain_read(struct slice line, struct audit_head *out);
/* Is it the line after *head, as it was written? *head is that of the line afterwards. */
bool audit_chain_follows(struct slice key, struct audit_head *head, struct slice line);
bool audit_head_equal(const struct audit_head *a, const struct audit_head *b);

void audit_head_text(const struct audit_head *head, char out[AUDIT_HEAD_TEXT]);
/* False: it is no such text. */
bool audit_head_parse(struct slice text, struct audit_head *out);
/* `out` has 2 * len + 1 bytes. */
void audit_hex_put(const uint8_t *bytes, size_t len, char *out);
/* Exactly 2 * len lower-case hexadecimal digits. */
bool audit_hex_read(struct slice text, uint8_t *out, size_t len);

#endif
