/* The key file: 64 hexadecimal digits and a newline, mode 0600. */
#include "audit/audit_key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/random.h"
#include "program/trust.h"

#define TEXT_BYTES ((size_t)2 * AUDIT_KEY_BYTES + 1)

static int parse(const char *path, const char *text, size_t len, uint8_t key[AUDIT_KEY_BYTES],
                 struct buf *why)
{
	if (len == TEXT_BYTES && text[TEXT_BYTES - 1] == '\n' &&
	    audit_hex_read(slice_of(text, TEXT_BYTES - 1), key, AUDIT_KEY_BYTES))
		return 0;
	buf_printf(why,
	           "%s is no key of the audit: it needs 64 hexadecimal digits and a newline; "
	           "'broker-audit key' makes such a file",
	           path);
	return -EINVAL;
}

int audit_key_read(const char *path, uint8_t key[AUDIT_KEY_BYTES], struct buf *why)
{
	const struct trust_request request = {.path = path, .flags = O_RDONLY, .is_secret = true};
	int fd = trust_open(&request, why), failed;
	char text[TEXT_BYTES + 1];
	ssize_t len;

	if (fd < 0) {
		if (why->len == 0)
			buf_printf(why, "%s cannot be read: %s", path, strerror(-fd));
		return fd;
	}
	len = read(fd, text, sizeof(text));
	failed = parse(path, text, len < 0 ? 0 : (size_t)len, key, why);
	crypto_wipe(text, sizeof(text));
	close(fd);
	return failed;
}

static int write_key(int fd)
{
	uint8_t key[AUDIT_KEY_BYTES];
	char text[TEXT_BYTES + 1];
	int failed = 0;

	random_bytes(key, sizeof(key));
	audit_hex_put(key, sizeof(key), text);
	text[TEXT_BYTES - 1] = '\n';
	if (write(fd, text, TEXT_BYTES) != (ssize_t)TEXT_BYTES)
		failed = -ENOSPC;
	else if (fsync(fd) != 0)
		failed = -errno;
	crypto_wipe(key, sizeof(key));
	crypto_wipe(text, sizeof(text));
	return failed;
}

int audit_key_create(const char *path, struct buf *why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600), failed;

	failed = fd < 0 ? -errno : write_key(fd);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && failed != 0)
		(void)unlink(path);
	if (failed != 0)
		buf_printf(why, "%s cannot be made: %s", path, strerror(-failed));
	return failed;
}
