/* Bytes, tree, struct, checks. */
#include "conf/conf_load.h"

#include <sched.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "conf/conf_check.h"
#include "conf/conf_file.h"
#include "conf/conf_read.h"
#include "conf/foreign.h"
#include "conf/schema_section.h"
#include "conf/schema_table.h"
#include "conf/yaml.h"

#define WORKERS_MAX 64

/* Cores that this process may use. */
static unsigned cores(void)
{
	cpu_set_t set;
	int count;

	if (sched_getaffinity(0, sizeof(set), &set) != 0) /* more cores than the set has bits */
		return WORKERS_MAX;
	count = CPU_COUNT(&set);
	return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (unsigned)count;
}

struct conf *conf_load(const char *path, struct errors *errors)
{
	size_t errors_before = errors->error_count;
	struct conf *conf = NULL;
	struct conf_file file = {
	    .path = path, .what = "configuration", .max_bytes = YAML_SIZE_MAX, .is_argument = true};
	struct buf bytes = {0};

	if (conf_read_file(&file, &bytes, errors) == 0)
		conf = conf_parse(path, buf_slice(&bytes), errors);
	buf_fini(&bytes);
	if (errors->error_count == errors_before)
		return conf;
	conf_free(conf);
	return NULL;
}

struct conf *conf_parse(const char *name, struct slice bytes, struct errors *errors)
{
	size_t errors_before = errors->error_count;
	struct yaml_node *root =
	    foreign_refuse(name, bytes, errors) ? NULL : yaml_load_anyway(name, bytes, errors);
	struct conf *conf = NULL;

	if (root != NULL) {
		conf = xnew(conf);
		conf->path = xstrdup(name);
		conf_read(conf, name, root, errors);
		conf_check(conf, name, root, errors);
		if (conf->workers == 0)
			conf->workers = cores();
	} else if (errors->error_count == errors_before) {
		errors_add(errors, name, 0, 0,
		           "the file is empty: it needs listeners: and tls: at least");
	}
	yaml_free(root);
	if (errors->error_count == errors_before)
		return conf;
	conf_free(conf);
	return NULL;
}

void conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	schema_clear(&schema_root, (struct scope){.object = conf, .whole = conf});
	free(conf->path);
	free(conf);
}
