/* Lines wait as the log made them; the thread numbers and chains a batch, writes it, and waits
 * until it is on disk. Only then it is the head that $SYS and the log publish. */
#include "audit/audit_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_key.h"
#include "audit/audit_resume.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/log_output.h"
#include "base/require.h"
#include "base/thread.h"

#define NS_PER_MS UINT64_C(1000000)
/* A disk that was full is tried again after that. */
#define RETRY_NS (1000 * NS_PER_MS)
/* The head is logged so often at most, when nothing else is a reason to. */
#define HEAD_NS  (60000 * NS_PER_MS)
#define FLUSH_NS (3000 * NS_PER_MS)
/* A buffer that a storm has left is given back. */
#define IDLE_BYTES 65536

static struct audit_log {
	struct mutex lock; /* for what is up to `on` */
	struct condition changed;
	struct buf waiting;
	uint64_t lost;             /* since the last line that said how many */
	struct audit_resumed next; /* after a rotation; fd -1: none */
	struct audit_head on_disk;
	bool ending, ended, on;

	char *path; /* main's, as what is up to inode */
	struct thread thread;
	dev_t device;
	ino_t inode;

	uint8_t key[AUDIT_KEY_BYTES]; /* the thread's, from here on */
	int fd;
	uint64_t size; /* of the file: what is there after it is half a batch */
	struct audit_head head;
	bool failing;
	uint64_t failed_ns, head_ns;
} audit = {.lock = MUTEX_INITIALIZER(LOCK_AUDIT), .next = {.fd = -1}, .fd = -1};

static struct slice key_of(const struct audit_log *a)
{
	return slice_of(a->key, AUDIT_KEY_BYTES);
}

/* Any thread: the log has an event. */
static void put_line(struct slice line)
{
	struct audit_log *a = &audit;
	bool wake = false;

	REQUIRE(line.len > 0 && line.data[line.len - 1] == '\n');
	mutex_lock(&a->lock);
	if (a->waiting.len + line.len > AUDIT_WAITING_MAX) {
		a->lost++;
	} else {
		wake = a->waiting.len == 0;
		buf_put_slice(&a->waiting, line);
	}
	mutex_unlock(&a->lock);
	if (wake)
		condition_signal(&a->changed);
}

static void log_head(struct audit_log *a)
{
	char text[AUDIT_HEAD_TEXT];

	audit_head_text(&a->head, text);
	LOG(AUDIT_HEAD, .file = a->path, .head = text);
	a->head_ns = clock_monotonic_ns();
}

static uint64_t count_lines(struct slice lines)
{
	uint64_t count = 0;

	for (size_t i = 0; i < lines.len; i++)
		count += lines.data[i] == '\n';
	return count;
}

static void chain_lines(const struct audit_log *a, struct slice lines, struct audit_head *head,
                        struct buf *out)
{
	while (lines.len > 0) {
		const uint8_t *end = memchr(lines.data, '\n', lines.len);
		size_t len = end == NULL ? lines.len : (size_t)(end - lines.data) + 1;

		audit_chain_append(key_of(a), head, slice_of(lines.data, len), out);
		lines = slice_skip(lines, len);
	}
}

static void chain_lost(const struct audit_log *a, uint64_t lost, struct audit_head *head,
                       struct buf *out)
{
	struct log_AUDIT_LOST fields = {.lines = lost};
	struct buf line = {0};

	log_encode_json(&line, EVENT_AUDIT_LOST, &fields);
	audit_chain_append(key_of(a), head, buf_slice(&line), out);
	buf_fini(&line);
}

static void chain_opened(const struct audit_log *a, const char *cause, uint64_t torn_bytes,
                         struct audit_head *head, struct buf *out)
{
	char text[AUDIT_HEAD_TEXT];
	struct log_AUDIT_OPENED fields = {
	    .cause = cause, .previous = text, .torn_bytes = torn_bytes};
	struct buf line = {0};

	audit_head_text(head, text);
	log_encode_json(&line, EVENT_AUDIT_OPENED, &fields);
	audit_chain_append(key_of(a), head, buf_slice(&line), out);
	buf_fini(&line);
}

static void report_failure(struct audit_log *a, int error)
{
	a->failed_ns = clock_monotonic_ns();
	if (!a->failing)
		LOG(AUDIT_FAILED, .file = a->path, .error = strerror(error));
	a->failing = true;
}

