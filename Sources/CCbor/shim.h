// RO:WHAT  libcbor, as its own header declares it.
// RO:WHY   Payloads are encoded and decoded with its streaming calls, which never allocate.
#ifndef CCBOR_SHIM_H
#define CCBOR_SHIM_H

#include <cbor.h>

#endif
