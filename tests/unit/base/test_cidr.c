/* Networks: what is one, how it is written, and which addresses it has. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/cidr.h"

static const struct {
	const char *text;
	const char *canonical; /* NULL: it is none */
	const char *why;       /* a part of it; NULL: nothing is said */
} texts[] = {
    {"10.0.0.0/8", "10.0.0.0/8", NULL},
    {"0.0.0.0/0", "0.0.0.0/0", NULL},
    {"192.0.2.7", "192.0.2.7", NULL},
    {"192.0.2.7/32", "192.0.2.7", NULL},
    {"192.0.2.6/31", "192.0.2.6/31", NULL},
    {"::/0", "::/0", NULL},
    {"::1", "::1", NULL},
    {"2001:DB8:0:0::/32", "2001:db8::/32", NULL},
    {"2001:db8::1/128", "2001:db8::1", NULL},
    {"fe80::/10", "fe80::/10", NULL},
    {"::ffff:192.0.2.0/120", "192.0.2.0/24", NULL},
    {"::ffff:192.0.2.7", "192.0.2.7", NULL},
    {"::ffff:0.0.0.0/96", "0.0.0.0/0", NULL},
    {"::ffff:0.0.0.0/95", NULL, "write ::fffe:0:0/95 for the network"},
    {"10.0.0.5/8", NULL, "write 10.0.0.0/8 for the network, or 10.0.0.5 for this address alone"},
    {"10.128.0.0/8", NULL, "write 10.0.0.0/8"},
    {"2001:db8::1/64", NULL, "write 2001:db8::/64 for the network, or 2001:db8::1"},
    {"10.0.0.0/33", NULL, "a number from 0 to 32"},
    {"::/129", NULL, "a number from 0 to 128"},
    {"10.0.0.0/", NULL, "a number from 0 to 32"},
    {"10.0.0.0/08", NULL, "a number from 0 to 32"},
    {"10.0.0.0/-1", NULL, "a number from 0 to 32"},
    {"10.0.0.0/8/8", NULL, "a number from 0 to 32"},
    {"10.0.0.0/256", NULL, "a number from 0 to 32"},
    {"10.0.0.0/1000", NULL, "a number from 0 to 32"},
    {"10.0.0.0/255.0.0.0", NULL, "a number from 0 to 32"},
    {"10.0.0", NULL, NULL},
    {"10.0.0.0.0", NULL, NULL},
    {"010.0.0.0/8", NULL, NULL},
    {"10.0.0.256", NULL, NULL},
    {" 10.0.0.0/8", NULL, NULL},
    {"10.0.0.0 /8", NULL, NULL},
    {"localhost", NULL, NULL},
    {"fe80::1%lo", NULL, NULL},
    {"[::1]", NULL, NULL},
    {"10.0.0.1:8883", NULL, NULL},
    {"/8", NULL, NULL},
    {"", NULL, NULL},
    {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/1", NULL, NULL},
};

static void what_is_a_network(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct cidr c;
		char *why, text[CIDR_TEXT];
		bool fine = cidr_parse(texts[i].text, &c, &why);

		if (fine != (texts[i].canonical != NULL))
			fail_msg("'%s': %s", texts[i].text, why == NULL ? "?" : why);
		if ((why != NULL) != (texts[i].why != NULL) ||
		    (why != NULL && strstr(why, texts[i].why) == NULL))
			fail_msg("'%s': %s", texts[i].text, why == NULL ? "nothing is said" : why);
		free(why);
		if (!fine)
			continue;
		assert_int_equal(cidr_text(&c, text, sizeof(text)), strlen(texts[i].canonical));
		assert_string_equal(text, texts[i].canonical);
		assert_true(cidr_parse(text, &c, &why));
	}
}

static const struct {
	const char *network, *address;
	bool has;
} members[] = {
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.0.0.0/9", "10.127.0.1", true},
    {"10.0.0.0/9", "10.128.0.1", false},
    {"192.0.2.6/31", "192.0.2.7", true},
    {"192.0.2.6/31", "192.0.2.8", false},
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.6", false},
    {"0.0.0.0/0", "203.0.113.9", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "203.0.113.9", false},
    {"2001:db8::/33", "2001:db8:7fff::", true},
    {"2001:db8::/33", "2001:db8:8000::", false},
    {"fe80::/10", "febf::1", true},
    {"fe80::/10", "fec0::1", false},
    {"::1", "::1", true},
    {"::1", "::2", false},
    {"::ffff:10.0.0.0/104", "10.1.2.3", true},
    {"::ffff:10.0.0.0/104", "11.1.2.3", false},
};

static void which_addresses_it_has(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		bool six = strchr(members[i].address, ':') != NULL;
		uint8_t bytes[16];
		struct cidr c;
		char *why;

		assert_true(cidr_parse(members[i].network, &c, &why));
		assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, members[i].address, bytes), 1);
		if (cidr_has(&c, bytes, six ? 16 : 4) != members[i].has)
			fail_msg("%s, %s", members[i].network, members[i].address);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_a_network),
	    cmocka_unit_test(which_addresses_it_has),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
