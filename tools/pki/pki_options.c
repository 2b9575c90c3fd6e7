/* The PKI is beside broker.yaml, which names its files. */
#include "pki/pki_options.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/require.h"

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static char *beside(const char *config)
{
	const char *slash = strrchr(config, '/');

	REQUIRE(config[0] != '\0');
	return slash == NULL ? xstrdup("pki")
	                     : xasprintf("%.*s/pki", (int)(slash - config), config);
}

char *pki_options_place(const char *config, const char *system_config)
{
	if (config != NULL)
		return beside(config);
	if (is_directory("pki") || access("broker.yaml", F_OK) == 0)
		return xstrdup("pki");
	return access(system_config, F_OK) == 0 ? beside(system_config) : NULL;
}

int pki_options_open(const struct pki_options *o, enum pki_access access, struct pki *pki)
{
	int rc = pki_open(pki, o->directory, o->keys, access);

	pki->passphrase.file = o->passphrase_file;
	pki->passphrase.is_unattended = o->if_needed;
	return rc;
}
