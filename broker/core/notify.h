/* Telling the service manager: the sd_notify(3) protocol, without its library.  Thread: main's. */
#ifndef CORE_NOTIFY_H
#define CORE_NOTIFY_H

/* Each does nothing where NOTIFY_SOCKET is not set. */
void notify_ready(void);
void notify_stopping(void);

#endif
