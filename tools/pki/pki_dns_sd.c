/* dns-sd: how clients in this network find the broker (RFC 6763), as its own DNS server or Avahi
 * has it. The name in it is one that the server's certificate is for: a client that finds the
 * broker verifies it by that name. */
#include "pki/pki_dns_sd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/require.h"
#include "pki/pki_leaf.h"
#include "program/command_line.h"

#define SERVICE   "_secure-mqtt._tcp"
#define LOCAL     ".local"
#define LOCALHOST "localhost"

static bool ends_with(const char *text, const char *end)
{
	size_t length, tail = strlen(end);

	REQUIRE(text != NULL);
	length = strlen(text);
	return length > tail && strcasecmp(text + length - tail, end) == 0;
}

/* Without the dot at the end that marks a name as complete. The caller frees. */
static char *plain_name(const char *text)
{
	size_t length = strlen(text);

	return xstrndup(text, length > 1 && text[length - 1] == '.' ? length - 1 : length);
}

/* A name that others can resolve, from the certificate. NULL: there is none. */
static const char *usual_name(const struct pki_names *names)
{
	const char *found = NULL;

	for (size_t i = 0; i < names->count; i++) {
		const struct pki_name *name = &names->list[i];

		if (name->type != PKI_NAME_DNS || strcasecmp(name->text, LOCALHOST) == 0 ||
		    strchr(name->text, '.') == NULL || name->text[0] == '*')
			continue;
		/* One that the DNS server of the network has goes before multicast DNS. */
		if (found == NULL || (ends_with(found, LOCAL) && !ends_with(name->text, LOCAL)))
			found = name->text;
	}
	return found;
}

static bool has_name(const struct pki_names *names, const char *host)
{
	for (size_t i = 0; i < names->count; i++) {
		if (names->list[i].type == PKI_NAME_DNS &&
		    strcasecmp(names->list[i].text, host) == 0)
			return true;
	}
	return false;
}

static int find_name(const struct pki_names *names, const char *wanted, const char **name)
{
	struct buf all = {0};

	*name = wanted == NULL ? usual_name(names) : wanted;
	if (*name != NULL && has_name(names, *name))
		return 0;
	pki_names_print(names, &all);
	buf_put_u8(&all, '\0');
	if (wanted == NULL)
		(void)report_error(0,
		                   "the server's certificate has no name that others can look up "
		                   "(it is for %s): run 'broker-pki server NAME'",
		                   (const char *)all.data);
	else
		(void)report_error(0,
		                   "the server's certificate is not for '%s' (it is for %s), so "
		                   "clients would refuse it: run 'broker-pki server' with that "
		                   "name, too",
		                   wanted, (const char *)all.data);
	buf_fini(&all);
	return EXIT_FAILURE;
}

static void print_zone(const char *name, unsigned port)
{
	const char *domain = strchr(name, '.');

	REQUIRE(domain != NULL);
	printf("; for the zone %s of your DNS server\n" SERVICE "%s. PTR Vakt." SERVICE "%s.\n"
	       "Vakt." SERVICE "%s. SRV 0 0 %u %s.\n"
	       "Vakt." SERVICE "%s. TXT \"\"\n",
	       domain + 1, domain, domain, domain, port, name, domain);
}

/* A certificate's name has no character that XML would take for its own. */
static void print_avahi(const char *name, unsigned port)
{
	printf("<?xml version=\"1.0\" standalone=\"no\"?>\n"
	       "<!-- /etc/avahi/services/vakt.service -->\n"
	       "<!DOCTYPE service-group SYSTEM \"avahi-service.dtd\">\n"
	       "<service-group>\n"
	       "  <name>Vakt</name>\n"
	       "  <service>\n"
	       "    <type>" SERVICE "</type>\n"
	       "    <host-name>%s</host-name>\n"
	       "    <port>%u</port>\n"
	       "  </service>\n"
	       "</service-group>\n",
	       name, port);
}

static int print_record(const struct pki_options *o, const struct pki_names *names)
{
	char *wanted = o->host == NULL ? NULL : plain_name(o->host);
	const char *name = NULL;
	int rc;

	if (wanted != NULL && strchr(wanted, '.') == NULL)
		rc = report_error(EXIT_USAGE,
		                  "--host: '%s' has no domain; DNS-SD needs a name such as "
		                  "%s.local",
		                  wanted, wanted);
	else
		rc = find_name(names, wanted, &name);
	if (rc == 0 && ends_with(name, LOCAL))
		print_avahi(name, o->port);
	else if (rc == 0)
		print_zone(name, o->port);
	free(wanted);
	return rc;
}

int pki_dns_sd_run(const struct pki_options *o)
{
	struct pki_names names = {0};
	X509 *server = NULL;
	struct pki pki;
	int rc = pki_options_open(o, PKI_READ, &pki);

	if (rc == 0)
		rc = pki_read_issued(&pki, "issued/server-ec", &server);
	if (rc == 0 && server == NULL)
		rc = report_error(
		    EXIT_FAILURE,
		    "the broker has no certificate here: run 'broker-pki server' first");
	if (rc == 0) {
		pki_names_of(server, &names);
		rc = print_record(o, &names);
	}
	X509_free(server);
	pki_names_fini(&names);
	pki_close(&pki);
	return rc;
}
