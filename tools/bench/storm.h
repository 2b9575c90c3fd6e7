/* Connects: TLS handshake, CONNECT, CONNACK, DISCONNECT, and again.  Thread: that of the struct
 * run_thread. */
#ifndef BENCH_STORM_H
#define BENCH_STORM_H

#include "run.h"

void storm_new(struct run_thread *t);
void storm_free(struct run_thread *t);
void storm_start(struct run_thread *t);
/* Begin what is due; returns when the next one is. */
uint64_t storm_connect_due(struct run_thread *t);

#endif
