#include "svc_ares.h"

#include <ares.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

struct svc_ares {
  ares_channel channel;
};

struct question {
  svc_ares_answer answer;
  void *context;
};

struct svc_ares *svc_ares_start(const char *servers, int timeout_ms, int tries, svc_ares_socket_change change,
                                void *context) {
  struct ares_options options = {.timeout = timeout_ms, .tries = tries};
  options.sock_state_cb = change;
  options.sock_state_cb_data = context;
  struct svc_ares *resolver = malloc(sizeof *resolver);
  if (!resolver) return NULL;
  if (ares_init_options(&resolver->channel, &options,
                        ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
    free(resolver);
    return NULL;
  }
  if (servers && ares_set_servers_ports_csv(resolver->channel, servers) != ARES_SUCCESS) {
    svc_ares_stop(resolver);
    return NULL;
  }
  return resolver;
}

void svc_ares_stop(struct svc_ares *resolver) {
  ares_destroy(resolver->channel);
  free(resolver);
}

static void answered(void *context, int status, int timeouts, struct ares_addrinfo *list) {
  (void)timeouts;
  struct question question = *(struct question *)context;
  free(context);
  struct ares_addrinfo_node *node = status == ARES_SUCCESS && list ? list->nodes : NULL;
  for (; node; node = node->ai_next)
    question.answer(question.context, node->ai_addr, (uint32_t)node->ai_addrlen, node->ai_ttl);
  if (list) ares_freeaddrinfo(list);
  question.answer(question.context, NULL, 0, 0);
}

void svc_ares_ask(struct svc_ares *resolver, const char *host, uint16_t port, svc_ares_answer answer, void *context) {
  struct question *question = malloc(sizeof *question);
  if (!question) return answer(context, NULL, 0, 0);
  *question = (struct question){answer, context};
  char service[8];
  snprintf(service, sizeof service, "%u", (unsigned)port);
  struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  ares_getaddrinfo(resolver->channel, host, service, &hints, answered, question);
}

void svc_ares_process(struct svc_ares *resolver, int read_fd, int write_fd) {
  ares_process_fd(resolver->channel, read_fd, write_fd);
}

int64_t svc_ares_wait_us(struct svc_ares *resolver) {
  struct timeval time;
  if (!ares_timeout(resolver->channel, NULL, &time)) return -1;
  return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}
