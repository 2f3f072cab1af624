// RO:WHAT  The one call of libFuzzer's that starts it.
// RO:WHY   The package manager names the program's entry itself, so libFuzzer's own main cannot be it.
#ifndef CFUZZER_SHIM_H
#define CFUZZER_SHIM_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

#endif
