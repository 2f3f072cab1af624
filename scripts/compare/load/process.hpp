// What the kernel says of a process.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

/// CPU time of all threads of a process, user and system, as the scheduler counts it.
inline double cpuSecondsOf(int process) {
    uint64_t nanoseconds = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
        uint64_t ran = 0;
        if (std::ifstream(task.path() / "schedstat") >> ran) nanoseconds += ran;
    }
    return static_cast<double>(nanoseconds) / 1e9;
}
