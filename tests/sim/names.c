/* See names.h.  Few and overlapping, so that things meet. */
#include "names.h"

#include <string.h>

const char *const topic_names[TOPIC_NAMES] = {
    "a/1", "a/2", "a/1/x", "b/1", "b/2", "b/1/x",        "r/1",
    "r/2", "r/3", "s/1",   "s/2", "a",   "desired/lamp", "desired/door",
};

const char *const filter_names[FILTER_NAMES] = {
    "#",   "a/#", "b/#",   "r/#",   "+/1", "+/+", "a/1", "a/+",       "b/1",          "b/+/x",
    "r/1", "r/+", "+/1/#", "a/1/x", "a",   "s/#", "r/2", "desired/#", "desired/lamp", "b/1/#",
};

const char *const share_names[SHARE_NAMES] = {
    "$share/g/s/#",
    "$share/h/s/1",
    "$share/g/b/+",
    "$share/k/#",
};

const char *names_topic(const char *topic)
{
	for (unsigned i = 0; i < TOPIC_NAMES; i++) {
		if (strcmp(topic_names[i], topic) == 0)
			return topic_names[i];
	}
	return NULL;
}
