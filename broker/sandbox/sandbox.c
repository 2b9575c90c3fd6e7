/* The list as a filter of the kernel's, by libseccomp. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"

static const int allowed[] = {
#define ALLOW(name) SCMP_SYS(name),
#include "sandbox/syscalls.def"
#undef ALLOW
};

/* Permitted where (argument & mask) == value. */
struct permission {
	int call;
	unsigned argument;
	uint64_t mask, value;
};

#define ALL UINT64_MAX
#define W   ((uint64_t)PROT_WRITE)
#define X   ((uint64_t)PROT_EXEC)
#define SPACES                                                                                     \
	((uint64_t)(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |     \
	            CLONE_NEWNET | CLONE_NEWCGROUP))
#define THREAD ((uint64_t)CLONE_THREAD)

static const struct permission permissions[] = {
    {SCMP_SYS(socket), 0, ALL, AF_UNIX},
    {SCMP_SYS(socket), 0, ALL, AF_INET},
    {SCMP_SYS(socket), 0, ALL, AF_INET6},
    {SCMP_SYS(socketpair), 0, ALL, AF_UNIX},
    /* Memory is never both written and executed; a library may be loaded (names of users). */
    {SCMP_SYS(mmap), 2, W | X, 0},
    {SCMP_SYS(mmap), 2, W | X, W},
    {SCMP_SYS(mmap), 2, W | X, X},
    {SCMP_SYS(mprotect), 2, X, 0},
    /* A thread, in no name space of its own. */
    {SCMP_SYS(clone), 0, THREAD | SPACES, THREAD},
    {SCMP_SYS(ioctl), 1, ALL, FIONBIO},
    {SCMP_SYS(ioctl), 1, ALL, FIONREAD},
    {SCMP_SYS(ioctl), 1, ALL, FIOCLEX},
    {SCMP_SYS(ioctl), 1, ALL, TCGETS},
    {SCMP_SYS(ioctl), 1, ALL, TIOCGWINSZ},
    {SCMP_SYS(ioctl), 1, ALL, SIOCGIFINDEX},
    {SCMP_SYS(prctl), 0, ALL, PR_SET_NAME},
    {SCMP_SYS(prctl), 0, ALL, PR_GET_NAME},
    {SCMP_SYS(prctl), 0, ALL, PR_GET_DUMPABLE},
    {SCMP_SYS(prctl), 0, ALL, PR_CAPBSET_READ},
#ifdef PR_SET_VMA
    {SCMP_SYS(prctl), 0, ALL, PR_SET_VMA},
#endif
};

/* To this process only. */
static const int signalling[] = {SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(rt_sigqueueinfo),
                                 SCMP_SYS(rt_tgsigqueueinfo)};

/* A leak checker stops the process from outside, and names functions with a program of its own. */
static const int for_sanitizers[] = {
    SCMP_SYS(clone),  SCMP_SYS(execve), SCMP_SYS(fork),     SCMP_SYS(getdents),    SCMP_SYS(pipe),
    SCMP_SYS(kill),   SCMP_SYS(mmap),   SCMP_SYS(mprotect), SCMP_SYS(personality), SCMP_SYS(prctl),
    SCMP_SYS(ptrace), SCMP_SYS(tgkill), SCMP_SYS(vfork),    SCMP_SYS(wait4),
};

static int permit_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return rc;
}

static int permit_where(scmp_filter_ctx filter, const struct permission *c)
{
	struct scmp_arg_cmp compare = {
	    .arg = c->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = c->mask, .datum_b = c->value};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, c->call, 1, &compare);
}

static int permit(scmp_filter_ctx filter)
{
	int rc = permit_all(filter, allowed, ARRAY_LEN(allowed));

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(signalling); i++)
		rc = permit_where(filter,
		                  &(struct permission){signalling[i], 0, ALL, (uint64_t)getpid()});
	if (VAKT_SANITIZED && rc == 0)
		rc = permit_all(filter, for_sanitizers, ARRAY_LEN(for_sanitizers));
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(permissions); i++)
		rc = permit_where(filter, &permissions[i]);
	return rc;
}

/* For all threads; the kernel logs what is refused; found by halving, not one after the other. */
static int set_attributes(scmp_filter_ctx filter)
{
	static const struct {
		enum scmp_filter_attr attribute;
		uint32_t value;
	} rows[] = {{SCMP_FLTATR_CTL_TSYNC, 1},
	            {SCMP_FLTATR_CTL_LOG, 1},
	            {SCMP_FLTATR_CTL_OPTIMIZE, 2},
	            {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)}};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(rows); i++)
		rc = seccomp_attr_set(filter, rows[i].attribute, rows[i].value);
	return rc;
}

bool sandbox_is_possible(const char **why)
{
	uint32_t action = SECCOMP_RET_ERRNO;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		return true;
	*why =
	    errno == ENOSYS ? "this kernel has no seccomp" : "this system does not permit seccomp";
	return false;
}

bool sandbox_enter(const char **why)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int rc = filter == NULL ? -ENOMEM : set_attributes(filter);

	if (rc == 0)
		rc = permit(filter);
	/* mutant: sandbox_is_left_out */
	if (rc == 0)
		rc = seccomp_load(filter);
	if (filter != NULL)
		seccomp_release(filter);
	if (rc != 0 && sandbox_is_possible(why))
		*why = strerrordesc_np(-rc);
	return rc == 0;
}
