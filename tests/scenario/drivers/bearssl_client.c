/* bearssl_client PORT CA TIMES ANSWER [CERTIFICATE KEY]: as an ESP8266 connects. TLS 1.2 by
 * BearSSL, which knows no tickets and no extended master secret: it resumes by session id. TIMES
 * times it connects to 127.0.0.1 with the session parameters of the time before, sends what stdin
 * has, and reads ANSWER bytes. CA is a certificate in DER, and so are the client's own and its
 * P-256 key. One line for each: "full" or "resumed", or "failed" with BearSSL's number. */
#include <arpa/inet.h>
#include <bearssl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTES_MAX = 8192 };

struct bytes {
	unsigned char data[BYTES_MAX];
	size_t len;
};

static struct {
	br_ssl_client_context client;
	br_x509_minimal_context verifier;
	br_x509_decoder_context decoder;
	br_x509_trust_anchor anchor;
	unsigned char records[BR_SSL_BUFSIZE_BIDI];
	struct bytes name, request, certificate, key;
	br_x509_certificate chain;
	br_skey_decoder_context key_decoder;
} device;

static void read_all(FILE *from, struct bytes *to)
{
	to->len = from == NULL ? 0 : fread(to->data, 1, sizeof(to->data), from);
	if (to->len == 0 || to->len == sizeof(to->data)) {
		fputs("a file is missing, empty or too large\n", stderr);
		exit(2);
	}
}

static void add_name(void *arg, const void *data, size_t len)
{
	struct bytes *name = arg;

	if (len > sizeof(name->data) - name->len)
		abort();
	memcpy(name->data + name->len, data, len);
	name->len += len;
}

static void read_file(const char *path, struct bytes *to)
{
	FILE *file = fopen(path, "rbe");

	read_all(file, to);
	fclose(file);
}

static void identify(const char *certificate, const char *key)
{
	read_file(certificate, &device.certificate);
	read_file(key, &device.key);
	device.chain.data = device.certificate.data;
	device.chain.data_len = device.certificate.len;
	br_skey_decoder_init(&device.key_decoder);
	br_skey_decoder_push(&device.key_decoder, device.key.data, device.key.len);
	if (br_skey_decoder_get_ec(&device.key_decoder) == NULL) {
		fputs("the key is not one of an elliptic curve\n", stderr);
		exit(2);
	}
	br_ssl_client_set_single_ec(
	    &device.client, &device.chain, 1, br_skey_decoder_get_ec(&device.key_decoder),
	    BR_KEYTYPE_SIGN, BR_KEYTYPE_EC, br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
}

static void trust(const char *path)
{
	static struct bytes certificate;
	const br_x509_pkey *key;

	read_file(path, &certificate);
	br_x509_decoder_init(&device.decoder, add_name, &device.name);
	br_x509_decoder_push(&device.decoder, certificate.data, certificate.len);
	key = br_x509_decoder_get_pkey(&device.decoder);
	if (key == NULL)
		abort();
	device.anchor.dn.data = device.name.data;
	device.anchor.dn.len = device.name.len;
	device.anchor.flags = BR_X509_TA_CA;
	device.anchor.pkey = *key;
	br_ssl_client_init_full(&device.client, &device.verifier, &device.anchor, 1);
	br_ssl_engine_set_versions(&device.client.eng, BR_TLS12, BR_TLS12);
	br_ssl_engine_set_buffer(&device.client.eng, device.records, sizeof(device.records), 1);
}

static int socket_read(void *arg, unsigned char *data, size_t len)
{
	ssize_t n = read(*(const int *)arg, data, len);

	return n > 0 ? (int)n : -1;
}

static int socket_write(void *arg, const unsigned char *data, size_t len)
{
	ssize_t n = send(*(const int *)arg, data, len, MSG_NOSIGNAL);

	return n > 0 ? (int)n : -1;
}

static int dial(const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
	                         .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("connect");
		exit(2);
	}
	return fd;
}

static void visit(const char *port, size_t answer_bytes)
{
	br_ssl_session_parameters before, after;
	br_sslio_context io;
	unsigned char answer[64];
	int fd = dial(port);

	br_ssl_engine_get_session_parameters(&device.client.eng, &before);
	br_ssl_client_reset(&device.client, "localhost", 1);
	br_sslio_init(&io, &device.client.eng, socket_read, &fd, socket_write, &fd);
	(void)br_sslio_write_all(&io, device.request.data, device.request.len);
	(void)br_sslio_flush(&io);
	if (br_sslio_read_all(&io, answer, answer_bytes) != 0) {
		printf("failed %d\n", br_ssl_engine_last_error(&device.client.eng));
	} else {
		br_ssl_engine_get_session_parameters(&device.client.eng, &after);
		puts(before.session_id_len > 0 && before.session_id_len == after.session_id_len &&
		             memcmp(before.session_id, after.session_id, after.session_id_len) == 0
		         ? "resumed"
		         : "full");
	}
	(void)br_sslio_close(&io);
	close(fd);
}

int main(int argc, char *argv[])
{
	if ((argc != 5 && argc != 7) || strtoul(argv[4], NULL, 10) > 64)
		return 2;
	read_all(stdin, &device.request);
	trust(argv[2]);
	if (argc == 7)
		identify(argv[5], argv[6]);
	for (unsigned long left = strtoul(argv[3], NULL, 10); left > 0; left--)
		visit(argv[1], strtoul(argv[4], NULL, 10));
	return 0;
}
