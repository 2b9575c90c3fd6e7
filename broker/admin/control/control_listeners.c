/* Listeners with their counts; what ends: certificates and revocation lists.  Thread: main's. */
#include <inttypes.h>
#include <stdio.h>

#include "admin/control/control_window.h"
#include "base/clock.h"
#include "net/listener.h"

static const struct config_snapshot *snapshot_of(const struct control_query *q)
{
	return q->control->hooks.snapshot(q->control->hooks.arg);
}

static const struct listener_counts *counts_of(const struct control_query *q, size_t listener)
{
	const struct config_snapshot *snapshot = snapshot_of(q);

	for (unsigned slot = 0; slot < snapshot->slot_count; slot++) {
		if (snapshot->slots[slot] == (int)listener)
			return &q->control->shared->listeners[slot];
	}
	return NULL;
}

static void put_services(struct buf *out, const struct conf_listener *l)
{
	static const struct {
		const char *name;
		unsigned bit;
	} services[] = {
#define SERVICE(id, name, number) {name, 1U << (number)},
#include "conf/services.def"
#undef SERVICE
	};
	struct buf names = {0};

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if ((l->serve & services[i].bit) != 0)
			buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", services[i].name);
	}
	if (names.len == 0)
		json_str(out, "serve", NULL);
	else
		json_text(out, "serve", buf_slice(&names));
	buf_fini(&names);
}

static uint64_t value_of(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

bool control_listeners_report(struct control_query *q)
{
	const struct config_snapshot *snapshot = snapshot_of(q);

	for (size_t i = 0; i < snapshot->conf->listener_count; i++) {
		const struct conf_listener *l = &snapshot->conf->listeners[i];
		const struct listener_counts *counts = counts_of(q, i);

		json_open(&q->out);
		json_str(&q->out, "listener", l->bind);
		json_str(&q->out, "protocol", listener_protocol_text(l));
		put_services(&q->out, l);
		json_str(&q->out, "tls", listener_tls_text(l));
		json_bool(&q->out, "anonymous", l->authentication.anonymous);
		json_bool(&q->out, "client_certificates",
		          l->tls.client_certificates != CLIENT_CERTIFICATES_NONE);
		if (counts != NULL) {
			json_number(&q->out, "clients", value_of(&counts->clients));
			json_number(&q->out, "accepted", value_of(&counts->accepted));
			json_number(&q->out, "refused", value_of(&counts->refused));
		}
		json_close(&q->out);
	}
	return false;
}

/* --- certificates --- */

struct expiries {
	struct control_query *q;
	struct control_window *window;
	const char *listener;
	unsigned number;
};

static void add_expiry(void *arg, enum tls_context_expiry kind, const char *path, int64_t until_s)
{
	struct expiries *e = arg;
	int64_t left_s = until_s - clock_wall_ms() / 1000;
	char until[CLOCK_TEXT_MAX], key[40];
	struct buf line = {0};

	json_open(&line);
	json_str(&line, "kind",
	         kind == TLS_CONTEXT_CERTIFICATE ? "certificate" : "revocation list");
	json_str(&line, "file", path);
	json_str(&line, "listener", e->listener);
	json_str(&line, "until", clock_text(until_s * 1000, until));
	json_number(&line, "left_s", left_s > 0 ? (uint64_t)left_s : 0);
	json_bool(&line, "expired", left_s <= 0);
	json_close(&line);
	/* What ends first comes first. */
	(void)snprintf(key, sizeof(key), "%020" PRId64 " %04u", until_s > 0 ? until_s : 0,
	               e->number++);
	control_window_add(e->window, slice_of_str(key), buf_slice(&line));
	buf_fini(&line);
}

bool control_certificates_report(struct control_query *q)
{
	const struct config_snapshot *snapshot = snapshot_of(q);
	struct expiries e = {.q = q, .window = control_window_of(q)};

	for (size_t i = 0; q->id_at == 0 && i < snapshot->conf->listener_count; i++) {
		e.listener = snapshot->conf->listeners[i].bind;
		if (snapshot->tls[i] != NULL)
			tls_context_each_expiry(snapshot->tls[i], add_expiry, &e);
	}
	q->id_at = 1; /* collected */
	return control_window_write(q);
}
