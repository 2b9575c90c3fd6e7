/* Access control lists of files, acl(5), in the form in which the kernel hands them out. */
#include "base/access_list.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/xattr.h>

#define LIST_VERSION 2
#define LIST_BYTES   8192
#define TAG_USER     0x02
#define TAG_GROUP    0x08
#define MAY_WRITE    2

static unsigned get_le(const uint8_t *at, size_t bytes)
{
	unsigned n = 0;

	while (bytes-- > 0)
		n = n << 8 | at[bytes];
	return n;
}

/* The descriptor may be one of O_PATH, which fgetxattr() does not take. */
static size_t read_list(int fd, uint8_t list[LIST_BYTES])
{
	char name[32];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = getxattr(name, "system.posix_acl_access", list, LIST_BYTES);
	return n < 0 ? 0 : (size_t)n;
}

/* The mask, which limits what these entries give, is what stands in the mode as the group's rights:
 * the caller has seen that it has the right to write. */
bool access_list_next_writer(int fd, size_t *index, struct access_writer *out)
{
	uint8_t list[LIST_BYTES];
	size_t len = read_list(fd, list);

	if (len < 4 || get_le(list, 4) != LIST_VERSION)
		return false;
	for (size_t at = 4 + *index * 8; at + 8 <= len; at += 8) {
		unsigned tag = get_le(list + at, 2);

		++*index;
		if ((tag != TAG_USER && tag != TAG_GROUP) ||
		    (get_le(list + at + 2, 2) & MAY_WRITE) == 0)
			continue;
		*out = (struct access_writer){.is_group = tag == TAG_GROUP,
		                              .id = get_le(list + at + 4, 4)};
		return true;
	}
	return false;
}
