/* Between the password file, the hashing threads and the door.  A check that waits for its hash has
 * a copy of everything, so that it does not depend on the file. */
#include "auth/password_backend.h"

#include <stdlib.h>

#include "auth/password_file.h"
#include "base/alloc.h"
#include "base/container.h"

struct hash_wait {
	struct hash_request request;
	struct identity_check *check;
};

static void *load_file(const char *path, struct errors *errors)
{
	return password_file_load(path, errors);
}

static void free_file(void *data)
{
	struct password_file *file = data;

	password_file_unref(&file);
}

static size_t count_users(const void *data)
{
	return password_file_count(data);
}

static void fill_entry(const struct password_entry *user, struct identity_entry *out)
{
	*out = (struct identity_entry){
	    .name = user->name,
	    .id = user->entry_id,
	    .credential = password_file_credential(user),
	    .has_password = user->hash != NULL,
	    .has_scram = user->scram != NULL,
	    .locked = user->locked,
	    .assumed = user->assumed,
	    .pins = user->pins,
	    .roles = user->roles,
	    .role_count = user->role_count,
	    .line = user->line,
	};
}

static void user_at(const void *data, size_t index, struct identity_entry *out)
{
	fill_entry(password_file_at(data, index), out);
}

static bool find_user(const void *data, struct slice name, struct identity_entry *out)
{
	const struct password_entry *user = password_file_find(data, name);

	if (user != NULL)
		fill_entry(user, out);
	return user != NULL;
}

static void finish(struct hash_wait *wait)
{
	struct identity_check *check = wait->check;

	check->accepted = wait->request.accepted;
	check->is_refused_busy = wait->request.is_refused_busy;
	check->refuse_at_ms = wait->request.refuse_at_ms;
	check->state = NULL;
	hash_request_fini(&wait->request);
	free(wait);
}

static void on_hashed(struct task *task, void *executor_arg)
{
	struct hash_wait *wait = container_of(task, struct hash_wait, request.task);
	struct identity_check *check = wait->check;

	(void)executor_arg;
	finish(wait);
	check->done(check);
}

bool password_backend_check(const void *data, struct authenticator *a, struct identity_check *check)
{
	const struct password_entry *user =
	    data == NULL ? NULL : password_file_find(data, check->user);
	bool may = user != NULL && !check->is_nobody && !user->locked;
	struct hash_wait *wait = xnew(wait);

	wait->check = check;
	wait->request.task.run = on_hashed;
	wait->request.executor = check->executor;
	wait->request.address = check->address;
	wait->request.exists = user != NULL;
	wait->request.has_session = check->has_session;
	hash_request_fill(&wait->request, check->user, may ? user->hash : NULL, check->password);
	check->state = wait;
	if (!authenticator_submit(a, &wait->request))
		return false;
	finish(wait);
	return true;
}

void password_backend_cancel(struct authenticator *a, struct identity_check *check)
{
	struct hash_wait *wait = check->state;

	REQUIRE(wait != NULL); /* it has no answer yet */
	authenticator_cancel(a, &wait->request);
}

static bool find_scram(const void *data, struct slice name, struct scram_verifier *out)
{
	return password_file_scram(data, name, out);
}

static bool has_scram(const void *data)
{
	return password_file_has_scram(data);
}

static void use_file(const void *data, struct authenticator *a)
{
	authenticator_use(a, data);
}

static void measure_cost(const void *data, struct login_cost *out)
{
	login_cost_measure(data, out);
}

static void put_advice(const char *path, const char *name, bool unlock, struct buf *out)
{
	buf_printf(out, "broker-passwd %s %s %s", path, unlock ? "unlock" : "add", name);
}

const struct identity_backend password_backend = {
    .means = "password",
    .uri_name_refused = "every URI has a ':', which no name in that file can have; leave the "
			"password_file out, or take san_dns, san_email or cn",
    .load = load_file,
    .free = free_file,
    .count = count_users,
    .at = user_at,
    .find = find_user,
    .check = password_backend_check,
    .cancel = password_backend_cancel,
    .scram = find_scram,
    .has_scram = has_scram,
    .use = use_file,
    .login_cost = measure_cost,
    .put_advice = put_advice,
};
