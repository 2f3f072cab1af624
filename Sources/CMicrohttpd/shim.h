// RO:WHAT  libmicrohttpd, plus plain-argument wrappers of its variadic calls.
// RO:WHY   Swift cannot call C variadic functions.
#ifndef CMICROHTTPD_SHIM_H
#define CMICROHTTPD_SHIM_H

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

// Who is told of a message that libmicrohttpd would print.
struct svc_mhd_log {
  void (*message)(void *context, const char *text);
  void *context;
};

// Callbacks of a daemon; all of them get `context` first.
struct svc_mhd_callbacks {
  void *context;
  MHD_AccessHandlerCallback request;
  MHD_RequestCompletedCallback completed;
  MHD_NotifyConnectionCallback connection;
  struct svc_mhd_log *log;
};

struct svc_mhd_limits {
  unsigned int connections;
  unsigned int idle_seconds;
  size_t connection_bytes;
};

static inline void svc_mhd_format_log(void *log, const char *format, va_list arguments) {
  char text[256];
  vsnprintf(text, sizeof text, format, arguments);
  ((struct svc_mhd_log *)log)->message(((struct svc_mhd_log *)log)->context, text);
}

// Leaves escapes alone: a path may hold %00 and %2F, which a C string and a route would lose.
static inline size_t svc_mhd_keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
  (void)context;
  (void)connection;
  return strlen(text);
}

// Serves `listen_socket`, which must be listening, without a thread. NULL on failure.
static inline struct MHD_Daemon *svc_mhd_start(
    int listen_socket, struct svc_mhd_limits limits, struct svc_mhd_callbacks callbacks) {
  return MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
      callbacks.request, callbacks.context,
      MHD_OPTION_EXTERNAL_LOGGER, svc_mhd_format_log, callbacks.log,
      MHD_OPTION_LISTEN_SOCKET, listen_socket,
      MHD_OPTION_CONNECTION_LIMIT, limits.connections,
      MHD_OPTION_CONNECTION_TIMEOUT, limits.idle_seconds,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.connection_bytes,
      MHD_OPTION_UNESCAPE_CALLBACK, svc_mhd_keep_escapes, NULL,
      MHD_OPTION_NOTIFY_COMPLETED, callbacks.completed, callbacks.context,
      MHD_OPTION_NOTIFY_CONNECTION, callbacks.connection, callbacks.context,
      MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
      MHD_OPTION_END);
}

// The daemon's epoll descriptor, readable when MHD_run has work.
static inline int svc_mhd_epoll_fd(struct MHD_Daemon *daemon) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
  return info ? info->epoll_fd : -1;
}

static inline int svc_mhd_socket(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

// What the connection callback stored for this connection.
static inline void *svc_mhd_socket_context(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

#endif
