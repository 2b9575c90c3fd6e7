/* Each question is answered by the configuration in force at its moment. */
#include "net/listener_gate.h"

#include <stdatomic.h>

#include "base/require.h"
#include "net/failed_handshakes.h"
#include "net/proxy/proxy_peer.h"

#define LINES_PER_WINDOW 20
#define WINDOW_MS        10000

static void count_refusal(_Atomic uint64_t *counter)
{
	if (counter != NULL)
		atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

bool listener_gate_admits(struct listener_gate *gate, const struct peer_address *peer,
                          const struct peer_address *proxy, uint64_t now_ms)
{
	const struct conf_listener *conf = gate->conf;
	char text[PEER_TEXT_MAX], proxy_text[PEER_TEXT_MAX];
	size_t proxy_len;
	uint32_t suppressed;

	/* mutant: allow_from */
	if (conf->allow_from.count == 0 || peer_address_is_among(peer, &conf->allow_from))
		return true;
	count_refusal(gate->refused_addresses);
	failed_handshakes_add(&(const struct failed_handshake){
	    .what = "address",
	    .peer = peer,
	    .listener = conf->bind,
	    .cause = "its address is not in the allow_from of the listener"});
	if (!log_limit_pass(EVENT_ADDRESS_REFUSED, &gate->addresses, now_ms, WINDOW_MS,
	                    LINES_PER_WINDOW, &suppressed))
		return false;
	proxy_len = proxy == NULL ? 0 : peer_address_text(proxy, proxy_text, sizeof(proxy_text));
	(void)peer_address_text(peer, text, sizeof(text));
	LOG(ADDRESS_REFUSED, .peer = text, .listener = conf->bind,
	    .proxy = slice_of(proxy_text, proxy_len), .suppressed = suppressed);
	return false;
}

void listener_gate_refuse_proxy(struct listener_gate *gate, const struct peer_address *sender,
                                const char *cause, uint64_t now_ms)
{
	char text[PEER_TEXT_MAX];
	uint32_t suppressed;

	count_refusal(gate->refused_proxies);
	if (!log_limit_pass(EVENT_PROXY_REFUSED, &gate->proxies, now_ms, WINDOW_MS,
	                    LINES_PER_WINDOW, &suppressed))
		return;
	(void)peer_address_text(sender, text, sizeof(text));
	LOG(PROXY_REFUSED, .peer = text, .listener = gate->conf->bind, .cause = cause,
	    .suppressed = suppressed);
}

bool listener_gate_trusts(struct listener_gate *gate, const struct peer_address *sender,
                          uint64_t now_ms)
{
	/* mutant: proxies_that_are_trusted */
	if (peer_address_is_among(sender, &gate->conf->trusted))
		return true;
	listener_gate_refuse_proxy(gate, sender,
	                           "it is not in trusted, and clients connect to this listener by "
	                           "their proxy only: add the proxy to trusted, or let clients "
	                           "connect to another listener",
	                           now_ms);
	return false;
}

bool listener_gate_take_header(struct listener_gate *gate, struct stream *socket,
                               const struct proxy_header *header, uint64_t now_ms)
{
	const struct conf_listener *conf = gate->conf;
	struct stream_facts *facts = socket->facts;
	struct peer_address sender = facts->peer;
	struct proxy_peer *known;

	/* The configuration may have changed while the header was on its way. */
	if (!listener_gate_trusts(gate, &sender, now_ms))
		return false;
	/* mutant: certificate_that_the_proxy_refused */
	if (conf->trust_tls_fields && header->has_certificate && header->verify_result != 0) {
		listener_gate_refuse_proxy(
		    gate, &sender,
		    "the proxy says that it could not verify the client's certificate: let the "
		    "proxy refuse such clients (HAProxy: verify required or optional, without "
		    "crt-ignore-err)",
		    now_ms);
		return false;
	}
	REQUIRE(facts->proxy == NULL);
	known = proxy_peer_new(&sender, header);
	facts->proxy = &known->proxy;
	facts->undelivered = 0;
	if (header->has_source)
		facts->peer = header->source;
	if (conf->trust_tls_fields && header->has_tls)
		facts->tls = &known->tls;
	return listener_gate_admits(gate, &facts->peer, &sender, now_ms);
}

const char *listener_gate_refusal(const struct stream *s, const struct conf_listener *conf)
{
	const struct peer_address *proxy = stream_proxy(s);

	/* mutant: addresses_on_reload */
	if (conf->allow_from.count > 0 && !peer_address_is_among(stream_peer(s), &conf->allow_from))
		return "the listener's allow_from does not have its address any more";
	if (proxy != NULL && conf->proxy_protocol == PROXY_PROTOCOL_REQUIRED &&
	    !peer_address_is_among(proxy, &conf->trusted))
		return "the proxy by which it came is not trusted any more";
	return NULL;
}
