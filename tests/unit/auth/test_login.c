/* Who is who: every combination that matters, and what a reload leaves of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/client_id.h"
#include "auth/login.h"
#include "auth/password_backend.h"
#include "auth/password_file.h"
#include "base/hash.h"

#define HASH  "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define HASH2 "$2b$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

#define SCRAM                                                                                      \
	"scram=SHA-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" \
	"$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

#define PIN       "sha256/A3+SVMail6BQnVCFnceqcqt3cvOeACZCV8CtLstrThM="
#define PIN_OTHER "sha256/B3+SVMail6BQnVCFnceqcqt3cvOeACZCV8CtLstrThM="

static struct identity_source *source_of(struct slice bytes)
{
	struct errors errors = {0};
	struct password_file *users = password_file_parse("users", bytes, &errors);

	assert_non_null(users);
	return identity_source_new(&password_backend, users, "users");
}

static struct identity_source *fixture(void)
{
	return source_of(SLICE("anna:id=00000000000000a1:hash=" HASH "\n"
	                       "locked:id=00000000000000a2:hash=" HASH ":locked\n"
	                       "card:id=00000000000000a3\n"
	                       "lost:id=00000000000000a4:locked\n"
	                       "both:id=00000000000000a5:hash=" HASH ":" SCRAM "\n"
	                       "proof:id=00000000000000a6:" SCRAM "\n"
	                       "gone:id=00000000000000a7:" SCRAM ":locked\n"
	                       "porch:id=00000000000000a8:assumed\n"
	                       "pinned:id=00000000000000b1:hash=" HASH ":pins=" PIN_OTHER "," PIN
	                       "\n"
	                       "nokey:id=00000000000000b2:pins=none\n"
	                       "twin:id=00000000000000b3:pins=" PIN "\n"
	                       "shed:id=00000000000000a9:assumed:locked\n"));
}

enum somebody { NOBODY, ANONYMOUS, PASSWORD, CERTIFICATE, PEER, ASSUMED };

/* Settings of a row, and what a client brings. NULL names are left out; "" is a name of no
 * length. */
struct row {
	const char *name;
	const char *user, *password, *certificate, *client_id;
	const char *key;            /* the pin of the certificate; NULL: not known */
	const char *peer, *assumed; /* of the listener */
	bool has_peer_users;
	bool anonymous, no_file, no_certificate_user, certificate_required, assigned, scram;
	bool both; /* certificate_and_password */
	enum conf_bind_client_id bind;
	enum login_verdict want;
	enum somebody who;
	uint64_t entry_id;
};

#define ACCEPTED LOGIN_ACCEPTED
#define HASHED   LOGIN_NEEDS_PROOF
#define BAD      LOGIN_BAD_CREDENTIALS
#define DENIED   LOGIN_NOT_AUTHORIZED
#define BAD_ID   LOGIN_BAD_CLIENT_ID
#define EQUAL    BIND_CLIENT_ID_EQUAL
#define PREFIX   BIND_CLIENT_ID_PREFIX
#define ANY      BIND_CLIENT_ID_PREFIX_ANY

