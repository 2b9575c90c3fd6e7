/* $SYS: the broker in numbers, as retained messages, under the names that mosquitto uses.  Numbers
 * only: no client id, address or topic.  Clients whose rules name $SYS can read them; the broker
 * alone publishes them, with QoS 0.  The figures and their topics are rows of worker/figures.def;
 * besides them there are version, timestamp, uptime, store/state and store/error.
 *
 * Thread: worker 0's, except sys_topics_start. */
#ifndef ADMIN_SYS_TOPICS_H
#define ADMIN_SYS_TOPICS_H

struct shared;
struct sys;

#define SYS_TOPICS_INTERVAL_MS 10000

/* Begin: at once, then every SYS_TOPICS_INTERVAL_MS what has changed, in slices. From any thread.
 * The caller frees it when the workers are gone. */
struct sys *sys_topics_start(struct shared *shared);
void sys_topics_free(struct sys *sys);

#endif
