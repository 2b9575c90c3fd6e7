/* A counted box around a counted context. */
#include "net/tls/tls_source.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

struct tls_source {
	unsigned refs;
	struct tls_context *ctx;
};

struct tls_source *tls_source_new(struct tls_context *ctx)
{
	struct tls_source *source = xnew(source);

	source->refs = 1;
	source->ctx = tls_context_ref(ctx);
	return source;
}

struct tls_source *tls_source_ref(struct tls_source *source)
{
	REQUIRE(source->refs > 0);
	source->refs++;
	return source;
}

void tls_source_unref(struct tls_source **where)
{
	struct tls_source *source = *where;

	*where = NULL;
	REQUIRE(source == NULL || source->refs > 0);
	if (source == NULL || --source->refs > 0)
		return;
	tls_context_unref(&source->ctx);
	free(source);
}

void tls_source_set(struct tls_source *source, struct tls_context *ctx)
{
	struct tls_context *before = source->ctx;

	source->ctx = ctx == NULL ? NULL : tls_context_ref(ctx);
	tls_context_unref(&before);
}

struct tls_context *tls_source_context(const struct tls_source *source)
{
	return source->ctx == NULL ? NULL : tls_context_ref(source->ctx);
}