/* clang-format off: a table */
static const struct row rows[] = {
    /* no user name, no certificate */
    {"anonymous, allowed", .anonymous = true, .want = ACCEPTED, .who = ANONYMOUS},
    {"anonymous, not allowed", .want = DENIED},
    {"password alone, allowed", .password = "x", .anonymous = true, .want = ACCEPTED,
     .who = ANONYMOUS},
    {"password alone, not allowed", .password = "x", .want = DENIED},
    {"anonymous has no name to bind", .client_id = "x", .anonymous = true, .bind = EQUAL,
     .want = ACCEPTED, .who = ANONYMOUS},

    /* user names: alike whatever the file says, and never anonymous */
    {"known", .user = "anna", .password = "x", .want = HASHED, .who = PASSWORD, .entry_id = 0xa1},
    {"known, anonymous on", .user = "anna", .password = "x", .anonymous = true, .want = HASHED,
     .who = PASSWORD, .entry_id = 0xa1},
    {"unknown", .user = "eve", .password = "x", .want = HASHED},
    {"unknown, anonymous on", .user = "eve", .password = "x", .anonymous = true, .want = HASHED},
    {"locked", .user = "locked", .password = "x", .want = HASHED},
    {"no hash", .user = "card", .password = "x", .want = HASHED},
    {"no password", .user = "anna", .want = HASHED},
    {"no password, anonymous on", .user = "anna", .anonymous = true, .want = HASHED},
    {"empty password", .user = "anna", .password = "", .want = HASHED},
    {"unknown, no password", .user = "eve", .want = HASHED},
    {"empty user name", .user = "", .password = "x", .anonymous = true, .want = HASHED},
    {"wildcard as user name", .user = "#", .password = "x", .want = HASHED},
    {"other case", .user = "Anna", .password = "x", .want = HASHED},
    {"no password file", .user = "anna", .password = "x", .no_file = true, .want = HASHED},

    /* SCRAM: the same, with the verifier in place of the hash and no password */
    {"scram", .user = "both", .scram = true, .want = HASHED, .who = PASSWORD, .entry_id = 0xa5},
    {"scram alone", .user = "proof", .scram = true, .want = HASHED, .who = PASSWORD,
     .entry_id = 0xa6},
    {"scram, a password that counts for nothing", .user = "both", .password = "x", .scram = true,
     .want = HASHED, .who = PASSWORD, .entry_id = 0xa5},
    {"scram, no verifier", .user = "anna", .scram = true, .want = HASHED},
    {"scram, locked", .user = "gone", .scram = true, .want = HASHED},
    {"scram, unknown", .user = "eve", .scram = true, .anonymous = true, .want = HASHED},
    {"scram, client id", .user = "both", .scram = true, .client_id = "bo", .bind = EQUAL,
     .want = BAD_ID},
    {"scram, unknown, client id", .user = "eve", .scram = true, .client_id = "bo", .bind = EQUAL,
     .want = BAD_ID},
    {"scram, certificate of another", .user = "both", .scram = true, .certificate = "anna",
     .want = BAD},
    {"scram, certificate of the same", .user = "both", .scram = true, .certificate = "both",
     .want = ACCEPTED, .who = CERTIFICATE, .entry_id = 0xa5},
    {"scram, certificate missing", .user = "both", .scram = true, .certificate_required = true,
     .want = DENIED},
    {"by password with a verifier only", .user = "proof", .password = "x", .want = HASHED},

    /* pins: the certificate names the user, and has one of the keys */
    {"pinned, the key", .certificate = "pinned", .key = PIN, .want = ACCEPTED, .who = CERTIFICATE,
     .entry_id = 0xb1},
    {"pinned, another key", .certificate = "pinned",
     .key = "sha256/"
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
     .want = BAD},
    {"pinned, a proxy has seen the key", .certificate = "pinned", .want = BAD},
    {"pinned, the key of a namesake's certificate", .certificate = "twin", .key = PIN,
     .want = ACCEPTED, .who = CERTIFICATE, .entry_id = 0xb3},
    {"pinned, the key under another name", .certificate = "card", .key = PIN, .want = ACCEPTED,
     .who = CERTIFICATE, .entry_id = 0xa3},
    {"pinned, the key and another user name", .user = "pinned", .certificate = "twin", .key = PIN,
     .want = BAD},
    {"pinned to nothing", .certificate = "nokey", .key = PIN, .want = BAD},
    {"pinned, by password", .user = "pinned", .password = "x", .want = HASHED, .who = PASSWORD,
     .entry_id = 0xb1},
    {"pinned, certificates name nobody", .user = "pinned", .password = "x", .certificate = "pinned",
     .key = PIN_OTHER, .no_certificate_user = true, .want = HASHED, .who = PASSWORD,
     .entry_id = 0xb1},
    {"pinned, by peer_users", .peer = "nokey", .want = ACCEPTED, .who = PEER, .entry_id = 0xb2},

    /* certificate and password */
    {"both", .both = true, .certificate = "anna", .user = "anna", .password = "x", .want = HASHED,
     .who = CERTIFICATE, .entry_id = 0xa1},
    {"both, the certificate's name alone", .both = true, .certificate = "anna", .password = "x",
     .want = HASHED, .who = CERTIFICATE, .entry_id = 0xa1},
    {"both, no certificate", .both = true, .user = "anna", .password = "x", .want = DENIED},
    {"both, no certificate, no such user", .both = true, .user = "eve", .password = "x",
     .want = DENIED},
    {"both, no certificate, scram", .both = true, .user = "both", .scram = true, .want = DENIED},
    {"both, no password", .both = true, .certificate = "anna", .user = "anna", .want = HASHED},
    {"both, the certificate alone", .both = true, .certificate = "anna", .want = HASHED},
    {"both, empty password", .both = true, .certificate = "anna", .password = "", .want = HASHED},
    {"both, of different users", .both = true, .certificate = "anna", .user = "both",
     .password = "x", .want = BAD},
    {"both, unknown", .both = true, .certificate = "eve", .password = "x", .want = HASHED},
    {"both, locked", .both = true, .certificate = "locked", .password = "x", .want = HASHED},
    {"both, the user has no password", .both = true, .certificate = "card", .password = "x",
     .want = HASHED},
    {"both, assumed", .both = true, .certificate = "porch", .password = "x", .want = HASHED},
    {"both, pinned", .both = true, .certificate = "pinned", .key = PIN, .password = "x",
     .want = HASHED, .who = CERTIFICATE, .entry_id = 0xb1},
    {"both, another key", .both = true, .certificate = "twin", .key = PIN_OTHER, .password = "x",
     .want = HASHED},
    {"both, pinned, another key", .both = true, .certificate = "pinned", .password = "x",
     .want = HASHED},
    {"both, scram", .both = true, .certificate = "both", .user = "both", .scram = true,
     .want = HASHED, .who = CERTIFICATE, .entry_id = 0xa5},
    {"both, scram, another's certificate", .both = true, .certificate = "anna", .user = "both",
     .scram = true, .want = BAD},
    {"both, no name in the certificate", .both = true, .certificate = "", .user = "anna",
     .password = "x", .want = BAD},
    {"both, client id", .both = true, .certificate = "anna", .password = "x", .client_id = "bo",
     .bind = EQUAL, .want = BAD_ID},
    {"both, a peer", .both = true, .peer = "anna", .want = DENIED},
    {"both, anonymous", .both = true, .anonymous = true, .want = ACCEPTED, .who = ANONYMOUS},
    {"both, anonymous with a certificate", .both = true, .certificate = "anna", .anonymous = true,
     .want = HASHED},
    {"both, assumed user", .both = true, .assumed = "porch", .want = ACCEPTED, .who = ASSUMED,
     .entry_id = 0xa8},

    /* bind_client_id: judged before it is known whether there is such a user */
    {"equal, fits", .user = "anna", .password = "x", .client_id = "anna", .bind = EQUAL,
     .want = HASHED, .who = PASSWORD, .entry_id = 0xa1},
    {"equal, longer", .user = "anna", .password = "x", .client_id = "anna-1", .bind = EQUAL,
     .want = BAD_ID},
    {"prefix, fits", .user = "anna", .password = "x", .client_id = "anna-1", .bind = PREFIX,
     .want = HASHED, .who = PASSWORD, .entry_id = 0xa1},
    {"prefix, equal", .user = "anna", .password = "x", .client_id = "anna", .bind = PREFIX,
     .want = HASHED, .who = PASSWORD, .entry_id = 0xa1},
    {"prefix, other", .user = "anna", .password = "x", .client_id = "bo-1", .bind = PREFIX,
     .want = BAD_ID},
    {"prefix, shorter", .user = "anna", .password = "x", .client_id = "ann", .bind = PREFIX,
     .want = BAD_ID},
    {"unknown, does not fit", .user = "eve", .password = "x", .client_id = "bo", .bind = EQUAL,
     .want = BAD_ID},
    {"unknown, fits", .user = "eve", .password = "x", .client_id = "eve", .bind = EQUAL,
     .want = HASHED},
    {"prefix, a longer name", .user = "anna", .password = "x", .client_id = "annabell",
     .bind = PREFIX, .want = BAD_ID},
    {"prefix, unknown, a longer name", .user = "ev", .password = "x", .client_id = "eve-1",
     .bind = PREFIX, .want = BAD_ID},
    {"prefix any, a longer name", .user = "anna", .password = "x", .client_id = "annabell",
     .bind = ANY, .want = HASHED, .who = PASSWORD, .entry_id = 0xa1},
    {"prefix any, other", .user = "anna", .password = "x", .client_id = "bo-1", .bind = ANY,
     .want = BAD_ID},
    {"equal, assigned", .user = "anna", .password = "x", .client_id = "anna", .assigned = true,
     .bind = EQUAL, .want = BAD_ID},
    {"equal, assigned, unknown", .user = "eve", .password = "x", .client_id = "", .assigned = true,
     .bind = EQUAL, .want = BAD_ID},
    {"prefix, assigned", .user = "anna", .password = "x", .client_id = "anna-1", .assigned = true,
     .bind = PREFIX, .want = BAD_ID},
    {"prefix any, assigned", .user = "anna", .password = "x", .client_id = "q7", .assigned = true,
     .bind = ANY, .want = HASHED, .who = PASSWORD, .entry_id = 0xa1},
    {"bound to nothing, assigned", .user = "anna", .password = "x", .client_id = "q7",
     .assigned = true, .want = HASHED, .who = PASSWORD, .entry_id = 0xa1},
    {"scram, assigned", .user = "both", .scram = true, .assigned = true, .bind = EQUAL,
     .want = BAD_ID},
    {"anonymous, assigned", .anonymous = true, .assigned = true, .bind = EQUAL, .want = ACCEPTED,
     .who = ANONYMOUS},
    {"certificate, fits", .certificate = "anna", .client_id = "anna", .bind = EQUAL,
     .want = ACCEPTED, .who = CERTIFICATE, .entry_id = 0xa1},
    {"certificate, other", .certificate = "anna", .client_id = "bo", .bind = EQUAL, .want = BAD_ID},
    {"certificate, assigned", .certificate = "anna", .client_id = "q7", .assigned = true,
     .bind = EQUAL, .want = BAD_ID},

    /* certificates that name the user, with a password file */
    {"certificate alone", .certificate = "anna", .want = ACCEPTED, .who = CERTIFICATE,
     .entry_id = 0xa1},
    {"certificate and its name", .certificate = "anna", .user = "anna", .want = ACCEPTED,
     .who = CERTIFICATE, .entry_id = 0xa1},
    {"its password is ignored", .certificate = "anna", .user = "anna", .password = "bad",
     .want = ACCEPTED, .who = CERTIFICATE, .entry_id = 0xa1},
    {"another name", .certificate = "anna", .user = "bo", .password = "x", .want = BAD},
    {"an empty name", .certificate = "anna", .user = "", .want = BAD},
    {"user without hash", .certificate = "card", .want = ACCEPTED, .who = CERTIFICATE,
     .entry_id = 0xa3},
    {"locked user", .certificate = "locked", .want = BAD},
    {"locked user without hash", .certificate = "lost", .want = BAD},
    {"not in the file", .certificate = "eve", .want = BAD},
    {"not in the file, anonymous on", .certificate = "eve", .anonymous = true, .want = BAD},
    {"names nobody", .certificate = "", .want = BAD},
    {"names nobody, with password", .certificate = "", .user = "anna", .password = "x",
     .want = BAD},
    {"names nobody, anonymous on", .certificate = "", .anonymous = true, .want = BAD},
    {"names a wildcard", .certificate = "+", .want = BAD},

    /* without a password file the certificate is enough */
    {"no file", .certificate = "eve", .no_file = true, .want = ACCEPTED, .who = CERTIFICATE},
    {"no file, another name", .certificate = "eve", .user = "anna", .no_file = true, .want = BAD},
    {"no file, names a topic", .certificate = "a/b", .no_file = true, .want = BAD},
    {"no file, names nobody", .certificate = "", .no_file = true, .want = BAD},

    /* certificates that only open the door */
    {"does not name: password", .certificate = "anna", .no_certificate_user = true, .user = "anna",
     .password = "x", .want = HASHED, .who = PASSWORD, .entry_id = 0xa1},
    {"does not name: anonymous", .certificate = "anna", .no_certificate_user = true,
     .anonymous = true, .want = ACCEPTED, .who = ANONYMOUS},
    {"does not name: not allowed", .certificate = "anna", .no_certificate_user = true,
     .want = DENIED},
    {"missing", .user = "anna", .password = "x", .certificate_required = true, .want = DENIED},
    {"missing, anonymous on", .anonymous = true, .certificate_required = true, .want = DENIED},
    {"required and there", .certificate = "anna", .certificate_required = true, .want = ACCEPTED,
     .who = CERTIFICATE, .entry_id = 0xa1},

    /* peers that a Unix socket knows */
    {"peer", .peer = "anna", .want = ACCEPTED, .who = PEER, .entry_id = 0xa1},
    {"peer and its name", .peer = "anna", .user = "anna", .password = "bad", .want = ACCEPTED,
     .who = PEER, .entry_id = 0xa1},
    {"peer without hash", .peer = "card", .want = ACCEPTED, .who = PEER, .entry_id = 0xa3},
    {"peer, another name", .peer = "anna", .user = "both", .password = "x", .want = BAD},
    {"peer, an empty name", .peer = "anna", .user = "", .want = BAD},
    {"peer, scram of another", .peer = "anna", .user = "both", .scram = true, .want = BAD},
    {"peer, locked", .peer = "locked", .want = BAD},
    {"peer, unknown", .peer = "eve", .want = BAD},
    {"peer, unknown, anonymous on", .peer = "eve", .anonymous = true, .want = BAD},
    {"peer without file", .peer = "eve", .no_file = true, .want = ACCEPTED, .who = PEER},
    {"peer, a wildcard", .peer = "+", .no_file = true, .want = BAD},
    {"peer, client id", .peer = "anna", .client_id = "bo", .bind = EQUAL, .want = BAD_ID},
    {"peer of an assumed user", .peer = "porch", .want = BAD},
    {"no peer", .has_peer_users = true, .want = DENIED},
    {"no peer, anonymous on", .has_peer_users = true, .anonymous = true, .want = DENIED},
    {"no peer, password", .has_peer_users = true, .user = "anna", .password = "x", .want = HASHED,
     .who = PASSWORD, .entry_id = 0xa1},
    {"peer, certificate of another", .peer = "anna", .certificate = "both", .want = ACCEPTED,
     .who = CERTIFICATE, .entry_id = 0xa5},

    /* clients without login, where a user is assumed */
    {"assumed", .assumed = "porch", .want = ACCEPTED, .who = ASSUMED, .entry_id = 0xa8},
    {"assumed, anonymous on", .assumed = "porch", .anonymous = true, .want = ACCEPTED,
     .who = ASSUMED, .entry_id = 0xa8},
    {"assumed, any client id", .assumed = "porch", .client_id = "x", .bind = EQUAL,
     .want = ACCEPTED, .who = ASSUMED, .entry_id = 0xa8},
    {"assumed, locked", .assumed = "shed", .anonymous = true, .want = DENIED},
    {"assumed, unknown", .assumed = "eve", .anonymous = true, .want = DENIED},
    {"assumed, who can log in", .assumed = "anna", .anonymous = true, .want = DENIED},
    {"assumed, without hash", .assumed = "card", .anonymous = true, .want = DENIED},
    {"assumed without file", .assumed = "porch", .no_file = true, .anonymous = true,
     .want = DENIED},
    {"assumed, with a name", .assumed = "porch", .user = "anna", .password = "x", .want = HASHED,
     .who = PASSWORD, .entry_id = 0xa1},
    {"assumed, an unknown name", .assumed = "porch", .user = "eve", .password = "x",
     .want = HASHED},
    {"assumed, an empty name", .assumed = "porch", .user = "", .want = HASHED},
    {"assumed, its own name", .assumed = "porch", .user = "porch", .want = HASHED},
    {"assumed, its own name by scram", .assumed = "porch", .user = "porch", .scram = true,
     .want = HASHED},
    {"assumed, a certificate of another", .assumed = "porch", .certificate = "anna",
     .want = ACCEPTED, .who = CERTIFICATE, .entry_id = 0xa1},
    {"assumed, its own certificate", .assumed = "porch", .certificate = "porch", .want = BAD},
    {"assumed, a certificate of nobody", .assumed = "porch", .certificate = "", .want = BAD},
    {"assumed, certificate missing", .assumed = "porch", .certificate_required = true,
     .want = DENIED},
    {"an assumed user by password", .user = "porch", .password = "x", .want = HASHED},
};
/* clang-format on */

