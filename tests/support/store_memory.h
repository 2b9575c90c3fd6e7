/* A store in memory, for tests and the simulation.  The image is what a crash leaves: the store
 * that is on it may be closed at any moment, and what was not committed is gone. */
#ifndef TESTS_SUPPORT_STORE_MEMORY_H
#define TESTS_SUPPORT_STORE_MEMORY_H

#include "store/store.h"

struct store_image; /* outlives the store: the committed rows */
struct store_image *store_image_new(void);
void store_image_free(struct store_image *image);
struct store *store_memory_open(struct store_image *image); /* one at a time */
/* As with max_bytes, 0: no bound; and as if there were so many bytes more. */
void store_image_bound(struct store_image *image, uint64_t max_bytes, uint64_t ballast_bytes);
bool store_image_is_bound(const struct store_image *image);
uint64_t store_image_bytes(const struct store_image *image);
/* The next `count` commits fail with `error` (-ENOSPC, -EIO, ...). */
void store_image_fail(struct store_image *image, unsigned count, int error);
/* Break the checksum of that row; false: there is none. */
bool store_image_damage(struct store_image *image, enum store_table table, struct slice key);

#endif
