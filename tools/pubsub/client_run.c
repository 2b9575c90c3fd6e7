/* One connection on one loop.  A lost connection is tried again, unless its cause stays. */
#include "pubsub/client_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/require.h"
#include "base/utf8.h"
#include "proto/reason.h"

#define OUTPUT_WATCH_MS 200

/* ---- the end ---- */

void client_run_end(struct client_run *r, int status)
{
	REQUIRE(status >= 0);
	if (r->has_ended)
		return;
	r->has_ended = true;
	r->status = status;
	mqtt_connection_stop(&r->connection, REASON_SUCCESS);
}

void client_run_abort(struct client_run *r, int status)
{
	REQUIRE(status >= 0);
	if (r->has_ended)
		return;
	r->has_ended = true;
	r->status = status;
	mqtt_connection_abort(&r->connection);
}

bool client_run_flush(struct client_run *r)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	if (errno != EPIPE)
		client_run_abort(r, report_error(EXIT_FAILED, "cannot write to standard output: %s",
		                                 strerror(errno)));
	else
		client_run_abort(r, 0);
	return false;
}

void client_run_exit(int status)
{
	if (fflush(stdout) != 0 && errno != EPIPE && status == 0)
		status = report_error(EXIT_FAILED, "cannot write to standard output: %s",
		                      strerror(errno));
	_exit(status);
}

static int status_of_reason(enum reason reason)
{
	return reason == REASON_NOT_AUTHORIZED ? CLIENT_NOT_AUTHORIZED : CLIENT_REFUSED;
}

int client_run_report(enum reason reason, const struct properties *p, const char *format, ...)
{
	struct buf text = {0};
	char what[512];
	va_list args;

	REQUIRE(reason >= REASON_UNSPECIFIED && p != NULL);
	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	utf8_put_printable(&text, p->reason_string);
	(void)report_error(0, "%s: %s (0x%02x)%s%.*s", what, reason_name(reason), (unsigned)reason,
	                   text.len > 0 ? ": " : "", (int)text.len,
	                   text.len > 0 ? (const char *)text.data : "");
	buf_fini(&text);
	return status_of_reason(reason);
}

static const char *words_of_result(enum mqtt_result result)
{
	switch (result) {
	case MQTT_DONE:
		return "it was sent";
	case MQTT_NOT_OPEN:
		return "there is no connection";
	case MQTT_WINDOW_FULL:
		return "too many messages wait for their acknowledgement";
	case MQTT_TOO_LARGE:
		return "it is larger than the server takes (its Maximum Packet Size)";
	case MQTT_QOS_TOO_HIGH:
		return "the server takes no messages of this QoS: try a lower -q";
	case MQTT_NO_RETAINING:
		return "the server keeps no retained messages: leave out -r";
	case MQTT_ALIAS_TOO_HIGH:
		return "the server takes no such topic alias";
	}
	return "the reason is not known";
}

int client_run_report_result(enum mqtt_result result, const char *topic)
{
	REQUIRE(result != MQTT_DONE);
	return report_error(CLIENT_REFUSED, "the message to '%s' was not sent: %s", topic,
	                    words_of_result(result));
}

/* ---- the connection ---- */

static int status_of_loss(const struct mqtt_loss *loss)
{
	switch (loss->kind) {
	case MQTT_LOSS_LOOKUP:
	case MQTT_LOSS_CONNECT:
	case MQTT_LOSS_TIMEOUT:
		return CLIENT_CANNOT_CONNECT;
	case MQTT_LOSS_UNTRUSTED:
	case MQTT_LOSS_TLS:
		return CLIENT_UNTRUSTED;
	case MQTT_LOSS_REFUSED:
		return loss->reason == REASON_BAD_USER_NAME_OR_PASSWORD ||
		               loss->reason == REASON_NOT_AUTHORIZED ||
		               loss->reason == REASON_BANNED ||
		               loss->reason == REASON_BAD_AUTHENTICATION_METHOD
		           ? CLIENT_LOGIN_REFUSED
		           : CLIENT_REFUSED;
	case MQTT_LOSS_DISCONNECTED:
	case MQTT_LOSS_CLOSED:
	case MQTT_LOSS_SILENCE:
	case MQTT_LOSS_PROTOCOL:
	case MQTT_LOSS_OURS:
		break;
	}
	return loss->was_open ? CLIENT_LOST : CLIENT_CANNOT_CONNECT;
}

