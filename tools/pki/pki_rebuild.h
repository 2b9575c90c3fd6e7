/* A directory that is not as broker-pki left it: an index that is missing or broken, and one that
 * the script tools/pki of earlier versions made.  Thread: main. */
#ifndef PKI_REBUILD_H
#define PKI_REBUILD_H

#include "pki/pki.h"

/* Complete the index from the certificates that are there and from the revocation lists; nobody who
 * was revoked is taken in again. Says what it did. Writes nothing. */
int pki_rebuild_index(struct pki *pki);
/* The same without a word, where nothing is wrong. */
int pki_rebuild_silently(struct pki *pki);

/* ca.crt, ca.key and server-*.crt, .key of the script: the CA becomes the server CA, keys stay, and
 * the old names go on as links to the new files. Does nothing where there are none, or no more. */
int pki_take_over(struct pki *pki);

#endif
