/* Any bytes as acl.yaml: refused with errors, or a policy that answers. */
#include <stdint.h>
#include <stdlib.h>

#include "acl/acl.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct acl *acl, bool anonymous)
{
	static const struct slice topics[] = {SLICE_INIT("a"), SLICE_INIT("current/anna/lamp/on"),
	                                      SLICE_INIT("desired/x"), SLICE_INIT("$SYS/x"),
	                                      SLICE_INIT("//")};
	struct acl_subject *subject = acl_subject_new(acl, &(struct acl_who){
							       .anonymous = anonymous,
							       .user = SLICE("anna"),
							       .client_id = SLICE("a/b"),
							   });

	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		for (int action = ACL_PUBLISH; action <= ACL_RECEIVE; action++) {
			struct acl_request request = {
			    .action = (enum acl_action)action,
			    .topic = topics[i],
			    .payload = SLICE("on"),
			};
			struct acl_verdict verdict = acl_check(subject, &request);
			char text[64];

			REQUIRE(acl_verdict_text(acl, &verdict, text, sizeof(text)) < sizeof(text));
			REQUIRE(!verdict.allowed || verdict.rule != NULL);
			/* the guards stand whatever the file says */
			REQUIRE(!verdict.allowed || action > ACL_WILL || topics[i].data[0] != '$');
		}
	}
	acl_subject_free(subject);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errors errors = {0};
	struct acl *acl = acl_parse(
	    "acl.yaml", slice_of(data, size),
	    size % 2 == 0 ? PARTIAL_SUBSCRIPTIONS_REFUSE : PARTIAL_SUBSCRIPTIONS_FILTER, &errors);

	REQUIRE((acl == NULL) == (errors.error_count > 0));
	if (acl != NULL) {
		ask(acl, false);
		ask(acl, true);
		acl_run_tests(acl, NULL, NULL, &errors);
	}
	free(errors_text(&errors));
	acl_free(acl);
	errors_fini(&errors);
	return 0;
}
