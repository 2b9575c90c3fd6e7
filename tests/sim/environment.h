/* The environment of a scenario: a world, its model, and what happens to all clients at once:
 * quiet points, other rules, time, the end of the broker, disk failures. */
#ifndef SIM_ENVIRONMENT_H
#define SIM_ENVIRONMENT_H

#include "model.h"
#include "plan.h"

struct environment {
	struct world *world;
	struct model model;
	struct coverage *coverage;
	struct rules rules;
	char *conf, *conf_named; /* with anonymous, and without */
	struct client *probe;    /* sees everything */
	bool reloading;
	uint64_t space_since; /* tick: since then the store has space again */
};

/* Everything that was begun ends, and is checked. */
void environment_settle(struct environment *t);
/* The same after every client has read and acknowledged. */
void environment_catch_up(struct environment *t);
/* Check the retained messages with a new client. */
void environment_probe(struct environment *t);
void environment_join_probe(struct environment *t);

/* Steps of the world. */
void environment_reload(struct environment *t, const struct step *s);
void environment_reload_users(struct environment *t, const struct step *s);
void environment_advance(struct environment *t, const struct step *s);
void environment_pause(struct environment *t, const struct step *s);
void environment_freeze(struct environment *t, const struct step *s);
void environment_quiet(struct environment *t, const struct step *s);
void environment_catch_up_all(struct environment *t, const struct step *s);
void environment_crash(struct environment *t, const struct step *s);
void environment_stop(struct environment *t, const struct step *s);
void environment_disk_full(struct environment *t, const struct step *s);
void environment_low_space(struct environment *t, const struct step *s);

/* An actor's step that a full disk needs too (actors.c). */
void actors_publish(struct environment *t, const struct step *s);

#endif
