/* The process as the kernel counts it.  Thread: any. */
#ifndef ADMIN_PROCESS_FIGURES_H
#define ADMIN_PROCESS_FIGURES_H

#include <stdint.h>

/* Bytes in memory, and of address space; 0: not known. */
uint64_t process_figures_resident(void);
uint64_t process_figures_virtual(void);
double process_figures_cpu_s(void);
/* Wall clock, seconds; 0: not known. */
double process_figures_start_s(void);
/* What is open, and the limit. */
uint64_t process_figures_descriptors(void);
/* The same where the kernel does not tell how many (before Linux 6.2): sockets as the broker counts
 * them, and the rest as it was when there were few; in 10,000 names of /proc/self/fd it would be
 * looked for in vain for longer than a scrape may take. */
uint64_t process_figures_descriptors_counted(void);
uint64_t process_figures_descriptor_limit(void);

#endif