/* All of the lines of one write, or none: half of them are taken back. */
static bool write_chained(struct audit_log *a, struct slice lines, const struct audit_head *head)
{
	REQUIRE(a->fd >= 0 && head->number > a->head.number);
	errno = 0;
	if (log_output_write_bytes(a->fd, lines).len > 0) {
		int error = errno == 0 ? EIO : errno;

		(void)!ftruncate(a->fd, (off_t)a->size);
		report_failure(a, error);
		return false;
	}
	a->size += lines.len;
	a->head = *head;
	if (fdatasync(a->fd) != 0) {
		report_failure(a, errno);
		return true; /* they are in the file, and nobody says that they are on the disk */
	}
	mutex_lock(&a->lock);
	a->on_disk = a->head;
	mutex_unlock(&a->lock);
	if (a->failing)
		LOG(AUDIT_RESUMED, .file = a->path);
	a->failing = false;
	return true;
}

/* How many lines are lost now. */
static uint64_t write_batch(struct audit_log *a, struct slice batch, uint64_t lost)
{
	struct audit_head head = a->head;
	struct buf out = {0};
	bool written;

	/* mutant: audit_says_lost */
	if (lost > 0)
		chain_lost(a, lost, &head, &out);
	chain_lines(a, batch, &head, &out);
	written = out.len == 0 || write_chained(a, buf_slice(&out), &head);
	buf_fini(&out);
	if (written && lost > 0)
		LOG(AUDIT_LOST, .lines = lost);
	if (written && clock_monotonic_ns() - a->head_ns > HEAD_NS)
		log_head(a);
	return written ? 0 : lost + count_lines(batch);
}

/* The first line of a file, or of a start, says what it follows. */
static bool write_opened(struct audit_log *a, const char *cause, uint64_t torn_bytes)
{
	struct audit_head head = a->head;
	struct buf out = {0};
	bool written;

	chain_opened(a, cause, torn_bytes, &head, &out);
	written = write_chained(a, buf_slice(&out), &head);
	buf_fini(&out);
	if (written)
		log_head(a);
	return written;
}

static void switch_file(struct audit_log *a, struct audit_resumed next)
{
	REQUIRE(next.fd >= 0 && next.size == 0);
	log_head(a); /* the last of that file */
	close(a->fd);
	a->fd = next.fd;
	a->size = next.size;
}

/* False: the end. */
static bool wait_for_work(struct audit_log *a)
{
	mutex_require(&a->lock);
	while (!a->ending && a->next.fd < 0 && a->waiting.len == 0) {
		if (a->lost == 0)
			condition_wait(&a->changed, &a->lock);
		else if (clock_monotonic_ns() - a->failed_ns >= RETRY_NS)
			break;
		else
			condition_wait_until(&a->changed, &a->lock, a->failed_ns + RETRY_NS);
	}
	return !a->ending || a->waiting.len > 0 || a->next.fd >= 0;
}

/* A file whose first line could not be written yet gets it before any other one. */
static uint64_t write_turn(struct audit_log *a, struct slice batch, uint64_t lost)
{
	if (a->size == 0 && !write_opened(a, "new-file", 0))
		return lost + count_lines(batch);
	return write_batch(a, batch, lost);
}

static void *write_lines(void *arg)
{
	struct audit_log *a = arg;
	struct buf batch = {0};

	mutex_lock(&a->lock);
	while (wait_for_work(a)) {
		struct audit_resumed next = a->next;
		struct buf empty = batch;
		uint64_t lost = a->lost;

		batch = a->waiting;
		a->waiting = empty;
		a->lost = 0;
		a->next.fd = -1;
		mutex_unlock(&a->lock);

		/* mutant: audit_rotation_keeps_chain */
		if (next.fd >= 0)
			switch_file(a, next);
		lost = write_turn(a, buf_slice(&batch), lost);
		if (batch.cap > IDLE_BYTES)
			buf_fini(&batch);
		buf_clear(&batch);

		mutex_lock(&a->lock);
		a->lost += lost;
	}
	a->ended = true;
	condition_broadcast(&a->changed);
	mutex_unlock(&a->lock);
	buf_fini(&batch);
	return NULL;
}

