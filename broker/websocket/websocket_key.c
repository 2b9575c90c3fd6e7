/* RFC 6455 4.2.2: the digest of the key and a fixed text. */
#include "websocket/websocket_key.h"

#include "base/base64.h"
#include "base/crypto.h"

#define KEY_BYTES 16

bool websocket_key_is_valid(struct slice key)
{
	struct buf bytes = {0};
	bool valid = base64_decode(&bytes, key) && bytes.len == KEY_BYTES;

	buf_fini(&bytes);
	return valid;
}

void websocket_key_accept(struct slice key, struct buf *out)
{
	struct buf text = {0};
	uint8_t digest[CRYPTO_SHA1_BYTES];

	buf_put_slice(&text, key);
	buf_put_slice(&text, SLICE("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
	crypto_sha1(buf_slice(&text), digest);
	base64_encode(out, slice_of(digest, sizeof(digest)));
	buf_fini(&text);
}
