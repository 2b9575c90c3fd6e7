/* Descriptors are few: some are kept from clients. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

/* Of the limit in force, a quarter but 64 at most is not for clients: a reload, the audit file and
 * broker-ctl find one when clients have taken all others. Thread: main, before there are others. */
void descriptors_set_reserve(unsigned long limit);
/* So many are expected, of `limit` at most: the kernel has space for them from now on. Where its
 * table grows later, beside other threads, the one that opened a descriptor waits for some 16 ms,
 * and with it all clients of its loop. Thread: main, before there are others. */
void descriptors_reserve_table(unsigned long expected, unsigned long limit);
/* May a client have the next one? `fd` is any open descriptor. False: also where there is none. Any
 * thread. */
bool descriptors_free_for_client(int fd);
/* A client has this one. Any thread. */
void descriptors_taken_by_client(int fd);

/* Sockets of connections, the broker's clients and others: one was opened, or closed. Any thread.
 */
void descriptors_count_socket(bool is_open);
uint64_t descriptors_sockets(void);

#endif
