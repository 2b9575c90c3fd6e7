/* Tells the service manager that the broker is ready, lives, and stops, by the protocol of
 * sd_notify(3) and without its library.  Thread: main's. */
#ifndef SERVER_SERVICE_NOTIFY_H
#define SERVER_SERVICE_NOTIFY_H

/* Each does nothing where NOTIFY_SOCKET is not set. */
void service_notify_ready(void);
void service_notify_stopping(void);
void service_notify_alive(void);

#endif
