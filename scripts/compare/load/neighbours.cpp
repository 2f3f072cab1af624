#include "neighbours.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <numeric>
#include <stdexcept>

namespace {

constexpr size_t contactsPerAnswer = 8;

/// Whether `left` is nearer to `target` than `right`.
bool isNearer(View left, View right, View target) {
    for (size_t at = 0; at < target.size(); ++at) {
        const auto one = static_cast<unsigned char>(left[at] ^ target[at]);
        const auto other = static_cast<unsigned char>(right[at] ^ target[at]);
        if (one != other) return one < other;
    }
    return false;
}

bool bitOf(View id, size_t bit) { return static_cast<unsigned char>(id[bit / 8]) >> (7 - bit % 8) & 1; }

void setBit(Bytes& id, size_t bit, bool value) {
    const auto mask = static_cast<char>(1 << (7 - bit % 8));
    id[bit / 8] = static_cast<char>(value ? id[bit / 8] | mask : id[bit / 8] & ~mask);
}

void announce(const std::vector<Endpoint>& endpoints) {
    for (const auto& endpoint : endpoints) std::printf("%u ", endpoint.port());
    std::printf("\n");
    std::fflush(stdout);
}

/// Calls `serve` for each descriptor that has input, until standard input ends.
template <typename Serve>
void whileStandardInputLasts(std::vector<pollfd>& events, Serve serve) {
    events.push_back({STDIN_FILENO, POLLIN, 0});
    for (;;) {
        if (poll(events.data(), events.size(), -1) < 0) continue;
        const auto ready = events;
        for (const auto& event : ready) {
            if (event.revents == 0) continue;
            if (event.fd == STDIN_FILENO) return;
            serve(event.fd);
        }
    }
}

/// One socket a neighbour: these protocols tell nodes apart by address.
void serveDatagrams(const std::string& protocol, const std::vector<Bytes>& ids) {
    std::vector<Socket> sockets;
    std::vector<Endpoint> endpoints;
    std::vector<pollfd> events;
    std::map<int, size_t> indices;
    for (size_t index = 0; index < ids.size(); ++index) {
        sockets.push_back(Socket::datagram());
        sockets.back().bind(Endpoint::loopback(0));
        endpoints.push_back(sockets.back().local());
        events.push_back({sockets.back().descriptor(), POLLIN, 0});
        indices[sockets.back().descriptor()] = index;
    }
    const auto neighbours =
        protocol == "krpc" ? makeKrpcNeighbours(ids, endpoints) : makeOpenDhtNeighbours(ids, endpoints);
    announce(endpoints);
    whileStandardInputLasts(events, [&](int descriptor) {
        char input[4096];
        Endpoint from;
        socklen_t length = sizeof from.address;
        const auto address = reinterpret_cast<sockaddr*>(&from.address);
        const ssize_t got = recvfrom(descriptor, input, sizeof input, MSG_DONTWAIT, address, &length);
        if (got <= 0) return;
        size_t size = 0;
        const Bytes out = neighbours->answer(View(input, static_cast<size_t>(got)), indices[descriptor], size);
        if (!out.empty()) sendto(descriptor, out.data(), out.size(), 0, address, length);
    });
}

/// All neighbours behind one listener.
void serveStreams(const std::vector<Bytes>& ids) {
    const Socket listener = Socket::stream();
    listener.bind(Endpoint::loopback(0));
    listen(listener.descriptor(), SOMAXCONN);
    const auto neighbours = makeOapNeighbours(ids, listener.local().port());
    announce({listener.local()});
    std::map<int, Bytes> inputs;
    std::vector<pollfd> events{{listener.descriptor(), POLLIN, 0}};
    whileStandardInputLasts(events, [&](int descriptor) {
        if (descriptor == listener.descriptor()) {
            events.push_back({accept(descriptor, nullptr, nullptr), POLLIN, 0});
            return;
        }
        char chunk[16384];
        const ssize_t got = read(descriptor, chunk, sizeof chunk);
        if (got <= 0) {
            close(descriptor);
            inputs.erase(descriptor);
            std::erase_if(events, [&](const pollfd& event) { return event.fd == descriptor; });
            return;
        }
        Bytes& input = inputs[descriptor];
        input.append(chunk, static_cast<size_t>(got));
        Bytes out;
        size_t size = 0, taken = 0;
        do {
            out += neighbours->answer(View(input).substr(taken), 0, size);
            taken += size;
        } while (size > 0 && taken < input.size());
        input.erase(0, taken);
        sendAll(descriptor, out);
    });
}

}  // namespace

std::vector<size_t> closest(const std::vector<Bytes>& ids, View target, size_t count) {
    std::vector<size_t> order(ids.size());
    std::iota(order.begin(), order.end(), size_t{0});
    count = std::min(count, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(count), order.end(),
                      [&](size_t one, size_t other) { return isNearer(ids[one], ids[other], target); });
    order.resize(count);
    return order;
}

Bytes DatagramNeighbours::nodes(View target) const {
    Bytes out;
    for (const size_t index : closest(ids_, target, contactsPerAnswer)) {
        out += ids_[index];
        appendBigEndian(out, INADDR_LOOPBACK, 4);
        appendBigEndian(out, endpoints_[index].port(), 2);
    }
    return out;
}

std::vector<Bytes> idsAround(View node, size_t count, size_t prefixes) {
    IdSource source(node.size(), 3);
    std::vector<Bytes> ids;
    for (size_t index = 0; index < count; ++index) {
        Bytes id = source.next();
        const size_t shared = prefixes > 0 ? index % prefixes : 0;
        for (size_t bit = 0; prefixes > 0 && bit <= shared; ++bit)
            setBit(id, bit, bitOf(node, bit) != (bit == shared));
        ids.push_back(id);
    }
    return ids;
}

void serveNeighbours(const std::string& protocol, const std::vector<Bytes>& ids) {
    if (protocol == "oap") return serveStreams(ids);
    if (protocol == "krpc" || protocol == "opendht") return serveDatagrams(protocol, ids);
    throw std::invalid_argument("no neighbours speak " + protocol);
}
