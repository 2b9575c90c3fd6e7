/* Rules and requests made from the bytes: the compiled rules answer like the reference, and an
 * additional deny rule never grants anything. */
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
