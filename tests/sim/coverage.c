/* See coverage.h. */
#include "coverage.h"

#include <stdio.h>

#include "proto/frame.h"
#include "proto/reason.h"

static const char *const texts[] = {
#define POINT(id, text) [POINT_##id] = (text),
#include "coverage.def"
#undef POINT
};

void coverage_add(struct coverage *to, const struct coverage *more)
{
	uint64_t *into = (uint64_t *)to;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*into); i++)
		into[i] += from[i];
}

static void print_packets(const struct coverage *c)
{
	for (unsigned type = PACKET_CONNECT; type <= PACKET_AUTH; type++) {
		printf("  %-12s sent %10llu  received %10llu ",
		       packet_type_name((enum packet_type)type), (unsigned long long)c->sent[type],
		       (unsigned long long)c->received[type]);
		for (unsigned code = 0; code < 256; code++) {
			if (c->reasons[type][code] > 0)
				printf(" %02x:%llu", code,
				       (unsigned long long)c->reasons[type][code]);
		}
		printf("\n");
	}
}

void coverage_print(const struct coverage *c, double seconds, bool quiet)
{
	printf("%llu steps in %llu worlds, %llu turns of threads, %llu quiet points; %.0f s, %.0f "
	       "steps/s\n",
	       (unsigned long long)c->steps, (unsigned long long)c->worlds,
	       (unsigned long long)c->turns, (unsigned long long)c->quiets, seconds,
	       seconds > 0 ? (double)c->steps / seconds : 0.0);
	if (!quiet)
		print_packets(c);
	for (unsigned i = 0; i < POINT_COUNT; i++) {
		if (quiet && c->points[i] > 0)
			continue;
		printf("  %10llu  %s%s\n", (unsigned long long)c->points[i], texts[i],
		       c->points[i] == 0 ? "   <-- never" : "");
	}
}
