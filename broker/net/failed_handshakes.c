/* One list behind a lock: a failed handshake costs a hundred times as much as this. */
#include "net/failed_handshakes.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/list.h"
#include "base/thread.h"

#define MAX          512
#define MAX_PER_PEER 8
#define MAX_BYTES    ((size_t)512 << 10)

static struct mutex lock = MUTEX_INITIALIZER(LOCK_FAILED_HANDSHAKES);
static struct recent failures; /* after the lock */

void failed_handshakes_add(const struct failed_handshake *failure)
{
	struct slice key = peer_address_key(failure->peer);
	char address[PEER_TEXT_MAX];
	struct buf text = {0};

	REQUIRE(failure->cause != NULL && failure->listener != NULL);
	(void)peer_address_key_text(failure->peer, address, sizeof(address));
	json_open(&text);
	json_str(&text, "what", failure->what);
	json_str(&text, "client_id", NULL);
	json_str(&text, "user", NULL);
	json_str(&text, "address", address);
	json_str(&text, "listener", failure->listener);
	json_str(&text, "cause", failure->cause);
	if (failure->server_name != NULL && failure->server_name[0] != '\0')
		json_str(&text, "server_name", failure->server_name);
	if (failure->offered.len > 0)
		json_text(&text, "offered", failure->offered);
	if (failure->certificate.len > 0)
		json_text(&text, "certificate", failure->certificate);
	json_close(&text);
	mutex_lock(&lock);
	if (failures.max == 0)
		recent_init(&failures, MAX, MAX_PER_PEER, MAX_BYTES);
	recent_count(&failures, hash_bytes(key.data, key.len), buf_slice(&text), clock_wall_ms());
	mutex_unlock(&lock);
	buf_fini(&text);
}

void failed_handshakes_visit(failed_handshake_fn *fn, void *arg)
{
	const struct recent_entry *e;

	mutex_lock(&lock);
	DL_FOREACH (failures.entries, e)
		fn(arg, e);
	mutex_unlock(&lock);
}

void failed_handshakes_forget(void)
{
	mutex_lock(&lock);
	recent_fini(&failures);
	mutex_unlock(&lock);
}
