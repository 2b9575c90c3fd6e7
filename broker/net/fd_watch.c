/* uv_poll_t in an allocation of its own, because libuv releases a handle one turn after it was
 * closed, when the connection may live in another thread already. */
#include "net/fd_watch.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "net/loop_internal.h"

/* One per connection: libuv's own fields are used for the loop and the owner. */
struct fd_watch {
	uv_poll_t poll;
	fd_watch_fn *fn;
	int armed;
};

_Static_assert((int)FD_WATCH_READ == (int)UV_READABLE, "libuv's own numbers");
_Static_assert((int)FD_WATCH_WRITE == (int)UV_WRITABLE, "libuv's own numbers");
_Static_assert((int)FD_WATCH_END == (int)UV_DISCONNECT, "libuv's own numbers");

static struct loop *loop_of(const struct fd_watch *w)
{
	return container_of(w->poll.loop, struct loop, uv);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct fd_watch *w = container_of(poll, struct fd_watch, poll);

	executor_woken(loop_of(w)->executor); /* the poll may have slept for long */
	if (status < 0)
		w->armed = 0; /* libuv has stopped it */
	w->fn(poll->data, events, status < 0);
}

static void on_closed(uv_handle_t *handle)
{
	free(container_of((uv_poll_t *)handle, struct fd_watch, poll));
}

struct fd_watch *fd_watch_new(struct loop *loop, int fd, fd_watch_fn *fn, void *owner, int *error)
{
	struct fd_watch *w = xnew(w);

	REQUIRE(fd >= 0);
	*error = uv_poll_init(&loop->uv, &w->poll, fd);
	if (*error != 0) {
		free(w);
		return NULL;
	}
	w->poll.data = owner;
	w->fn = fn;
	loop->open++;
	return w;
}

void fd_watch_arm(struct fd_watch *w, int events)
{
	if (events == w->armed)
		return;
	w->armed = events;
	if ((events & FD_WATCH_READ) != 0)
		events |= FD_WATCH_END;
	REQUIRE(uv_poll_start(&w->poll, events, on_poll) == 0);
}

int fd_watch_armed(const struct fd_watch *w)
{
	return w->armed;
}

void fd_watch_free(struct fd_watch *w)
{
	if (w == NULL)
		return;
	REQUIRE(loop_of(w)->open > 0);
	loop_of(w)->open--;
	uv_close((uv_handle_t *)&w->poll, on_closed);
}
