"""Small changes of the code that tests must notice. mutants.py makes them one at a time.

`old` is text of the sources, unique among them; any white space in it stands for any other, so that a line may be
wrapped anew. What is not unique by itself is looked for in files whose text has `within` only. `tests` is a filter of
`swift test`: those that should notice first; a mutant that they let live is held against all tests.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mutation:
    name: str
    old: str
    new: str
    # What it breaks, in a few words.
    breaks: str
    tests: str = ""
    within: str = ""
    # Why no test can notice, for one that may live.
    explained: str = ""


MUTATIONS = [
    # Versions.
    Mutation("tombstone-loses-a-tie", "if isTombstone != other.isTombstone { return isTombstone }",
             "if isTombstone != other.isTombstone { return !isTombstone }",
             "at equal seq a value beats a tombstone", "RecordTests|DhtNodeTests|VersionTests"),
    Mutation("tombstone-loses-a-tie-in-the-store", "isTombstone ? 1 : -1", "isTombstone ? -1 : 1",
             "at equal seq a value beats a tombstone in the store", "RecordStoreTests"),
    Mutation("lower-seq-wins", "if seq != other.seq { return seq > other.seq }",
             "if seq != other.seq { return seq < other.seq }", "the older version wins", "RecordTests"),
    Mutation("lesser-bytes-win", "return other.value.lexicographicallyPrecedes(value)",
             "return value.lexicographicallyPrecedes(other.value)", "at equal seq the lesser bytes win", "RecordTests"),
    Mutation("store-takes-older", "if head.seq > seq { return .stale }", "if head.seq > seq &+ 1 { return .stale }",
             "a store takes the version before the one it has", "RecordStoreTests"),
    Mutation("no-newer-than-known", "max(Clock.realtimeUs(), known + 1)", "max(Clock.realtimeUs(), known)",
             "a conditional write may have the version that it replaces", "CommandLineTests|CallBookTests"),
    Mutation("goes-over-newer-only", "!call.hasRaisedSeq && seq >= call.result.seq",
             "!call.hasRaisedSeq && seq > call.result.seq", "a put does not go over an equal version", "PutTests"),
    Mutation("if-match-of-an-older-version", "guard current == expected else", "guard current ?? 0 >= expected else",
             "If-Match matches an older version", "CommandLineTests|AdminServerValueTests"),

    # Lives.
    Mutation("ttl-rounded-down", "(timeUs - nowUs + 500_000) / 1_000_000", "(timeUs - nowUs) / 1_000_000",
             "TTL in answers is rounded down", "DhtNodeTests|RecordTests"),
    Mutation("tombstone-dies-early", "let life = max(config.ttlSeconds, here ?? 0)",
             "let life = min(config.ttlSeconds, here ?? config.ttlSeconds)",
             "a tombstone may die before its replica", "RecordTests"),
    Mutation("refresh-shortens", "if expiry > head.expiryTick { head.setExpiryTick(expiry) }",
             "if expiry < head.expiryTick { head.setExpiryTick(expiry) }", "a refresh shortens a life",
             "RecordStoreTests"),
    Mutation("expired-is-given-out", "guard head.expiryTick > tick(nowUs) else { return nil }",
             "guard head.expiryTick >= tick(nowUs) else { return nil }", "a record lives a tick longer",
             "RecordStoreTests"),
    Mutation("cache-lives-twice-as-long", "version.ttlSeconds >> UInt64(excess + 1)",
             "version.ttlSeconds >> UInt64(excess)", "cached copies live twice as long", "RecordTests"),

    # The store.
    Mutation("budget-twice", "+ index.byteCount <= budget", "+ index.byteCount <= 2 * budget",
             "a store takes twice its budget", "RecordStoreTests"),
    Mutation("expired-provider-is-given-out", "held.filter { $0.expiresAtUs > nowUs } return Array(",
             "held.filter { $0.expiresAtUs > 0 }\n        return Array(", "an expired provider is named",
             "ProviderStoreTests"),
    Mutation("flood-displaces-providers", "held[greatest].rank > newcomer.rank ? greatest : nil",
             "held[greatest].rank < newcomer.rank ? greatest : nil", "whoever floods a key displaces its providers",
             "ProviderStoreTests"),
    Mutation("provider-life-by-the-last", "max(call.found[node] ?? 0, min(provider.ttlSeconds, config.maxTtlSeconds))",
             "min(provider.ttlSeconds, config.maxTtlSeconds)", "the last of several lives is believed",
             "DhtNodeTests"),

    # Puts.
    Mutation("put-wants-one-less", "call.result.wanted = min(config.replica, call.nodesThere)",
             "call.result.wanted = max(1, min(config.replica, call.nodesThere) - 1)", "a put wants a copy less",
             "PutTests"),
    Mutation("keeps-here-though-far", "let keepsHere = nearer < config.replica",
             "let keepsHere = nearer <= config.replica", "one who is no holder keeps a copy", "PutTests"),
    Mutation("one-ack-twice", "guard !call.takers.contains(peer) else { return }",
             "guard call.takers.count < 64 else { return }", "one holder's two answers are two acks", "PutTests"),
    Mutation("no-second-try", "if code == .timeout, !wasAskedTwice {", "if code == .timeout, wasAskedTwice {",
             "who was silent once is not asked again", "PutTests"),
    Mutation("shortfall-not-counted", "if call.result.acks < call.result.wanted { stats.errors[.underReplicated] += 1 }",
             "if call.result.acks > call.result.wanted { stats.errors[.underReplicated] += 1 }",
             "a put with too few copies is not counted", "PutTests"),
    Mutation("publishes-what-nobody-took", "if call.isPublished, call.result.acks > 0 {",
             "if call.isPublished, call.result.acks >= 0 {", "what nobody took is refreshed", "RepublishTests|PutTests"),
    Mutation("accepted-says-ok", "report.acks < report.wanted ? .accepted : .ok", "report.acks < 1 ? .accepted : .ok",
             "HTTP says 200 for too few copies", "AdminServerValueTests"),
    Mutation("short-put-exits-0", "if reply.status == 202 { throw CommandFailure(code: .failed, message: client.json",
             "if reply.status == 299 {\n            throw CommandFailure(code: .failed, message: client.json",
             "a put with too few copies exits 0", "CommandLineTests"),

    # Gets.
    Mutation("unanswered-says-not-found", "call.best != nil || isComplete ? .notFound : .timedOut",
             "call.best == nil || isComplete ? .notFound : .timedOut", "what the deadline cut is not found",
             "DhtNodeTests|RecordTests|BusyTests"),
    Mutation("silence-is-an-answer", "lookup.answers == 0 && !lookup.peers.isEmpty",
             "lookup.answers == 0 && lookup.peers.isEmpty", "nobody's silence is a no", "DhtNodeTests|RecordTests"),
    Mutation("quorum-less-one", "guard call.holders.count < call.quorum else",
             "guard call.holders.count + 1 < call.quorum else", "a quorum is a copy short", "RecordTests"),
    Mutation("repairs-the-new", "for holder in call.holders where best.wins(over: holder.version)",
             "for holder in call.holders where holder.version.wins(over: best)", "stale holders are not mended",
             "RecordTests"),
    Mutation("quorum-reads-leave-copies", "guard call.quorum == 1, !best.isTombstone",
             "guard call.quorum >= 1, !best.isTombstone", "a quorum read leaves a cached copy", "RecordTests"),
    Mutation("tombstones-are-cached", "guard call.quorum == 1, !best.isTombstone, !call.holders.isEmpty",
             "guard call.quorum == 1, !call.holders.isEmpty", "a tombstone is cached", "RecordTests"),
    Mutation("any-key-is-found",
             "case .found(let record) where call.kind == .get && record.key == call.lookup.target: tookVersion(",
             "case .found(let record) where call.kind == .get:\n            tookVersion(",
             "the record of another key is believed", "RecordTests|DhtNodeTests|VersionTests"),
    Mutation("cut-find-is-complete", "case .findProviders: finishFind(call, isComplete: false, nowUs)",
             "case .findProviders: finishFind(call, isComplete: true, nowUs)", "a find that was cut is complete",
             "DhtNodeTests"),
    Mutation("search-does-not-wait", "plan.waitsForOverdue = isSearch", "plan.waitsForOverdue = false",
             "a search ends without those that are late", "LookupTests|RecordTests"),

    # Lookups.
    Mutation("width-less-one", "if answered >= pathWidth { return true }", "if answered + 1 >= pathWidth { return true }",
             "a lookup ends an answer early", "LookupTests"),
    Mutation("late-answer-lost", "case .silent: break case .fresh, .answered, .failed: return false",
             "case .silent, .fresh, .answered, .failed: return false", "a late answer does not count", "LookupTests"),
    Mutation("hedges-without-bound", "min(paths[path].overdue, plan.beta)", "paths[path].overdue",
             "more than BETA are asked beyond alpha", "LookupTests"),
    Mutation("doubt-after-four", "answered == 0 && lost >= 3", "answered == 0 && lost >= 4",
             "a referrer is doubted later", "LookupTests"),
    Mutation("hedge-by-the-longer", "min(peer.overdueUs, strangers.overdueUs)",
             "max(peer.overdueUs, strangers.overdueUs)", "hedging waits for the longer estimate",
             "LookupTests|DhtNodeTests|RttEstimatorTests"),
    Mutation("timeout-two-deviations", "UInt64(smoothedUs) + 4 * UInt64(deviationUs)",
             "UInt64(smoothedUs) + 2 * UInt64(deviationUs)", "time-outs are too short", "RttEstimatorTests"),
    Mutation("deviation-half", "deviationUs - deviationUs / 4 + error / 4", "deviationUs - deviationUs / 4 + error / 8",
             "the deviation is half of what it is", "RttEstimatorTests"),

    # Whom a reply is believed.
    Mutation("unreachable-of-another", "reply.src.isZero && node == rpc.dst",
             "reply.src.isZero && (node == rpc.dst || !node.isZero)", "Unreachable for another node is believed",
             "DhtNodeTests|TendingTests"),
    Mutation("reply-over-another-session", "rpc.endpoint == link.endpoint, agrees(reply, with: rpc)",
             "agrees(reply, with: rpc)", "a reply over another session is believed", "DhtNodeTests"),
    Mutation("mover-takes-over", "if state.failures > 0 { verifyStranger(",
             "if state.failures >= 0 {\n            verifyStranger(", "a stranger takes a contact over by claiming to move",
             "TendingTests|DhtNodeTests"),
    Mutation("hands-back-any-key", "case .found(let record) where record.key == recursion.target:",
             "case .found(let record):", "the record of another key is handed back", "RecursionTests"),
    Mutation("one-answer-too-many", "isMoreToCome && rpc.furtherAnswers < rpc.recursion",
             "isMoreToCome && rpc.furtherAnswers <= rpc.recursion", "a peer may answer once more than it may pass on",
             "RecursionTests"),

    # The table.
    Mutation("one-failure-more", "guard state.failures >= Self.maxFailures else",
             "guard state.failures > Self.maxFailures else", "a contact leaves a failure later", "RoutingTableTests"),
    Mutation("doubted-are-told", "failures < RoutingTable.quietFailures && lastSeenUs >= seenSinceUs",
             "failures <= RoutingTable.quietFailures && lastSeenUs >= seenSinceUs", "others hear of doubted contacts",
             "RoutingTableTests|TendingTests"),
    Mutation("own-overlay-blames-others", "case .closed: endpoint == home ? 0 : 2", "case .closed: endpoint == home ? 2 : 2",
             "those behind the own overlay are blamed for its end", "TendingTests|DhtNodeTests"),
    Mutation("one-more-of-a-network", "if here > cap.perBucket {", "if here > cap.perBucket + 1 {",
             "a bucket takes one more of a network", "DiversityTests"),
    Mutation("cap-in-force-too-soon", "guard known[place].count < cap.perBucket else { return }",
             "guard known[place].count <= cap.perBucket else { return }",
             "one network alone brings the cap into force", "DiversityTests"),
    Mutation("silence-counted-wholly", "aliveSeconds += Double(silenceUs) / 2_000_000",
             "aliveSeconds += Double(silenceUs) / 1_000_000", "a death's silence counts wholly as life", "LifetimesTests"),
    Mutation("graves-forgotten", "graves.removeAll { nowUs - $0.sinceUs > Self.rememberedUs }",
             "graves.removeAll { nowUs - $0.sinceUs < Self.rememberedUs }", "the lost are forgotten at once",
             "LifetimesTests|TendingTests"),
    Mutation("no-look-when-one-is-back", "guard table.count <= config.k || wasLost else { return }",
             "guard table.count <= config.k else { return }", "no self-lookup when a lost contact is back",
             "TendingTests|LifetimesTests"),
    Mutation("session-end-asks-nobody", "if isRemote { lookAfter(endpoint, nowUs) }",
             "if isRemote, endpoint == .none { lookAfter(endpoint, nowUs) }", "nobody is asked when a session ends",
             "TendingTests"),
    Mutation("doubt-does-not-hasten", "if isDoubted { tendSooner(nowUs) }", "if !isDoubted { tendSooner(nowUs) }",
             "a doubt is not settled soon", "TendingTests"),

    # Copies.
    Mutation("third-holder-never-copies", "return generator.next() % UInt64(others * Replication.sparesEvery) == 0",
             "return generator.next() % UInt64(others * Replication.sparesEvery) == .max",
             "the third holder never copies", "ReplicationTests"),
    Mutation("one-beyond-the-set-copies", "if !isPlaced, rank < replica { ownRank = rank }",
             "if !isPlaced, rank <= replica { ownRank = rank }", "one who is no holder makes copies",
             "ReplicationTests"),
    Mutation("lacks-one-later", "(ownDistance < distance ? 1 : 0) >= replica", "(ownDistance < distance ? 1 : 0) > replica",
             "who moved up into the set gets no copy", "ReplicationTests"),
    Mutation("leaves-without-a-word", "if set.ownRank != nil, let heir = set.next",
             "if set.ownRank == nil, let heir = set.next", "a node hands over what is not its own",
             "ReplicationTests|HandOverTests"),
    Mutation("lost-batch-dropped", "guard isThere || busyPeers.said(rpc.dst, since: rpc.sentUs) else",
             "guard !isThere || busyPeers.said(rpc.dst, since: rpc.sentUs) else", "a batch that was lost is not sent again",
             "CourierTests"),
    Mutation("refusals-unread", "noteRefusals(of: courier[index].underWay)", "noteRefusals(of: [])",
             "a publisher goes on though a newer version is there", "RepublishTests|CourierTests"),
    Mutation("refresh-over-newer", "store.find(key, nowUs: nowUs).map({ $0.seq <= published.seq }) ?? true",
             "store.find(key, nowUs: nowUs).map({ $0.seq >= published.seq }) ?? true",
             "a publisher goes on though it holds a newer version", "RepublishTests"),
    Mutation("refresh-though-cut-off", "call.lookup.answers < min(config.replica, table.count)",
             "call.lookup.answers < min(1, table.count)", "a refresh reaches too few and is not tried again",
             "RepublishTests"),
    Mutation("region-too-wide", "shared.count { $0 >= bits } >= replica", "shared.count { $0 >= bits } >= 1",
             "keys are sent to nodes that are not their holders", "RepublishTests"),

    # Sessions, rates, readiness.
    Mutation("backoff-never-reset", "if livedUs >= policy.stableUs { links[link].backoff.reset() }",
             "if livedUs == .max { links[link].backoff.reset() }", "back-off is never reset after a stable session",
             "SessionPoolTests"),
    Mutation("name-backoff-never-reset", "loop.nowUs - openedUs >= Self.stableUs { entries[index].backoff.reset() }",
             "loop.nowUs - openedUs < Self.stableUs { entries[index].backoff.reset() }",
             "a name's back-off is reset by a short session", "BootstrapListTests"),
    Mutation("warm-sessions-go-first", "let rank = (link.isWarm ? 1 : 0, session.lastDataUs)",
             "let rank = (link.isWarm ? 0 : 1, session.lastDataUs)", "warm sessions make room first",
             "WarmSessionsTests|SessionPoolTests"),
    Mutation("busy-once-more", "guard ahead <= (busyBurst - 1) * step else", "guard ahead <= busyBurst * step else",
             "a flood is told Busy once more", "AdmissionControlTests"),
    Mutation("price-rises-early", "let half = tolerance / 2", "let half = tolerance / 4",
             "requests cost more before half of the burst is used", "AdmissionControlTests"),
    Mutation("busy-without-turns", "return entry.untilUs + entry.turns * entry.waitUs", "return entry.untilUs",
             "all who wait for a busy peer come back at once", "BusyTests"),
    Mutation("timeouts-uncounted", "if code == .timeout { stats.timeouts += 1 }", "if code == .closed { stats.timeouts += 1 }",
             "time-outs are not counted", "DhtNodeTests|TendingTests"),
    Mutation("ready-though-cut-off", "silentUs ?? 0 < PeerWatch.isolatedAfterUs", "silentUs ?? 0 < .max",
             "a node that hears nobody stays ready", "PeerWatchTests"),
]
