/* broker-pki(1): the command line. The commands are in pki/. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "pki/pki_diagnose.h"
#include "pki/pki_dns_sd.h"
#include "pki/pki_export.h"
#include "pki/pki_import.h"
#include "pki/pki_init.h"
#include "pki/pki_leaf.h"
#include "pki/pki_manage.h"
#include "program/command_line.h"

#define DAYS_MAX 36500
/* Where packages have it. */
#define SYSTEM_CONFIG "/etc/vakt/broker.yaml"

static const char usage_text[] =
    "usage: broker-pki [-d DIR] init [--name NAME] [--encrypt]   two CAs, for servers and clients\n"
    "       broker-pki [-d DIR] server [NAME|ADDRESS]...         certificates of the broker\n"
    "       broker-pki [-d DIR] client USER [--id ID] [--rsa]    key and certificate of a user\n"
    "       broker-pki [-d DIR] sign REQUEST --user USER         certificate for a key elsewhere\n"
    "       broker-pki [-d DIR] renew NAME [--new-key]           the same, for longer\n"
    "       broker-pki [-d DIR] revoke USER|SERIAL\n"
    "       broker-pki [-d DIR] crl [--days N] [--if-needed]     write the revocation lists anew\n"
    "       broker-pki [-d DIR] list\n"
    "       broker-pki [-d DIR] import CERTIFICATE [KEY]         signed elsewhere\n"
    "       broker-pki [-d DIR] export USER --for PROGRAM        what that client wants to have\n"
    "       broker-pki [-d DIR] diagnose HOST[:PORT]             which devices would fail there\n"
    "       broker-pki [-d DIR] dns-sd                           how clients find the broker\n"
    "       broker-pki [-d DIR] move-keys DIR                    the CAs' keys to another disk\n"
    "\n"
    "  -d, --directory DIR      the PKI (default: pki, here or beside the broker's configuration)\n"
    "  -c, --config FILE        broker.yaml: the PKI is the directory pki beside it\n"
    "  --keys DIR               where the CAs' keys are, if not in the PKI\n"
    "  --passphrase-file FILE   its first line is the passphrase of the CAs' keys\n"
    "  --encrypt                init: ask for a passphrase, and encrypt the keys\n"
    "  --name NAME              init: of the house, in the names of the CAs (default: host name)\n"
    "  --days N                 how long the certificate or list is valid\n"
    "  --if-needed              server: only where names changed, or 30 days before the end;\n"
    "                           crl: only a list that does not last as long as its CA, in the "
    "last\n"
    "                           two thirds of its time; for timers: asks for no passphrase\n"
    "  --new-key                server, client, renew: do not keep the key\n"
    "  --user USER              sign: whose certificate it becomes\n"
    "  --id ID                  client, sign: the client id, as URI in the certificate\n"
    "  --rsa                    client: RSA-2048 in place of P-256\n"
    "  --for PROGRAM            export: mosquitto, esphome, tasmota, arduino, mqttjs, paho,\n"
    "                           home-assistant, zigbee2mqtt or pkcs12\n"
    "  --host NAME, --port N    export, dns-sd: what clients dial (default: from the certificate; "
    "8883)\n"
    "  --password-file FILE     export --for pkcs12: its first line protects the file\n"
    "  -o, --output FILE        export: write there; mode 0600 where a key is in it\n"
    "  --print                  export: to the terminal, also where a key is in it\n"
    "  --trust-owner USER, --trust-group GROUP\n"
    "                           trust their files too, like the option of the broker\n";

/* The least and the most words behind each command. */
static const struct pki_command {
	const char *name;
	size_t words_min, words_max;
	pki_command_fn *run;
	const char *words;
} commands[] = {
    {"init", 0, 0, pki_init_run, NULL},
    {"server", 0, 100, pki_leaf_server, NULL},
    {"client", 1, 1, pki_leaf_client, "USER"},
    {"sign", 1, 1, pki_leaf_sign, "REQUEST"},
    {"renew", 1, 1, pki_leaf_renew, "NAME"},
    {"revoke", 1, 1, pki_manage_revoke, "USER or SERIAL"},
    {"crl", 0, 0, pki_manage_crl, NULL},
    {"list", 0, 0, pki_manage_list, NULL},
    {"import", 1, 2, pki_import_run, "CERTIFICATE [KEY]"},
    {"export", 1, 1, pki_export_run, "USER"},
    {"diagnose", 1, 1, pki_diagnose_run, "HOST:PORT"},
    {"dns-sd", 0, 0, pki_dns_sd_run, NULL},
    {"move-keys", 1, 1, pki_init_move_keys, "DIRECTORY"},
};

static void print_usage(FILE *to)
{
	fputs(usage_text, to);
}

/* ---- options ---- */

static int take_number(const char *option, const char *value, unsigned max, unsigned *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || value[0] == '-' || n == 0 || n > max)
		return report_error(EXIT_USAGE, "--%s: '%s' is not a number from 1 to %u", option,
		                    value, max);
	*out = (unsigned)n;
	return 0;
}

