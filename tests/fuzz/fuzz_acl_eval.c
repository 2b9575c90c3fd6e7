/* Policies and requests made from the bytes: the compiled policy answers as the naive one, and a
 * deny rule more never grants. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *difference = reference_compare(data, size);

	if (difference != NULL) {
		fprintf(stderr, "%s\n", difference);
		abort();
	}
	return 0;
}