static enum somebody somebody_of(const struct identity *id)
{
	if (id == NULL)
		return NOBODY;
	switch (id->kind) {
	case IDENTITY_ANONYMOUS:
		return ANONYMOUS;
	case IDENTITY_PASSWORD:
		return PASSWORD;
	case IDENTITY_CERTIFICATE:
		return CERTIFICATE;
	case IDENTITY_PEER:
		return PEER;
	case IDENTITY_ASSUMED:
		return ASSUMED;
	}
	return NOBODY;
}

static void take_key(struct login *login, const char *key)
{
	login->has_certificate_key = key != NULL;
	if (key != NULL)
		assert_true(key_pin_parse(slice_of_str(key), login->certificate_key));
}

static void run_row(const struct row *row, struct identity_source *users,
                    struct identity_source *none)
{
	struct conf_authentication conf = {
	    .anonymous = row->anonymous,
	    .certificate_user =
		row->no_certificate_user ? CERTIFICATE_USER_NONE : CERTIFICATE_USER_CN,
	    .bind_client_id = row->bind,
	    .login = row->both ? LOGIN_DEMANDS_BOTH : LOGIN_DEMANDS_EITHER,
	};
	struct login login = {
	    .conf = &conf,
	    .source = row->no_file ? none : users,
	    .has_user_name = row->user != NULL,
	    .has_password = row->password != NULL,
	    .scram = row->scram,
	    .user_name = slice_of_str(row->user),
	    .password = slice_of_str(row->password),
	    .client_id = slice_of_str(row->client_id),
	    .assigned_client_id = row->assigned,
	    .has_certificate = row->certificate != NULL,
	    .certificate_name = slice_of_str(row->certificate),
	    .certificate_required = row->certificate_required,
	    .peer_name = slice_of_str(row->peer),
	    .has_peer_users = row->has_peer_users || row->peer != NULL,
	    .assumed_name = slice_of_str(row->assumed),
	};
	struct identity *id = NULL;
	const char *why;
	enum login_verdict verdict;

