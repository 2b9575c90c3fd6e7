/* What one configuration says differently from another, key by key, along the schema table: no key
 * can be forgotten.  Values are printed as --dump prints them; no key holds a secret.  Thread: any.
 */
#ifndef CONF_CONF_DIFF_H
#define CONF_CONF_DIFF_H

#include "conf/conf.h"

struct conf_change {
	const char *name; /* "limits.queue_messages" */
	const char *bind; /* of the listener whose own value changed; NULL: the value of all */
	const char *before, *after;
	bool at_restart; /* a reload does not apply it */
};
typedef void conf_diff_fn(void *arg, const struct conf_change *change);

/* Listeners are the same where their `bind` is; one that came or went is no change of keys. */
void conf_diff(const struct conf *before, const struct conf *after, conf_diff_fn *fn, void *arg);

/* The values of all keys that only a start applies. */
struct conf_started;
struct conf_started *conf_started_new(const struct conf *conf);
void conf_started_free(struct conf_started *started); /* NULL is fine */
/* Those of them that `conf` says differently. */
void conf_started_diff(const struct conf_started *started, const struct conf *conf,
                       conf_diff_fn *fn, void *arg);

#endif