static void note_file(struct audit_log *a, int fd)
{
	struct stat st;

	REQUIRE(fstat(fd, &st) == 0);
	a->device = st.st_dev;
	a->inode = st.st_ino;
}

/* A new key, unless there is a chain that another one has made. */
static int find_key(struct audit_log *a, const struct audit_options *options, struct buf *why)
{
	struct stat st;
	int failed = audit_key_read(options->key_path, a->key, why);

	if (failed != -ENOENT)
		return failed;
	buf_clear(why);
	if (stat(options->path, &st) == 0 && st.st_size > 0) {
		buf_printf(why,
		           "%s does not exist, and %s was written with a key: put the key back, or "
		           "move the audit file away, and a new chain begins",
		           options->key_path, options->path);
		return -ENOENT;
	}
	failed = audit_key_create(options->key_path, why);
	if (failed == 0)
		failed = audit_key_read(options->key_path, a->key, why);
	if (failed == 0)
		LOG(AUDIT_KEY_MADE, .file = options->key_path);
	return failed;
}

static int start_thread(struct audit_log *a, struct buf *why)
{
	int failed;

	condition_init(&a->changed);
	a->ending = a->ended = false;
	failed = thread_start(&a->thread, "audit-chain", write_lines, a);
	if (failed != 0) {
		condition_fini(&a->changed);
		buf_printf(why, "cannot start a thread for the audit: %s", strerror(-failed));
	}
	return failed;
}

int audit_log_start(const struct audit_options *options, struct buf *why)
{
	struct audit_log *a = &audit;
	struct audit_resumed file;
	int failed = find_key(a, options, why);

	REQUIRE(!a->on);
	if (failed == 0)
		failed = audit_resume(options->path, &file, why);
	if (failed != 0)
		return failed;
	a->path = xstrdup(options->path);
	a->fd = file.fd;
	a->size = file.size;
	a->head = a->on_disk = file.head;
	note_file(a, file.fd);
	(void)write_opened(a, file.size == 0 ? "new-file" : "restart", file.torn_bytes);
	failed = start_thread(a, why);
	a->on = failed == 0;
	if (failed == 0)
		log_set_chain(put_line);
	return failed;
}

int audit_log_reopen(void)
{
	struct audit_log *a = &audit;
	struct audit_resumed next;
	struct buf why = {0};
	struct stat st;
	int failed;

	if (!a->on || (stat(a->path, &st) == 0 && st.st_dev == a->device && st.st_ino == a->inode))
		return 0;
	failed = audit_resume(a->path, &next, &why);
	buf_fini(&why);
	if (failed == 0 && next.size > 0) {
		close(next.fd);
		failed = -EEXIST;
	}
	if (failed != 0)
		return failed;
	note_file(a, next.fd);
	mutex_lock(&a->lock);
	if (a->next.fd >= 0) /* two rotations at once: the thread has not seen the first */
		close(a->next.fd);
	a->next = next;
	condition_signal(&a->changed);
	mutex_unlock(&a->lock);
	return 0;
}

void audit_log_stop(void)
{
	struct audit_log *a = &audit;
	uint64_t until_ns = clock_monotonic_ns() + FLUSH_NS;
	bool ended;

	if (!a->on)
		return;
	log_set_chain(NULL);
	mutex_lock(&a->lock);
	a->ending = true;
	condition_broadcast(&a->changed);
	while (!a->ended && clock_monotonic_ns() < until_ns)
		condition_wait_until(&a->changed, &a->lock, until_ns);
	ended = a->ended;
	mutex_unlock(&a->lock);
	if (!ended)
		return; /* the disk hangs; the thread goes on until the process ends */
	thread_join(&a->thread);
	REQUIRE(a->fd >= 0 && a->waiting.len == 0);
	log_head(a);
	condition_fini(&a->changed);
	buf_fini(&a->waiting);
	close(a->fd);
	crypto_wipe(a->key, sizeof(a->key));
	free(a->path);
	a->path = NULL;
	a->on = false;
}

bool audit_log_head(struct audit_head *out)
{
	struct audit_log *a = &audit;
	bool on;

	mutex_lock(&a->lock);
	on = a->on;
	*out = a->on_disk;
	mutex_unlock(&a->lock);
	return on;
}
