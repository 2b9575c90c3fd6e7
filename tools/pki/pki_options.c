#include "pki/pki_options.h"

int pki_options_open(const struct pki_options *o, enum pki_access access, struct pki *pki)
{
	int rc = pki_open(pki, o->directory, o->keys, access);

	pki->passphrase.file = o->passphrase_file;
	pki->passphrase.is_unattended = o->if_needed;
	return rc;
}
