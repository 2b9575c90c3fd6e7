/* The index of a PKI: what is read of it is written and read again as the same. */
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "conf/pki_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pki_index once = {0}, twice = {0};
	struct buf first = {0}, second = {0};

	(void)pki_index_parse(&once, slice_of(data, size));
	pki_index_format(&once, &first);
	REQUIRE(pki_index_parse(&twice, buf_slice(&first)) == 0);
	REQUIRE(twice.count == once.count);
	pki_index_format(&twice, &second);
	REQUIRE(slice_equal(buf_slice(&first), buf_slice(&second)));
	for (size_t i = 0; i < once.count; i++) {
		const struct pki_entry *e = &once.entries[i];

		REQUIRE(e->name == NULL || strcmp(e->name, twice.entries[i].name) == 0);
		if (e->name != NULL && e->revoked == 0)
			REQUIRE(pki_index_newest(&once, e->kind, e->name) != NULL);
	}
	pki_index_fini(&once);
	pki_index_fini(&twice);
	buf_fini(&first);
	buf_fini(&second);
	return 0;
}
