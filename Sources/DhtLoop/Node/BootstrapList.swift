// RO:WHAT  BootstrapList: the overlays that the configuration names, as the numeric endpoints they are now.
// RO:WHY   A switch takes one session of a node. Under two names it would get two, and drop what the second says:
//          so names end here, and node and pool know an overlay by the address that peers are told as well.
// RO:INVARIANTS  no endpoint twice; a name whose session ended is asked for its next address, after a pause.
// RO:TEST  Tests/DhtLoopTests/Node/BootstrapListTests.swift

/// Who lives by the list.
protocol BootstrapOwner: AnyObject {
    /// `attached` is another list now.
    func bootstrapChanged()

    /// The name in `entry` has no address; it is asked again later.
    func bootstrapUnresolved(_ entry: String)
}

/// The configured entries and what they stand for.
final class BootstrapList: EventSource, ResolverClient {
    private struct Entry {
        let text: String
        /// `.none` for a name without an address.
        var endpoint = EndpointID.none
        var openedUs: UInt64 = 0
        var backoff = Backoff()
        var retry = Alarm()

        /// What it stands for may change.
        var isName: Bool { SocketAddress(text) == nil }
    }

    /// A session that lived as long makes the next pause a short one again.
    private static let stableUs: UInt64 = 10_000_000

    private let loop: EventLoop
    private let endpoints: EndpointTable
    private unowned let owner: any BootstrapOwner
    private var generator: SeededGenerator
    private var entries: [Entry] = []

    /// What reaches this very node: a headless service names all of its nodes to each of them.
    var own: [EndpointID] = []
    /// The endpoints to be attached to, in the order of their entries.
    private(set) var attached: [EndpointID] = []

    /// Attaches itself to `loop`, whose resolver it asks; `stop` ends that. `seed` feeds the jitter of pauses.
    init(loop: EventLoop, endpoints: EndpointTable, owner: any BootstrapOwner, seed: UInt64) {
        (self.loop, self.endpoints, self.owner) = (loop, endpoints, owner)
        generator = SeededGenerator(seed: seed)
        super.init()
        loop.attach(self)
    }

    /// Takes another list, `host:port` each. What is known of an entry that was there before stays.
    func set(_ texts: [String]) {
        forgetQuestions()
        let before = entries
        entries = texts.map { text in before.first { $0.text == text } ?? Entry(text: text) }
        for index in entries.indices where entries[index].endpoint == .none { ask(index) }
        tellChange()
    }

    /// A session to `endpoint` is open.
    func opened(_ endpoint: EndpointID) {
        for index in entries.indices where entries[index].endpoint == endpoint {
            entries[index].openedUs = loop.nowUs
            entries[index].retry.set(nil, on: loop, for: self)
        }
    }

    /// The session to `endpoint` ended, or could not be opened. The pool tries this address again by itself; a
    /// name may have a better one.
    func failed(_ endpoint: EndpointID) {
        for index in entries.indices where entries[index].endpoint == endpoint && entries[index].isName {
            askLater(index)
        }
    }

    func stop() {
        forgetQuestions()
        loop.detach(self)
    }

    override func timer(tag: UInt32, nowUs: UInt64) {
        entries[Int(tag)].retry.fired()
        ask(Int(tag))
        tellChange()
    }

    func resolved(_ address: SocketAddress?, token: UInt32, nowUs: UInt64) {
        take(address, Int(token))
        tellChange()
    }

    private func ask(_ index: Int) {
        let answer = Array(entries[index].text.utf8).withUnsafeBytes {
            loop.resolver.resolve($0, for: self, token: UInt32(index), nowUs: loop.nowUs)
        }
        switch answer {
        case .address(let address): take(address, index)
        case .failed: take(nil, index)
        case .pending: break
        }
    }

    private func take(_ address: SocketAddress?, _ index: Int) {
        guard let endpoint = address.flatMap({ endpoints.intern($0.description) }) else {
            owner.bootstrapUnresolved(entries[index].text)
            return askLater(index)
        }
        let isOwn = own.contains(endpoint)
        entries[index].endpoint = isOwn ? .none : endpoint
        if isOwn, entries[index].isName { askLater(index) }
    }

    private func askLater(_ index: Int) {
        guard entries[index].retry.deadlineUs == .max else { return }
        let openedUs = entries[index].openedUs
        if openedUs != 0, loop.nowUs - openedUs >= Self.stableUs { entries[index].backoff.reset() }
        entries[index].openedUs = 0
        let delayUs = entries[index].backoff.nextDelayUs(using: &generator)
        entries[index].retry.set(loop.nowUs + delayUs, on: loop, for: self, tag: UInt32(index))
    }

    private func forgetQuestions() {
        for index in entries.indices {
            loop.resolver.cancel(client: self, token: UInt32(index))
            entries[index].retry.set(nil, on: loop, for: self)
        }
    }

    private func tellChange() {
        var now: [EndpointID] = []
        for entry in entries where entry.endpoint != .none && !now.contains(entry.endpoint) {
            now.append(entry.endpoint)
        }
        guard now != attached else { return }
        attached = now
        owner.bootstrapChanged()
    }
}
