/* Who exists: the users of one generation of the configuration, whatever source they come from.  At
 * most one source is configured.  Without one, nobody logs in by password, a certificate's name is
 * believed, and roles are those of the ACL file alone.  Immutable, shared by reference.
 * Thread: any. */
#ifndef AUTH_IDENTITY_SOURCE_H
#define AUTH_IDENTITY_SOURCE_H

#include "auth/authenticator.h"
#include "auth/identity.h"
#include "auth/login_cost.h"
#include "auth/scram.h"
#include "conf/conf.h"
#include "conf/errors.h"

struct identity_source;
struct identity_backend;
struct identity_check;

/* The source that the configuration names, or none. NULL when there are errors. */
struct identity_source *identity_source_load(const struct conf *conf, struct errors *errors);
/* For tests: takes over `data`. `backend` NULL: no source. */
struct identity_source *identity_source_new(const struct identity_backend *backend, void *data,
                                            const char *path);
struct identity_source *identity_source_ref(struct identity_source *source);
void identity_source_unref(struct identity_source **source);

/* Is one configured? */
bool identity_source_exists(const struct identity_source *source);
/* Its file, for messages and to watch it; NULL: none. */
const char *identity_source_path(const struct identity_source *source);
/* The keys that name one: "password_file", or "a or b". For messages where none is configured. */
const char *identity_source_keys(void);
/* What users log in with ("password"); NULL: no source. */
const char *identity_source_means(const struct identity_source *source);
/* Errors where a listener wants names that no user of this source can have. */
void identity_source_check_conf(const struct identity_source *source, const struct conf *conf,
                                struct errors *errors);
/* How long it takes to log in everybody once, as after a restart; all 0 where that is nothing to
 * speak of. Blocking: it hashes. */
void identity_source_login_cost(const struct identity_source *source, struct login_cost *out);
/* From now on users log in by this source. Any thread. */
void identity_source_use(const struct identity_source *source, struct authenticator *a);

/* --- users --- */

size_t identity_source_count(const struct identity_source *source);
void identity_source_at(const struct identity_source *source, size_t index,
                        struct identity_entry *out);
bool identity_source_find(const struct identity_source *source, struct slice name,
                          struct identity_entry *out);
/* The roles that the source gives to this user. False: there is no such user, or it is locked.
 * Without a source everybody exists and has none. */
bool identity_source_roles(const struct identity_source *source, struct slice name,
                           char *const **roles, size_t *role_count);
/* Is it an entry for assume_user alone? */
bool identity_source_is_assumed(const struct identity_source *source, struct slice name);
/* How many users can log in, counted as far as `most`. Without a source these are all whom a
 * certificate names, where `by_certificate`. */
size_t identity_source_admitted(const struct identity_source *source, bool by_certificate,
                                size_t most);
/* Why this user cannot log in, and the command that changes it; NULL: it can. The caller frees. */
char *identity_source_why_refused(const struct identity_source *source, const char *name);

/* --- who was removed --- */

/* Was the user with whom this session was made removed? Only users of a source can be. */
bool identity_source_has_removed(const struct identity_source *source, const struct identity *id);
/* Does the user with this identity key still exist (empty: nobody in particular)? */
bool identity_source_owner_exists(const struct identity_source *source, struct slice key);
/* The same, and is it not locked? */
bool identity_source_may_write(const struct identity_source *source, struct slice name,
                               struct slice key);
/* Each user of `before` that is not in `after` any more, by its identity key. */
typedef void identity_removed_fn(void *arg, struct slice key);
void identity_source_each_removed(const struct identity_source *before,
                                  const struct identity_source *after, identity_removed_fn *fn,
                                  void *arg);
bool identity_source_equal(const struct identity_source *a, const struct identity_source *b);
/* "user added", "user removed", "user changed" (with what about it); never a password. */
typedef void identity_diff_fn(void *arg, const char *what, const char *whose, const char *text);
void identity_source_diff(const struct identity_source *before, const struct identity_source *after,
                          identity_diff_fn *fn, void *arg);

/* --- proofs --- */

/* See struct identity_backend. Without a source the answer is no, after the time of a hash. */
bool identity_source_check(const struct identity_source *source, struct authenticator *a,
                           struct identity_check *check);
void identity_source_cancel(const struct identity_source *source, struct authenticator *a,
                            struct identity_check *check);
/* What SCRAM shows to a user of this name, be there one or not. False: SCRAM is not offered. */
bool identity_source_scram(const struct identity_source *source, struct slice name,
                           struct scram_verifier *out);
bool identity_source_has_scram(const struct identity_source *source);

#endif
