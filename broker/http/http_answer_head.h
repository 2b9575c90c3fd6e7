/* The head of an answer.  Thread: any. */
#ifndef HTTP_HTTP_ANSWER_HEAD_H
#define HTTP_HTTP_ANSWER_HEAD_H

#include "http/http_types.h"

/* "Not Found"; "Unknown" for what no answer here has. */
const char *http_status_text(unsigned status);

struct http_answer_head {
	const struct http_answer *answer;
	/* CONF_HSTS_OFF, or seconds. */
	uint32_t hsts_s;
	bool close;      /* the connection ends after it */
	bool is_chunked; /* no length is known */
};

/* Append it, with the empty line. A header of the answer takes the place of the one that would be
 * added under its name. */
void http_answer_head_put(struct buf *out, const struct http_answer_head *head);

#endif