/* Would the next connection end alike? */
static bool is_final(const struct mqtt_loss *loss)
{
	if (loss->kind == MQTT_LOSS_UNTRUSTED)
		return true;
	if (loss->kind == MQTT_LOSS_REFUSED)
		return loss->reason != REASON_SERVER_UNAVAILABLE &&
		       loss->reason != REASON_SERVER_BUSY &&
		       loss->reason != REASON_QUOTA_EXCEEDED &&
		       loss->reason != REASON_CONNECTION_RATE_EXCEEDED &&
		       loss->reason != REASON_SERVER_SHUTTING_DOWN;
	return loss->kind == MQTT_LOSS_PROTOCOL ||
	       (loss->kind == MQTT_LOSS_DISCONNECTED &&
	        loss->reason != REASON_SERVER_SHUTTING_DOWN && loss->reason != REASON_SERVER_BUSY &&
	        loss->reason != REASON_ADMINISTRATIVE_ACTION && loss->reason != REASON_SUCCESS &&
	        loss->reason != REASON_KEEP_ALIVE_TIMEOUT);
}

static const char *advice_of(const struct mqtt_loss *loss, const struct client_options *options)
{
	if (loss->kind == MQTT_LOSS_REFUSED && loss->reason == REASON_UNSUPPORTED_VERSION)
		return "; try -V 3.1.1";
	if (loss->kind == MQTT_LOSS_REFUSED && loss->reason == REASON_BAD_AUTHENTICATION_METHOD &&
	    options->scram)
		return "; it does not offer SCRAM-SHA-256: in Vakt users need a verifier "
		       "(broker-passwd add --scram)";
	if (loss->kind == MQTT_LOSS_REFUSED && loss->reason == REASON_BAD_USER_NAME_OR_PASSWORD &&
	    !options->has_password)
		return "; no password was given: --password-file FILE, or --ask-password";
	if (loss->kind == MQTT_LOSS_REFUSED && loss->reason == REASON_BAD_USER_NAME_OR_PASSWORD)
		return "; check the user (-u) and the password, upper and lower case count";
	if (loss->kind == MQTT_LOSS_REFUSED && loss->reason == REASON_NOT_AUTHORIZED)
		return "; does the server want a user (-u), or a client certificate (--cert)?";
	if (loss->kind == MQTT_LOSS_DISCONNECTED && loss->reason == REASON_SESSION_TAKEN_OVER)
		return "; another client has the same client id (-i)";
	return "";
}

/* Each connection has a nonce of its own. */
static void begin_scram(struct client_run *r)
{
	if (r->options->scram)
		r->mqtt.properties = client_scram_begin(&r->scram, r->options);
}

static void on_lost(void *arg, const struct mqtt_loss *loss)
{
	struct client_run *r = arg;
	bool goes_on =
	    loss->retry_ms > 0 && !is_final(loss) && (r->was_open || r->options->keep_trying);

	if (r->has_ended || loss->kind == MQTT_LOSS_OURS) {
		mqtt_connection_abort(&r->connection);
		if (r->connection.stage == MQTT_STAGE_IDLE)
			uv_stop(&r->loop);
		return;
	}
	if (goes_on) {
		if (!r->options->quiet)
			(void)report_error(0, "%s; trying again in %.1f s", loss->words,
			                   (double)loss->retry_ms / 1000);
		begin_scram(r);
		return;
	}
	(void)report_error(0, "%s%s", loss->words, advice_of(loss, r->options));
	r->has_ended = true;
	r->status = status_of_loss(loss);
	mqtt_connection_abort(&r->connection);
	if (r->connection.stage == MQTT_STAGE_IDLE)
		uv_stop(&r->loop);
}

/* Whoever answers wrongly does not know the password, or is on the way. */
static void refuse_server(struct client_run *r, const char *wrong)
{
	client_run_abort(r, report_error(CLIENT_UNTRUSTED,
	                                 "the login by SCRAM failed because of the server: %s. "
	                                 "It may pose as another one; nothing else was sent to it",
	                                 wrong));
}

static void on_connack(void *arg, const struct connack *ack, const struct properties *p)
{
	struct client_run *r = arg;
	const char *wrong = NULL;

	if (ack->reason != REASON_SUCCESS)
		return;
	if (r->options->scram)
		wrong = client_scram_check(&r->scram, p);
	if (wrong != NULL) {
		refuse_server(r, wrong);
		return;
	}
	if (r->options->debug)
		(void)report_error(0, "connected as '%s'; the session is %s", r->options->client_id,
		                   ack->session_present ? "the one of before" : "new");
	r->was_open = true;
	if (!r->has_ended)
		r->hooks->on_open(r->tool, ack->session_present);
}

