/* getrandom(2), or the seeded stream of a simulation. */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/require.h"

static void kernel_random(void *arg, void *out, size_t len)
{
	unsigned char *at = out;

	(void)arg;
	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		REQUIRE(n > 0 || errno == EINTR);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
}

static random_fn *current = kernel_random;
static void *current_arg;

void random_use(random_fn *fn, void *arg)
{
	current = fn == NULL ? kernel_random : fn;
	current_arg = arg;
}

void random_bytes(void *out, size_t len)
{
	current(current_arg, out, len);
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}
