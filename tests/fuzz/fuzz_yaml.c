/* YAML from any bytes: refused with an error, or a tree within its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "conf/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Depth is bounded by what is checked. */
static size_t walk(const struct yaml_node *node, unsigned depth)
{
	size_t nodes = 1;

	REQUIRE(depth <= 17); /* a scalar in the deepest of 16 */
	REQUIRE(node->line > 0 && node->column > 0);
	REQUIRE((node->kind == YAML_SCALAR) == (node->text != NULL));
	for (size_t i = 0; i < node->count; i++) {
		struct yaml_entry *entry = &node->entries[i];

		REQUIRE((entry->key != NULL) == (node->kind == YAML_MAPPING));
		nodes += walk(entry->value, depth + 1);
		if (entry->key == NULL)
			continue;
		nodes++;
		REQUIRE(entry->key->kind == YAML_SCALAR);
		REQUIRE(yaml_get(node, entry->key->text) == entry->value);
	}
	return nodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errors e = {0};
	struct yaml_node *node = yaml_load("f", slice_of(data, size), &e);

	REQUIRE(node == NULL || e.error_count == 0);
	if (node != NULL)
		REQUIRE(walk(node, 1) <= 100000);
	yaml_free(node);
	errors_fini(&e);
	return 0;
}
