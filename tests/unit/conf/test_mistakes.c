/* Files as people write them by mistake, or bring along from another broker: each has words with
 * its place and a remedy. */
#include "support.h"

static const struct {
	const char *name;
	struct slice bytes;
	const char *want; /* is in what is said; "": nothing is */
} rows[] = {
    {"address without quotes", SLICE_INIT("listeners:\n  - bind: [::]:8883\n"),
     "f:2:12: error: an address in brackets must be in quotes: write \"[::]:8883\""},
    {"star without quotes", SLICE_INIT("listeners:\n  - bind: *:8883\n"),
     "f:2:12: error: a value that begins with '*' must be in quotes: write \"*:8883\""},
    {"percent without quotes", SLICE_INIT("log:\n  audit: %h/a\n"),
     "a value that begins with '%' must be in quotes"},
    {"indented too deep", SLICE_INIT("listeners:\n  - bind: \"[::]:8883\"\n     protocol: mqtt\n"),
     "f:3:6: error: this line is indented by 5, which fits nothing above it (line 2 has 2)"},
    {"indented too little", SLICE_INIT("listeners:\n  - bind: \"[::]:8883\"\n protocol: mqtt\n"),
     "f:3:2: error: this line is indented by 1"},
    {"indented deeper than its sister", SLICE_INIT("limits:\n  connections: 5\n    max_qos: 1\n"),
     "f:3:5: error: this line is indented by 4"},
    {"tab", SLICE_INIT("limits:\n\tconnections: 5\n"),
     "f:2:1: error: a tab cannot indent YAML: use spaces"},
    {"tab, Windows line ends", SLICE_INIT("workers: 1\r\n\tlimits: 1\r\n"),
     "f:2:1: error: a tab cannot indent YAML: use spaces"},
    {"no colon in the first line", SLICE_INIT("workers 1\nlimits:\n  connections: 5\n"),
     "f:1:1: error: this line has no colon after its key: write 'workers: 1'"},
    {"no colon after a section", SLICE_INIT("limits\n  connections: 5\n"),
     "f:1:1: error: this line has no colon after its key: write 'limits:'"},
    {"no colon in the last line", SLICE_INIT("limits:\n  connections: 5\n  max_qos 1\n"),
     "f:3:3: error: this line has no colon after its key: write 'max_qos: 1'"},
    {"no colon in the only line of a section", SLICE_INIT("limits:\n  connections 5\n"),
     "not 'connections 5'; write 'connections: 5'"},
    {"no blank in the first line", SLICE_INIT("workers:1\nlog: {}\n"),
     "f:1:1: error: a blank is missing after the colon: write 'workers: 1'"},
    {"no blank in a section", SLICE_INIT("limits:\n  connections:5\n  max_qos: 1\n"),
     "f:2:3: error: a blank is missing after the colon: write 'connections: 5'"},
    {"no blank in the last line", SLICE_INIT("limits:\n  max_qos: 1\n  connections:5\n"),
     "f:3:3: error: a blank is missing after the colon"},
    {"no blank in the only line of a section", SLICE_INIT("limits:\n  connections:5\n"),
     "write 'connections: 5'"},
    {"double quote not closed", SLICE_INIT("log:\n  audit: \"a\nworkers: 1\n"),
     "f:2:10: error: the quote that opens here is never closed"},
    {"single quote not closed", SLICE_INIT("log:\n  audit: 'a\nworkers: 1\n"),
     "f:2:10: error: the quote that opens here is never closed"},
    {"list not closed", SLICE_INIT("listeners: [{bind: a}\nworkers: 1\n"),
     "the list that opens with '[' on line 1 is not closed here with ']'"},
    {"mapping not closed", SLICE_INIT("listeners: [{bind: a]\n"),
     "the mapping that opens with '{' on line 1 is not closed here with '}'"},
    {"one bracket too many", SLICE_INIT("listeners: [{bind: a}]]\n"),
     "f:1:23: error: something follows here after a value that is complete"},
    {"text after a quoted value", SLICE_INIT("log:\n  audit: \"a\" b\n"),
     "f:2:14: error: something follows here"},
    {"colon in a value", SLICE_INIT("log:\n  audit: a: b\n"),
     "a value with a colon and a blank in it must be in quotes: write audit: \"a: b\""},
    {"path of Windows", SLICE_INIT("log:\n  audit: \"C:\\Users\\x\"\n"),
     "in double quotes a backslash begins an escape"},
    {"list item without its blank", SLICE_INIT("listeners:\n  - bind: unix:x\n    -mode: 0600\n"),
     "an item of a list begins with a dash and a blank: write '- mode'"},
    {"key in the column of the dashes", SLICE_INIT("listeners:\n  - bind: a\n  bind: b\n"),
     "f:3:3: error: this line is in the column of the list's dashes and has none"},
    {"dash among keys", SLICE_INIT("listeners:\n  bind: b\n  - bind: a\n"),
     "f:3:3: error: a list item ('- ') stands among keys"},
    {"list in the line of its key", SLICE_INIT("listeners: - bind: a\n"),
     "f:1:12: error: a list item ('- ') cannot begin in this line"},
    {"Latin-1", SLICE_INIT("log:\n  audit: caf\351\n"),
     "f:2:13: error: this character is not UTF-8: save the file as UTF-8"},
    {"UTF-16", SLICE_INIT("\377\376w\000o\000r\000k\000e\000r\000s\000:\000 \0001\000\n\000"),
     "f: error: it is UTF-16, as PowerShell"},
    {"UTF-16 without mark", SLICE_INIT("w\000o\000r\000k\000e\000r\000s\000:\000 \0001\000\n\000"),
     "f: error: it is UTF-16, as PowerShell"},
    {"control character", SLICE_INIT("log:\n  audit: a\001b\n"),
     "f:2:11: error: a control character (0x01): remove it"},
    {"program", SLICE_INIT("\177ELF\002\001\001\000\000"),
     "f: error: this is a program, not a text file"},
    {"compressed file", SLICE_INIT("\037\213\010\010abc"), "f: error: this is a compressed file"},
    {"boolean of other files",
     SLICE_INIT("listeners: [{bind: unix:x}]\nauthentication: {anonymous: Off}\n"),
     "anonymous must be true or false, not 'Off'; write 'false'"},
    {"size of other files", SLICE_INIT("listeners: [{bind: unix:x}]\nlimits: {memory: 512 MiB}\n"),
     "not '512 MiB'; write '512M'"},
    {"duration of other files",
     SLICE_INIT("listeners: [{bind: unix:x}]\nlimits: {connect_timeout: 10 sec}\n"),
     "not '10 sec'; write '10s'"},
    {"number of other files",
     SLICE_INIT("listeners: [{bind: unix:x}]\nlimits: {connections: 10_000}\n"),
     "not '10_000'; write '10000'"},
    {"word in capitals", SLICE_INIT("listeners: [{bind: unix:x}]\nlog: {level: INFO}\n"),
     "not 'INFO'; write 'info'"},
    {"nothing to suggest", SLICE_INIT("listeners: [{bind: unix:x}]\nlimits: {max_qos: 3}\n"),
     "max_qos must be a whole number from 0 to 2, not '3'\n"},
    {"key in capitals", SLICE_INIT("Listeners: []\n"),
     "unknown key 'Listeners'; did you mean 'listeners'?"},
    {"key with hyphens", SLICE_INIT("listeners: [{bind: unix:x}]\nlimits: {max-qos: 1}\n"),
     "unknown key 'max-qos' in limits; did you mean 'max_qos'?"},
    {"nearly a key of another section",
     SLICE_INIT("listeners: [{bind: unix:x}]\nmax_packet_sise: 1\n"),
     "unknown key 'max_packet_sise'; did you mean 'max_packet_size' in limits:?"},
    {"key of mosquitto", SLICE_INIT("listeners: [{bind: unix:x}]\nallow_anonymous: true\n"),
     "it is of another broker: write authentication: {anonymous: true} or false"},
    {"key of mosquitto in a listener", SLICE_INIT("listeners: [{port: 8883}]\n"),
     "it is of another broker: write listeners: [{bind: \"[::]:8883\"}]"},
    {"mosquitto.conf",
     SLICE_INIT("# mosquitto\nlistener 8883\nallow_anonymous false\nmax_connections 100\n"),
     "f: error: this is a configuration of another broker"},
    {"mosquitto.conf: its lines",
     SLICE_INIT("# mosquitto\nlistener 8883\nallow_anonymous false\nmax_connections 100\n"),
     "f:4:1: error: max_connections: write limits: {connections: NUMBER}"},
    {"flashmq.conf", SLICE_INIT("listen {\n  port 8883\n}\n"),
     "f:2:1: error: port: write listeners"},
    {"emqx.conf", SLICE_INIT("listeners.tcp.default {\n  bind = \"0.0.0.0:1883\"\n}\n"),
     "f: error: this is a configuration of another broker"},
    {"ini", SLICE_INIT("[mqtt]\nport = 1883\n"), "f:2:1: error: port: write listeners"},
    {"byte order mark", SLICE_INIT("\357\273\277listeners: [{bind: unix:x}]\n"), ""},
    {"Windows line ends", SLICE_INIT("listeners: [{bind: unix:x}]\r\nworkers: 1\r\n"), ""},
};

static void mistake_has_words_with_place_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char *got = errors_of("f", rows[i].bytes);

		if (rows[i].want[0] == '\0' ? got[0] != '\0' : strstr(got, rows[i].want) == NULL)
			fail_msg("%s: got\n%s\nwanted\n%s", rows[i].name, got, rows[i].want);
		if (strstr(got, "did not find") != NULL || strstr(got, "while parsing") != NULL)
			fail_msg("%s: words of libyaml:\n%s", rows[i].name, got);
		free(got);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mistake_has_words_with_place_and_remedy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
