/* Files, remembered by what stat(2) says of them. */
#include "server/file_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"

static void look_at(struct watched *f)
{
	struct stat st;

	f->there = stat(f->path, &st) == 0;
	if (!f->there)
		st = (struct stat){0};
	f->mtime = st.st_mtim;
	f->size = st.st_size;
	f->inode = st.st_ino;
	f->device = st.st_dev;
	f->mode = st.st_mode;
	f->uid = st.st_uid;
	f->gid = st.st_gid;
}

static bool same_content(const struct watched *a, const struct watched *b)
{
	return a->there == b->there && a->size == b->size && a->inode == b->inode &&
	       a->device == b->device && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* Mode and owner count too: a wrong mode is reported at once, and its repair is noticed. */
static bool same(const struct watched *a, const struct watched *b)
{
	/* mutant: trust_mode_is_watched */
	return same_content(a, b) && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

void file_watch_fini(struct file_watch *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->loaded[i].path);
	free(w->loaded);
	free(w->seen);
	*w = (struct file_watch){0};
}

static const struct watched *find(const struct watched *list, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].path, path) == 0)
			return &list[i];
	}
	return NULL;
}

/* `before`: what was seen before the files were read; a change since then is one still to be
 * noticed. */
static void add(struct file_watch *w, const struct file_watch *before, const char *path)
{
	const struct watched *old;
	struct watched *f;

	if (path == NULL || find(w->loaded, w->count, path) != NULL)
		return;
	array_extend(w->loaded, w->count);
	f = &w->loaded[w->count++];
	*f = (struct watched){0};
	old = find(before->seen, before->count, path);
	if (old != NULL)
		*f = *old;
	f->path = xstrdup(path);
	if (old == NULL)
		look_at(f);
}

static void add_tls(struct file_watch *w, const struct file_watch *before,
                    const struct conf_tls *tls)
{
	for (size_t i = 0; i < tls->certificate_count; i++) {
		add(w, before, tls->certificates[i].certificate);
		add(w, before, tls->certificates[i].key);
		add(w, before, tls->certificates[i].ocsp_response);
	}
	add(w, before, tls->client_ca);
	add(w, before, tls->client_crl);
}

void file_watch_take(struct file_watch *w, const struct config_snapshot *p)
{
	struct file_watch before = *w;

	*w = (struct file_watch){0};
	add(w, &before, identity_source_path(p->identities));
	add(w, &before, p->conf->acl_file);
	for (size_t i = 0; i < p->conf->listener_count; i++) {
		add_tls(w, &before, &p->conf->listeners[i].tls);
		add(w, &before, p->conf->listeners[i].metrics.token_file);
	}
	w->seen = xrealloc_array(NULL, w->count, sizeof(*w->seen));
	if (w->count > 0)
		memcpy(w->seen, w->loaded, w->count * sizeof(*w->seen));
	file_watch_fini(&before);
}

void file_watch_look(struct file_watch *w)
{
	for (size_t i = 0; i < w->count; i++)
		look_at(&w->seen[i]);
}

bool file_watch_has_changed(const struct file_watch *w, const char *path)
{
	const struct watched *loaded = find(w->loaded, w->count, path);
	struct watched now;

	if (loaded == NULL)
		return true;
	now = *loaded;
	look_at(&now);
	return !same(&now, loaded);
}

bool file_watch_changed_and_settled(struct file_watch *w)
{
	bool changed = false, settled = true;

	for (size_t i = 0; i < w->count; i++) {
		struct watched now = w->seen[i];

		look_at(&now);
		settled &= same(&now, &w->seen[i]);
		changed |= !same(&now, &w->loaded[i]);
		w->seen[i] = now;
	}
	return changed && settled;
}

void file_watch_forget(struct file_watch *w)
{
	if (w->count > 0)
		memcpy(w->loaded, w->seen, w->count * sizeof(*w->loaded));
}

#define DER_SEQUENCE 0x30 /* NULL: it does. */
static const char *bad_end(const struct watched *f, struct errors *errors)
{
	int fd = open(f->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char first = 0, last = 0;
	bool read_it;

	if (fd < 0) {
		errors_note_cause(errors, errno);
		return errors->may_pass ? "cannot be opened now" : "cannot be opened";
	}
	read_it = pread(fd, &first, 1, 0) == 1 && pread(fd, &last, 1, f->size - 1) == 1;
	close(fd);
	if (read_it && (first == DER_SEQUENCE || last == '\n'))
		return NULL;
	return "does not end with a newline: it looks half-written";
}

bool file_watch_is_sound(const struct file_watch *w, struct errors *errors)
{
	bool sound = true;

	for (size_t i = 0; i < w->count; i++) {
		const struct watched *f = &w->seen[i];
		const char *what = NULL;

		if (same_content(f, &w->loaded[i]))
			continue;
		if (!f->there)
			what = "has gone";
		else if (f->size == 0)
			what = "is empty now";
		else
			what = bad_end(f, errors);
		if (what == NULL)
			continue;
		errors_add(errors, f->path, 0, 0,
		           "the file %s; the previous content stays in force (SIGHUP uses the file "
		           "as it is)",
		           what);
		sound = false;
	}
	return sound;
}
