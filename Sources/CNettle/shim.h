// RO:WHAT  SHA-256 and a comparison in constant time, from nettle.
// RO:WHY   libmicrohttpd brings nettle into the process already, so hashing a key costs no new pages.
#ifndef CNETTLE_SHIM_H
#define CNETTLE_SHIM_H

#include <nettle/memops.h>
#include <nettle/sha2.h>

#endif
