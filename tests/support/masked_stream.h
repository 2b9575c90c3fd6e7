/* A stream over any other one that changes each byte: the smallest protocol of its own, as an
 * example of a stream in the middle of a stack. */
#ifndef TEST_SUPPORT_MASKED_STREAM_H
#define TEST_SUPPORT_MASKED_STREAM_H

#include "net/stream.h"

#define MASKED_STREAM_MASK 0x55

/* `inner` belongs to the new stream. Detached. */
struct stream *masked_stream_new(struct stream *inner);

/* For the far end. */
void masked_stream_change(uint8_t *bytes, size_t len);

#endif
