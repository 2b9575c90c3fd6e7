/* Telling the service manager: the sd_notify(3) protocol, without its library.  Thread: main's. */
#ifndef SERVER_SERVICE_NOTIFY_H
#define SERVER_SERVICE_NOTIFY_H

/* Each does nothing where NOTIFY_SOCKET is not set. */
void notify_ready(void);
void notify_stopping(void);

#endif
