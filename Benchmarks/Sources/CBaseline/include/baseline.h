// RO:WHAT  Envelopes written and read by plain C over libcbor's streaming calls: what the codec in Swift is held against.
// RO:WHY   Nothing is checked beyond what libcbor checks, and nothing is compared: it is the least that decodes.
#ifndef BASELINE_H
#define BASELINE_H

#include <stddef.h>
#include <stdint.h>

enum { BASELINE_ID = 32, BASELINE_CONTACTS = 64 };

// What `baseline_decode` finds.
struct baseline_message {
    const uint8_t *ids[BASELINE_CONTACTS + 3];  // byte strings of 32 bytes, in their order
    size_t id_count;
    uint64_t last_uint;
    size_t texts, text_bytes, items;
};

// Each writes a whole envelope of 32-byte ids to `out`, which has room for it, and returns its length.
size_t baseline_ping(uint8_t *out, size_t room, uint64_t rpc);
size_t baseline_find_node(uint8_t *out, size_t room, uint64_t rpc, const uint8_t *target);
size_t baseline_get(uint8_t *out, size_t room, uint64_t rpc, const uint8_t *key);
size_t baseline_put(uint8_t *out, size_t room, uint64_t rpc, const uint8_t *key, const uint8_t *value, size_t count);
size_t baseline_nodes(uint8_t *out, size_t room, uint64_t rpc, const uint8_t *ids, size_t count);
size_t baseline_found(uint8_t *out, size_t room, uint64_t rpc, const uint8_t *key, const uint8_t *value, size_t count);

// Decodes one item; 1 when it ends with the bytes.
int baseline_decode(const uint8_t *bytes, size_t count, struct baseline_message *message);

#endif
