/* The whole broker behind up to four connections of two users and of anonymous clients, in one
 * thread, on memory streams and a simulated clock: whatever they send must affect neither the
 * broker nor another client, and whatever the broker answers must be a valid packet. Input: a byte
 * (1: two workers, 2: a journal whose groups wait), a byte that is the world's seed, then commands.
 * A command is a byte (bits 0 to 3: which, 4 and 5: the connection, 6 and 7: a variant) and what
 * its function reads. */
#include "../sim/client.h"
#include "base/log.h"
#include "base/require.h"
#include "base/utf8.h"
#include "proto/packet_ack.h"
#include "proto/packet_publish.h"
#include "proto/topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PEERS        4
#define COMMANDS_MAX 300
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct peer {
	struct wire *wire;
	enum mqtt_version version; /* of what we build */
	struct buf out;
	bool welcomed, said_goodbye;
	bool answers_5; /* the broker takes it for one of 5.0 */
};

struct play {
	struct world *world;
	struct client *witness;
	struct peer peers[PEERS];
	struct peer *peer; /* the command's */
	uint8_t variant;
	struct reader in;
};

static const char conf[] =
    "listeners:\n"
    "  - bind: 127.0.0.1:8883\n"
    "tls:\n"
    "  certificates: [{ certificate: s.crt, key: s.key }]\n"
    "  client_certificates: optional\n"
    "  client_ca: ca.crt\n"
    "authentication: { anonymous: true, anonymous_sessions: true, certificate_user: cn }\n"
    "authorization: { acl_file: acl.yaml }\n"
    "limits: { connections: 6, unauthenticated: 4, max_packet_size: 2k, max_connect_size: 1k,\n"
    "  receive_maximum: 3, topic_alias_maximum: 2, queue_messages: 5, queue_bytes: 4k,\n"
    "  subscriptions: 5, sessions_per_user: 2, topic_levels: 4, user_properties: 2 }\n";
static const char acl[] =
    "roles: { most: ['deny all witness/#', 'allow publish own/# own', 'allow all #'] }\n"
    "users:\n"
    "  anna: { roles: [most] }\n"
    "  porch: { roles: [most] }\n"
    "  witness: { rules: ['allow all #'] }\n"
    "anonymous: { roles: [most] }\n";
static const char *const users[] = {"anna", "porch", NULL, "anna"};
static const char *const ids[] = {"", "one", "two", "three"};
static const char *const topics[] = {"a",      "a/b",       "own/x", "witness/x",
                                     "$SYS/x", "a/b/c/d/e", "",      "a/+"};
static const char *const filters[] = {"#",          "a/+",      "a/b",          "$share/g/a/#",
                                      "$share/g/#", "$SYS/#",   "+/+",          "own/x",
                                      "$share//a",  "a/#/b",    "a/b/c/d/e",    "",
                                      "witness/#",  "$share/h", "\xed\xa0\x80", "a"};

static uint8_t byte(struct play *p)
{
	return read_u8(&p->in);
}

static struct slice bytes(struct play *p)
{
	size_t n = byte(p);
	size_t left = reader_left(&p->in);

	return read_bytes(&p->in, n < left ? n : left);
}

/* --- what the broker says --- */

static void check_publish(const struct peer *peer, const struct frame *f)
{
	struct reader r = reader_of(f->body);
	unsigned qos = f->flags >> 1 & 3;
	struct slice topic = read_string(&r);

	REQUIRE(qos < 3 && (qos > 0 || (f->flags & 8) == 0));
	REQUIRE(topic.len > 0 ? topic_name_valid(topic) : peer->answers_5);
	if (qos > 0)
		REQUIRE(read_u16(&r) != 0);
	if (peer->answers_5)
		read_bytes(&r, read_varint(&r));
	REQUIRE(!r.bad);
}

static void check_list(const struct peer *peer, const struct frame *f)
{
	struct reader r = reader_of(f->body);
	struct properties properties;

	REQUIRE(read_u16(&r) != 0);
	if (peer->answers_5)
		REQUIRE(fault_is_none(properties_read(&r, f->type, &properties)));
	REQUIRE(!r.bad);
	if (f->type == PACKET_SUBACK || peer->answers_5)
		REQUIRE(reader_left(&r) > 0);
}

static void check_ack(const struct peer *peer, const struct frame *f)
{
	struct ack ack;

	REQUIRE(fault_is_none(packet_ack_decode(f, peer->answers_5 ? MQTT_5_0 : MQTT_3_1_1, &ack)));
}

