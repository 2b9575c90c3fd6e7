/* The message about a file that is not trusted.  Thread: main. */
#ifndef PROGRAM_TRUST_TEXT_H
#define PROGRAM_TRUST_TEXT_H

#include <sys/stat.h>

#include "base/bytes.h"
#include "program/trust_writers.h"

enum trust_fault {
	TRUST_FAULT_OWNER,
	TRUST_FAULT_LINK, /* its owner, in a directory where others may write */
	TRUST_FAULT_OTHERS_WRITE,
	TRUST_FAULT_OTHERS_READ,
	TRUST_FAULT_GROUP,
	TRUST_FAULT_LIST,   /* an access control list */
	TRUST_FAULT_DENIED, /* it is believed, but the system lets this process not use it */
};

struct trust_finding {
	enum trust_fault fault;
	char *path;     /* of what is wrong */
	bool is_itself; /* the file that was asked for, not something on the way to it */
	bool is_secret;
	struct stat st;
	struct trust_writer writer; /* of TRUST_FAULT_LIST */
	int wanted;                 /* of TRUST_FAULT_DENIED: R_OK, W_OK, X_OK (to enter) */
};

void trust_text_describe(const struct trust_finding *f, struct buf *out);

#endif
