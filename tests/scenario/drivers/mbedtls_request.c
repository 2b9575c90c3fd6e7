/* mbedtls_request NAME ec|rsa: a new key and a certificate request for it, both as PEM on stdout,
 * as a device with mbedTLS (ESP32) makes them. */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_csr.h>
#include <stdio.h>
#include <string.h>

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_bits;

static int make_key(mbedtls_pk_context *key, int is_rsa)
{
	mbedtls_pk_type_t type = is_rsa ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECKEY;
	int rc = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(type));

	if (rc != 0)
		return rc;
	if (is_rsa)
		return mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), mbedtls_ctr_drbg_random,
		                           &random_bits, 2048, 65537);
	return mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
	                           mbedtls_ctr_drbg_random, &random_bits);
}

static int print_request(mbedtls_pk_context *key, const char *name)
{
	mbedtls_x509write_csr request;
	unsigned char pem[4096];
	char subject[256];
	int rc;

	(void)snprintf(subject, sizeof(subject), "CN=%s", name);
	mbedtls_x509write_csr_init(&request);
	mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
	mbedtls_x509write_csr_set_key(&request, key);
	rc = mbedtls_x509write_csr_set_subject_name(&request, subject);
	if (rc == 0)
		rc = mbedtls_x509write_csr_pem(&request, pem, sizeof(pem), mbedtls_ctr_drbg_random,
		                               &random_bits);
	if (rc == 0)
		fputs((const char *)pem, stdout);
	mbedtls_x509write_csr_free(&request);
	return rc;
}

static int run(const char *name, int is_rsa)
{
	mbedtls_pk_context key;
	unsigned char pem[4096];
	int rc;

	mbedtls_pk_init(&key);
	rc = mbedtls_ctr_drbg_seed(&random_bits, mbedtls_entropy_func, &entropy, NULL, 0);
	if (rc == 0)
		rc = make_key(&key, is_rsa);
	if (rc == 0)
		rc = mbedtls_pk_write_key_pem(&key, pem, sizeof(pem));
	if (rc == 0)
		fputs((const char *)pem, stdout);
	if (rc == 0)
		rc = print_request(&key, name);
	mbedtls_pk_free(&key);
	return rc;
}

int main(int argc, char **argv)
{
	int rc;

	if (argc != 3)
		return 2;
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&random_bits);
	rc = run(argv[1], strcmp(argv[2], "rsa") == 0);
	mbedtls_ctr_drbg_free(&random_bits);
	mbedtls_entropy_free(&entropy);
	return rc == 0 ? 0 : 1;
}
