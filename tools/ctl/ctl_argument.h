/* Arguments as the tables of broker-ctl print them.  Pure. */
#ifndef CTL_CTL_ARGUMENT_H
#define CTL_CTL_ARGUMENT_H

#include "base/bytes.h"

/* Append `text` to *out with \x1b, \u202e, \U0001ffff (code points) and \\ replaced by what they
 * stand for. False: another sign follows a backslash, or it is no code point. */
bool ctl_argument_unescape(const char *text, struct buf *out);

#endif
