/* $SYS: the broker in numbers, as retained messages, under the names that people know from
 * mosquitto.  Numbers only: no client id, address or topic stands in them.  Read by those whose
 * rules name $SYS; written by the broker alone, with QoS 0.
 *
 * $SYS/broker/version, uptime ("N seconds"), timestamp (when this broker was started)
 * $SYS/broker/clients/total, connected, disconnected, maximum, expired (and active, inactive)
 * $SYS/broker/messages/received, sent (packets of every kind), stored
 * $SYS/broker/publish/messages/received, sent, dropped; publish/bytes/received, sent (payloads)
 * $SYS/broker/bytes/received, sent (of MQTT, inside TLS)
 * $SYS/broker/subscriptions/count, shared_subscriptions/count, retained messages/count
 * $SYS/broker/store/messages/count, bytes (retained, queued or in flight)
 * $SYS/broker/store/state (off, ok, full, failed), error, commits, commits/mean (us),
 *   commits/max, messages/written, pending/groups, pending/bytes, bytes/used, bytes/map,
 *   bytes/max: of what is on disk
 * $SYS/broker/load/messages/received/1min ...: per minute, over 1min, 5min and 15min
 *
 * Thread: worker 0's, except sys_start. */
#ifndef ADMIN_SYS_TOPICS_H
#define ADMIN_SYS_TOPICS_H

#include <stdbool.h>

struct msg;
struct server;
struct sys;

#define SYS_INTERVAL_MS 10000

/* Begin: at once, then every SYS_INTERVAL_MS what has changed. From any thread; server owns it. */
void sys_start(struct server *server);
void sys_free(struct sys *sys);

/* Is it one of these? Nobody's rules stand behind them. */
bool sys_wrote(const struct msg *msg);

#endif
