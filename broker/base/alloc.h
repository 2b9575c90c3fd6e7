/* Allocation that aborts when memory is out: everything a peer can size is bounded before it is
 * allocated. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

void *xalloc(size_t size_bytes);                /* uninitialised */
void *xzalloc(size_t size_bytes);               /* zeroed */
void *xcalloc(size_t count, size_t size_bytes); /* zeroed; aborts on overflow of the product */
void *xrealloc(void *p, size_t size_bytes);
/* Grow an array: `count` elements of `size_bytes` each; aborts on overflow of the product. */
void *xrealloc_array(void *p, size_t count, size_t size_bytes);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed object of the pointer's own type: `p = xnew(p);` */
#define xnew(p) xzalloc(sizeof(*(p)))

#endif
