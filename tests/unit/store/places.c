/* See places.h. */
#include "places.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"

char *place_directory(void)
{
	const char *above = getenv("TMPDIR");
	char *path = xasprintf("%s/vakt-disk-XXXXXX", above == NULL ? "/tmp" : above);

	assert_non_null(mkdtemp(path));
	return path;
}

char *place_path(const char *directory, const char *name)
{
	return xasprintf("%s/%s", directory, name);
}

void place_remove(char **directory)
{
	DIR *dir = opendir(*directory);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(*directory), 0);
	free(*directory);
	*directory = NULL;
}

struct store *place_open(struct place *p)
{
	const struct store_options options = {.directory = p->directory,
	                                      .first_map =
	                                          p->first_map > 0 ? p->first_map : PLACE_MAP,
	                                      .max_bytes = p->max_bytes};
	char text[STORE_ERROR_TEXT] = "";

	if (p->image != NULL) {
		p->store = store_memory_open(p->image);
		return p->store;
	}
	if (store_open(&options, text, &p->store) != 0)
		fail_msg("%s", text);
	return p->store;
}

struct store *place_reopen(struct place *p)
{
	store_close(p->store);
	p->store = NULL;
	return place_open(p);
}

void place_memory(void (*test)(struct place *p))
{
	struct place p = {.image = store_image_new()};

	test(&p);
	store_close(p.store);
	store_image_free(p.image);
}

void place_file(void (*test)(struct place *p))
{
	struct place p = {.directory = place_directory()};

	test(&p);
	store_close(p.store);
	place_remove(&p.directory);
}
