/* The names of the tables. */
#include "store/store_tables.h"

#include "base/require.h"

static const char *const names[TABLES] = {
#define TABLE(id, name, ...) [TABLE_##id] = (name),
#include "store/store_tables.def"
};

const char *store_tables_name(enum store_table table)
{
	REQUIRE((unsigned)table < TABLES);
	return names[table];
}
