/* S9: what code that somebody else brings into the broker cannot do. Each attempt is made twice, in
 * a process of its own: with the sandbox the kernel knows no such call; without it, it answers
 * otherwise, so that it is the sandbox that this test sees. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "sandbox/sandbox.h"

/* 0: it is done; else -errno. */
typedef long attempt_fn(void);

static long result(long rc)
{
	return rc < 0 ? -errno : 0;
}

static long execute(void)
{
	char name[] = "/bin/true";
	char *argv[] = {name, NULL};

	return result(execve(name, argv, NULL));
}

static long execute_at(void)
{
	char name[] = "";
	char *argv[] = {name, NULL};

	return result(syscall(SYS_execveat, -1, "/bin/true", argv, NULL, 0));
}

static long fork_raw(void)
{
	long rc = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (rc == 0)
		_exit(0);
	return result(rc);
}

static long open_socket(int family, int type)
{
	return result(socket(family, type, 0));
}

static long packet_socket(void)
{
	return open_socket(AF_PACKET, SOCK_RAW);
}

static long netlink_socket(void)
{
	return open_socket(AF_NETLINK, SOCK_RAW);
}

static long vsock_socket(void)
{
	return open_socket(AF_VSOCK, SOCK_STREAM);
}

static long be_traced(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static long read_parent(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {&byte, 1};

	return result(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static long mount_something(void)
{
	return result(mount("none", "/nonexistent", "tmpfs", 0, NULL));
}

static long load_bpf(void)
{
	union bpf_attr attributes = {0};

	return result(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)));
}

static long load_module(void)
{
	return result(syscall(SYS_finit_module, -1, "", 0));
}

static long new_name_space(void)
{
	return result(unshare(CLONE_NEWUSER));
}

static long signal_parent(void)
{
	return result(kill(getppid(), 0));
}

static long use_ring(void)
{
	return result(syscall(SYS_io_uring_setup, 0, NULL));
}

static long add_key(void)
{
	return result(syscall(SYS_add_key, "user", "vakt", "x", 1, -1));
}

static long change_user(void)
{
	return result(setresuid(getuid(), getuid(), getuid()));
}

static long memory_of_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
	                -1, 0);

	return at == MAP_FAILED ? -errno : 0;
}

static long code_from_memory(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? -EIO : result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static long file_in_memory(void)
{
	return result(memfd_create("vakt", 0));
}

static const struct attempt {
	const char *name;
	attempt_fn *run;
	bool sanitizers_need_it;
} attempts[] = {
    {"execve", execute, true},
    {"execveat", execute_at, false},
    {"a process of its own", fork_raw, true},
    {"packet socket", packet_socket, false},
    {"netlink socket", netlink_socket, false},
    {"vsock socket", vsock_socket, false},
    {"ptrace", be_traced, true},
    {"process_vm_readv", read_parent, false},
    {"mount", mount_something, false},
    {"bpf", load_bpf, false},
    {"kernel module", load_module, false},
    {"name space", new_name_space, false},
    {"signal to another process", signal_parent, true},
    {"io_uring", use_ring, false},
    {"key of the kernel", add_key, false},
    {"another user", change_user, false},
    {"memory that is written and executed", memory_of_code, true},
    {"memory that becomes code", code_from_memory, true},
    {"file in memory", file_in_memory, false},
};

/* The status of a process that tries it: 0 the kernel knows no such call, 1 it answers otherwise, 2
 * there is no sandbox. */
static int status_of(attempt_fn *attempt, bool in_sandbox)
{
	const char *why = "";
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (in_sandbox && !sandbox_enter(&why))
			_exit(2);
		_exit(attempt() == -ENOSYS ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	/* What execve started ends with 0, too. */
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void what_a_broker_never_does_is_refused(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		const struct attempt *a = &attempts[i];
		/* It has an end of its own without the sandbox. */
		bool runs = a->run == execute || a->run == execute_at;

		if (VAKT_SANITIZED && a->sanitizers_need_it)
			continue;
		if (status_of(a->run, true) != 0)
			fail_msg("%s is possible", a->name);
		if (!runs && status_of(a->run, false) != 1)
			print_message("# %s: this kernel knows it not\n", a->name);
		else
			seen++;
	}
	assert_true(seen >= 10);
}

static void *end_at_once(void *arg)
{
	return arg;
}

static long what_it_needs(void)
{
	pthread_t thread;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) != 0)
		return -1;
	if (open_socket(AF_INET, SOCK_STREAM) != 0 || open_socket(AF_INET6, SOCK_STREAM) != 0 ||
	    open_socket(AF_UNIX, SOCK_DGRAM) != 0)
		return -2;
	if (pthread_create(&thread, NULL, end_at_once, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0)
		return -3;
	if (kill(getpid(), 0) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != -1)
		return -4;
	return -ENOSYS; /* all is as it should be */
}

static void what_a_broker_does_is_permitted(void **state)
{
	(void)state;
	if (VAKT_SANITIZED) /* which permits more */
		return;
	assert_int_equal(status_of(what_it_needs, true), 0);
}

static void *wait_for_byte(void *arg)
{
	char byte;

	/* It began before the others were told. */
	if (read(*(int *)arg, &byte, 1) != 1)
		return arg;
	return socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == ENOSYS ? NULL : arg;
}

/* -ENOSYS: the thread that was there is in the sandbox, too. */
static long threads_follow(void)
{
	const char *why;
	int ends[2];
	pthread_t thread;
	void *failed = NULL;

	if (pipe2(ends, O_CLOEXEC) != 0 ||
	    pthread_create(&thread, NULL, wait_for_byte, &ends[0]) != 0 || !sandbox_enter(&why) ||
	    write(ends[1], "x", 1) != 1 || pthread_join(thread, &failed) != 0)
		return -1;
	return failed == NULL ? -ENOSYS : -2;
}

static void it_holds_for_threads_that_are_there(void **state)
{
	(void)state;
	assert_int_equal(status_of(threads_follow, false), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_broker_never_does_is_refused),
	    cmocka_unit_test(what_a_broker_does_is_permitted),
	    cmocka_unit_test(it_holds_for_threads_that_are_there),
	};

	const char *why = "";

	if (!sandbox_is_possible(&why)) {
		printf("1..0 # SKIP %s\n", why);
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
