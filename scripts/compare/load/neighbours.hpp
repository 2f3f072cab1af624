// Simulated nodes around a server, so that its routing table has something to choose from.
#pragma once

#include <memory>
#include <vector>

#include "dialect.hpp"

/// Indices of the `count` ids nearest to `target` by XOR, nearest first.
std::vector<size_t> closest(const std::vector<Bytes>& ids, View target, size_t count);

/// `count` ids around `node`: number i shares exactly i % `prefixes` leading bits with it, so that many buckets fill;
/// with 0 prefixes they are spread evenly.
std::vector<Bytes> idsAround(View node, size_t count, size_t prefixes);

/// What neighbours that are told apart by address have in common: ids, and the compact contacts that name them.
class DatagramNeighbours : public Neighbours {
public:
    DatagramNeighbours(std::vector<Bytes> ids, std::vector<Endpoint> endpoints)
        : ids_(std::move(ids)), endpoints_(std::move(endpoints)) {}

protected:
    const Bytes& id(size_t index) const { return ids_[index]; }

    /// The eight contacts nearest to `target`: id, IPv4 address and port of each.
    Bytes nodes(View target) const;

private:
    std::vector<Bytes> ids_;
    std::vector<Endpoint> endpoints_;
};

std::unique_ptr<Neighbours> makeOapNeighbours(std::vector<Bytes> ids, uint16_t port);
std::unique_ptr<Neighbours> makeKrpcNeighbours(std::vector<Bytes> ids, std::vector<Endpoint> endpoints);
std::unique_ptr<Neighbours> makeOpenDhtNeighbours(std::vector<Bytes> ids, std::vector<Endpoint> endpoints);

/// Answers for neighbours with these ids until standard input ends. Prints the ports they are reached at first.
void serveNeighbours(const std::string& protocol, const std::vector<Bytes>& ids);
