/* A broker that root starts becomes another user before it reads a key or serves anybody (`user:`
 * in broker.yaml): somebody who makes it run code of his own is not root then.  What needs root,
 * the ports below 1024, is done before.  Thread: main, before there are others. */
#ifndef PROGRAM_PRIVILEGES_H
#define PROGRAM_PRIVILEGES_H

#include <stdbool.h>

#define PRIVILEGES_TEXT_MAX 256

/* Can this process be that user (a name, or a number), now or by privileges_drop? False: `text`
 * says in plain words why not and what to do. */
bool privileges_can_drop(const char *user, char text[PRIVILEGES_TEXT_MAX]);
/* Become that user, with its groups, and see that there is no way back. Whoever is that user
 * already stays as he is. False: as above, and the process must not go on. */
bool privileges_drop(const char *user, char text[PRIVILEGES_TEXT_MAX]);

#endif