static void on_auth(void *arg, enum reason reason, const struct properties *p)
{
	struct client_run *r = arg;
	struct buf data = {0};
	const char *wrong;

	if (r->has_ended)
		return;
	wrong = client_scram_answer(&r->scram, r->options, reason, p, &data);
	if (wrong != NULL)
		refuse_server(r, wrong);
	else
		mqtt_protocol_auth(&r->connection.protocol, REASON_CONTINUE_AUTHENTICATION,
		                   SCRAM_METHOD, buf_slice(&data));
	buf_fini(&data);
}

static bool on_message(void *arg, const struct publish *message)
{
	struct client_run *r = arg;

	return !r->has_ended && r->hooks->on_message(r->tool, message);
}

static void on_answer(void *arg, const struct mqtt_answer *answer)
{
	struct client_run *r = arg;

	if (!r->has_ended)
		r->hooks->on_answer(r->tool, answer);
}

static void on_read(void *arg)
{
	struct client_run *r = arg;

	if (!r->has_ended && r->hooks->on_turn != NULL)
		r->hooks->on_turn(r->tool);
}

static void on_drained(void *arg)
{
	struct client_run *r = arg;

	if (!r->has_ended && r->hooks->on_drained != NULL)
		r->hooks->on_drained(r->tool);
}

static const struct mqtt_connection_events events = {
    .protocol = {.on_connack = on_connack, .on_message = on_message, .on_answer = on_answer},
    .on_lost = on_lost,
    .on_drained = on_drained,
    .on_read = on_read,
};

/* ---- time and signals ---- */

static void on_deadline(uv_timer_t *timer)
{
	struct client_run *r = timer->data;

	client_run_end(r, r->hooks->on_deadline(r->tool));
}

/* A second signal does not wait for the server. */
static void on_signal(uv_signal_t *handle, int number)
{
	struct client_run *r = handle->data;

	(void)number;
	if (r->has_ended)
		client_run_exit(EXIT_FAILED);
	client_run_end(r, r->hooks->on_signal(r->tool));
}

/* Whoever reads may be gone long before the next message comes. */
static void watch_output(uv_timer_t *timer)
{
	struct client_run *r = timer->data;
	struct pollfd p = {.fd = STDOUT_FILENO};

	if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0)
		client_run_end(r, 0);
}

static void start_signal(struct client_run *r, uv_signal_t *handle, int number)
{
	(void)uv_signal_init(&r->loop, handle);
	handle->data = r;
	(void)uv_signal_start(handle, on_signal, number);
}

int client_run_init(struct client_run *r, const struct client_options *options,
                    const struct client_hooks *hooks, void *tool)
{
	int status;

	REQUIRE(hooks->on_open != NULL && hooks->on_message != NULL && hooks->on_answer != NULL);
	REQUIRE(hooks->on_deadline != NULL && hooks->on_signal != NULL);
	*r = (struct client_run){.options = options, .hooks = hooks, .tool = tool};
	(void)signal(SIGPIPE, SIG_IGN);
	r->tls = client_options_tls(options, &status);
	if (status != 0)
		return status;
	client_options_fill(options, r->tls, &r->endpoint, &r->mqtt);
	r->events = events;
	if (options->scram)
		r->events.protocol.on_auth = on_auth;
	begin_scram(r);
	if (uv_loop_init(&r->loop) != 0)
		return report_error(EXIT_FAILED,
		                    "cannot make an event loop: no descriptors are left");
	mqtt_connection_init(&r->connection,
	                     &(struct mqtt_setup){&r->loop, &r->endpoint, &r->mqtt, &r->events}, r,
	                     slice_of_str(options->client_id));
	return 0;
}

int client_run_loop(struct client_run *r)
{
	struct stat st;

	start_signal(r, &r->interrupt, SIGINT);
	start_signal(r, &r->terminate, SIGTERM);
	(void)uv_timer_init(&r->loop, &r->deadline);
	(void)uv_timer_init(&r->loop, &r->output_watch);
	r->deadline.data = r->output_watch.data = r;
	if (r->options->wait_ms > 0)
		(void)uv_timer_start(&r->deadline, on_deadline, r->options->wait_ms, 0);
	if (fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		(void)uv_timer_start(&r->output_watch, watch_output, OUTPUT_WATCH_MS,
		                     OUTPUT_WATCH_MS);
	mqtt_connection_start(&r->connection);
	(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	REQUIRE(r->has_ended);
	mqtt_connection_fini(&r->connection);
	client_scram_fini(&r->scram);
	mqtt_tls_free(r->tls);
	return r->status;
}
