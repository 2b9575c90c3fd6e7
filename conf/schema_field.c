/* Numbers in fields of one to eight bytes. */
#include "conf/schema_field.h"

#include <string.h>

#include "base/require.h"

void schema_store(const struct schema_key *key, void *field, uint64_t value)
{
	uint8_t u8 = (uint8_t)value;
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;
	const void *from = key->width == 1   ? (const void *)&u8
	                   : key->width == 2 ? (const void *)&u16
	                   : key->width == 4 ? (const void *)&u32
	                                     : (const void *)&value;

	REQUIRE(key->width == 1 || key->width == 2 || key->width == 4 || key->width == 8);
	memcpy(field, from, key->width);
}

uint64_t schema_load(const struct schema_key *key, const void *field)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (key->width) {
	case 1:
		memcpy(&u8, field, sizeof(u8));
		return u8;
	case 2:
		memcpy(&u16, field, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, field, sizeof(u32));
		return u32;
	case 8:
		memcpy(&u64, field, sizeof(u64));
		return u64;
	default:
		UNREACHABLE();
	}
}
