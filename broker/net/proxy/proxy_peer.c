/* The TLS that the proxy ended, as far as its header tells: a version, and the common name of a
 * certificate that it has verified. */
#include "net/proxy/proxy_peer.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/utf8.h"

static struct slice name_of(const struct stream_tls *tls)
{
	const struct proxy_peer *p = container_of_const(tls, struct proxy_peer, tls);

	return slice_of(p->name, p->name_len);
}

/* It says nothing of other names. What is no text names nobody. */
static size_t certificate_names(const struct stream_tls *tls, enum conf_certificate_user kind,
                                struct buf *out)
{
	struct slice name = name_of(tls);

	/* mutant: common_name_of_a_proxy_is_text */
	if (kind != CERTIFICATE_USER_CN || name.len == 0 || !utf8_valid(name) ||
	    memchr(name.data, 0, name.len) != NULL)
		return 0;
	buf_put_slice(out, name);
	return 1;
}

static void certificate_subject(const struct stream_tls *tls, struct buf *out)
{
	buf_put_slice(out, SLICE("CN="));
	buf_put_slice(out, name_of(tls));
}

/* The proxy has judged it, by settings of its own. */
static enum stream_fit fits(const struct stream_tls *tls, const struct tls_context *ctx,
                            bool connected, const char **why)
{
	(void)tls, (void)ctx, (void)connected, (void)why;
	return STREAM_FITS;
}

static const struct stream_tls_ops tls_ops = {
    .certificate_names = certificate_names,
    .certificate_subject = certificate_subject,
    .fits = fits,
};

static void free_peer(struct stream_proxy *proxy)
{
	free(container_of(proxy, struct proxy_peer, proxy));
}

struct proxy_peer *proxy_peer_new(const struct peer_address *sender,
                                  const struct proxy_header *header)
{
	struct proxy_peer *p = xalloc(sizeof(*p) + header->common_name.len);

	*p = (struct proxy_peer){
	    .proxy = {.sender = *sender, .free = free_peer},
	    .tls = {.version = header->tls_version,
	            .has_certificate = header->has_certificate && header->verify_result == 0,
	            .ops = &tls_ops},
	    .name_len = header->common_name.len,
	};
	if (p->name_len > 0)
		memcpy(p->name, header->common_name.data, p->name_len);
	return p;
}
