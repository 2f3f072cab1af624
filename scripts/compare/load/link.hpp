// Sockets of the load client: a datagram socket, a stream, or a pair of streams of which one only sends and the
// other only receives. Failures throw std::system_error.
#pragma once

#include <netinet/in.h>

#include <vector>

#include "bytes.hpp"

struct Endpoint {
    sockaddr_in address{};

    /// 127.0.0.1 and a port; 0 lets the kernel choose.
    static Endpoint loopback(uint16_t port);
    uint16_t port() const { return ntohs(address.sin_port); }
};

/// A socket, closed with its owner.
class Socket {
public:
    static Socket datagram();
    static Socket stream();
    explicit Socket(int descriptor) : descriptor_(descriptor) {}
    Socket(Socket&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
    Socket& operator=(Socket&&) = delete;
    ~Socket();

    void connect(const Endpoint&) const;
    void bind(const Endpoint&) const;
    Endpoint local() const;
    int descriptor() const { return descriptor_; }

private:
    int descriptor_;
};

class Link {
public:
    static Link datagrams(const Endpoint& server);
    static Link stream(const Endpoint& server);
    /// `first` sends, `second` receives.
    static Link pair(const Endpoint& first, const Endpoint& second);

    /// Datagrams leave at once; a stream's bytes leave together with `flush`.
    void send(View message);
    void flush();

    /// Waits up to `timeoutMs` for input, then takes what is there without waiting: one datagram a call, or up
    /// to 64 KiB of a stream. Empty when there was nothing.
    View receive(int timeoutMs);

    /// For what precedes the requests: sends over either stream, and waits for `reply` to come in on it.
    void exchange(int descriptor, View message, View reply) const;

    bool isDatagram() const { return isDatagram_; }
    int sender() const { return sockets_.front().descriptor(); }
    int receiver() const { return sockets_.back().descriptor(); }

private:
    Link(std::vector<Socket> sockets, bool isDatagram);
    std::vector<Socket> sockets_;
    bool isDatagram_;
    Bytes pending_;
    Bytes input_;
};

/// Writes all of `bytes` to a blocking stream.
void sendAll(int descriptor, View bytes);