	take_key(&login, row->key);
	verdict = login_decide(&login, &id, &why);

	if (verdict != row->want || somebody_of(id) != row->who)
		fail_msg("%s: verdict %d, kind %d", row->name, (int)verdict, (int)somebody_of(id));
	if ((why == NULL) != (verdict == LOGIN_ACCEPTED))
		fail_msg("%s: why: %s", row->name, why == NULL ? "nothing" : why);
	if (id != NULL && id->entry_id != row->entry_id)
		fail_msg("%s: entry", row->name);
	if (id != NULL && id->kind != IDENTITY_ANONYMOUS &&
	    !slice_equal(id->name, id->kind == IDENTITY_ASSUMED ? login.assumed_name
	                           : row->user != NULL          ? login.user_name
	                           : row->certificate != NULL   ? login.certificate_name
	                                                        : login.peer_name))
		fail_msg("%s: name", row->name);
	/* Whoever may log in by this could do so at a reload that changed nothing. */
	if (id != NULL && !login_still_valid(id, &login, &why))
		fail_msg("%s: not valid any more: %s", row->name, why);
	identity_unref(&id);
}

static void login_is_decided_by_table(void **state)
{
	struct identity_source *users = fixture();
	struct identity_source *none = identity_source_new(NULL, NULL, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i], users, none);
	identity_source_unref(&none);
	identity_source_unref(&users);
}

