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
uint64_t process_figures_descriptor_limit(void);

#endif
