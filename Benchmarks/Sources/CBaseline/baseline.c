#include "baseline.h"

#include <cbor.h>
#include <string.h>

static const uint8_t ID[BASELINE_ID] = {1, 2, 3};
static const char AT[] = "127.0.0.1:12345";

// Where the next byte goes; libcbor checks the room of heads, `raw` that of strings.
struct out {
    uint8_t *start, *next;
    size_t room;
};

static size_t left(const struct out *o)
{
    return o->room - (size_t)(o->next - o->start);
}

static void raw(struct out *o, const void *bytes, size_t count)
{
    if (count > left(o))
        return;
    memcpy(o->next, bytes, count);
    o->next += count;
}

static void map(struct out *o, size_t pairs)
{
    o->next += cbor_encode_map_start(pairs, o->next, left(o));
}

static void array(struct out *o, size_t items)
{
    o->next += cbor_encode_array_start(items, o->next, left(o));
}

static void number(struct out *o, uint64_t value)
{
    o->next += cbor_encode_uint(value, o->next, left(o));
}

static void text(struct out *o, const char *text, size_t count)
{
    o->next += cbor_encode_string_start(count, o->next, left(o));
    raw(o, text, count);
}

static void bytes(struct out *o, const uint8_t *bytes, size_t count)
{
    o->next += cbor_encode_bytestring_start(count, o->next, left(o));
    raw(o, bytes, count);
}

#define TEXT(o, literal) text(o, literal, sizeof literal - 1)

static struct out begin(uint8_t *start, size_t room, uint64_t rpc)
{
    struct out o = {start, start, room};
    map(&o, 7);
    TEXT(&o, "v");
    number(&o, 1);
    TEXT(&o, "dst");
    bytes(&o, ID, sizeof ID);
    TEXT(&o, "src");
    bytes(&o, ID, sizeof ID);
    TEXT(&o, "at");
    TEXT(&o, AT);
    TEXT(&o, "net");
    number(&o, 0);
    TEXT(&o, "id");
    number(&o, rpc);
    TEXT(&o, "msg");
    map(&o, 1);
    return o;
}

static size_t end(const struct out *o)
{
    return (size_t)(o->next - o->start);
}

static void record(struct out *o, const uint8_t *key, const uint8_t *value, size_t count)
{
    TEXT(o, "record");
    map(o, 4);
    TEXT(o, "key");
    bytes(o, key, BASELINE_ID);
    TEXT(o, "seq");
    number(o, 1000000);
    TEXT(o, "ttl");
    number(o, 3600);
    TEXT(o, "value");
    bytes(o, value, count);
}

size_t baseline_ping(uint8_t *out, size_t room, uint64_t rpc)
{
    struct out o = begin(out, room, rpc);
    TEXT(&o, "Ping");
    map(&o, 0);
    return end(&o);
}

size_t baseline_find_node(uint8_t *out, size_t room, uint64_t rpc, const uint8_t *target)
{
    struct out o = begin(out, room, rpc);
    TEXT(&o, "FindNode");
    map(&o, 1);
    TEXT(&o, "target");
    bytes(&o, target, BASELINE_ID);
    return end(&o);
}

size_t baseline_get(uint8_t *out, size_t room, uint64_t rpc, const uint8_t *key)
{
    struct out o = begin(out, room, rpc);
    TEXT(&o, "Get");
    map(&o, 1);
    TEXT(&o, "key");
    bytes(&o, key, BASELINE_ID);
    return end(&o);
}

size_t baseline_put(uint8_t *out, size_t room, uint64_t rpc, const uint8_t *key, const uint8_t *value, size_t count)
{
    struct out o = begin(out, room, rpc);
    TEXT(&o, "Put");
    map(&o, 1);
    record(&o, key, value, count);
    return end(&o);
}

size_t baseline_nodes(uint8_t *out, size_t room, uint64_t rpc, const uint8_t *ids, size_t count)
{
    struct out o = begin(out, room, rpc);
    TEXT(&o, "Nodes");
    map(&o, 1);
    TEXT(&o, "nodes");
    array(&o, count);
    for (size_t i = 0; i < count; i++) {
        array(&o, 2);
        bytes(&o, ids + i * BASELINE_ID, BASELINE_ID);
        TEXT(&o, AT);
    }
    return end(&o);
}

size_t baseline_found(uint8_t *out, size_t room, uint64_t rpc, const uint8_t *key, const uint8_t *value, size_t count)
{
    struct out o = begin(out, room, rpc);
    TEXT(&o, "Found");
    map(&o, 2);
    record(&o, key, value, count);
    TEXT(&o, "nodes");
    array(&o, 0);
    return end(&o);
}

static void on_bytes(void *context, cbor_data data, uint64_t count)
{
    struct baseline_message *m = context;
    if (count == BASELINE_ID && m->id_count < BASELINE_CONTACTS + 3)
        m->ids[m->id_count++] = data;
}

static void on_text(void *context, cbor_data data, uint64_t count)
{
    struct baseline_message *m = context;
    (void)data;
    m->texts++;
    m->text_bytes += count;
}

static void on_uint8(void *context, uint8_t value)
{
    ((struct baseline_message *)context)->last_uint = value;
}

static void on_uint16(void *context, uint16_t value)
{
    ((struct baseline_message *)context)->last_uint = value;
}

static void on_uint32(void *context, uint32_t value)
{
    ((struct baseline_message *)context)->last_uint = value;
}

static void on_uint64(void *context, uint64_t value)
{
    ((struct baseline_message *)context)->last_uint = value;
}

static void on_container(void *context, uint64_t count)
{
    (void)context;
    (void)count;
}

int baseline_decode(const uint8_t *bytes, size_t count, struct baseline_message *message)
{
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    callbacks.byte_string = on_bytes;
    callbacks.string = on_text;
    callbacks.uint8 = on_uint8;
    callbacks.uint16 = on_uint16;
    callbacks.uint32 = on_uint32;
    callbacks.uint64 = on_uint64;
    callbacks.array_start = callbacks.map_start = on_container;
    message->id_count = message->texts = message->text_bytes = message->items = 0;
    size_t at = 0;
    while (at < count) {
        struct cbor_decoder_result result = cbor_stream_decode(bytes + at, count - at, &callbacks, message);
        if (result.status != CBOR_DECODER_FINISHED)
            return 0;
        at += result.read;
        message->items++;
    }
    return 1;
}
