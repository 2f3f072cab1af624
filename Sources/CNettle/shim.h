// RO:WHAT  SHA-256 from nettle.
// RO:WHY   libmicrohttpd brings nettle into the process already, so hashing a key costs no new pages.
#ifndef CNETTLE_SHIM_H
#define CNETTLE_SHIM_H

#include <nettle/sha2.h>

#endif
