#include "write_all.h"

#include <errno.h>
#include <unistd.h>

#include "base/require.h"

int write_all(int fd, struct slice bytes)
{
	REQUIRE(fd >= 0);
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.data, bytes.len);

		if (n < 0)
			return -errno;
		bytes = slice_skip(bytes, (size_t)n);
	}
	return 0;
}
