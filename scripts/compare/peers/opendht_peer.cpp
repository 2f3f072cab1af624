// One OpenDHT node, its limits on requests and storage lifted: opendht-peer NODE_ID
#include <opendht.h>

#include <atomic>
#include <future>

#include "console.hpp"

namespace {

class OpenDhtPeer final : public Peer {
public:
    explicit OpenDhtPeer(const std::string& id) {
        dht::DhtRunner::Config config;
        auto& node = config.dht_config.node_config;
        node.node_id = dht::InfoHash(id);
        node.max_req_per_sec = node.max_peer_req_per_sec = -1;
        node.max_store_size = node.max_store_keys = node.max_searches = -1;
        config.peer_discovery = config.peer_publish = false;
        dht::DhtRunner::Context context;
        context.sock = std::make_unique<dht::net::UdpSocket>(loopback(0), dht::SockAddr());
        runner_.run(config, std::move(context));
    }

    uint16_t port() override { return runner_.getBoundPort(AF_INET); }

    void add(uint16_t port) override { runner_.bootstrap(loopback(port)); }

    unsigned table() override {
        const auto stats = runner_.getNodesStats(AF_INET);
        return stats.good_nodes + stats.dubious_nodes;
    }

    size_t put(const std::string& key, const std::string& value) override {
        const auto result = std::make_shared<Result>();
        runner_.put(dht::InfoHash::get(key),
                    std::make_shared<dht::Value>(reinterpret_cast<const uint8_t*>(value.data()), value.size()),
                    [result](bool stored, const auto& nodes) { result->settle(stored ? nodes.size() : 0); });
        return result->wait();
    }

    size_t get(const std::string& key, const std::string& value) override {
        const auto result = std::make_shared<Result>();
        runner_.get(
            dht::InfoHash::get(key),
            [result, value](const std::vector<std::shared_ptr<dht::Value>>& found) {
                for (const auto& one : found) {
                    if (std::string(one->data.begin(), one->data.end()) != value) continue;
                    result->settle(1);
                    return false;
                }
                return true;
            },
            [result](bool) { result->settle(0); });
        return result->wait();
    }

private:
    /// What a call came to; the first answer counts.
    class Result {
    public:
        void settle(size_t copies) {
            if (!isSettled_.exchange(true)) promise_.set_value(copies);
        }

        size_t wait() {
            auto future = promise_.get_future();
            return future.wait_for(peerPatience) == std::future_status::ready ? future.get() : 0;
        }

    private:
        std::promise<size_t> promise_;
        std::atomic<bool> isSettled_{false};
    };

    dht::DhtRunner runner_;

    static dht::SockAddr loopback(uint16_t port) {
        dht::SockAddr address;
        address.setFamily(AF_INET);
        address.setAddress("127.0.0.1");
        address.setPort(port);
        return address;
    }
};

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) return std::cerr << "usage: opendht-peer NODE_ID\n", 2;
    OpenDhtPeer peer(arguments[1]);
    runConsole(peer);
    std::_Exit(0);
}
