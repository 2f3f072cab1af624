// How a DHT library is driven from outside: one process a node, commands on standard input, one line back for each.
//
//   add PORT           tells the node of another one on 127.0.0.1        ok
//   table              contacts in the routing table                     N
//   put KEY VALUE      stores a text                                     COPIES MS
//   get KEY VALUE      fetches it, and compares                          COPIES MS
//
// COPIES: nodes that the library names as storing it, or 1 for a value found; 0 when the call failed. MS: the time the
// library took, in milliseconds. The first line printed is the port. It ends with its input.
#pragma once

#include <chrono>
#include <cstdint>
#include <iostream>
#include <sstream>
#include <string>

class Peer {
public:
    virtual ~Peer() = default;
    virtual uint16_t port() = 0;
    virtual void add(uint16_t port) = 0;
    virtual unsigned table() = 0;
    virtual size_t put(const std::string& key, const std::string& value) = 0;
    virtual size_t get(const std::string& key, const std::string& value) = 0;
};

/// Longest that one command waits for its library.
constexpr auto peerPatience = std::chrono::seconds(10);

inline std::string timed(size_t (Peer::*call)(const std::string&, const std::string&), Peer& peer,
                         const std::string& key, const std::string& value) {
    const auto start = std::chrono::steady_clock::now();
    const size_t copies = (peer.*call)(key, value);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    std::ostringstream line;
    line << copies << ' ' << took.count();
    return line.str();
}

inline std::string execute(Peer& peer, const std::string& line) {
    std::istringstream words(line);
    std::string command, key, value;
    words >> command >> key >> value;
    if (command == "add") return peer.add(static_cast<uint16_t>(std::stoul(key))), "ok";
    if (command == "table") return std::to_string(peer.table());
    if (command == "put") return timed(&Peer::put, peer, key, value);
    if (command == "get") return timed(&Peer::get, peer, key, value);
    return "unknown command";
}

inline void runConsole(Peer& peer) {
    std::cout << peer.port() << std::endl;
    for (std::string line; std::getline(std::cin, line);) std::cout << execute(peer, line) << std::endl;
}
