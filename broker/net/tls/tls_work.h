/* How much work a peer may cause below MQTT.  TLS has many messages that cost much and carry
 * no data: key updates, warnings, empty records, a handshake in pieces of a byte. They are counted
 * by record, without asking OpenSSL what they were: a record from which no byte reaches the owner
 * is idle. Records with data are never a reason to close; they have their share of a turn, and
 * small ones that make no packet their share of a second.  Pure: no I/O, no clock.  Thread: the
 * stream's. */
#ifndef NET_TLS_WORK_H
#define NET_TLS_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* In one turn of the loop; the connection continues in the next one. */
#define TLS_RECORDS_PER_TURN   64
#define TLS_IDLE_PER_TURN      3
#define TLS_HANDSHAKE_PER_TURN 16
/* Above these the connection is closed. */
#define TLS_IDLE_MAX              36 /* since the owner got its last whole packet */
#define TLS_IDLE_PER_SECOND       64 /* even with packets between them */
#define TLS_HANDSHAKE_RECORDS_MAX 256
#define TLS_HELLO_BYTES_MAX       16384
#define TLS_HANDSHAKE_BYTES_MAX   65536 /* after the ClientHello */
#define TLS_CERTIFICATES_MAX      8     /* in a client's chain */
/* Above this the connection waits for the next second: records with fewer bytes than
 * TLS_SMALL_BYTES that make no packet. */
#define TLS_SMALL_BYTES      64
#define TLS_SMALL_PER_SECOND 2000

struct tls_work {
	/* Where a record begins in the ciphertext that OpenSSL takes. */
	uint32_t body_left;
	uint8_t header_len, length_high;
	bool in_handshake, hello_seen;
	/* Of this call of OpenSSL: records that may begin, and that ended. */
	unsigned may_begin, finished;
	/* Of this turn. */
	unsigned records_left, idle_left;
	uint32_t idle;             /* since the last whole packet */
	uint32_t idle_this_second; /* of the second that began at second_ms */
	uint32_t small_this_second;
	uint32_t handshake_records, handshake_bytes, certificates;
	uint64_t second_ms;
};

/* What was counted, for the log. */
struct tls_excess {
	const char *counted; /* NULL: nothing is too much */
	uint32_t number, bound;
};

/* How many bytes of `in` OpenSSL may have, at most `cap`: never across the end of a record, and 0
 * where the next one has to wait. */
size_t tls_work_take(struct tls_work *w, struct slice in, size_t cap);

/* The share of a new turn. */
void tls_work_turn(struct tls_work *w, uint64_t now_ms);
/* Before and after a call that reads; false: the share of this turn is used up. `got`: bytes that
 * came out. */
bool tls_work_begin(struct tls_work *w);
void tls_work_end(struct tls_work *w, size_t got);
/* The same for a call that continues the handshake. */
void tls_work_begin_handshake(struct tls_work *w);
void tls_work_end_handshake(struct tls_work *w, bool hello_seen);
/* The owner got a whole packet. */
void tls_work_moved(struct tls_work *w);

/* How many certificates a Certificate message has, its header included. */
unsigned tls_work_count_certificates(struct slice message, bool is_13);

struct tls_excess tls_work_excess(const struct tls_work *w);
struct tls_excess tls_work_handshake_excess(const struct tls_work *w);
/* For how long nothing more may be read; 0: go on. */
uint64_t tls_work_delay_ms(const struct tls_work *w, uint64_t now_ms);

#endif
