/* Certificate requests from anywhere.  One that is accepted has a key that a certificate may have,
 * and what it asks for besides can be told. */
#include <stdint.h>
#include <stdlib.h>

#include <openssl/x509.h>

#include "base/require.h"
#include "pki/pki_key.h"
#include "pki/pki_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *why = NULL;
	X509_REQ *request = pki_request_read(slice_of(data, size), &why);

	REQUIRE((request == NULL) == (why != NULL));
	if (request != NULL) {
		REQUIRE(size <= PKI_REQUEST_MAX);
		REQUIRE(pki_key_refused(X509_REQ_get0_pubkey(request)) == NULL);
		free(pki_request_ignored(request, "anna"));
	}
	X509_REQ_free(request);
	free(why);
	return 0;
}
