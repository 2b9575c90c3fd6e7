/* A session that loses message after message costs a look at the list for each: the words are only
 * made for what is new. */
#include "session/losses.h"

#include "base/clock.h"
#include "base/json.h"
#include "session/denials.h"
#include "session/disk_queue.h"

#define NAME_MAX_BYTES 1024

static struct slice cut(struct slice name)
{
	return slice_of(name.data, name.len > NAME_MAX_BYTES ? NAME_MAX_BYTES : name.len);
}

void losses_add(struct session *s, const char *cause)
{
	struct worker *w = s->worker;
	struct recent *losses = &w->sessions->losses;
	uint64_t key = denials_key(s), before = losses->bytes;
	uint64_t what = hash_bytes(cause, strlen(cause));
	int64_t wall_ms = clock_wall_ms();
	struct buf text = {0};

	REQUIRE_OWNER(s);
	if (recent_again(losses, key, what, wall_ms))
		return;
	json_open(&text);
	json_text(&text, "client_id", cut(session_client_id(s)));
	if (s->origin->anonymous)
		json_str(&text, "user", NULL);
	else
		json_text(&text, "user", cut(session_user(s)));
	json_str(&text, "cause", cause);
	json_close(&text);
	recent_add(losses, key, what, buf_slice(&text), wall_ms);
	count_by(&w->counters.remembered_bytes, losses->bytes - before);
	buf_fini(&text);
}

void losses_add_queue(struct session *s, size_t messages, const char *cause)
{
	struct buf text = {0};

	if (messages == 0)
		return;
	buf_printf(&text, "%zu queued message%s: %s", messages, messages == 1 ? "" : "s", cause);
	buf_put_u8(&text, '\0');
	losses_add(s, (const char *)text.data);
	buf_fini(&text);
}
