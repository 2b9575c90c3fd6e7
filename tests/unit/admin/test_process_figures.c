/* What the process has open, where the kernel does not tell how many. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/process_figures.h"
#include "base/descriptors.h"

#define FILES   5
#define SOCKETS 1000

static void open_files(int fds[FILES])
{
	for (int i = 0; i < FILES; i++) {
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
}

static void few_descriptors_are_read_and_many_are_counted(void **state)
{
	uint64_t before = process_figures_descriptors_counted();
	int first[FILES], second[FILES];
	struct stat st;

	(void)state;
	assert_true(before >= 3);
	open_files(first);
	assert_int_equal(process_figures_descriptors_counted(), before + FILES);
	/* Linux 6.2 and later. */
	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
		assert_int_equal(st.st_size, before + FILES);
		assert_int_equal(process_figures_descriptors(), before + FILES);
	}
	for (int i = 0; i < SOCKETS; i++)
		descriptors_count_socket(true);
	assert_int_equal(descriptors_sockets(), SOCKETS);
	/* These are not there: whoever reads the names finds that out. */
	assert_int_equal(process_figures_descriptors_counted(), before + FILES + SOCKETS);
	open_files(second);
	assert_int_equal(process_figures_descriptors_counted(), before + FILES + SOCKETS);
	for (int i = 0; i < SOCKETS; i++)
		descriptors_count_socket(false);
	assert_int_equal(process_figures_descriptors_counted(), before + FILES + FILES);
	for (int i = 0; i < FILES; i++) {
		assert_int_equal(close(first[i]), 0);
		assert_int_equal(close(second[i]), 0);
	}
	assert_int_equal(process_figures_descriptors_counted(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(few_descriptors_are_read_and_many_are_counted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
