/* Three counters, one writer each. */
#include "worker/charge.h"

#include "worker/shared.h"

void charge_init(struct charge *c, struct payer *payer)
{
	*c = (struct charge){.payer = payer};
}

void charge_set(struct worker *w, struct charge *c, uint64_t bytes)
{
	REQUIRE_EXECUTOR(&w->executor);
	if (bytes != c->bytes)
		charge_add(w, c, bytes - c->bytes);
}

void charge_move(struct worker *w, struct charge *c, struct payer *payer)
{
	uint64_t bytes = c->bytes;

	REQUIRE_EXECUTOR(&w->executor);
	charge_fini(w, c);
	charge_init(c, payer);
	charge_set(w, c, bytes);
}

void charge_fini(struct worker *w, struct charge *c)
{
	if (c->payer == NULL)
		return;
	charge_set(w, c, 0);
	payer_unref(&w->shared->payers, &c->payer);
}