COMMAND_TAKE_TEXT(take_directory, pki_options, directory)
COMMAND_TAKE_TEXT(take_config, pki_options, config)
COMMAND_TAKE_TEXT(take_keys, pki_options, keys)
COMMAND_TAKE_TEXT(take_passphrase_file, pki_options, passphrase_file)
COMMAND_TAKE_TEXT(take_name, pki_options, name)
COMMAND_TAKE_TEXT(take_user, pki_options, user)
COMMAND_TAKE_TEXT(take_id, pki_options, id)
COMMAND_TAKE_TEXT(take_program, pki_options, program)
COMMAND_TAKE_TEXT(take_host, pki_options, host)
COMMAND_TAKE_TEXT(take_password_file, pki_options, password_file)
COMMAND_TAKE_TEXT(take_output, pki_options, output)
COMMAND_TAKE_FLAG(take_encrypt, pki_options, encrypt)
COMMAND_TAKE_FLAG(take_if_needed, pki_options, if_needed)
COMMAND_TAKE_FLAG(take_new_key, pki_options, new_key)
COMMAND_TAKE_FLAG(take_rsa, pki_options, rsa)
COMMAND_TAKE_FLAG(take_print, pki_options, print)

static int take_days(void *options, const char *value)
{
	return take_number("days", value, DAYS_MAX, &((struct pki_options *)options)->days);
}

static int take_port(void *options, const char *value)
{
	return take_number("port", value, 65535, &((struct pki_options *)options)->port);
}

static const struct command_option command_options[] = {
    {"directory", 'd', true, take_directory},
    {"config", 'c', true, take_config},
    {"keys", 0, true, take_keys},
    {"passphrase-file", 0, true, take_passphrase_file},
    {"encrypt", 0, false, take_encrypt},
    {"name", 0, true, take_name},
    {"days", 0, true, take_days},
    {"if-needed", 0, false, take_if_needed},
    {"new-key", 0, false, take_new_key},
    {"user", 0, true, take_user},
    {"id", 0, true, take_id},
    {"rsa", 0, false, take_rsa},
    {"for", 0, true, take_program},
    {"host", 0, true, take_host},
    {"port", 0, true, take_port},
    {"password-file", 0, true, take_password_file},
    {"output", 'o', true, take_output},
    {"print", 0, false, take_print},
};

static const struct command_line line = {.program = "broker-pki",
                                         .print_usage = print_usage,
                                         .options = command_options,
                                         .option_count = ARRAY_LEN(command_options)};

/* ---- main ---- */

/* 0, or the exit status after words. */
static int find_place(struct pki_options *o, char **place)
{
	if (o->config != NULL && o->directory != NULL)
		return report_usage("give -d DIR or -c broker.yaml, not both");
	if (o->config != NULL && access(o->config, F_OK) != 0)
		return report_error(EXIT_USAGE, "-c: cannot find %s: %s", o->config,
		                    strerror(errno));
	if (o->directory != NULL)
		return 0;
	*place = pki_options_place(o->config, SYSTEM_CONFIG);
	o->directory = *place;
	if (o->directory == NULL && strcmp(o->words[0], "init") == 0)
		o->directory = "pki";
	return o->directory != NULL
	           ? 0
	           : report_error(EXIT_USAGE,
	                          "which PKI? There is neither a directory pki nor a broker.yaml "
	                          "here, and no " SYSTEM_CONFIG
	                          "; name it with -d DIR, or the broker's configuration with -c "
	                          "broker.yaml, or make a new one here with 'broker-pki init'");
}

static int run(struct pki_options *o)
{
	const struct pki_command *command = NULL;

	for (size_t i = 0; command == NULL && i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, o->words[0]) == 0)
			command = &commands[i];
	if (command == NULL)
		return report_error(EXIT_USAGE, "'%s' is not a command; --help lists all",
		                    o->words[0]);
	o->words++;
	o->word_count--;
	if (o->word_count < command->words_min)
		return report_error(EXIT_USAGE, "%s wants %s", command->name, command->words);
	if (o->word_count > command->words_max)
		return report_error(EXIT_USAGE, "%s: '%s' is one word too many", command->name,
		                    o->words[command->words_max]);
	return command->run(o);
}

int main(int argc, char **argv)
{
	struct pki_options o = {.port = 8883};
	char *place = NULL;
	int rc;

	command_line_start(&line);
	(void)signal(SIGPIPE, SIG_IGN); /* a broken pipe is an error like a full disk */
	rc = command_line_read(&o, argc, argv);
	if (rc >= 0)
		return command_line_finish(rc);
	if (optind == argc)
		return report_usage("which command?");
	o.words = argv + optind;
	o.word_count = (size_t)(argc - optind);
	rc = find_place(&o, &place);
	if (rc == 0)
		rc = run(&o);
	free(place);
	return command_line_finish(rc);
}
