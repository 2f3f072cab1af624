// The load client that drives every contestant, and the simulated neighbourhood of a DHT node.
//
//   load flood PROTOCOL OPERATION PORT PROCESS WINDOW REQUESTS [NODE [KEYS]]
//   load neighbours PROTOCOL NODE COUNT PREFIXES
//
// PROTOCOL: oap, krpc, opendht, resp, nats. OPERATION: find, get, put, relay. PORT: of the server, on 127.0.0.1.
// PROCESS: id of the server's process. NODE: the server's id in hexadecimal; "-" for none. KEYS: gets ask for keys
// 0..<KEYS. PREFIXES: how the neighbours lie around the node (neighbours.hpp). A flood prints one line of JSON.
// Neighbours print their ports and answer until standard input ends.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <stdexcept>

#include "flood.hpp"
#include "neighbours.hpp"

namespace {

Operation operationNamed(const std::string& name) {
    static const std::map<std::string, Operation> names{
        {"find", Operation::find}, {"get", Operation::get}, {"put", Operation::put}, {"relay", Operation::relay}};
    return names.at(name);
}

std::unique_ptr<Dialect> dialectNamed(const std::string& name, const Target& target) {
    static const std::map<std::string, std::function<std::unique_ptr<Dialect>(const Target&)>> makers{
        {"oap", makeOap}, {"krpc", makeKrpc}, {"opendht", makeOpenDht}, {"resp", makeResp}, {"nats", makeNats}};
    return makers.at(name)(target);
}

double percentile(const std::vector<float>& sorted, double part) {
    if (sorted.empty()) return 0;
    return sorted[std::min(sorted.size() - 1, static_cast<size_t>(static_cast<double>(sorted.size()) * part))];
}

void print(const Outcome& outcome) {
    const auto replies = static_cast<double>(outcome.replies);
    std::printf(
        "{\"replies\": %llu, \"refused\": %llu, \"lost\": %llu, \"per_s\": %.0f, \"cpu_us\": %.3f, "
        "\"p50_us\": %.1f, \"p99_us\": %.1f, \"reply_bytes\": %.0f}\n",
        static_cast<unsigned long long>(outcome.replies), static_cast<unsigned long long>(outcome.refused),
        static_cast<unsigned long long>(outcome.lost), replies / outcome.seconds, outcome.cpuSeconds * 1e6 / replies,
        percentile(outcome.latenciesUs, 0.50), percentile(outcome.latenciesUs, 0.99),
        static_cast<double>(outcome.replyBytes) / replies);
}

int runFlood(const std::vector<std::string>& words) {
    Target target{operationNamed(words.at(1)), {}, 1};
    if (words.size() > 6 && words[6] != "-") target.node = fromHex(words[6]);
    if (words.size() > 7) target.keys = std::stoull(words[7]);
    const auto dialect = dialectNamed(words.at(0), target);
    Link link = dialect->open({Endpoint::loopback(static_cast<uint16_t>(std::stoul(words.at(2))))});
    const Work work{std::stoull(words.at(5)), static_cast<uint32_t>(std::stoul(words.at(4))), std::stoi(words.at(3))};
    const Outcome outcome = flood(*dialect, link, work);
    print(outcome);
    return outcome.replies > 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
    const std::vector<std::string> words(arguments + 1, arguments + count);
    try {
        const std::string mode = words.at(0);
        if (mode == "flood") return runFlood({words.begin() + 1, words.end()});
        if (mode != "neighbours") throw std::out_of_range(mode);
        serveNeighbours(words.at(1), idsAround(fromHex(words.at(2)), std::stoul(words.at(3)), std::stoul(words.at(4))));
        return 0;
    } catch (const std::out_of_range&) {
        std::fprintf(stderr, "usage: load flood PROTOCOL OPERATION PORT PROCESS WINDOW REQUESTS [NODE [KEYS]]\n"
                             "       load neighbours PROTOCOL NODE COUNT PREFIXES\n");
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "load: %s\n", error.what());
        return 1;
    }
}
