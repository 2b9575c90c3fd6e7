/* Makes configuration snapshots: from the files that broker.yaml names, or from the one in force
 * and new users or revocation lists.  Thread: main's. */
#ifndef SERVER_CONFIG_LOAD_H
#define SERVER_CONFIG_LOAD_H

#include "worker/config_snapshot.h"

/* Load and check everything that the file names. NULL when there are errors: all of them are in
 * *errors. `before`: the snapshot in force, whose listeners keep their slots; NULL at the start. */
struct config_snapshot *config_load(const char *conf_path, struct tls_tickets *tickets,
                                    const struct config_snapshot *before, struct errors *errors);

/* The snapshot in force with other identities (a reference is taken over), or with other TLS
 * contexts (one for each listener, taken over with the array); NULL leaves that part as it is. */
struct config_snapshot *config_load_renew(struct config_snapshot *now,
                                          struct identity_source *identities,
                                          struct tls_context **tls);
/* TLS contexts with client CAs and revocation lists read again; NULL when one cannot be read, or
 * no listener has a revocation list. */
struct tls_context **config_load_revocations(const struct config_snapshot *p,
                                             struct errors *errors);

/* From parts, for tests without files; takes over all of them (no TLS contexts). `before` as above.
 */
struct config_snapshot *config_load_parts(struct conf *conf, struct identity_source *identities,
                                          struct acl *acl, const struct config_snapshot *before);

#endif
