// RO:WHAT  The Linux calls under the reactor that Swift's Glibc module leaves out: epoll, eventfd, signalfd, timerfd.
#ifndef CEPOLL_SHIM_H
#define CEPOLL_SHIM_H

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

// accept4, which Glibc hides behind _GNU_SOURCE, and a module map cannot define that. Its own name and no
// <sys/socket.h>: what two modules include textually, Swift finds in only one of them.
extern int cepoll_accept4(int fd, void *address, void *length, int flags) __asm__("accept4");

#endif
