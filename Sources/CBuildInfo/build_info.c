#include "build_info.h"

const char *svc_build_git(void) { return SVC_BUILD_GIT; }

const char *svc_build_date(void) { return SVC_BUILD_DATE; }
