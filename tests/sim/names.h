/* What there is in the simulated house. */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#include "rules.h"

#define TOPIC_NAMES  14
#define FILTER_NAMES 20
#define SHARE_NAMES  4

extern const char *const topic_names[TOPIC_NAMES];
extern const char *const filter_names[FILTER_NAMES];
extern const char *const share_names[SHARE_NAMES]; /* whole */

/* The one of topic_names; NULL: it is none. */
const char *names_topic(const char *topic);

#endif
