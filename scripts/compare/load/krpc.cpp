// libtorrent: bencoded KRPC over UDP (BEP 5), with immutable items (BEP 44).
#include "dialect.hpp"
#include "neighbours.hpp"

#include <openssl/sha.h>

#include <algorithm>

namespace {

constexpr size_t idBytes = 20;
constexpr size_t ticketBytes = 4;

Bytes benString(View text) { return std::to_string(text.size()).append(":").append(text); }

Bytes sha1(View bytes) {
    Bytes digest(SHA_DIGEST_LENGTH, '\0');
    SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
    return digest;
}

/// The bencoded string that follows `key`; nothing when it is not there.
std::optional<View> stringAfter(View in, View key) {
    const auto at = in.find(key);
    if (at == View::npos) return std::nullopt;
    in.remove_prefix(at + key.size());
    size_t size = 0;
    while (!in.empty() && in.front() >= '0' && in.front() <= '9' && size < 1000) {
        size = 10 * size + static_cast<size_t>(in.front() - '0');
        in.remove_prefix(1);
    }
    if (in.empty() || in.front() != ':' || in.size() - 1 < size) return std::nullopt;
    return in.substr(1, size);
}

/// Queries say so near their end, after all binary content.
bool isQuery(View in) { return in.size() > 12 && in.substr(in.size() - 12).find("1:y1:q") != View::npos; }

class Krpc final : public Dialect {
public:
    explicit Krpc(const Target& target) : target_(target), ids_(idBytes, 1), own_(ids_.next()) {}

    Link open(const std::vector<Endpoint>& servers) override { return Link::datagrams(servers.at(0)); }

    void request(Bytes& out, uint64_t index, uint32_t ticket) override {
        if (target_.operation == Operation::find) {
            out += query("find_node", "6:target" + benString(ids_.next()), ticket);
            return;
        }
        // An item is put with a token that a get of the same key gave.
        const Bytes value = benString(valueNumber(index));
        if (values_.size() <= slot(ticket)) values_.resize(slot(ticket) + 1);
        values_[slot(ticket)] = value;
        out += query("get", "6:target" + benString(sha1(value)), ticket);
    }

    Message parse(View in) override {
        Message message;
        message.size = in.size();
        message.kind = Message::ignored;
        if (isQuery(in)) return message;
        const auto at = in.rfind("1:t4:");
        if (at == View::npos || in.size() - at < 5 + ticketBytes) return message;
        const auto ticket = static_cast<uint32_t>(readBigEndian(in.substr(at + 5, ticketBytes)));
        message.ticket = ticket;
        message.kind = in.find("1:y1:e") != View::npos ? Message::refused : Message::reply;
        if (target_.operation == Operation::find || message.kind == Message::refused) return message;
        const auto token = stringAfter(in, "5:token");
        if (!token || slot(ticket) >= values_.size()) return message;
        message.kind = Message::onward;
        message.next = query("put", "5:token" + benString(*token) + "1:v" + values_[slot(ticket)], ticket);
        return message;
    }

private:
    Target target_;
    IdSource ids_;
    Bytes own_;
    std::vector<Bytes> values_;  // bencoded, by the slot they are put from

    static size_t slot(uint32_t ticket) { return ticket >> 16; }

    /// `ro` says that we are no node to be asked (BEP 43).
    Bytes query(View name, const Bytes& arguments, uint32_t ticket) const {
        Bytes out = "d1:ad2:id" + benString(own_) + arguments + "e1:q" + benString(name) + "2:roi1e1:t4:";
        appendBigEndian(out, ticket, ticketBytes);
        return out + "1:y1:qe";
    }
};

class KrpcNeighbours final : public DatagramNeighbours {
public:
    using DatagramNeighbours::DatagramNeighbours;

    Bytes answer(View in, size_t index, size_t& size) override {
        size = in.size();
        if (!isQuery(in)) return {};
        const auto at = in.rfind("1:t");
        const auto ticket = at == View::npos ? std::nullopt : stringAfter(in.substr(at), "1:t");
        if (!ticket) return {};
        const auto asked = stringAfter(in, "6:target");
        const Bytes target(asked ? *asked : stringAfter(in, "9:info_hash").value_or(id(index)));
        return "d1:rd2:id" + benString(id(index)) + "5:nodes" + benString(nodes(target)) + "5:token4:abcde1:t" +
               benString(*ticket) + "1:y1:re";
    }
};

}  // namespace

std::unique_ptr<Dialect> makeKrpc(const Target& target) { return std::make_unique<Krpc>(target); }

std::unique_ptr<Neighbours> makeKrpcNeighbours(std::vector<Bytes> ids, std::vector<Endpoint> endpoints) {
    return std::make_unique<KrpcNeighbours>(std::move(ids), std::move(endpoints));
}
