/* The one gate: may this subject do that?  Thread: any. */
#ifndef ACL_ACL_CHECK_H
#define ACL_ACL_CHECK_H

#include "acl/acl_types.h"

struct rule_list;

/* A client as the rules see it: its own rules and roles found, %u and %c at hand. Copies what it
 * needs; keep it with the session and make a new one when the ACL changes. Must not outlive `acl`.
 */
struct acl_subject *acl_subject_new(const struct acl *acl, const struct acl_who *who);
void acl_subject_free(struct acl_subject *subject);
/* Do both get the same verdict, whatever they receive? Two sessions of one user do, unless a rule
 * has %c. False may be the answer for others that would. */
bool acl_reads_alike(const struct acl_subject *a, const struct acl_subject *b);

struct acl_verdict acl_check(const struct acl_subject *subject, const struct acl_request *request);

/* Whose word decides about a subscription that is permitted in part. */
enum acl_partial_by {
	ACL_PARTIAL_BY_OWN,      /* users: or anonymous: of the ACL file */
	ACL_PARTIAL_BY_ROLE,     /* any role that says filter */
	ACL_PARTIAL_BY_LISTENER, /* the request */
	ACL_PARTIAL_BY_CONF,     /* the global one of broker.yaml */
};
/* True: it is granted, and filtered at delivery. *by may be NULL. */
bool acl_grants_parts(const struct acl_subject *subject, const struct acl_request *request,
                      enum acl_partial_by *by);
/* The verdict on a subscription if parts were granted, or were not, whatever anybody says. */
struct acl_verdict acl_check_subscribe(const struct acl_subject *subject,
                                       const struct acl_request *request, bool parts);

/* What each list answers by itself, after the guards: `first` is the rule that decides there, or
 * NULL. The one with own rules comes first, where there is one; then each role that is defined. */
typedef void acl_answer_fn(void *arg, const struct rule_list *list, const struct acl_rule *first);
void acl_ask_each(const struct acl_subject *subject, const struct acl_request *request,
                  acl_answer_fn *report, void *arg);

#endif
