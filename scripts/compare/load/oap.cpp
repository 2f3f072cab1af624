// svc-dht and svc-overlay: HELLO, frames, and CBOR envelopes (docs/PROTOCOL.md).
#include "dialect.hpp"
#include "neighbours.hpp"

#include <algorithm>
#include <stdexcept>

namespace {

constexpr size_t idBytes = 32;
constexpr size_t frameHead = 5;
/// A payload of this size is what relays are compared with.
constexpr size_t relayedBytes = 128;
constexpr size_t contactsPerAnswer = 20;
constexpr uint64_t recordLife = 3600;
/// Request ids keep the top bit set, so that all take the same nine bytes.
constexpr uint64_t idMark = uint64_t{1} << 63;

const Bytes hello("OAP1\x01\x00\x00\x00\x01", 9);

void appendHead(Bytes& out, unsigned major, uint64_t value) {
    const auto initial = [&](unsigned low) { out += static_cast<char>(major << 5 | low); };
    if (value < 24) return initial(static_cast<unsigned>(value));
    const int widths[] = {1, 2, 4, 8};
    for (unsigned step = 0; step < 4; ++step) {
        if (widths[step] < 8 && value >> (8 * widths[step])) continue;
        initial(24 + step);
        return appendBigEndian(out, value, widths[step]);
    }
}

void appendBytes(Bytes& out, View bytes) {
    appendHead(out, 2, bytes.size());
    out += bytes;
}

void appendText(Bytes& out, View text) {
    appendHead(out, 3, text.size());
    out += text;
}

struct Head {
    unsigned major;
    uint64_t value;
};

/// Takes one item's head off `in`; strings keep their content there.
Head takeHead(View& in) {
    if (in.empty()) throw std::runtime_error("an envelope ends early");
    const unsigned initial = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    const unsigned low = initial & 31;
    if (low < 24) return {initial >> 5, low};
    const size_t width = size_t{1} << (low - 24);
    if (low > 27 || in.size() < width) throw std::runtime_error("an envelope ends early");
    const uint64_t value = readBigEndian(in.substr(0, width));
    in.remove_prefix(width);
    return {initial >> 5, value};
}

View takeString(View& in) {
    const uint64_t size = takeHead(in).value;
    if (in.size() < size) throw std::runtime_error("an envelope ends early");
    const View content = in.substr(0, size);
    in.remove_prefix(size);
    return content;
}

/// What of an envelope these programs look at.
struct Envelope {
    View source;
    uint64_t rpc;
    View name;  ///< of the message
    View body;
};

Envelope readEnvelope(View in) {
    Envelope envelope{};
    takeHead(in);                                     // the map
    takeString(in), takeHead(in);                     // v
    takeString(in), takeString(in);                   // dst
    takeString(in), envelope.source = takeString(in);
    takeString(in), takeString(in);                   // at
    takeString(in), takeHead(in);                     // net
    takeString(in), envelope.rpc = takeHead(in).value;
    takeString(in), takeHead(in);                     // msg
    envelope.name = takeString(in);
    envelope.body = in;
    return envelope;
}

/// One Data frame, whose message the caller appends between the two calls.
class FrameWriter {
public:
    FrameWriter(Bytes& out, View to, View from, View at, uint64_t rpc) : out_(out), start_(out.size()) {
        out_.append(frameHead - 1, '\0') += '\x01';
        appendHead(out_, 5, 7);
        appendText(out_, "v"), appendHead(out_, 0, 1);
        appendText(out_, "dst"), appendBytes(out_, to);
        appendText(out_, "src"), appendBytes(out_, from);
        appendText(out_, "at"), appendText(out_, at);
        appendText(out_, "net"), appendHead(out_, 0, 0);
        appendText(out_, "id"), appendHead(out_, 0, rpc);
        appendText(out_, "msg"), appendHead(out_, 5, 1);
    }

    ~FrameWriter() {
        Bytes length;
        appendBigEndian(length, out_.size() - start_ - 4, 4);
        out_.replace(start_, 4, length);
    }

private:
    Bytes& out_;
    size_t start_;
};

/// Size of the frame that `in` begins with; 0 while it is partial.
size_t frameSize(View in) {
    if (in.size() < frameHead) return 0;
    const size_t size = 4 + readBigEndian(in.substr(0, 4));
    return in.size() < size ? 0 : size;
}

class Oap final : public Dialect {
public:
    explicit Oap(const Target& target) : target_(target), ids_(idBytes, 1), keys_(idBytes, 2), own_(ids_.next()) {}

    Link open(const std::vector<Endpoint>& servers) override {
        if (target_.operation == Operation::relay) return openRelay(servers.at(0));
        Link link = Link::stream(servers.at(0));
        link.exchange(link.sender(), hello, hello);
        return link;
    }

    void request(Bytes& out, uint64_t index, uint32_t ticket) override {
        const View to = target_.operation == Operation::relay ? View(receiver_) : View(target_.node);
        const FrameWriter frame(out, to, own_, "", idMark | ticket);
        switch (target_.operation) {
            case Operation::find: return askWith(out, "FindNode", "target", ids_.next());
            case Operation::get: return askWith(out, "Get", "key", key(index % target_.keys));
            case Operation::put: return appendPut(out, index);
            case Operation::relay: return appendFiller(out);
        }
    }

