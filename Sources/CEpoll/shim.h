// RO:WHAT  The Linux calls under the reactor: epoll, signalfd, eventfd, sockets, writev.
// RO:WHY   Glibc's Swift overlay leaves out the epoll headers, and hides macros such as EPOLLET.
#ifndef CEPOLL_SHIM_H
#define CEPOLL_SHIM_H

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// POSIX.1-2024; older headers hide it behind _GNU_SOURCE, which a module map cannot define.
extern int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);

#endif
