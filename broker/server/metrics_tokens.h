/* The tokens with which listeners give their metrics.  Thread: main. */
#ifndef SERVER_METRICS_TOKENS_H
#define SERVER_METRICS_TOKENS_H

#include "conf/errors.h"
#include "worker/config_snapshot.h"

/* One for each listener, from its metrics.token_file; with errors where that fails. The caller
 * frees. */
struct config_token *metrics_tokens_load(const struct conf *conf, struct errors *errors);

#endif
