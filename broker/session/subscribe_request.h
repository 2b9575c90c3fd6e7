/* A SUBSCRIBE or UNSUBSCRIBE under way: its entries are checked, then done, in slices, a bounded
 * number in a turn; the packet stays where it was read until its last entry is done, and what comes
 * after it waits.  One answer, when all is done.  When the connection ends in between, what was
 * done stays.  Thread: the connection's owner. */
#ifndef SESSION_SUBSCRIBE_REQUEST_H
#define SESSION_SUBSCRIBE_REQUEST_H

#include "session/client_link.h"

#define REQUEST_TEXT_MAX 256

struct subscription;

struct request {
	uint16_t packet_id;
	uint32_t subscription_id;
	/* Why every entry of a SUBSCRIBE is refused; FAULT_NONE: each is checked by itself. */
	struct fault refusal;
	size_t entries_at;    /* in the packet's body */
	size_t checked, done; /* bytes of the entries */
	struct buf reasons;
	char text[REQUEST_TEXT_MAX]; /* of the newest denial */
	/* What is to be written down of them: each once, however often the packet names it. */
	struct subscription **changed;
	size_t changed_count, changed_cap, recorded;
};

struct request_kind {
	enum packet_type answer;
	bool holds_deliveries; /* until it is answered */
	/* Entries off *entries, as packet_subscribe_check does. */
	struct fault (*check)(struct client_link *link, struct slice *entries, size_t *steps);
	/* The next entry off *entries: its reason code. */
	uint8_t (*next)(struct client_link *link, struct request *r, struct slice *entries);
	void (*encode)(struct client_link *link, struct request *r, struct buf *out);
};

/* A slice of it. link->request is not NULL where there is more to do: the same packet again, then,
 * in a later turn. */
struct fault subscribe_request_run(struct client_link *link, const struct frame *f,
                                   const struct request_kind *kind);
/* A subscription is to be written down. */
void subscribe_request_add_changed(struct request *r, struct subscription *sub);
/* The connection ends. */
void subscribe_request_forget(struct client_link *link);

#endif
