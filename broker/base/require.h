/* Checks on our own logic: always compiled in, abort with a backtrace.  They never depend on what a
 * peer or the system does. */
#ifndef BASE_REQUIRE_H
#define BASE_REQUIRE_H

/* Print the failed condition and a backtrace to stderr, then abort. */
__attribute__((cold)) _Noreturn void require_failed(const char *condition, const char *file,
                                                    int line);

#define REQUIRE(condition)                                                                         \
	(__builtin_expect(!(condition), 0) ? require_failed(#condition, __FILE__, __LINE__)        \
	                                   : (void)0)

#define UNREACHABLE() require_failed("unreachable", __FILE__, __LINE__)

/* Called before the process says why it aborts; NULL: nothing is. */
typedef void require_abort_fn(void);
void require_before_abort(require_abort_fn *fn);
/* The process is about to say why it aborts. If nobody takes what it says it ends all the same, by
 * SIGALRM. */
void require_end_soon(void);

#endif