static void check_reason(const struct peer *peer, const struct frame *f)
{
	struct reader r = reader_of(f->body);
	struct properties properties;

	REQUIRE(peer->answers_5 && f->flags == 0);
	if (reader_left(&r) > 0)
		read_u8(&r);
	if (reader_left(&r) > 0)
		REQUIRE(fault_is_none(properties_read(&r, f->type, &properties)));
	REQUIRE(!r.bad && reader_left(&r) == 0);
}

static void check_empty(const struct peer *peer, const struct frame *f)
{
	(void)peer;
	REQUIRE(f->body.len == 0 && f->flags == 0);
}

typedef void check_fn(const struct peer *peer, const struct frame *f);
static check_fn *const checks[16] = {
    [PACKET_PUBLISH] = check_publish,   [PACKET_PUBACK] = check_ack,
    [PACKET_PUBREC] = check_ack,        [PACKET_PUBREL] = check_ack,
    [PACKET_PUBCOMP] = check_ack,       [PACKET_SUBACK] = check_list,
    [PACKET_UNSUBACK] = check_list,     [PACKET_PINGRESP] = check_empty,
    [PACKET_DISCONNECT] = check_reason, [PACKET_AUTH] = check_reason,
};

/* The first packet; the form of its body tells the version. */
static void check_connack(struct peer *peer, const struct frame *f)
{
	struct reader r = reader_of(f->body);
	uint8_t flags = read_u8(&r), reason = read_u8(&r);
	struct properties properties;

	REQUIRE(!peer->welcomed && flags <= (reason == 0));
	peer->answers_5 = f->body.len > 2;
	if (peer->answers_5)
		REQUIRE(fault_is_none(properties_read(&r, PACKET_CONNACK, &properties)));
	REQUIRE(!r.bad && reader_left(&r) == 0);
	peer->welcomed = true;
	peer->said_goodbye = reason != 0;
}

static void check_packet(struct peer *peer, const struct frame *f)
{
	REQUIRE(!peer->said_goodbye);
	if (f->type == PACKET_CONNACK) {
		check_connack(peer, f);
		return;
	}
	if (f->type == PACKET_AUTH)
		peer->answers_5 = true;
	else
		REQUIRE(peer->welcomed);
	REQUIRE(checks[f->type] != NULL);
	checks[f->type](peer, f);
	peer->said_goodbye = f->type == PACKET_DISCONNECT;
}

static void listen(struct peer *peer)
{
	struct buf *said;
	struct slice in;
	struct frame f;
	size_t needed;
	enum frame_result result;

	if (peer->wire == NULL)
		return;
	said = memory_received(wire_peer(peer->wire));
	in = buf_slice(said);
	while ((result = frame_next(&in, SIZE_MAX, &f, &needed)) == FRAME_COMPLETE)
		check_packet(peer, &f);
	REQUIRE(result == FRAME_INCOMPLETE);
	buf_consume(said, said->len - in.len);
}

/* --- commands --- */

static void give(struct peer *peer, size_t n)
{
	n = n < peer->out.len ? n : peer->out.len;
	if (peer->wire != NULL)
		memory_send(wire_peer(peer->wire), slice_of(peer->out.data, n));
	buf_consume(&peer->out, n);
}

static void put_packet(struct peer *peer, uint8_t first, struct buf *body)
{
	frame_put_header(&peer->out, (enum packet_type)(first >> 4), first & 15, body->len);
	buf_put_slice(&peer->out, buf_slice(body));
	buf_fini(body);
}

static void put_block(struct peer *peer, struct buf *body, struct slice properties)
{
	if (peer->version != MQTT_5_0)
		return;
	buf_put_varint(body, (uint32_t)properties.len);
	buf_put_slice(body, properties);
}

static void go_away(struct peer *peer, enum stream_end end)
{
	if (peer->wire == NULL)
		return;
	listen(peer);
	memory_stall(wire_peer(peer->wire), false);
	memory_send_end(wire_peer(peer->wire), end);
	peer->wire = NULL;
	buf_clear(&peer->out);
}

