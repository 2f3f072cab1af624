// RO:WHAT  The few calls of c-ares that the resolver needs, with plain arguments.
// RO:WHY   <ares.h> includes <sys/socket.h>, and what two modules include textually, Swift finds in only one of them.
#ifndef SVC_ARES_H
#define SVC_ARES_H

#include <stdint.h>

struct svc_ares;

// c-ares wants to read from `fd`, to write to it, or, with neither, is about to close it.
typedef void (*svc_ares_socket_change)(void *context, int fd, int reads, int writes);

// One address (a sockaddr) of a name with its life in seconds; after the last one, and if there is none at once,
// `address` is NULL: that ends the question.
typedef void (*svc_ares_answer)(void *question, const void *address, uint32_t length, int ttl_seconds);

// `servers` is host:port,... or NULL for those of the system. NULL on failure.
struct svc_ares *svc_ares_start(const char *servers, int timeout_ms, int tries, svc_ares_socket_change change,
                                void *context);

// Ends every open question, closes every socket and frees everything.
void svc_ares_stop(struct svc_ares *resolver);

// Asks for the addresses of `host`; the answer may come before this returns.
void svc_ares_ask(struct svc_ares *resolver, const char *host, uint16_t port, svc_ares_answer answer, void *question);

// Handles sockets that are ready (-1 for none) and time-outs that have passed.
void svc_ares_process(struct svc_ares *resolver, int read_fd, int write_fd);

// Microseconds until `svc_ares_process` must be called whatever the sockets do; -1 when nothing is open.
int64_t svc_ares_wait_us(struct svc_ares *resolver);

#endif
