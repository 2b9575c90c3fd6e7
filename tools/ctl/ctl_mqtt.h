/* Asking the broker over MQTT, from another machine: control topics (CONTROL TOPICS in broker(8)),
 * with the options of broker-pub.  Thread: main. */
#ifndef CTL_CTL_MQTT_H
#define CTL_CTL_MQTT_H

#include "ctl/ctl_command.h"
#include "options/client_options.h"

/* The options of broker-pub that broker-ctl has, for struct client_options at the beginning of the
 * tool's own; how many they are, at most CLIENT_OPTION_ROWS_MAX. */
size_t ctl_mqtt_rows(struct command_option *rows);
/* Is the broker to be asked over MQTT? */
bool ctl_mqtt_is_meant(const struct client_options *client);
/* As ctl_ask; `client` is finished. Also returns the exit statuses of client_options.h. */
int ctl_mqtt_ask(const struct client_options *client, const struct ctl_options *o,
                 const struct ctl_command *command, size_t *rows);

#endif
