/* Thread: any. */
#ifndef CONF_CONF_MANUAL_H
#define CONF_CONF_MANUAL_H

/* The option section of broker.yaml(5) in mdoc, from the schema table. The caller frees. */
char *conf_manual(void);

#endif
