// Keeps a window of requests in flight and accounts for what they cost the server.
#pragma once

#include "dialect.hpp"

struct Work {
    uint64_t requests;
    uint32_t window;  ///< requests in flight
    int process;      ///< whose CPU time is taken
};

struct Outcome {
    uint64_t replies = 0, refused = 0, lost = 0, replyBytes = 0;
    double seconds = 0, cpuSeconds = 0;
    std::vector<float> latenciesUs;  ///< of replies, sorted
};

Outcome flood(Dialect& dialect, Link& link, const Work& work);
