/* What somebody meant who wrote a word that does not exist.  Any thread. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* The candidate nearest to `word` (edit distance, at most a third of its length), NULL where none
 * is near. */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);

#endif
