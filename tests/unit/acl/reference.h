/* A second, naive reading of the manual: policies and requests made from bytes, judged rule by rule
 * and letter by letter, and compared with the compiled policy. For random tests and fuzzing. */
#ifndef TESTS_ACL_REFERENCE_H
#define TESTS_ACL_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

/* The conditions that its rules have: all there are, as test_load.c checks. */
#define REFERENCE_CONDITIONS "retain=, qos<=, max=, own and payload="

/* NULL: both agree, and a deny rule more grants nothing; else what differs (the caller frees). */
char *reference_compare(const uint8_t *data, size_t size);

#endif
