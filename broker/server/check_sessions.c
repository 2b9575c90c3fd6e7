/* Client ids of stored sessions against bind_client_id.  A session does not know by which listener
 * its client connects. It is named if no listener accepts its id, or if one refuses it that
 * accepted it in earlier versions (prefix, where prefix_any would accept it). */
#include "server/check_sessions.h"

#include <stdio.h>
#include <string.h>

#include "auth/client_id.h"
#include "base/json.h"
#include "durability/record_codec.h"
#include "store/store_rows.h"

#define NAMED_MAX 20

struct id_check {
	const struct conf *conf;
	struct errors *errors;
	size_t found;
};

static bool binds(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		if (conf->listeners[i].authentication.bind_client_id != BIND_CLIENT_ID_NONE)
			return true;
	}
	return false;
}

static const char *misfit_of(const struct conf_listener *l, const struct session_record *s)
{
	/* Who came without login may have any. */
	if (l->assume_user != NULL && slice_equal(s->user.name, slice_of_str(l->assume_user)))
		return NULL;
	return client_id_misfit(l->authentication.bind_client_id, s->client_id, s->user.name);
}

/* The listener that refuses this session, and which is worth telling; NULL: there is none. */
static const struct conf_listener *refusing(const struct conf *conf, const struct session_record *s)
{
	const struct conf_listener *first = NULL;
	bool fits = false;

	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (misfit_of(l, s) == NULL)
			fits = true;
		else if (l->authentication.bind_client_id == BIND_CLIENT_ID_PREFIX &&
		         client_id_misfit(BIND_CLIENT_ID_PREFIX_ANY, s->client_id, s->user.name) ==
		             NULL)
			/* mutant: check_names_client_ids */
			return l;
		else if (first == NULL)
			first = l;
	}
	return fits ? NULL : first;
}

static void on_row(void *arg, enum store_table table, struct slice key, struct slice value)
{
	struct id_check *check = arg;
	const struct conf_listener *l;
	struct session_record s;

	(void)key;
	if (table != TABLE_SESSION || !record_read_session(value, &s) ||
	    s.user.kind == IDENTITY_ANONYMOUS)
		return;
	l = refusing(check->conf, &s);
	if (l != NULL && ++check->found <= NAMED_MAX) {
		struct buf who = {0};

		json_open(&who);
		json_text(&who, "user", s.user.name);
		json_text(&who, "client_id", s.client_id);
		json_close(&who);
		who.data[who.len - 1] = '\0'; /* its newline */
		errors_warn(check->errors, check->conf->path, l->line, l->column,
		            "the client of the stored session %s will be refused at %s: %s",
		            (const char *)who.data, l->bind, misfit_of(l, &s));
		buf_fini(&who);
	}
}

void check_sessions(const struct conf *conf, struct errors *errors)
{
	struct id_check check = {.conf = conf, .errors = errors};
	char text[STORE_ERROR_TEXT] = "";

	if (!binds(conf))
		return;
	if (store_rows_read(conf->persistence_directory, on_row, &check, text) != 0)
		errors_add(errors, conf->persistence_directory, 0, 0, "persistence.directory: %s",
		           text);
	if (check.found > NAMED_MAX)
		errors_warn(errors, conf->path, 0, 0,
		            "%zu more stored sessions have client ids that will be refused",
		            check.found - NAMED_MAX);
}
