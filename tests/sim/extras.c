/* See extras.h. */
#include "extras.h"

#include "chance.h"
#include "proto/property.h"

#define USERS_MAX 6

static const struct slice words[] = {SLICE_INIT(""),     SLICE_INIT("a"),
                                     SLICE_INIT("unit"), SLICE_INIT("Grad \xc2\xb0"),
                                     SLICE_INIT("a/b"),  SLICE_INIT("longer than the others are")};
static const struct slice topics[] = {SLICE_INIT("a/1"), SLICE_INIT("answers/to/me"),
                                      SLICE_INIT("x")};
static const struct slice data[] = {SLICE_INIT(""), SLICE_INIT("\x00\xff\x26"),
                                    SLICE_INIT("17 and 4")};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void draw_user(struct buf *out, uint64_t *chance)
{
	property_put_string(out, PROPERTY_USER, words[chance_below(chance, COUNT(words))]);
	buf_put_string(out, words[chance_below(chance, COUNT(words))]);
}

static void draw_other(struct buf *out, uint64_t *chance, unsigned which)
{
	switch (which) {
	case 0:
		property_put_number(out, PROPERTY_PAYLOAD_FORMAT, (uint8_t)chance_below(chance, 2));
		break;
	case 1:
		property_put_string(out, PROPERTY_CONTENT_TYPE,
		                    words[chance_below(chance, COUNT(words))]);
		break;
	case 2:
		property_put_string(out, PROPERTY_RESPONSE_TOPIC,
		                    topics[chance_below(chance, COUNT(topics))]);
		break;
	default:
		property_put_string(out, PROPERTY_CORRELATION_DATA,
		                    data[chance_below(chance, COUNT(data))]);
	}
}

/* User Properties before, between and after the others. */
void extras_draw(struct buf *out, uint32_t seed)
{
	uint64_t chance = seed;
	unsigned users = (unsigned)chance_below(&chance, USERS_MAX + 1);
	unsigned first = (unsigned)chance_below(&chance, 4);
	unsigned which = (unsigned)chance_below(&chance, 16);

	if (seed == 0)
		return;
	for (unsigned i = 0; i < 4; i++) {
		if (users > 0 && chance_below(&chance, 2) == 0) {
			draw_user(out, &chance);
			users--;
		}
		if ((which >> i & 1) != 0)
			draw_other(out, &chance, (first + i) % 4);
	}
	while (users-- > 0)
		draw_user(out, &chance);
}

static void put_bytes(struct buf *out, const char *name, struct slice s)
{
	buf_printf(out, " %s=%zu:", name, s.len);
	for (size_t i = 0; i < s.len; i++)
		buf_printf(out, "%02x", s.data[i]);
}

bool extras_take(struct extras *e, uint32_t id, struct reader *r)
{
	switch (id) {
	case PROPERTY_PAYLOAD_FORMAT:
		buf_printf(&e->others[0], " format=%u", read_u8(r));
		break;
	case PROPERTY_CONTENT_TYPE:
		put_bytes(&e->others[1], "type", read_string(r));
		break;
	case PROPERTY_RESPONSE_TOPIC:
		put_bytes(&e->others[2], "response", read_string(r));
		break;
	case PROPERTY_CORRELATION_DATA:
		put_bytes(&e->others[3], "correlation", read_string(r));
		break;
	case PROPERTY_USER:
		put_bytes(&e->users, "name", read_string(r));
		put_bytes(&e->users, "value", read_string(r));
		break;
	default:
		return false;
	}
	return true;
}

char *extras_text(struct extras *e)
{
	struct buf out = {0};

	for (unsigned i = 0; i < 4; i++) {
		buf_put_slice(&out, buf_slice(&e->others[i]));
		buf_fini(&e->others[i]);
	}
	buf_put_slice(&out, buf_slice(&e->users));
	buf_fini(&e->users);
	buf_put_u8(&out, 0);
	*e = (struct extras){0};
	return (char *)out.data;
}

char *extras_expected(uint32_t seed)
{
	struct buf block = {0};
	struct extras e = {0};
	struct reader r;
	char *text;

	extras_draw(&block, seed);
	r = reader_of(buf_slice(&block));
	while (reader_left(&r) > 0 && !r.bad)
		extras_take(&e, read_varint(&r), &r);
	text = extras_text(&e);
	buf_fini(&block);
	return text;
}
