/* By edit distance. */
#include "base/nearest.h"

#include <string.h>

#define WORD_MAX 64 /* longer words are not compared */

/* Edit distance with transpositions of neighbours (optimal string alignment). */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *now = rows[i % 3], *above = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);

			best = above[j] + 1 < best ? above[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = two[j - 2] + 1 < best ? two[j - 2] + 1 : best;
			now[j] = best;
		}
	}
	return rows[a_len % 3][b_len];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	size_t len = strlen(word);
	size_t limit = len < 3 ? len / 2 : len / 3;

	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t d;

		if (strlen(candidates[i]) > WORD_MAX)
			continue;
		d = distance(word, candidates[i]);
		if (d > limit || (nearest != NULL && d == limit))
			continue;
		nearest = candidates[i];
		limit = d;
	}
	return nearest;
}
