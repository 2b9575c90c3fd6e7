/* A line of a dump, from anywhere.  What is taken for a row is one: it prints, and is read again as
 * the same row. */
#include <stdint.h>

#include "base/require.h"
#include "store/row_json.h"
#include "store/row_json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_row(enum store_table table, struct slice key, struct slice value)
{
	struct buf line = {0}, again_key = {0}, again_value = {0};
	struct json_object row;
	enum store_table again;

	REQUIRE(key.len > 0 && key.len <= 511);
	row_json_put(&line, table, key, value);
	REQUIRE(json_parse(slice_of(line.data, line.len - 1), &row));
	REQUIRE(row_json_read(&row, &again, &again_key, &again_value) && again == table);
	REQUIRE(slice_equal(buf_slice(&again_key), key) &&
	        slice_equal(buf_slice(&again_value), value));
	json_fini(&row);
	buf_fini(&line);
	buf_fini(&again_key);
	buf_fini(&again_value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf key = {0}, value = {0};
	struct json_object row;
	enum store_table table;

	if (!json_parse(slice_of(data, size), &row))
		return 0;
	if (row_json_read(&row, &table, &key, &value))
		check_row(table, buf_slice(&key), buf_slice(&value));
	json_fini(&row);
	buf_fini(&key);
	buf_fini(&value);
	return 0;
}
