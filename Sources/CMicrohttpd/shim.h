// RO:WHAT  libmicrohttpd, plus plain-argument wrappers of its variadic calls.
// RO:WHY   Swift cannot call C variadic functions.
#ifndef CMICROHTTPD_SHIM_H
#define CMICROHTTPD_SHIM_H

#include <microhttpd.h>

#endif
