/* The explorer: seed after seed a plan is drawn, lived and judged, in a process of its own, since a
 * difference ends the process.  A plan that fails is shrunk to the steps that it needs, and printed
 * as a story.
 *
 *   explore [--seed N] [--count N] [--for TIME] [--steps N] [--jobs N] [--crashes]
 *           [--quiet] [--unshrunk]
 *   --for: 90, 20m or 8h; --quiet: tell only what never happened; --unshrunk: of a failure only the
 * seed explore --seed N --replay      that one, told step by step
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actors.h"
#include "shrink.h"

#define JOBS_MAX 64

struct options {
	uint64_t seed, count;
	size_t steps;
	double seconds;
	unsigned jobs;
	bool crashes, replay, quiet, unshrunk;
};

/* Results of a worker for its parent, in shared memory. */
struct job {
	pid_t pid;
	uint64_t seed; /* at hand */
	struct coverage coverage;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void live(struct job *job, const struct options *o, uint64_t seed, bool report)
{
	struct plan plan = plan_draw(seed, o->steps, o->crashes);

	actors_live(&plan, &job->coverage, report);
	plan_free(&plan);
}

_Noreturn static void work(struct job *job, const struct options *o, unsigned index)
{
	double end = now_s() + o->seconds;

	for (uint64_t i = index; i < o->count; i += o->jobs) {
		if (o->seconds > 0 && now_s() >= end)
			break;
		job->seed = o->seed + i;
		alarm(120); /* nothing takes that long */
		live(job, o, job->seed, false);
	}
	_Exit(0);
}

static struct job *start(const struct options *o)
{
	struct job *jobs = mmap(NULL, JOBS_MAX * sizeof(*jobs), PROT_READ | PROT_WRITE,
	                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (jobs == MAP_FAILED)
		abort();
	for (unsigned i = 0; i < o->jobs; i++) {
		pid_t pid = fork();

		if (pid == 0)
			work(&jobs[i], o, i);
		if (pid < 0)
			abort();
		jobs[i].pid = pid; /* not by the child, which would write 0 */
	}
	return jobs;
}

static struct job *job_of(struct job *jobs, const struct options *o, pid_t pid)
{
	for (unsigned i = 0; i < o->jobs; i++) {
		if (jobs[i].pid == pid)
			return &jobs[i];
	}
	return NULL;
}

static void stop(const struct job *jobs, const struct options *o)
{
	for (unsigned i = 0; i < o->jobs; i++)
		kill(jobs[i].pid, SIGKILL);
}

static void report(const struct job *jobs, const struct options *o, double seconds)
{
	struct coverage all = {0};

	for (unsigned i = 0; i < o->jobs; i++)
		coverage_add(&all, &jobs[i].coverage);
	coverage_print(&all, seconds, o->quiet);
}

static void report_failure(const struct options *o, uint64_t seed)
{
	struct plan plan = plan_draw(seed, o->steps, o->crashes);

	printf("FAILED with --seed %llu --steps %zu%s:\n", (unsigned long long)seed, o->steps,
	       o->crashes ? " --crashes" : "");
	fflush(stdout);
	if (!o->unshrunk) {
		shrink(&plan);
		plan_print(stdout, &plan);
		shrink_show(&plan);
	}
	plan_free(&plan);
}

/* All of them, or the first failure. */
static int explore(const struct options *o)
{
	double began = now_s();
	struct job *jobs = start(o);
	int status, result = 0;
	pid_t pid;

	while (result == 0 && (pid = wait(&status)) > 0) {
		struct job *job = job_of(jobs, o, pid);

		if (job == NULL || status == 0)
			continue;
		result = 1;
		stop(jobs, o);
		report_failure(o, job->seed);
	}
	report(jobs, o, now_s() - began);
	munmap(jobs, JOBS_MAX * sizeof(*jobs));
	return result;
}

static int replay(const struct options *o)
{
	static struct job job;

	setlinebuf(stdout);
	live(&job, o, o->seed, true);
	coverage_print(&job.coverage, 0, false);
	return 0;
}

static double seconds_of(const char *text)
{
	char *unit;
	double n = strtod(text, &unit);

	return *unit == 'h' ? n * 3600 : *unit == 'm' ? n * 60 : n;
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
	    {"seed", required_argument, NULL, 's'}, {"count", required_argument, NULL, 'c'},
	    {"for", required_argument, NULL, 'f'},  {"steps", required_argument, NULL, 'n'},
	    {"jobs", required_argument, NULL, 'j'}, {"crashes", no_argument, NULL, 'x'},
	    {"replay", no_argument, NULL, 'r'},     {"quiet", no_argument, NULL, 'q'},
	    {"unshrunk", no_argument, NULL, 'u'},   {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's':
			o->seed = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			o->count = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			o->seconds = seconds_of(optarg);
			break;
		case 'n':
			o->steps = strtoul(optarg, NULL, 10);
			break;
		case 'j':
			o->jobs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'x':
			o->crashes = true;
			break;
		case 'r':
			o->replay = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'u':
			o->unshrunk = true;
			break;
		default:
			return false;
		}
	}
	return optind == argc && o->jobs > 0 && o->jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
	struct options o = {.seed = 1, .steps = 400, .jobs = 1};

	if (!parse(argc, argv, &o)) {
		fprintf(stderr, "see the top of explore.c\n");
		return 2;
	}
	if (o.count == 0)
		o.count = o.seconds > 0 ? UINT64_MAX / 2 : 1;
	return o.replay ? replay(&o) : explore(&o);
}
