/* By the wall clock, which has no leap seconds either. */
#include "net/tls/tls_date.h"

#include <stddef.h>
#include <time.h>

int64_t tls_date_epoch_s(const ASN1_TIME *date)
{
	struct tm tm = {0};

	return date != NULL && ASN1_TIME_to_tm(date, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}
