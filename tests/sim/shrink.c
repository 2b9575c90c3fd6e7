/* See shrink.h: steps are left out in ever smaller ranges, then each remaining step is made
 * simpler. (Zeller and Hildebrandt's delta debugging, without its refinements.) */
#include "shrink.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors.h"
#include "base/alloc.h"

#define TRIES_MAX 3000

static unsigned tries;

static void be_silent(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

/* The exit status of a run; 0 is success. */
static int outcome(const struct plan *plan, bool silent)
{
	static struct coverage coverage;
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		if (silent)
			be_silent();
		setlinebuf(stdout);
		actors_live(plan, &coverage, !silent);
		_Exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static bool still_fails(const struct plan *plan, int as)
{
	return tries++ < TRIES_MAX && outcome(plan, true) == as;
}

/* Without `count` steps from `at` on, if that fails too. */
static bool leave_out(struct plan *plan, size_t at, size_t count, int as)
{
	size_t left = plan->count - count;
	struct step *steps = xcalloc(left + 1, sizeof(*steps));
	struct plan less = *plan;
	bool fails;

	memcpy(steps, plan->steps, at * sizeof(*steps));
	memcpy(steps + at, plan->steps + at + count, (left - at) * sizeof(*steps));
	less.steps = steps;
	less.count = left;
	fails = still_fails(&less, as);
	if (fails) {
		memcpy(plan->steps, steps, left * sizeof(*steps));
		plan->count = left;
	}
	free(steps);
	return fails;
}

static void leave_out_ranges(struct plan *plan, int as)
{
	for (size_t range = plan->count / 2; range > 0; range /= 2) {
		size_t at = 0;

		while (at + range <= plan->count) {
			if (!leave_out(plan, at, range, as))
				at += range;
		}
	}
}

static bool takes(struct plan *plan, struct step *at, const struct step *plainer, int as)
{
	struct step before = *at;

	*at = *plainer;
	if (still_fails(plan, as))
		return true;
	*at = before;
	return false;
}

static void make_plain(struct plan *plan, int as)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct step *s = &plan->steps[i], plain;

		plain = *s;
		plain.turns = 0;
		takes(plan, s, &plain, as);
		plain = *s;
		plain.will = plain.large = false;
		plain.workers = 0;
		plain.receive_maximum = plain.keep_alive_s = 0;
		takes(plan, s, &plain, as);
		plain = *s;
		plain.filter_count = plain.count = 1;
		takes(plan, s, &plain, as);
		plain = *s;
		plain.expiry_s = 0;
		plain.no_local = plain.as_published = false;
		plain.handling = 0;
		plain.id = 0;
		plain.extras = 0;
		plain.alias = plain.alias_maximum = 0;
		takes(plan, s, &plain, as);
	}
}

static void fewer_workers(struct plan *plan, int as)
{
	unsigned workers = plan->workers;

	for (plan->workers = 1; plan->workers < workers; plan->workers++) {
		if (still_fails(plan, as))
			return;
	}
}

void shrink(struct plan *plan)
{
	int as = outcome(plan, true);
	size_t before;

	if (as == 0) {
		fprintf(stderr, "it does not fail again\n");
		return;
	}
	tries = 0;
	do {
		before = plan->count;
		leave_out_ranges(plan, as);
		fewer_workers(plan, as);
		make_plain(plan, as);
	} while (plan->count < before && tries < TRIES_MAX);
}

void shrink_show(const struct plan *plan)
{
	outcome(plan, false);
}
