/* Writes the completion of broker-ctl for bash, from the same rows as the program itself.  Run when
 * it is built. */
#include <stdio.h>

#include "base/array.h"
#include "ctl/ctl_command.h"

/* Of broker-ctl itself. */
static const struct {
	const char *name;
	bool has_value;
} own_options[] = {
    {"-c", true},         {"--config", true},      {"--socket", true},      {"--json", false},
    {"--escaped", false}, {"--trust-owner", true}, {"--trust-group", true}, {"--help", false},
    {"--version", false},
};

/* What an option of a command can be. */
static const struct {
	enum ctl_option option;
	const char *values;
} values[] = {
    {OPTION_level, "error warning info debug"},
    {OPTION_action, "publish subscribe receive will"},
    {OPTION_qos, "0 1 2"},
};

static const char *values_of(size_t option)
{
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (values[i].option == option)
			return values[i].values;
	}
	return "";
}

static void put_value_cases(void)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (ctl_option_rows[i].word != NULL)
			printf(
			    "\t--%s)\n\t\tCOMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n\t\treturn\n"
			    "\t\t;;\n",
			    ctl_option_rows[i].name, values_of(i));
	}
	for (size_t i = 0; i < ARRAY_LEN(own_options); i++) {
		if (own_options[i].has_value)
			printf("\t%s)\n\t\tCOMPREPLY=($(compgen -f -- "
			       "\"$cur\"))\n\t\treturn\n\t\t;;\n",
			       own_options[i].name);
	}
}

/* "-c|--config|--user": options that have a value, which is no command. */
static void put_valued(void)
{
	const char *between = "";

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (ctl_option_rows[i].word == NULL)
			continue;
		printf("%s--%s", between, ctl_option_rows[i].name);
		between = "|";
	}
	for (size_t i = 0; i < ARRAY_LEN(own_options); i++) {
		if (own_options[i].has_value)
			printf("|%s", own_options[i].name);
	}
}

static void put_command(const struct ctl_command *command)
{
	const char *between = "";

	printf("\t%s) words='", command->name);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if ((command->options & 1U << i) == 0)
			continue;
		printf("%s--%s", between, ctl_option_rows[i].name);
		between = " ";
	}
	printf("' ;;\n");
}

static void put_first_words(void)
{
	printf("\t'') words='");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("%s ", ctl_commands[i].name);
	for (size_t i = 0; i < ARRAY_LEN(own_options); i++)
		printf("%s ", own_options[i].name);
	printf("' ;;\n");
}

int main(void)
{
	printf("# Completion of broker-ctl(1) for bash.\n"
	       "_broker_ctl()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= "
	       "words= i\n"
	       "\tCOMPREPLY=()\n"
	       "\tcase $prev in\n");
	put_value_cases();
	printf("\tesac\n"
	       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	       "\t\tcase ${COMP_WORDS[i]} in\n\t\t");
	put_valued();
	printf(") ((i++)) ;;\n"
	       "\t\t-*) ;;\n"
	       "\t\t*) command=${COMP_WORDS[i]} && break ;;\n"
	       "\t\tesac\n"
	       "\tdone\n"
	       "\tcase $command in\n");
	put_first_words();
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		put_command(&ctl_commands[i]);
	printf("\tesac\n"
	       "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	       "}\n"
	       "complete -F _broker_ctl broker-ctl\n");
	return 0;
}
