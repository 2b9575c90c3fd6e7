/* Where the store of a test is: in memory, or in a directory of its own.  A test is written once
 * and runs in both. */
#ifndef TESTS_STORE_PLACES_H
#define TESTS_STORE_PLACES_H

#include "store/store_open.h"
#include "support/store_memory.h"

#define PLACE_MAP ((uint32_t)1 << 16) /* so small that it has to grow */

struct place {
	struct store *store;
	struct store_image *image; /* NULL: in a directory */
	char *directory;
	uint32_t first_map; /* 0: PLACE_MAP */
	uint64_t max_bytes;
};

/* An empty directory below the temporary one. */
char *place_directory(void);
/* With all that is in it, and the name. */
void place_remove(char **directory);
/* "directory/name" */
char *place_path(const char *directory, const char *name);

struct store *place_open(struct place *p);
/* As after a crash. */
struct store *place_reopen(struct place *p);

void place_memory(void (*test)(struct place *p));
void place_file(void (*test)(struct place *p));

#define PLACE_WRAP(test)                                                                           \
	static void test##_in_memory(void **state)                                                 \
	{                                                                                          \
		(void)state;                                                                       \
		place_memory(test);                                                                \
	}                                                                                          \
	static void test##_in_a_file(void **state)                                                 \
	{                                                                                          \
		(void)state;                                                                       \
		place_file(test);                                                                  \
	}
#define PLACE_TESTS(test) cmocka_unit_test(test##_in_memory), cmocka_unit_test(test##_in_a_file)

#endif