    Message parse(View in) override {
        Message message;
        message.size = frameSize(in);
        if (message.size == 0) return message;
        message.kind = Message::ignored;
        if (in[frameHead - 1] != '\x01') return message;
        const Envelope envelope = readEnvelope(in.substr(frameHead, message.size - frameHead));
        if (!(envelope.rpc & idMark)) return message;
        message.ticket = static_cast<uint32_t>(envelope.rpc);
        message.kind = isExpected(envelope) ? Message::reply : Message::refused;
        return message;
    }

private:
    Target target_;
    IdSource ids_, keys_;
    Bytes own_, receiver_;
    std::vector<Bytes> stored_;

    /// Two sessions at one switch. The second claims its id with a frame to itself, which must come back.
    Link openRelay(const Endpoint& server) {
        Link link = Link::pair(server, server);
        link.exchange(link.sender(), hello, hello);
        link.exchange(link.receiver(), hello, hello);
        receiver_ = ids_.next();
        Bytes claim;
        {
            const FrameWriter frame(claim, receiver_, receiver_, "", 0);
            appendText(claim, "Ping"), appendHead(claim, 5, 0);
        }
        link.exchange(link.receiver(), claim, View(claim).substr(frameHead));
        return link;
    }

    static void askWith(Bytes& out, View name, View field, View id) {
        appendText(out, name), appendHead(out, 5, 1);
        appendText(out, field), appendBytes(out, id);
    }

    /// Key number `index`, the same for puts and gets.
    View key(uint64_t index) {
        while (stored_.size() <= index) stored_.push_back(keys_.next());
        return stored_[index];
    }

    void appendPut(Bytes& out, uint64_t index) {
        appendText(out, "Put"), appendHead(out, 5, 1);
        appendText(out, "record"), appendHead(out, 5, 4);
        appendText(out, "key"), appendBytes(out, key(index));
        appendText(out, "seq"), appendHead(out, 0, 1);
        appendText(out, "ttl"), appendHead(out, 0, recordLife);
        appendText(out, "value"), appendBytes(out, valueNumber(index));
    }

    /// Fills the envelope up to `relayedBytes` with a message that a switch passes on unread.
    static void appendFiller(Bytes& out) {
        constexpr size_t used = 127;  // the envelope, and the names and heads below
        appendText(out, "Error"), appendHead(out, 5, 2);
        appendText(out, "kind"), appendText(out, "");
        appendText(out, "detail"), appendText(out, Bytes(relayedBytes - used, 'x'));
    }

    bool isExpected(const Envelope& envelope) const {
        switch (target_.operation) {
            case Operation::find: return envelope.name == "Nodes";
            case Operation::get: return envelope.name == "Found";
            case Operation::put: return envelope.name == "Stored" && envelope.body.find("ok\xf5") != View::npos;
            case Operation::relay: return envelope.name == "Error";
        }
        return false;
    }
};

/// All neighbours live behind one overlay endpoint, this program's.
class OapNeighbours final : public Neighbours {
public:
    OapNeighbours(std::vector<Bytes> ids, uint16_t port)
        : ids_(std::move(ids)), at_("127.0.0.1:" + std::to_string(port)) {}

    Bytes answer(View in, size_t, size_t& size) override {
        if (in.size() >= hello.size() && in.substr(0, hello.size()) == hello) {
            size = hello.size();
            return hello;
        }
        size = frameSize(in);
        if (size == 0 || in[frameHead - 1] != '\x01') return {};
        return answerTo(in.substr(frameHead, size - frameHead));
    }

private:
    std::vector<Bytes> ids_;
    Bytes at_;

    Bytes answerTo(View payload) {
        const Envelope envelope = readEnvelope(payload);
        View to = payload.substr(10, idBytes);
        if (to == Bytes(idBytes, '\0')) to = ids_.front();
        Bytes out;
        const FrameWriter frame(out, envelope.source, to, at_, envelope.rpc);
        if (envelope.name == "FindNode") {
            const auto target = after(envelope.body, "target\x58\x20", idBytes);
            appendNodes(out, target.value_or(to));
        } else {
            appendText(out, "Pong"), appendHead(out, 5, 0);
        }
        return out;
    }

    void appendNodes(Bytes& out, View target) const {
        const auto nearest = closest(ids_, target, contactsPerAnswer);
        appendText(out, "Nodes"), appendHead(out, 5, 1);
        appendText(out, "nodes"), appendHead(out, 4, nearest.size());
        for (const size_t index : nearest) {
            appendHead(out, 4, 2);
            appendBytes(out, ids_[index]), appendText(out, at_);
        }
    }
};

}  // namespace

std::unique_ptr<Dialect> makeOap(const Target& target) { return std::make_unique<Oap>(target); }

std::unique_ptr<Neighbours> makeOapNeighbours(std::vector<Bytes> ids, uint16_t port) {
    return std::make_unique<OapNeighbours>(std::move(ids), port);
}
