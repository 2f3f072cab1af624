// RO:WHAT  What the build was told about itself.
// RO:WHY   The manifest can define macros for C only; this file alone is compiled again when they change.
#ifndef CBUILDINFO_BUILD_INFO_H
#define CBUILDINFO_BUILD_INFO_H

// Abbreviated commit, "unknown" when the build was not told.
const char *svc_build_git(void);

// Date of that commit, RFC 3339, "unknown" when the build was not told.
const char *svc_build_date(void);

#endif
