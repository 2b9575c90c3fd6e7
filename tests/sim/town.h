/* Where people live: a world, its model, and what befalls all of them at once: quiet, other rules,
 * time, the broker's end and its disk's troubles. */
#ifndef SIM_TOWN_H
#define SIM_TOWN_H

#include "model.h"
#include "plan.h"

struct town {
	struct world *world;
	struct model model;
	struct coverage *coverage;
	struct rules rules;
	char *conf, *conf_named; /* with anonymous, and without */
	struct client *probe;    /* sees everything */
	bool reloading;
	uint64_t roomy; /* tick: since then the store has space again */
};

/* Everything that was begun comes to its end, and is judged. */
void town_settle(struct town *t);
/* The same when everybody has read and acknowledged. */
void town_reckon(struct town *t);
/* What is retained, seen by a newcomer. */
void town_probe(struct town *t);
void town_join_probe(struct town *t);

/* Steps of the world. */
void town_reload(struct town *t, const struct step *s);
void town_reload_users(struct town *t, const struct step *s);
void town_advance(struct town *t, const struct step *s);
void town_freeze(struct town *t, const struct step *s);
void town_quiet(struct town *t, const struct step *s);
void town_reckon_all(struct town *t, const struct step *s);
void town_crash(struct town *t, const struct step *s);
void town_stop(struct town *t, const struct step *s);
void town_disk_full(struct town *t, const struct step *s);
void town_tight(struct town *t, const struct step *s);

/* A person's step, which a full disk needs too (people.c). */
void people_publish(struct town *t, const struct step *s);

#endif