#define A1 "anna:id=00000000000000a1"
#define B1 "anna:id=00000000000000b1"

static const struct reload_case {
	const char *name;
	struct slice file;
	uint64_t entry_id;
	const char *certificate; /* names now; NULL: anna */
	const char *client_id;   /* NULL: the broker chose it */
	const char *peer, *assumed;
	enum identity_kind kind;
	enum conf_bind_client_id bind;
	bool no_file, no_anonymous, no_certificate_user;
	bool certificate_required;
	bool has_certificate; /* a password user's; one of kind CERTIFICATE has one */
	bool has_peer_users;
	bool both;          /* certificate_and_password now */
	bool with_password; /* a certificate user: logged in with both */
	bool valid;
} reload_cases[] = {
    {"anonymous stays", .kind = IDENTITY_ANONYMOUS, .valid = true},
    {"anonymous off", .kind = IDENTITY_ANONYMOUS, .no_anonymous = true},

    {"nothing changed", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .valid = true},
    {"roles changed", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH ":roles=a\n"), .valid = true},
    {"anonymous off is no matter", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .no_anonymous = true, .valid = true},
    {"removed", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1, .file = SLICE_INIT("")},
    {"a namesake", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(B1 ":hash=" HASH "\n")},
    {"locked", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH ":locked\n")},
    {"new password", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH2 "\n")},
    {"a verifier came", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH ":" SCRAM "\n")},
    {"a verifier in its place", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":" SCRAM "\n")},
    {"password taken away", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 "\n")},
    {"no file any more", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1, .no_file = true},

    {"certificate stays", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 "\n"), .valid = true},
    {"its password changed", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH2 "\n"), .valid = true},
    {"certificate user locked", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":locked\n")},
    {"certificate user removed", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT("")},
    {"certificate user's namesake", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(B1 "\n")},
    {"certificates name nobody now", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 "\n"), .no_certificate_user = true},
    {"certificate without file", .kind = IDENTITY_CERTIFICATE, .entry_id = 0, .no_file = true,
     .valid = true},
    {"a file came", .kind = IDENTITY_CERTIFICATE, .entry_id = 0, .file = SLICE_INIT("")},
    {"a file with the name came", .kind = IDENTITY_CERTIFICATE, .entry_id = 0,
     .file = SLICE_INIT(A1 "\n")},
    {"the file went", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1, .no_file = true},
    {"another part of it names the user", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 "\n"), .certificate = "anna.example"},
    {"that part names nobody", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 "\n"), .certificate = ""},

    {"certificate user pinned to its key", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":pins=" PIN_OTHER "," PIN "\n"), .valid = true},
    {"its pin was removed", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":pins=" PIN_OTHER "\n")},
    {"its last pin was removed", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":pins=none\n")},
    {"a password user whose certificate has another key", .kind = IDENTITY_PASSWORD,
     .entry_id = 0xa1, .file = SLICE_INIT(A1 ":hash=" HASH ":pins=" PIN_OTHER "\n"),
     .has_certificate = true},
    {"a password user without certificate, pinned now", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH ":pins=" PIN_OTHER "\n"), .valid = true},

    {"both are demanded, and both were shown", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .both = true, .with_password = true, .valid = true},
    {"both are demanded, and the password is another", .kind = IDENTITY_CERTIFICATE,
     .entry_id = 0xa1, .file = SLICE_INIT(A1 ":hash=" HASH2 "\n"), .both = true,
     .with_password = true},
    {"both were shown, and one is enough now", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH2 "\n"), .with_password = true, .valid = true},
    {"both are demanded of a certificate", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .both = true},
    {"both are demanded of one without a password", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 "\n"), .both = true},
    {"both are demanded of a password", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .both = true},
    {"both are demanded of a password with a certificate", .kind = IDENTITY_PASSWORD,
     .entry_id = 0xa1, .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .both = true,
     .has_certificate = true, .valid = true},
    {"both are demanded of a peer", .kind = IDENTITY_PEER, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .peer = "anna", .both = true},
    {"both are demanded, not of anonymous", .kind = IDENTITY_ANONYMOUS, .both = true,
     .valid = true},
    {"both, and the pin was removed", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH ":pins=none\n"), .both = true, .with_password = true},

    {"certificates are required now", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .certificate_required = true},
    {"and this one has one", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .certificate_required = true,
     .has_certificate = true, .no_certificate_user = true, .valid = true},
    {"of anonymous too", .kind = IDENTITY_ANONYMOUS, .certificate_required = true},
    {"its certificate names the same user now", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .has_certificate = true, .valid = true},
    {"its certificate names another user now", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .has_certificate = true, .certificate = "bertil"},
    {"anonymous with a certificate that names a user now", .kind = IDENTITY_ANONYMOUS,
     .has_certificate = true},

    {"the client id begins with the name", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .client_id = "anna-1",
     .bind = BIND_CLIENT_ID_PREFIX, .valid = true},
    {"the client id does not fit any more", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .client_id = "lamp", .bind = BIND_CLIENT_ID_PREFIX},
    {"nor that of a certificate user", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 "\n"), .client_id = "lamp", .bind = BIND_CLIENT_ID_EQUAL},
    {"one that the broker chose is of nobody", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .bind = BIND_CLIENT_ID_EQUAL},
    {"and fits where any may follow", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .bind = BIND_CLIENT_ID_PREFIX_ANY, .valid = true},
    {"peer stays", .kind = IDENTITY_PEER, .entry_id = 0xa1, .file = SLICE_INIT(A1 "\n"),
     .peer = "anna", .valid = true},
    {"its password changed, too", .kind = IDENTITY_PEER, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH2 "\n"), .peer = "anna", .valid = true},
    {"peer named no more", .kind = IDENTITY_PEER, .entry_id = 0xa1, .file = SLICE_INIT(A1 "\n")},
    {"peer named otherwise", .kind = IDENTITY_PEER, .entry_id = 0xa1, .file = SLICE_INIT(A1 "\n"),
     .peer = "both"},
    {"peer locked", .kind = IDENTITY_PEER, .entry_id = 0xa1, .file = SLICE_INIT(A1 ":locked\n"),
     .peer = "anna"},
    {"peer removed", .kind = IDENTITY_PEER, .entry_id = 0xa1, .file = SLICE_INIT(""),
     .peer = "anna"},
    {"peer's namesake", .kind = IDENTITY_PEER, .entry_id = 0xa1, .file = SLICE_INIT(B1 "\n"),
     .peer = "anna"},
    {"peer can only be assumed now", .kind = IDENTITY_PEER, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":assumed\n"), .peer = "anna"},
    {"by password, and a peer of that name now", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .peer = "anna", .valid = true},
    {"by password, and a peer of another name now", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .peer = "both"},
    {"anonymous, and a peer now", .kind = IDENTITY_ANONYMOUS, .peer = "anna"},
    {"anonymous, and peers are others now", .kind = IDENTITY_ANONYMOUS, .has_peer_users = true},
    {"anonymous, and somebody is assumed now", .kind = IDENTITY_ANONYMOUS, .assumed = "anna"},
    {"assumed stays", .kind = IDENTITY_ASSUMED, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":assumed\n"), .assumed = "anna", .no_anonymous = true, .valid = true},
    {"assumed no more", .kind = IDENTITY_ASSUMED, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":assumed\n")},
    {"another one is assumed", .kind = IDENTITY_ASSUMED, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":assumed\n"), .assumed = "both"},
    {"assumed, locked", .kind = IDENTITY_ASSUMED, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":assumed:locked\n"), .assumed = "anna"},
    {"assumed, removed", .kind = IDENTITY_ASSUMED, .entry_id = 0xa1, .file = SLICE_INIT(""),
     .assumed = "anna"},
    {"assumed, can log in now", .kind = IDENTITY_ASSUMED, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":hash=" HASH "\n"), .assumed = "anna"},
    {"assumed, its certificate names a user now", .kind = IDENTITY_ASSUMED, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":assumed\n"), .assumed = "anna", .has_certificate = true},
    {"by password, can only be assumed now", .kind = IDENTITY_PASSWORD, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":assumed\n")},
    {"by certificate, can only be assumed now", .kind = IDENTITY_CERTIFICATE, .entry_id = 0xa1,
     .file = SLICE_INIT(A1 ":assumed\n")},
    {"of anonymous none is asked", .kind = IDENTITY_ANONYMOUS, .client_id = "lamp",
     .bind = BIND_CLIENT_ID_EQUAL, .valid = true},
};

