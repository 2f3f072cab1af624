// What a wire protocol looks like to the load client. Window, clock and CPU accounting are the same for all
// contestants (flood.cpp); only what is here differs between them.
#pragma once

#include <memory>

#include "bytes.hpp"
#include "link.hpp"

/// What a client asks a server for.
enum class Operation { find, get, put, relay };

/// One message that came in.
struct Message {
    enum Kind {
        partial,  ///< not all of it is there yet
        ignored,  ///< no reply to a request of ours
        reply,    ///< a request is done
        refused,  ///< a request was answered with an error, or with nothing of use
        onward,   ///< the request needs another step: `next` is to be sent under the same ticket
    };

    Kind kind = partial;
    size_t size = 0;  ///< bytes of input it took
    std::optional<uint32_t> ticket;  ///< of the request; none where replies come in the order of requests
    Bytes next;
};

class Dialect {
public:
    virtual ~Dialect() = default;

    /// Connects to the endpoints given and says what comes before the first request.
    virtual Link open(const std::vector<Endpoint>& servers) = 0;

    /// Appends request number `index` (0, 1, ...) under `ticket`.
    virtual void request(Bytes& out, uint64_t index, uint32_t ticket) = 0;

    /// Reads the first message of `in`: of a datagram all, of a stream what has arrived of it.
    virtual Message parse(View in) = 0;
};

/// A simulated neighbourhood of the server: nodes that answer its questions, so that its table fills.
class Neighbours {
public:
    virtual ~Neighbours() = default;

    /// The answer of neighbour `index` to one message; empty for none. Streams: `in` begins with the message,
    /// and `size` is set to its length, or to 0 while it is partial.
    virtual Bytes answer(View in, size_t index, size_t& size) = 0;
};

struct Target {
    Operation operation;
    Bytes node;      ///< id of the server, where the protocol has ids
    uint64_t keys;   ///< get: keys 0..<keys are stored
};

std::unique_ptr<Dialect> makeOap(const Target&);
std::unique_ptr<Dialect> makeKrpc(const Target&);
std::unique_ptr<Dialect> makeOpenDht(const Target&);
std::unique_ptr<Dialect> makeResp(const Target&);
std::unique_ptr<Dialect> makeNats(const Target&);
