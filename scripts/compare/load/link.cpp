#include "link.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <system_error>

namespace {

constexpr int handshakeMs = 5000;
constexpr size_t readBytes = 64 << 10;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

bool isReadable(int descriptor, int timeoutMs) {
    pollfd event{descriptor, POLLIN, 0};
    const int ready = poll(&event, 1, timeoutMs);
    if (ready < 0 && errno != EINTR) fail("poll");
    return ready > 0;
}

}  // namespace

Bytes fromHex(View text) {
    Bytes bytes;
    if (text.size() % 2) throw std::invalid_argument("hexadecimal digits come in pairs");
    for (size_t at = 0; at < text.size(); at += 2)
        bytes += static_cast<char>(std::stoi(std::string(text.substr(at, 2)), nullptr, 16));
    return bytes;
}

Endpoint Endpoint::loopback(uint16_t port) {
    Endpoint endpoint;
    endpoint.address.sin_family = AF_INET;
    endpoint.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    endpoint.address.sin_port = htons(port);
    return endpoint;
}

Socket Socket::datagram() {
    const int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    if (descriptor < 0) fail("socket");
    const int bytes = 4 << 20;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    return Socket(descriptor);
}

Socket Socket::stream() {
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (descriptor < 0) fail("socket");
    return Socket(descriptor);
}

Socket::~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
}

void Socket::connect(const Endpoint& to) const {
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to.address), sizeof to.address)) fail("connect");
}

void Socket::bind(const Endpoint& at) const {
    if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&at.address), sizeof at.address)) fail("bind");
}

Endpoint Socket::local() const {
    Endpoint endpoint;
    socklen_t size = sizeof endpoint.address;
    if (getsockname(descriptor_, reinterpret_cast<sockaddr*>(&endpoint.address), &size)) fail("getsockname");
    return endpoint;
}

namespace {

Socket connectedStream(const Endpoint& server) {
    Socket socket = Socket::stream();
    socket.connect(server);
    const int on = 1;
    if (setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) fail("TCP_NODELAY");
    return socket;
}

std::vector<Socket> listOf(Socket first) {
    std::vector<Socket> sockets;
    sockets.push_back(std::move(first));
    return sockets;
}

}  // namespace

Link::Link(std::vector<Socket> sockets, bool isDatagram)
    : sockets_(std::move(sockets)), isDatagram_(isDatagram), input_(readBytes, '\0') {}

Link Link::datagrams(const Endpoint& server) {
    Socket socket = Socket::datagram();
    socket.connect(server);
    return Link(listOf(std::move(socket)), true);
}

Link Link::stream(const Endpoint& server) { return Link(listOf(connectedStream(server)), false); }

Link Link::pair(const Endpoint& first, const Endpoint& second) {
    std::vector<Socket> sockets = listOf(connectedStream(first));
    sockets.push_back(connectedStream(second));
    return Link(std::move(sockets), false);
}

void Link::send(View message) {
    if (!isDatagram_) {
        pending_ += message;
    } else if (::send(sender(), message.data(), message.size(), 0) < 0 && errno != ECONNREFUSED) {
        fail("send");
    }
}

void Link::flush() {
    if (pending_.empty()) return;
    sendAll(sender(), pending_);
    pending_.clear();
}

View Link::receive(int timeoutMs) {
    if (timeoutMs != 0 && !isReadable(receiver(), timeoutMs)) return {};
    const ssize_t got = recv(receiver(), input_.data(), input_.size(), MSG_DONTWAIT);
    if (got > 0) return View(input_.data(), static_cast<size_t>(got));
    if (got == 0 && !isDatagram_) throw std::runtime_error("the server closed the connection");
    if (got < 0 && errno != EAGAIN && errno != ECONNREFUSED && errno != EINTR) fail("recv");
    return {};
}

void Link::exchange(int descriptor, View message, View reply) const {
    sendAll(descriptor, message);
    Bytes got;
    char chunk[4096];
    while (got.find(reply) == Bytes::npos) {
        if (!isReadable(descriptor, handshakeMs)) throw std::runtime_error("no answer to the handshake");
        const ssize_t size = read(descriptor, chunk, sizeof chunk);
        if (size <= 0) throw std::runtime_error("connection closed during the handshake");
        got.append(chunk, static_cast<size_t>(size));
    }
}

void sendAll(int descriptor, View bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) fail("send");
        bytes.remove_prefix(static_cast<size_t>(sent));
    }
}
