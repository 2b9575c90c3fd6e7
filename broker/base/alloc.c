/* Allocation that aborts when memory is out; any thread. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"

#define SMALL_MAX 1024

static void *require_memory(void *p)
{
	if (p == NULL) {
		require_end_soon();
		fputs("out of memory: the program aborts; lower limits: or add memory\n", stderr);
		abort();
	}
	return p;
}

void *xalloc(size_t size_bytes)
{
	return require_memory(malloc(size_bytes == 0 ? 1 : size_bytes));
}

void *xcalloc(size_t count, size_t size_bytes)
{
	return require_memory(calloc(count == 0 ? 1 : count, size_bytes == 0 ? 1 : size_bytes));
}

/* Small ones by malloc: glibc's calloc passes by the cache that each thread has of them. */
void *xzalloc(size_t size_bytes)
{
	if (size_bytes > SMALL_MAX)
		return xcalloc(1, size_bytes);
	return memset(xalloc(size_bytes), 0, size_bytes);
}

void *xrealloc(void *p, size_t size_bytes)
{
	return require_memory(realloc(p, size_bytes == 0 ? 1 : size_bytes));
}

void *xrealloc_array(void *p, size_t count, size_t size_bytes)
{
	size_t total;

	REQUIRE(!__builtin_mul_overflow(count, size_bytes, &total));
	return xrealloc(p, total);
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t len)
{
	char *copy = xalloc(len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *out;
	int n;

	va_start(args, format);
	n = vasprintf(&out, format, args);
	va_end(args);
	return require_memory(n < 0 ? NULL : out);
}
