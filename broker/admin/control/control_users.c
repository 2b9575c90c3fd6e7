/* Users and rules as they are in force; read only, and never what users log in with.  Thread:
 * main's. */
#include <stdio.h>

#include "acl/acl_listing.h"
#include "admin/control/control_window.h"
#include "auth/identity_source.h"

static const struct config_snapshot *snapshot_of(const struct control_query *q)
{
	return q->control->hooks.snapshot(q->control->hooks.arg);
}

/* Collect at once, write in slices. */
static bool collect_once(struct control_query *q,
                         void (*collect)(struct control_query *q, struct control_window *w))
{
	struct control_window *w = control_window_of(q);

	if (w == NULL)
		return false;
	if (q->id_at == 0) {
		q->id_at = 1;
		collect(q, w);
	}
	return control_window_write(q);
}

/* --- users --- */

static void put_role(void *arg, const char *role)
{
	struct buf *roles = arg;

	buf_printf(roles, "%s%s", roles->len > 0 ? ", " : "", role);
}

static void add_user(struct control_query *q, struct control_window *w,
                     const struct identity_entry *entry)
{
	struct slice texts[2] = {slice_of_str(entry->name)};
	struct identity *id =
	    identity_new(IDENTITY_PASSWORD, texts[0], entry->id, entry->credential);
	struct buf roles = {0}, pins = {0}, line = {0};

	for (size_t i = 0; i < entry->role_count; i++)
		put_role(&roles, entry->roles[i]);
	acl_listing_visit_roles(snapshot_of(q)->acl, texts[0], put_role, &roles);
	texts[1] = buf_slice(&roles);
	if (entry->pins.is_pinned)
		key_pins_put(&entry->pins, ", ", &pins);
	if (control_window_matches(q, texts, 2)) {
		json_open(&line);
		json_text(&line, "user", texts[0]);
		json_text(&line, "roles", texts[1]);
		json_bool(&line, "locked", entry->locked);
		json_bool(&line, "assumed", entry->assumed);
		json_bool(&line, "password", entry->has_password);
		json_bool(&line, "scram", entry->has_scram);
		json_text(&line, "pins", buf_slice(&pins));
		json_number(&line, "connections",
		            keyed_counter_get(&q->control->shared->user_connections, id->key));
		json_number(&line, "sessions", shared_session_count(q->control->shared, id->key));
		json_close(&line);
		control_window_add(w, texts[0], buf_slice(&line));
	}
	identity_unref(&id);
	buf_fini(&roles);
	buf_fini(&pins);
	buf_fini(&line);
}

static void collect_users(struct control_query *q, struct control_window *w)
{
	const struct identity_source *source = snapshot_of(q)->identities;

	for (size_t i = 0; i < identity_source_count(source); i++) {
		struct identity_entry entry;

		identity_source_at(source, i, &entry);
		add_user(q, w, &entry);
	}
}

bool control_users_report(struct control_query *q)
{
	return collect_once(q, collect_users);
}

/* --- roles --- */

struct listing {
	struct control_query *q;
	struct control_window *window;
	unsigned number;
};

static void add_rule(void *arg, const struct acl_listed *row)
{
	struct listing *l = arg;
	const char *name = row->role != NULL   ? row->role
	                   : row->user != NULL ? row->user
	                                       : "anonymous";
	struct slice texts[] = {slice_of_str(name), slice_of_str(row->rule)};
	struct buf line = {0};
	char key[16];

	/* In the order of the file, which decides. */
	(void)snprintf(key, sizeof(key), "%08u", l->number++);
	if (!control_window_matches(l->q, texts, 2))
		return;
	json_open(&line);
	json_str(&line, "kind",
	         row->role != NULL   ? "role"
	         : row->user != NULL ? "user"
	                             : "anonymous");
	json_str(&line, "name", row->role != NULL ? row->role : row->user);
	json_number(&line, "line", row->line);
	json_str(&line, "rule", row->rule);
	json_close(&line);
	control_window_add(l->window, slice_of_str(key), buf_slice(&line));
	buf_fini(&line);
}

static void collect_roles(struct control_query *q, struct control_window *w)
{
	struct listing listing = {.q = q, .window = w};

	acl_listing_visit(snapshot_of(q)->acl, add_rule, &listing);
}

bool control_roles_report(struct control_query *q)
{
	return collect_once(q, collect_roles);
}
