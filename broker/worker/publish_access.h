/* May somebody publish this?  Thread: the worker's. */
#ifndef WORKER_PUBLISH_ACCESS_H
#define WORKER_PUBLISH_ACCESS_H

#include "tree/msg.h"
#include "worker/worker.h"

/* What the ACL is asked about a message. */
struct acl_request publish_access_request(enum acl_action action, const struct msg *msg);
/* Its verdict, with the topic's present owner looked up where `own` decides. */
struct acl_verdict publish_access_check(struct worker *w, const struct acl_subject *subject,
                                        struct slice user_key, const struct acl_request *request);

#endif
