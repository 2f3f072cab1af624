// redis (RESP) and nats-server: streams whose replies come in the order of the requests.
#include "dialect.hpp"

namespace {

constexpr size_t relayedBytes = 128;
const Bytes lineEnd = "\r\n";

class Resp final : public Dialect {
public:
    explicit Resp(const Target& target) : target_(target) {}

    Link open(const std::vector<Endpoint>& servers) override { return Link::stream(servers.at(0)); }

    void request(Bytes& out, uint64_t index, uint32_t) override {
        const bool isPut = target_.operation == Operation::put;
        out += isPut ? "*3\r\n" : "*2\r\n";
        appendBulk(out, isPut ? "SET" : "GET");
        appendBulk(out, key(isPut ? index : index % target_.keys));
        if (isPut) appendBulk(out, valueNumber(index));
    }

    Message parse(View in) override {
        Message message;
        const auto end = in.find(lineEnd);
        if (end == View::npos) return message;
        size_t size = end + lineEnd.size();
        const bool hasValue = in.front() == '$' && in[1] != '-';
        if (hasValue) size += std::stoul(Bytes(in.substr(1, end - 1))) + lineEnd.size();
        if (in.size() < size) return message;
        message.size = size;
        message.kind = hasValue || in.front() == '+' ? Message::reply : Message::refused;
        return message;
    }

private:
    Target target_;

    /// As long as a DHT's key.
    static Bytes key(uint64_t index) {
        Bytes name = std::to_string(index);
        return Bytes(32 - name.size(), '0') + name;
    }

    static void appendBulk(Bytes& out, View content) {
        out += "$" + std::to_string(content.size()) + lineEnd;
        out.append(content) += lineEnd;
    }
};

/// One connection publishes, the other subscribes.
class Nats final : public Dialect {
public:
    explicit Nats(const Target&) {}

    Link open(const std::vector<Endpoint>& servers) override {
        Link link = Link::pair(servers.at(0), servers.at(0));
        const Bytes connect = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n";
        link.exchange(link.sender(), connect, "PONG\r\n");
        link.exchange(link.receiver(), connect, "PONG\r\n");
        link.exchange(link.receiver(), "SUB a.b 1\r\nPING\r\n", "PONG\r\n");
        return link;
    }

    void request(Bytes& out, uint64_t, uint32_t) override {
        out += "PUB a.b " + std::to_string(relayedBytes) + lineEnd;
        out.append(relayedBytes, 'x') += lineEnd;
    }

    Message parse(View in) override {
        Message message;
        const auto end = in.find(lineEnd);
        if (end == View::npos) return message;
        message.size = end + lineEnd.size();
        message.kind = Message::ignored;
        if (in.substr(0, 4) != "MSG ") return message;
        message.size += relayedBytes + lineEnd.size();
        message.kind = in.size() < message.size ? Message::partial : Message::reply;
        return message;
    }
};

}  // namespace

std::unique_ptr<Dialect> makeResp(const Target& target) { return std::make_unique<Resp>(target); }
std::unique_ptr<Dialect> makeNats(const Target& target) { return std::make_unique<Nats>(target); }
