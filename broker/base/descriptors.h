/* The numbers of the standard descriptors.  Thread: main, before anything is opened. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

/* The first thing that main does: where 0, 1 or 2 is closed, open /dev/null in its place, so that
 * no file that is opened later gets the number where messages are written. Reading from or writing
 * to such a descriptor still fails. Ends the process (status 2) when that is not possible. */
void descriptors_reserve_standard(void);

#endif
