/* The names of the simulation: users, topics, filters. */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#include "base/bytes.h"
#include "rules.h"

#define TOPIC_NAMES  14
#define FILTER_NAMES 20
#define SHARE_NAMES  4

#define ILLEGAL_KINDS 16
#define ILLEGAL_V5    11 /* from here on they are only in 5.0 */

extern const char *const topic_names[TOPIC_NAMES];
extern const char *const filter_names[FILTER_NAMES];
extern const char *const share_names[SHARE_NAMES]; /* whole */
extern const struct slice illegal_packets[ILLEGAL_KINDS];

/* The index in topic_names; NULL if it is not one of them. */
const char *names_topic(const char *topic);

#endif
