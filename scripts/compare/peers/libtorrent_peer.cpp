// One libtorrent session as a DHT node, its rate limits lifted and its rules against many nodes on one address off:
// libtorrent-peer NODE_ID
#include <libtorrent/alert_types.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/hasher.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/settings_pack.hpp>

#include <limits>

#include "console.hpp"

namespace {

namespace lt = libtorrent;
using Settings = lt::settings_pack;

constexpr int unlimited = std::numeric_limits<int>::max() / 2;
/// Packets a second from one address; libtorrent multiplies it by 10 in an int.
constexpr int packetLimit = 10'000'000;

lt::sha1_hash idFromHex(const std::string& text) {
    lt::sha1_hash id;
    size_t at = 0;
    for (auto& byte : id) byte = static_cast<unsigned char>(std::stoi(text.substr(2 * at++, 2), nullptr, 16));
    return id;
}

Settings settings() {
    Settings pack;
    pack.set_str(Settings::listen_interfaces, "127.0.0.1:0");
    pack.set_str(Settings::dht_bootstrap_nodes, "");
    for (const int off : {Settings::enable_lsd, Settings::enable_upnp, Settings::enable_natpmp,
                          Settings::dht_restrict_routing_ips, Settings::dht_restrict_search_ips,
                          Settings::dht_enforce_node_id, Settings::dht_prefer_verified_node_ids,
                          Settings::dht_ignore_dark_internet})
        pack.set_bool(off, false);
    pack.set_bool(Settings::enable_dht, true);
    pack.set_int(Settings::dht_upload_rate_limit, unlimited);
    pack.set_int(Settings::dht_block_ratelimit, packetLimit);
    pack.set_int(Settings::dht_max_dht_items, 1'000'000);
    pack.set_int(Settings::alert_queue_size, 10'000);
    pack.set_int(Settings::alert_mask, lt::alert_category::dht | lt::alert_category::status);
    return pack;
}

lt::session_params paramsFor(const std::string& id) {
    lt::session_params params(settings());
    params.dht_state.nids.emplace_back(lt::make_address("127.0.0.1"), idFromHex(id));
    return params;
}

class LibtorrentPeer final : public Peer {
public:
    explicit LibtorrentPeer(const std::string& id) : session_(paramsFor(id)) {
        await<lt::listen_succeeded_alert>([&](const auto& alert) {
            if (alert.socket_type == lt::socket_type_t::utp) port_ = static_cast<uint16_t>(alert.port);
            return port_ != 0;
        });
    }

    uint16_t port() override { return port_; }

    void add(uint16_t port) override { session_.add_dht_node({"127.0.0.1", port}); }

    unsigned table() override {
        session_.post_dht_stats();
        unsigned contacts = 0;
        await<lt::dht_stats_alert>([&](const auto& alert) {
            for (const auto& bucket : alert.routing_table) contacts += static_cast<unsigned>(bucket.num_nodes);
            return true;
        });
        return contacts;
    }

    size_t put(const std::string&, const std::string& value) override {
        const auto key = session_.dht_put_item(lt::entry(value));
        int stored = 0;
        await<lt::dht_put_alert>([&](const auto& alert) {
            if (alert.target != key) return false;
            stored = alert.num_success;
            return true;
        });
        return static_cast<size_t>(stored);
    }

    /// An immutable item's key is the hash of its value.
    size_t get(const std::string&, const std::string& value) override {
        std::string encoded;
        lt::bencode(std::back_inserter(encoded), lt::entry(value));
        const auto key = lt::hasher(encoded.data(), static_cast<int>(encoded.size())).final();
        session_.dht_get_item(key);
        bool isSame = false;
        await<lt::dht_immutable_item_alert>([&](const auto& alert) {
            if (alert.target != key) return false;
            isSame = alert.item.type() == lt::entry::string_t && alert.item.string() == value;
            return true;
        });
        return isSame ? 1 : 0;
    }

private:
    lt::session session_;
    uint16_t port_ = 0;

    /// Reads alerts until one of a kind is accepted, or patience ends.
    template <typename Alert, typename Accept>
    void await(Accept accept) {
        const auto deadline = std::chrono::steady_clock::now() + peerPatience;
        while (std::chrono::steady_clock::now() < deadline) {
            session_.wait_for_alert(std::chrono::milliseconds(50));
            std::vector<lt::alert*> alerts;
            session_.pop_alerts(&alerts);
            for (const auto* alert : alerts) {
                const auto* wanted = lt::alert_cast<Alert>(alert);
                if (wanted && accept(*wanted)) return;
            }
        }
    }
};

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) return std::cerr << "usage: libtorrent-peer NODE_ID\n", 2;
    LibtorrentPeer peer(arguments[1]);
    runConsole(peer);
    std::_Exit(0);
}
