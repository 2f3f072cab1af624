#include "flood.hpp"

#include <algorithm>
#include <chrono>
#include <deque>

#include "process.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int waitMs = 50;
constexpr auto patience = std::chrono::seconds(1);  ///< after which a request is lost
/// Datagrams taken between two looks at the clock.
constexpr int datagramsPerTurn = 256;

double seconds(Clock::duration span) { return std::chrono::duration<double>(span).count(); }

class Flood {
public:
    Flood(Dialect& dialect, Link& link, const Work& work)
        : dialect_(dialect), link_(link), work_(work), slots_(work.window) {}

    Outcome run() {
        const double cpuBefore = cpuSecondsOf(work_.process);
        const auto start = now_ = Clock::now();
        for (uint32_t slot = 0; slot < work_.window; ++slot) issue(slot);
        link_.flush();
        while (busy_ > 0) turn();
        outcome_.seconds = seconds(now_ - start);
        outcome_.cpuSeconds = cpuSecondsOf(work_.process) - cpuBefore;
        std::sort(outcome_.latenciesUs.begin(), outcome_.latenciesUs.end());
        return std::move(outcome_);
    }

private:
    struct Slot {
        bool busy = false;
        uint16_t generation = 0;
        Clock::time_point sent;
    };

    Dialect& dialect_;
    Link& link_;
    Work work_;
    Outcome outcome_;
    std::vector<Slot> slots_;
    std::deque<uint32_t> order_;  // slots by age, for replies without a ticket
    uint64_t issued_ = 0;
    uint32_t busy_ = 0;
    Bytes request_, input_;
    Clock::time_point now_, nextExpiry_{};

    /// Slot in the high half, counted from 1; how often it was used in the low half.
    uint32_t ticket(uint32_t slot) const { return (slot + 1) << 16 | slots_[slot].generation; }

    void issue(uint32_t slot) {
        if (issued_ == work_.requests) return;
        Slot& used = slots_[slot];
        ++used.generation;
        used.busy = true;
        used.sent = Clock::now();
        ++busy_;
        request_.clear();
        dialect_.request(request_, issued_++, ticket(slot));
        link_.send(request_);
        order_.push_back(slot);
    }

    void turn() {
        View got = link_.receive(waitMs);
        now_ = Clock::now();
        for (int datagram = 0; !got.empty(); got = link_.receive(0)) {
            take(got);
            if (!link_.isDatagram() || ++datagram == datagramsPerTurn) break;
        }
        link_.flush();
        if (now_ >= nextExpiry_) expire();
    }

    void take(View got) {
        if (link_.isDatagram()) return take(dialect_.parse(got));
        input_ += got;
        View left = input_;
        for (;;) {
            const Message message = dialect_.parse(left);
            if (message.kind == Message::partial) break;
            left.remove_prefix(message.size);
            take(message);
        }
        input_.erase(0, input_.size() - left.size());
    }

    void take(const Message& message) {
        if (message.kind == Message::ignored) return;
        const auto slot = slotOf(message);
        if (!slot) return;
        outcome_.replyBytes += message.size;
        if (message.kind == Message::onward) return link_.send(message.next);
        const auto latency = Clock::now() - slots_[*slot].sent;
        if (message.kind == Message::refused) ++outcome_.refused;
        if (message.kind == Message::reply) {
            ++outcome_.replies;
            outcome_.latenciesUs.push_back(static_cast<float>(seconds(latency) * 1e6));
        }
        release(*slot);
        issue(*slot);
    }

    std::optional<uint32_t> slotOf(const Message& message) {
        if (!message.ticket) {
            while (!order_.empty() && !slots_[order_.front()].busy) order_.pop_front();
            return order_.empty() ? std::nullopt : std::optional(order_.front());
        }
        const uint32_t slot = (*message.ticket >> 16) - 1;
        if (slot >= slots_.size() || !slots_[slot].busy || ticket(slot) != *message.ticket) return std::nullopt;
        return slot;
    }

    void release(uint32_t slot) {
        slots_[slot].busy = false;
        --busy_;
        while (!order_.empty() && !slots_[order_.front()].busy) order_.pop_front();
    }

    void expire() {
        nextExpiry_ = now_ + patience / 10;
        for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
            if (!slots_[slot].busy || now_ - slots_[slot].sent < patience) continue;
            ++outcome_.lost;
            release(slot);
            issue(slot);
        }
        link_.flush();
    }
};

}  // namespace

Outcome flood(Dialect& dialect, Link& link, const Work& work) { return Flood(dialect, link, work).run(); }