static void identity_after_reload_is_decided_by_table(void **state)
{
	char hash[] = HASH;
	const struct password_entry before = {.hash = hash};

	(void)state;
	for (size_t i = 0; i < sizeof(reload_cases) / sizeof(reload_cases[0]); i++) {
		const struct reload_case *c = &reload_cases[i];
		struct conf_authentication conf = {
		    .anonymous = !c->no_anonymous,
		    .certificate_user =
			c->no_certificate_user ? CERTIFICATE_USER_NONE : CERTIFICATE_USER_SAN_DNS,
		    .bind_client_id = c->bind,
		    .login = c->both ? LOGIN_DEMANDS_BOTH : LOGIN_DEMANDS_EITHER,
		};
		struct identity_source *users =
		    c->no_file ? identity_source_new(NULL, NULL, NULL) : source_of(c->file);
		bool anonymous = c->kind == IDENTITY_ANONYMOUS;
		struct identity *id =
		    identity_new(c->kind, anonymous ? SLICE_EMPTY : SLICE("anna"), c->entry_id,
		                 c->kind == IDENTITY_PASSWORD || c->with_password
		                     ? password_file_credential(&before)
		                     : 0);
		const char *named = c->certificate == NULL ? "anna" : c->certificate;
		struct login now = {
		    .conf = &conf,
		    .source = users,
		    .client_id = slice_of_str(c->client_id),
		    .assigned_client_id = c->client_id == NULL,
		    .has_certificate = c->has_certificate || c->kind == IDENTITY_CERTIFICATE,
		    .certificate_required = c->certificate_required,
		    .peer_name = slice_of_str(c->peer),
		    .has_peer_users = c->has_peer_users || c->peer != NULL,
		    .assumed_name = slice_of_str(c->assumed),
		};
		const char *why;

		if (now.has_certificate && !c->no_certificate_user)
			now.certificate_name = slice_of_str(named);
		take_key(&now, PIN);
		if (login_still_valid(id, &now, &why) != c->valid)
			fail_msg("%s", c->name);
		assert_int_equal(why == NULL, c->valid);
		identity_unref(&id);
		identity_source_unref(&users);
	}
}

