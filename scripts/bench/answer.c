// The least a server can do: an epoll loop that reads the very requests that `svc-dht bench` sends and answers each
// with bytes prepared beforehand. No routing table, no store, no limits. What svc-dht costs beside it is what the
// Kademlia costs.
//
// Usage: answer [CONTACTS [VALUE_BYTES]]     prints its port, then serves one session at a time for ever
//
// Answers: Ping with Pong, FindNode with Nodes of CONTACTS (20) contacts, Get with Found of VALUE_BYTES (100).
// All replies of a read leave in one write.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// Where things lie in a frame: 5 bytes of head, then the constant envelope head (docs/PROTOCOL.md).
enum { HEAD = 5, DST = HEAD + 10, SRC = HEAD + 48, AT = HEAD + 80, HELLO = 9, ID_BYTES = 32, RPC_BYTES = 9 };

struct reply {
    uint8_t bytes[4096 + 1024];
    size_t count;
    size_t rpc;  // offset of the RPC id's CBOR item
};

static const uint8_t hello[HELLO] = {'O', 'A', 'P', '1', 1, 0, 0, 0, 1};
static struct reply pong, nodes, found;
static uint8_t in[1 << 18], out[1 << 20];

static void put(struct reply *r, const void *bytes, size_t count)
{
    if (r->count + count > sizeof r->bytes)
        abort();
    memcpy(r->bytes + r->count, bytes, count);
    r->count += count;
}

static void put_text(struct reply *r, const char *text)
{
    uint8_t head = 0x60 + strlen(text);
    put(r, &head, 1);
    put(r, text, strlen(text));
}

static void put_bytes(struct reply *r, size_t count)
{
    static const uint8_t zeros[1024];
    uint8_t head[2] = {0x58, count};
    put(r, head, 2);
    put(r, zeros, count);
}

static void put_raw(struct reply *r, uint8_t byte)
{
    put(r, &byte, 1);
}

static void begin(struct reply *r)
{
    put(r, "\0\0\0\0\1", HEAD);
    put_raw(r, 0xA7);
    put_text(r, "v");
    put_raw(r, 1);
    put_text(r, "dst");
    put_bytes(r, ID_BYTES);
    put_text(r, "src");
    put_bytes(r, ID_BYTES);
    put_text(r, "at");
    put_text(r, "127.0.0.1:12345");
    put_text(r, "net");
    put_raw(r, 0);
    put_text(r, "id");
    r->rpc = r->count;
    put(r, "\x1B\0\0\0\0\0\0\0\0", RPC_BYTES);
    put_text(r, "msg");
    put_raw(r, 0xA1);
}

static void end(struct reply *r)
{
    uint32_t length = htonl(r->count - 4);
    memcpy(r->bytes, &length, 4);
}

static void prepare(int contacts, int value_bytes)
{
    begin(&pong);
    put_text(&pong, "Pong");
    put_raw(&pong, 0xA0);
    end(&pong);

    begin(&nodes);
    put_text(&nodes, "Nodes");
    put_raw(&nodes, 0xA1);
    put_text(&nodes, "nodes");
    put_raw(&nodes, 0x80 + contacts);
    for (int i = 0; i < contacts; i++) {
        put_raw(&nodes, 0x82);
        put_bytes(&nodes, ID_BYTES);
        put_text(&nodes, "127.0.0.1:12345");
    }
    end(&nodes);

    begin(&found);
    put_text(&found, "Found");
    put_raw(&found, 0xA2);
    put_text(&found, "record");
    put_raw(&found, 0xA4);
    put_text(&found, "key");
    put_bytes(&found, ID_BYTES);
    put_text(&found, "seq");
    put(&found, "\x19\x01\0", 3);
    put_text(&found, "ttl");
    put(&found, "\x19\x0E\x10", 3);
    put_text(&found, "value");
    put_bytes(&found, value_bytes);
    put_text(&found, "nodes");
    put_raw(&found, 0x80);
    end(&found);
}

// The request's name stands at the same place in all of them, behind `at`, `net`, the id and "msg".
static const struct reply *reply_to(const uint8_t *frame, size_t rpc)
{
    switch (frame[rpc + RPC_BYTES + 4 + 2]) {
    case 'F': return &nodes;
    case 'G': return &found;
    default: return &pong;
    }
}

// Appends the answer to one frame at `to`; returns its length.
static size_t answer(const uint8_t *frame, uint8_t *to)
{
    // "at" is empty in a client's request, so "net": 0 and "id" follow at once.
    const size_t rpc = AT + 3 + 1 + 4 + 1 + 3;
    const struct reply *r = reply_to(frame, rpc);
    // A session pings itself to be known to the switch, and any node to find one: both get what they look for.
    if (!memcmp(frame + DST, frame + SRC, ID_BYTES)) {
        uint32_t length;
        memcpy(&length, frame, 4);
        memcpy(to, frame, 4 + ntohl(length));
        return 4 + ntohl(length);
    }
    memcpy(to, r->bytes, r->count);
    memcpy(to + DST, frame + SRC, ID_BYTES);
    memset(to + SRC, 1, ID_BYTES);
    if (frame[rpc] == 0x1B)
        memcpy(to + r->rpc, frame + rpc, RPC_BYTES);
    return r->count;
}

static int listen_any(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (void *)&address, size) || listen(fd, 8)
        || getsockname(fd, (void *)&address, &size)) {
        perror("answer");
        exit(1);
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

// Writes all, waiting where the peer is slow; false when it is gone.
static int write_all(int fd, const uint8_t *bytes, size_t count)
{
    while (count) {
        ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return 0;
        if (n > 0) {
            bytes += n;
            count -= n;
        }
    }
    return 1;
}

// Serves one session to its end.
static void serve(int poller, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    size_t have = 0, greeted = 0;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    for (;;) {
        if (epoll_wait(poller, &event, 1, -1) < 1)
            continue;
        ssize_t n = recv(fd, in + have, sizeof in - have, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        if (n < 0)
            continue;
        have += n;
        size_t at = 0, ready = 0;
        if (!greeted) {
            if (have < HELLO)
                continue;
            memcpy(out, hello, HELLO);
            at = ready = greeted = HELLO;
        }
        while (have - at >= HEAD) {
            uint32_t length;
            memcpy(&length, in + at, 4);
            length = ntohl(length);
            if (length > 4096)
                goto end;
            if (have - at < 4 + length)
                break;
            if (in[at + 4] == 1 && length > 110)
                ready += answer(in + at, out + ready);
            at += 4 + length;
            if (ready > sizeof out - sizeof(struct reply)) {
                if (!write_all(fd, out, ready))
                    goto end;
                ready = 0;
            }
        }
        memmove(in, in + at, have - at);
        have -= at;
        if (!write_all(fd, out, ready))
            break;
    }
end:
    close(fd);
}

int main(int argc, char **argv)
{
    int contacts = argc > 1 ? atoi(argv[1]) : 20, value_bytes = argc > 2 ? atoi(argv[2]) : 100;
    if (contacts < 0 || contacts > 23 || value_bytes < 24 || value_bytes > 255) {
        fprintf(stderr, "answer: CONTACTS 0 to 23, VALUE_BYTES 24 to 255\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    prepare(contacts, value_bytes);
    int listener = listen_any(), poller = epoll_create1(EPOLL_CLOEXEC);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0)
            serve(poller, fd);
    }
}
