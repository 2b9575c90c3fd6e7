/* Where a disk of a test lives: in memory.  A test is written once and runs in each. */
#ifndef TEST_DISK_PLACES_H
#define TEST_DISK_PLACES_H

#include "store/disk.h"

struct place {
	struct disk *disk;
	struct disk_image *image;
};

static inline struct disk *place_open(struct place *p)
{
	p->disk = disk_memory_open(p->image);
	return p->disk;
}

/* As after a crash. */
static inline struct disk *place_reopen(struct place *p)
{
	disk_close(p->disk);
	p->disk = NULL;
	return place_open(p);
}

static inline void place_memory(void (*test)(struct place *p))
{
	struct place p = {.image = disk_image_new()};

	test(&p);
	disk_close(p.disk);
	disk_image_free(p.image);
}

#define PLACE_WRAP(test)                                                                           \
	static void test##_in_memory(void **state)                                                 \
	{                                                                                          \
		(void)state;                                                                       \
		place_memory(test);                                                                \
	}
#define PLACE_TESTS(test) cmocka_unit_test(test##_in_memory)

#endif
