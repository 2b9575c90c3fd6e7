/* The options of broker-pki(1), as its commands get them.  Thread: main. */
#ifndef PKI_OPTIONS_H
#define PKI_OPTIONS_H

#include "pki/pki.h"

struct pki_options {
	/* --directory, else pki_options_place; --config; --keys. */
	const char *directory, *config, *keys;
	const char *passphrase_file;
	bool encrypt;
	const char *name;
	const char *user, *id;
	bool rsa, new_key, if_needed;
	/* 0: not given. */
	unsigned days;
	const char *output;
	bool print;
	/* export: for which program, and what it shall connect to. */
	const char *program, *host;
	unsigned port;
	const char *password_file;
	/* What follows the command. */
	char **words;
	size_t word_count;
};

/* Returns the exit status. */
typedef int pki_command_fn(const struct pki_options *o);

/* Where the PKI is that nobody named: `pki` beside `config` (NULL: not given), here where there is
 * a `pki` or a broker.yaml, or beside `system_config` where that exists. The caller frees; NULL:
 * it cannot be known. */
char *pki_options_place(const char *config, const char *system_config);
/* Open as the options say. Close in any case. */
int pki_options_open(const struct pki_options *o, enum pki_access access, struct pki *pki);

#endif
