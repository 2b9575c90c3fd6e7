/* How long things took, in cells: one for each bound, one for what took longer, and the sum of all.
 * The bounds are 1, 2, 4 and so on up to 32,768 of any unit.  Thread: counted by one, read by any.
 */
#ifndef BASE_LATENCY_H
#define BASE_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

#define LATENCY_BOUNDS 16
#define LATENCY_CELLS  (LATENCY_BOUNDS + 2)
#define LATENCY_SUM    (LATENCY_CELLS - 1)

static inline uint64_t latency_bound(unsigned cell)
{
	return UINT64_C(1) << cell;
}

/* The first whose bound is not below it. */
static inline unsigned latency_cell(uint64_t units)
{
	unsigned cell = units <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(units - 1);

	return cell < LATENCY_BOUNDS ? cell : LATENCY_BOUNDS;
}

/* Less than a unit: most of what is counted often. One writer. */
static inline void latency_count_zero(_Atomic uint64_t cells[LATENCY_CELLS])
{
	atomic_store_explicit(&cells[0], atomic_load_explicit(&cells[0], memory_order_relaxed) + 1,
	                      memory_order_relaxed);
}

/* One writer. */
static inline void latency_count(_Atomic uint64_t cells[LATENCY_CELLS], uint64_t units)
{
	_Atomic uint64_t *cell = &cells[latency_cell(units)], *sum = &cells[LATENCY_SUM];

	atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + 1,
	                      memory_order_relaxed);
	atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + units,
	                      memory_order_relaxed);
}

#endif