static void put_connect(struct peer *peer, uint8_t options, uint8_t will, struct slice properties)
{
	struct buf body = {0};
	bool has_will = (will & 1) != 0;

	buf_put_string(&body, SLICE("MQTT"));
	buf_put_u8(&body, (uint8_t)peer->version);
	buf_put_u8(&body, (uint8_t)((options & 2) | (has_will ? 4 | (will & 0x38) : 0)));
	buf_put_u16(&body, (options & 4) != 0 ? 10 : 0);
	put_block(peer, &body, properties);
	buf_put_string(&body, slice_of_str(ids[options >> 3 & 3]));
	if (has_will) {
		put_block(peer, &body, (will & 2) != 0 ? SLICE("\x18\0\0\0\x05") : SLICE_EMPTY);
		buf_put_string(&body, slice_of_str(topics[will >> 6]));
		buf_put_string(&body, SLICE("will"));
	}
	put_packet(peer, PACKET_CONNECT << 4, &body);
}

/* The client options: 1: 3.1.1, 2: Clean Start, 4: keep alive, 8 and 16: id, 32 and 64: user. */
static void do_connect(struct play *p)
{
	static const struct slice blocks[] = {SLICE_INIT(""), SLICE_INIT("\x11\0\0\0\x20"),
	                                      SLICE_INIT("\x21\0\x02\x22\0\x02\x27\0\0\0\x40"),
	                                      SLICE_INIT("")};
	struct peer *peer = p->peer;
	uint8_t options = byte(p), will = byte(p);

	go_away(peer, STREAM_END_RESET);
	peer->version = (options & 1) != 0 ? MQTT_3_1_1 : MQTT_5_0;
	peer->welcomed = peer->said_goodbye = peer->answers_5 = false;
	peer->wire = world_connect(p->world, "peer", users[options >> 5 & 3]);
	if ((options & 0x80) != 0)
		return; /* raw bytes will follow */
	put_connect(peer, options, will, p->variant == 3 ? bytes(p) : blocks[p->variant]);
}

static void do_raw(struct play *p)
{
	buf_put_slice(&p->peer->out, bytes(p));
}

/* Any packet, with its right length. */
static void do_packet(struct play *p)
{
	uint8_t first = byte(p);
	struct buf body = {0};

	buf_put_slice(&body, bytes(p));
	put_packet(p->peer, first, &body);
}

static void do_publish(struct play *p)
{
	static const struct slice blocks[] = {SLICE_INIT(""), SLICE_INIT("\x23\0\x01"),
	                                      SLICE_INIT("\x02\0\0\0\x05\x26\0\x01k\0\x01v"),
	                                      SLICE_INIT("")};
	uint8_t how = byte(p), id = byte(p), len = byte(p);
	struct buf body = {0};

	buf_put_string(&body, slice_of_str(topics[how >> 4 & 7]));
	if ((how & 6) != 0)
		buf_put_u16(&body, id);
	put_block(p->peer, &body, p->variant == 3 ? bytes(p) : blocks[p->variant]);
	for (unsigned i = 0; i < len * 3u; i++)
		buf_put_u8(&body, 'x');
	put_packet(p->peer, (uint8_t)(PACKET_PUBLISH << 4 | (how & 15)), &body);
}

static void do_subscribe(struct play *p)
{
	static const struct slice blocks[] = {SLICE_INIT(""), SLICE_INIT("\x0b\x07"),
	                                      SLICE_INIT("\x26\0\0\0\0"), SLICE_INIT("")};
	uint8_t id = byte(p), count = byte(p) & 7;
	struct buf body = {0};

	buf_put_u16(&body, id);
	put_block(p->peer, &body, p->variant == 3 ? bytes(p) : blocks[p->variant]);
	for (unsigned i = 0; i <= count; i++) {
		buf_put_string(&body, slice_of_str(filters[byte(p) % COUNT(filters)]));
		buf_put_u8(&body, byte(p));
	}
	put_packet(p->peer, PACKET_SUBSCRIBE << 4 | 2, &body);
}

static void do_unsubscribe(struct play *p)
{
	uint8_t id = byte(p);
	struct buf body = {0};

	buf_put_u16(&body, id);
	put_block(p->peer, &body, SLICE_EMPTY);
	buf_put_string(&body, slice_of_str(filters[byte(p) % COUNT(filters)]));
	put_packet(p->peer, PACKET_UNSUBSCRIBE << 4 | 2, &body);
}

static void do_ack(struct play *p)
{
	unsigned type = PACKET_PUBACK + p->variant;
	uint8_t id = byte(p), reason = byte(p);
	struct buf body = {0};

	buf_put_u16(&body, id);
	if (reason != 0 && p->peer->version == MQTT_5_0)
		buf_put_u8(&body, reason);
	put_packet(p->peer, (uint8_t)(type << 4 | (type == PACKET_PUBREL ? 2 : 0)), &body);
}

