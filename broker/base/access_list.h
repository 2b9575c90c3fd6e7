/* Who may write to a file by an entry of its access control list.  Thread: any. */
#ifndef BASE_ACCESS_LIST_H
#define BASE_ACCESS_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct access_writer {
	bool is_group;
	unsigned id;
};

/* The user or group of the entry at *index or later that may write; *index moves after it. False:
 * there is none. */
bool access_list_next_writer(int fd, size_t *index, struct access_writer *out);

#endif
