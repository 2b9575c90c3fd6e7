/* The audit file, by its name: who may have made it, and what a rotation does.  Thread: main. */
#ifndef PROGRAM_AUDIT_FILE_H
#define PROGRAM_AUDIT_FILE_H

/* The log's audit (base/log.h) goes there; NULL: nowhere. 0 or -errno (the old one stays then). */
int audit_file_open(const char *path);
/* What that would return, without making the file. */
int audit_file_check(const char *path);
int audit_file_reopen(void); /* after rotation (SIGUSR1) */
void audit_file_close(void);

#endif
