// RO:WHAT  libmicrohttpd answering every request with the same 100 bytes, on an epoll set of its own.
// RO:WHY   The least that HTTP by this library can cost; scripts/bench/http.sh holds the node's admin port against it.
//
// usage: constant          prints the port it listens on, and serves until it is ended
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

static struct MHD_Response *answer;

static enum MHD_Result respond(void *unused, struct MHD_Connection *connection, const char *url, const char *method,
                               const char *version, const char *upload, size_t *upload_size, void **state) {
    static int seen;
    (void)unused, (void)url, (void)method, (void)version, (void)upload, (void)upload_size;
    if (*state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    return MHD_queue_response(connection, 200, answer);
}

int main(void) {
    static char body[100];
    memset(body, 'v', sizeof body);
    answer = MHD_create_response_from_buffer(sizeof body, body, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(answer, "Content-Type", "application/octet-stream");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, respond, NULL, MHD_OPTION_SOCK_ADDR,
                                                 &address, MHD_OPTION_END);
    if (daemon == NULL) return 1;
    printf("%d\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    int inner = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int outer = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event);
    for (;;) {
        epoll_wait(outer, &event, 1, 1000);
        MHD_run(daemon);
    }
}