static void do_disconnect(struct play *p)
{
	struct buf body = {0};

	if (p->peer->version == MQTT_5_0)
		buf_put_u8(&body, byte(p));
	if (p->variant == 1)
		put_block(p->peer, &body, SLICE("\x11\0\0\0\x03"));
	put_packet(p->peer, PACKET_DISCONNECT << 4, &body);
}

static void do_ping(struct play *p)
{
	struct buf body = {0};

	put_packet(p->peer, PACKET_PINGREQ << 4, &body);
}

static void do_end(struct play *p)
{
	if (p->peer->wire == NULL)
		return;
	if (p->variant == 0)
		give(p->peer, SIZE_MAX);
	if (p->variant < 2)
		go_away(p->peer, p->variant == 0 ? STREAM_END_PEER : STREAM_END_RESET);
	else
		memory_stall(wire_peer(p->peer->wire), p->variant == 2);
}

static void do_time(struct play *p)
{
	static const uint64_t scale_ms[] = {1, 100, 1000, 10000};

	world_advance(p->world, byte(p) * scale_ms[p->variant]);
}

static void do_steps(struct play *p)
{
	world_steps(p->world, byte(p));
}

static void do_run(struct play *p)
{
	world_run(p->world);
}

/* What the journal does, where there is one that waits. */
static void do_journal(struct play *p)
{
	struct world *w = p->world;

	if (!w->durable)
		return;
	w->journal_paused = p->variant == 0;
	w->fail_one_in = p->variant == 2 ? 3 : 0;
	if (p->variant == 3)
		(void)world_commit(w);
}

/* A piece of what waits to be sent, and a look at what the broker makes of it. */
static void do_piece(struct play *p)
{
	give(p->peer, byte(p));
	world_steps(p->world, 20);
}

static void do_give(struct play *p)
{
	give(p->peer, SIZE_MAX);
}

typedef void command_fn(struct play *p);
static command_fn *const commands[16] = {do_connect,     do_publish,    do_subscribe, do_ack,
                                         do_unsubscribe, do_disconnect, do_end,       do_time,
                                         do_steps,       do_run,        do_journal,   do_piece,
                                         do_raw,         do_packet,     do_ping,      do_give};

static void do_command(struct play *p)
{
	uint8_t command = byte(p);
	unsigned which = command & 15;

	p->peer = &p->peers[command >> 4 & 3];
	p->variant = command >> 6;
	commands[which](p);
	if (commands[which] != do_raw && commands[which] != do_piece && p->variant != 3)
		give(p->peer, SIZE_MAX);
	for (unsigned i = 0; i < PEERS; i++)
		listen(&p->peers[i]);
}

/* --- the play --- */

static void begin(struct play *p)
{
	static const struct connect_options options = {.certificate = "witness"};
	uint8_t what = byte(p), seed = byte(p);
	struct world_settings settings = {.seed = seed,
	                                  .workers = 1 + (what & 1),
	                                  .conf = conf,
	                                  .acl = acl,
	                                  .durable = (what & 2) != 0};

	p->world = world_new(&settings);
	p->world->journal_paused = false;
	p->world->wires_stay = true;
	p->witness = client_new(p->world, "one", MQTT_5_0);
	client_join(p->witness, &options);
	client_subscribe(p->witness, "witness/#", 1);
	world_run(p->world);
}

/* Whatever was said: the bystander noticed nothing, and is served. */
static void end(struct play *p)
{
	struct world *w = p->world;

	w->journal_paused = false;
	w->fail_one_in = 0;
	for (unsigned i = 0; i < PEERS; i++)
		do_give(&(struct play){.peer = &p->peers[i]});
	client_publish(p->witness, "witness/x", 2, "well");
	world_run(w);
	if (w->durable) { /* until a disk that had no space was tried again */
		store_image_fail(w->image, 0, 0);
		world_advance(w, 1000);
	}
	REQUIRE(p->witness->accepted && !p->witness->closed && client_is_done(p->witness));
	REQUIRE(p->witness->received_count == 1);
	for (unsigned i = 0; i < PEERS; i++) {
		listen(&p->peers[i]);
		go_away(&p->peers[i], STREAM_END_PEER);
		buf_fini(&p->peers[i].out);
	}
	world_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p = {.in = reader_of(slice_of(data, size))};

	log_set_level(LOG_LEVEL_ERROR);
	if (size < 3)
		return 0;
	begin(&p);
	for (unsigned n = 0; n < COMMANDS_MAX && reader_left(&p.in) > 0; n++)
		do_command(&p);
	end(&p);
	return 0;
}