/* User, client id, and by which of the rules it fits. */
static const struct {
	const char *user, *client_id;
	bool equal, prefix, prefix_any;
} ids[] = {
    {"al", "al", true, true, true},
    {"al", "al-lamp", false, true, true},
    {"al", "al/lamp", false, true, true},
    {"al", "al.lamp", false, true, true},
    {"al", "al lamp", false, true, true},
    {"al", "al_lamp", false, true, true},
    {"al", "al@", false, true, true},
    {"al", "al[", false, true, true},
    {"al", "al`", false, true, true},
    {"al", "al{", false, true, true},
    {"al", "al:", false, true, true},
    {"al", "alice-lamp", false, false, true},
    {"al", "ala", false, false, true},
    {"al", "alz", false, false, true},
    {"al", "alA", false, false, true},
    {"al", "alZ", false, false, true},
    {"al", "al0", false, false, true},
    {"al", "al9", false, false, true},
    /* letters beyond ASCII, a combining one, and what is no letter but costs a table to know */
    {"al", "al\xc3\xa9on", false, false, true},
    {"al", "al\xcc\x81", false, false, true},
    {"al", "al\xe2\x80\x94lamp", false, false, true},
    {"\xc3\xa5sa", "\xc3\xa5sa-1", false, true, true},
    {"\xc3\xa5sa", "\xc3\xa5sa1", false, false, true},
    {"al", "a", false, false, false},
    {"al", "Al", false, false, false},
    {"al", "-al", false, false, false},
    {"al", "x", false, false, false},
    {"al", "", false, false, true}, /* the broker assigns one */
    {"auto", "", false, false, true},
};

static void client_ids_match_by_the_rule_of_bind_client_id(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const bool want[] = {[BIND_CLIENT_ID_NONE] = true,
		                     [BIND_CLIENT_ID_EQUAL] = ids[i].equal,
		                     [BIND_CLIENT_ID_PREFIX] = ids[i].prefix,
		                     [BIND_CLIENT_ID_PREFIX_ANY] = ids[i].prefix_any};

		for (unsigned bind = 0; bind < sizeof(want) / sizeof(want[0]); bind++) {
			const char *why = client_id_misfit(bind, slice_of_str(ids[i].client_id),
			                                   slice_of_str(ids[i].user));

			if ((why == NULL) != want[bind])
				fail_msg("%s, %s, %u: %s", ids[i].user, ids[i].client_id, bind,
				         why == NULL ? "fits" : why);
		}
	}
	/* Whoever would have fitted before is told what does so now. */
	assert_non_null(strstr(client_id_misfit(BIND_CLIENT_ID_PREFIX, SLICE("alice"), SLICE("al")),
	                       "prefix_any"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(client_ids_match_by_the_rule_of_bind_client_id),
	    cmocka_unit_test(login_is_decided_by_table),
	    cmocka_unit_test(identity_after_reload_is_decided_by_table),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
