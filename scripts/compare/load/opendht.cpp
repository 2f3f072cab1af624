// OpenDHT: msgpack maps over UDP.
#include "dialect.hpp"
#include "neighbours.hpp"

#include <algorithm>
#include <stdexcept>

namespace {

constexpr size_t idBytes = 20;
constexpr int tokenWaitMs = 300;
constexpr int tokenTries = 20;

Bytes map(unsigned pairs) { return Bytes(1, static_cast<char>(0x80 | pairs)); }
Bytes list(unsigned items) { return Bytes(1, static_cast<char>(0x90 | items)); }
Bytes text(View content) { return Bytes(1, static_cast<char>(0xa0 | content.size())).append(content); }

Bytes number(uint64_t value, int width) {
    Bytes out(1, width == 4 ? '\xce' : '\xcf');
    appendBigEndian(out, value, width);
    return out;
}

Bytes binary(View content) {
    Bytes out(1, content.size() < 256 ? '\xc4' : '\xc5');
    appendBigEndian(out, content.size(), content.size() < 256 ? 1 : 2);
    return out.append(content);
}

/// A short binary that follows `key`.
std::optional<View> binaryAfter(View in, View key) {
    const auto size = after(in, Bytes(key) + '\xc4', 1);
    if (!size) return std::nullopt;
    return after(in, Bytes(key) + '\xc4' + Bytes(*size), static_cast<unsigned char>(size->front()));
}

bool isQuery(View in) { return in.find("\xa1y\xa1q") != View::npos; }

class OpenDht final : public Dialect {
public:
    explicit OpenDht(const Target& target) : target_(target), ids_(idBytes, 1), own_(ids_.next()) {}

    Link open(const std::vector<Endpoint>& servers) override {
        Link link = Link::datagrams(servers.at(0));
        if (target_.operation == Operation::put) fetchToken(link);
        return link;
    }

    void request(Bytes& out, uint64_t index, uint32_t ticket) override {
        out += target_.operation == Operation::find ? findQuery(ticket) : putQuery(index, ticket);
    }

    Message parse(View in) override {
        Message message;
        message.size = in.size();
        message.kind = Message::ignored;
        const auto at = in.rfind("\xa1t\xce");
        if (isQuery(in) || at == View::npos || in.size() - at < 7) return message;
        message.ticket = static_cast<uint32_t>(readBigEndian(in.substr(at + 3, 4)));
        message.kind = in.find("\xa1y\xa1" "e") != View::npos ? Message::refused : Message::reply;
        return message;
    }

private:
    Target target_;
    IdSource ids_;
    Bytes own_, token_;

    /// `s` says that we are a client, not a node to be asked.
    static Bytes query(View name, const Bytes& arguments, uint32_t ticket) {
        return map(6) + text("a") + arguments + text("q") + text(name) + text("s") + '\xc3' + text("t") +
               number(ticket, 4) + text("y") + text("q") + text("v") + text("RNG1");
    }

    Bytes wantsIPv4() const { return text("w") + list(1) + '\x02'; }

    Bytes findQuery(uint32_t ticket) {
        return query("find",
                     map(3) + text("id") + binary(own_) + text("target") + binary(ids_.next()) + wantsIPv4(), ticket);
    }

    Bytes putQuery(uint64_t index, uint32_t ticket) {
        const Bytes value = map(2) + text("id") + number(index + 1, 8) + text("dat") + map(1) + text("body") + map(2) +
                            text("type") + '\x00' + text("data") + binary(valueNumber(index));
        return query("put",
                     map(4) + text("id") + binary(own_) + text("h") + binary(ids_.next()) + text("values") + list(1) +
                         value + text("token") + binary(token_),
                     ticket);
    }

    /// One token, bound to our address, is good for any key.
    void fetchToken(Link& link) {
        for (int attempt = 0; attempt < tokenTries && token_.empty(); ++attempt) {
            link.send(query("get", map(3) + text("id") + binary(own_) + text("h") + binary(ids_.next()) + wantsIPv4(),
                            UINT32_MAX));
            if (const auto token = binaryAfter(link.receive(tokenWaitMs), "\xa5token")) token_ = *token;
        }
        if (token_.empty()) throw std::runtime_error("OpenDHT gave no token");
    }
};

class OpenDhtNeighbours final : public DatagramNeighbours {
public:
    using DatagramNeighbours::DatagramNeighbours;

    Bytes answer(View in, size_t index, size_t& size) override {
        size = in.size();
        if (!isQuery(in)) return {};
        const auto ticket = in.rfind("\xa1t"), end = in.rfind("\xa1y");
        if (ticket == View::npos || end == View::npos || end < ticket) return {};
        const auto asked = binaryAfter(in, "\xa6target");
        const Bytes target(asked ? *asked : binaryAfter(in, "\xa1h").value_or(id(index)));
        return map(4) + text("r") + map(3) + text("id") + binary(id(index)) + text("n4") + binary(nodes(target)) +
               text("token") + binary(Bytes(20, 'k')) + Bytes(in.substr(ticket, end - ticket)) + text("y") + text("r") +
               text("v") + text("RNG1");
    }
};

}  // namespace

std::unique_ptr<Dialect> makeOpenDht(const Target& target) { return std::make_unique<OpenDht>(target); }

std::unique_ptr<Neighbours> makeOpenDhtNeighbours(std::vector<Bytes> ids, std::vector<Endpoint> endpoints) {
    return std::make_unique<OpenDhtNeighbours>(std::move(ids), std::move(endpoints));
}
