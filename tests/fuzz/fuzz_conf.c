/* broker.yaml from any bytes: refused with at least one error, or a configuration whose dump parses
 * to the same dump. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "conf/conf.h"
#include "conf/conf_dump.h"
#include "conf/conf_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf *parse(struct slice bytes)
{
	struct errors e = {0};
	struct conf *conf = conf_parse("broker.yaml", bytes, &e);
	char *text = errors_text(&e);

	REQUIRE((conf == NULL) == (e.error_count > 0));
	REQUIRE((strlen(text) > 0) == (e.count > 0));
	free(text);
	errors_fini(&e);
	return conf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *first = parse(slice_of(data, size));
	struct conf *second;
	char *dump, *again;

	if (first == NULL)
		return 0;
	dump = conf_dump(first);
	second = parse(slice_of_str(dump));
	REQUIRE(second != NULL);
	again = conf_dump(second);
	REQUIRE(strcmp(dump, again) == 0);
	free(dump);
	free(again);
	conf_free(first);
	conf_free(second);
	return 0;
}
