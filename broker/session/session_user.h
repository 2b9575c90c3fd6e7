/* What becomes of a session when its user is removed, or has another id: set aside, merged into the
 * user's older id, or ended.  DESIGN.md section 6.  Thread: the session's worker. */
#ifndef SESSION_SESSION_USER_H
#define SESSION_SESSION_USER_H

#include "session/session.h"

/* By the configuration in force. False: the session has ended, and `s` is gone. Where its client is
 * still connected nothing happens: it is asked again when the connection ends. */
bool session_user_check(struct session *s);

#endif
