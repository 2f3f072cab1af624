// RO:WHAT  Payload bytes to EnvelopeView.
// RO:WHY   The head every node of ours writes is constant, so it is compared, not decoded; any other
//          order of keys, or extra keys, takes the real decoder.
// RO:INVARIANTS  no allocation once the lists have grown; slices point into the decoded bytes.
// RO:SECURITY  reads a peer's bytes: typed errors only.
// RO:TEST  Tests/DhtLoopTests/Proto/EnvelopeTests.swift, Tests/DhtLoopTests/Proto/vectors.json, Fuzz/

/// Decodes envelopes.
public enum EnvelopeDecoder {
    /// Decodes one payload. What its message has in lists replaces what is in `lists`.
    ///
    /// A good head with a bad message comes back as `.malformed`, so that a request can be answered;
    /// a bad head throws, because nobody can be told.
    public static func decode(
        _ payload: UnsafeRawBufferPointer, into lists: inout MessageLists
    ) throws(WireError) -> EnvelopeView {
        lists.clear()
        if let view = try decodeConstantHead(payload, &lists) { return view }
        return try decodeAnyOrder(payload, &lists)
    }

    /// The shape we send: nil when the bytes have another.
    private static func decodeConstantHead(
        _ payload: UnsafeRawBufferPointer, _ lists: inout MessageLists
    ) throws(WireError) -> EnvelopeView? {
        guard EnvelopeHead.hasConstantShape(payload), let base = payload.baseAddress else { return nil }
        var reader = CborReader(payload, offset: EnvelopeHead.atKeyOffset)
        guard reader.take("\u{62}at") else { return nil }
        var view = EnvelopeView(
            dst: NodeID(loading: base + EnvelopeHead.dstOffset),
            src: NodeID(loading: base + EnvelopeHead.srcOffset),
            at: try reader.text(), net: 0, rpc: 0, message: .ping)
        guard reader.take("\u{63}net") else { return nil }
        view.net = try reader.uint()
        guard reader.take("\u{62}id") else { return nil }
        view.rpc = try reader.uint()
        guard reader.take("\u{63}msg") else { return nil }
        view.message = decodeLastMessage(&reader, &lists)
        return view
    }

    private static func decodeLastMessage(_ reader: inout CborReader, _ lists: inout MessageLists)
        -> MessageView
    {
        if let usual = UsualRequest.match(reader.rest) { return usual }
        do throws(WireError) {
            let message = try decodeMessage(&reader, &lists)
            return reader.isAtEnd ? message : .malformed(.trailingBytes)
        } catch {
            return .malformed(error)
        }
    }

    private static func decodeAnyOrder(
        _ payload: UnsafeRawBufferPointer, _ lists: inout MessageLists
    ) throws(WireError) -> EnvelopeView {
        var reader = CborReader(payload)
        let pairs: Int
        do throws(WireError) {
            pairs = try reader.mapHead()
        } catch {
            throw error == .wrongType ? .notEnvelope : error
        }
        var view = EnvelopeView(dst: .zero, src: .zero, at: .empty, net: 0, rpc: 0, message: .pong)
        var seen = EnvelopeFields()
        for _ in 0..<pairs { try decodeField(&reader, &lists, into: &view, &seen) }
        guard seen.contains(.all) else { throw seen.isEmpty ? .notEnvelope : .missingField }
        guard reader.isAtEnd else { throw .trailingBytes }
        return view
    }

    private static func decodeField(
        _ reader: inout CborReader, _ lists: inout MessageLists, into view: inout EnvelopeView,
        _ seen: inout EnvelopeFields
    ) throws(WireError) {
        let key = try reader.text()
        if reader.spells(key, "v") {
            guard try reader.uint() == 1 else { throw .version }
            seen.insert(.version)
        } else if reader.spells(key, "dst") {
            view.dst = try reader.nodeID()
            seen.insert(.dst)
        } else if reader.spells(key, "src") {
            view.src = try reader.nodeID()
            seen.insert(.src)
        } else if reader.spells(key, "at") {
            view.at = try reader.text()
            seen.insert(.at)
        } else if reader.spells(key, "net") {
            view.net = try reader.uint()
            seen.insert(.net)
        } else if reader.spells(key, "id") {
            view.rpc = try reader.uint()
            seen.insert(.rpc)
        } else if reader.spells(key, "msg") {
            view.message = try decodeMessageOrSkip(&reader, &lists)
            seen.insert(.message)
        } else {
            try reader.skip()
        }
    }

    /// A message that more keys may follow: where it is bad but whole, the reader goes on behind it.
    private static func decodeMessageOrSkip(_ reader: inout CborReader, _ lists: inout MessageLists)
        throws(WireError) -> MessageView
    {
        let start = reader
        do throws(WireError) {
            return try decodeMessage(&reader, &lists)
        } catch {
            reader = start
            do throws(WireError) { try reader.skip() } catch _ { throw error }
            return .malformed(error)
        }
    }
}

/// Which keys of the envelope have been read.
private struct EnvelopeFields: OptionSet {
    let rawValue: UInt8
    static let version = Self(rawValue: 1)
    static let dst = Self(rawValue: 2)
    static let src = Self(rawValue: 4)
    static let at = Self(rawValue: 8)
    static let net = Self(rawValue: 16)
    static let rpc = Self(rawValue: 32)
    static let message = Self(rawValue: 64)
    static let all = Self(rawValue: 127)
}

// MARK: - Messages

extension EnvelopeDecoder {
    /// `{name: body}`.
    private static func decodeMessage(_ reader: inout CborReader, _ lists: inout MessageLists)
        throws(WireError) -> MessageView
    {
        guard try reader.mapHead() == 1 else { throw .malformed }
        let name = try reader.text()
        if reader.spells(name, "FindNode") { return try decodeFindNode(&reader) }
        if reader.spells(name, "Get") { return try decodeGet(&reader) }
        if reader.spells(name, "Nodes") { return try decodeNodes(&reader, &lists) }
        if reader.spells(name, "Found") { return try decodeFound(&reader, &lists) }
        if reader.spells(name, "Put") { return try decodePut(&reader) }
        if reader.spells(name, "Stored") { return try decodeStored(&reader) }
        if reader.spells(name, "Ping") { return try decodeEmpty(&reader, .ping) }
        if reader.spells(name, "Pong") { return try decodeEmpty(&reader, .pong) }
        return try decodeRareMessage(&reader, &lists, name)
    }

    private static func decodeRareMessage(
        _ reader: inout CborReader, _ lists: inout MessageLists, _ name: BorrowedBytes
    ) throws(WireError) -> MessageView {
        if reader.spells(name, "PutMany") { return try decodePutMany(&reader, &lists) }
        if reader.spells(name, "StoredMany") { return try decodeStoredMany(&reader, &lists) }
        if reader.spells(name, "Unreachable") { return .unreachable(node: try onlyKey(&reader, "node")) }
        if reader.spells(name, "Provide") { return try decodeProvide(&reader) }
        if reader.spells(name, "FindProviders") { return try decodeFindProviders(&reader) }
        if reader.spells(name, "Providers") { return try decodeProviders(&reader, &lists) }
        if reader.spells(name, "Busy") { return try decodeBusy(&reader) }
        if reader.spells(name, "Error") { return try decodeError(&reader) }
        try reader.skip()
        return .unsupported(name: name)
    }

    private static func decodeEmpty(
        _ reader: inout CborReader, _ message: MessageView
    ) throws(WireError) -> MessageView {
        for _ in 0..<(try reader.mapHead()) {
            _ = try reader.text()
            try reader.skip()
        }
        return message
    }

    /// A body whose one known key is a 32-byte id.
    private static func onlyKey(_ reader: inout CborReader, _ wanted: StaticString) throws(WireError)
        -> NodeID
    {
        var id: NodeID?
        for _ in 0..<(try reader.mapHead()) {
            if reader.spells(try reader.text(), wanted) {
                id = try reader.nodeID()
            } else {
                try reader.skip()
            }
        }
        guard let id else { throw .missingField }
        return id
    }

    private static func decodeFindNode(_ reader: inout CborReader) throws(WireError) -> MessageView {
        var target: NodeID?
        var recursion: UInt8 = 0
        for _ in 0..<(try reader.mapHead()) {
            let name = try reader.text()
            if reader.spells(name, "target") {
                target = try reader.nodeID()
            } else if reader.spells(name, "recurse") {
                recursion = try decodeRecursion(&reader)
            } else {
                try reader.skip()
            }
        }
        guard let target else { throw .missingField }
        return .findNode(target: target, recursion: recursion)
    }

    /// More steps than may be asked for are as many as may be.
    private static func decodeRecursion(_ reader: inout CborReader) throws(WireError) -> UInt8 {
        UInt8(min(try reader.uint(), UInt64(Limits.recursion)))
    }

    private static func decodeGet(_ reader: inout CborReader) throws(WireError) -> MessageView {
        var key: Key?
        var recursion: UInt8 = 0
        var wantsNodes = false
        for _ in 0..<(try reader.mapHead()) {
            let name = try reader.text()
            if reader.spells(name, "key") {
                key = try reader.nodeID()
            } else if reader.spells(name, "nodes") {
                wantsNodes = try reader.bool()
            } else if reader.spells(name, "recurse") {
                recursion = try decodeRecursion(&reader)
            } else {
                try reader.skip()
            }
        }
        guard let key else { throw .missingField }
        return .get(key: key, wantsNodes: wantsNodes, recursion: recursion)
    }

    private static func decodeNodes(_ reader: inout CborReader, _ lists: inout MessageLists) throws(WireError)
        -> MessageView
    {
        var isMoreToCome = false
        var seen = false
        for _ in 0..<(try reader.mapHead()) {
            let name = try reader.text()
            if reader.spells(name, "nodes") {
                try decodeContacts(&reader, &lists)
                seen = true
            } else if reader.spells(name, "more") {
                isMoreToCome = try reader.bool()
            } else {
                try reader.skip()
            }
        }
        guard seen else { throw .missingField }
        return .nodes(isMoreToCome: isMoreToCome)
    }

    private static func decodeContacts(_ reader: inout CborReader, _ lists: inout MessageLists)
        throws(WireError)
    {
        let count = try reader.arrayHead()
        guard count <= Limits.contactsPerMessage else { throw .tooMany }
        lists.contacts.removeAll(keepingCapacity: true)
        for _ in 0..<count {
            if let contact = try reader.usualContact() {
                lists.contacts.append(contact)
                continue
            }
            guard try reader.arrayHead() == 2 else { throw .malformed }
            lists.contacts.append(ContactView(id: try reader.nodeID(), at: try reader.text()))
        }
    }

    private static func decodeFound(_ reader: inout CborReader, _ lists: inout MessageLists) throws(WireError)
        -> MessageView
    {
        var record: RecordView?
        for _ in 0..<(try reader.mapHead()) {
            let key = try reader.text()
            if reader.spells(key, "record") {
                record = try decodeRecord(&reader)
            } else if reader.spells(key, "nodes") {
                try decodeContacts(&reader, &lists)
            } else {
                try reader.skip()
            }
        }
        guard let record else { throw .missingField }
        return .found(record)
    }

    private static func decodePut(_ reader: inout CborReader) throws(WireError) -> MessageView {
        var record: RecordView?
        for _ in 0..<(try reader.mapHead()) {
            if reader.spells(try reader.text(), "record") {
                record = try decodeRecord(&reader)
            } else {
                try reader.skip()
            }
        }
        guard let record else { throw .missingField }
        return .put(record)
    }

    /// A record's four keys in the order every node of ours writes them, compared; nil for any other shape.
    @inline(__always)
    private static func usualRecord(_ reader: inout CborReader) throws(WireError) -> RecordView? {
        var ahead = reader
        guard ahead.take("\u{63}key\u{58}\u{20}"), let key = ahead.takeID(), ahead.take("\u{63}seq") else {
            return nil
        }
        let seq = try ahead.uint()
        guard ahead.take("\u{63}ttl") else { return nil }
        let ttl = try ahead.uint()
        guard ahead.take("\u{65}value") else { return nil }
        let value = try ahead.bytes()
        reader = ahead
        return RecordView(key: key, seq: seq, ttlSeconds: ttl, value: value)
    }

    private static func decodeRecord(_ reader: inout CborReader) throws(WireError) -> RecordView {
        var key: Key?
        var seq: UInt64?
        var ttl: UInt64?
        var value: BorrowedBytes?
        var isTombstone = false
        let pairs = try reader.mapHead()
        if pairs == 4, let usual = try usualRecord(&reader) { return usual }
        for _ in 0..<pairs {
            let name = try reader.text()
            if reader.spells(name, "key") {
                key = try reader.nodeID()
            } else if reader.spells(name, "seq") {
                seq = try reader.uint()
            } else if reader.spells(name, "ttl") {
                ttl = try reader.uint()
            } else if reader.spells(name, "value") {
                value = try reader.bytes()
            } else if reader.spells(name, "dead") {
                isTombstone = try reader.bool()
            } else {
                try reader.skip()
            }
        }
        guard let key, let seq, let ttl, let value else { throw .missingField }
        return RecordView(
            key: key, seq: seq, ttlSeconds: ttl, value: isTombstone ? .empty : value, isTombstone: isTombstone
        )
    }

    private static func decodeStored(_ reader: inout CborReader) throws(WireError) -> MessageView {
        var ok: Bool?
        var code = BorrowedBytes.empty
        var ttl: UInt64 = 0
        var seq: UInt64 = 0
        for _ in 0..<(try reader.mapHead()) {
            let name = try reader.text()
            if reader.spells(name, "ok") {
                ok = try reader.bool()
            } else if reader.spells(name, "code") {
                code = try reader.text()
            } else if reader.spells(name, "ttl") {
                ttl = try reader.uint()
            } else if reader.spells(name, "seq") {
                seq = try reader.uint()
            } else {
                try reader.skip()
            }
        }
        guard let ok else { throw .missingField }
        return .stored(ok: ok, code: code, ttlSeconds: ttl, seq: seq)
    }

    private static func decodePutMany(_ reader: inout CborReader, _ lists: inout MessageLists)
        throws(WireError) -> MessageView
    {
        var seen = false
        for _ in 0..<(try reader.mapHead()) {
            if reader.spells(try reader.text(), "records") {
                try decodeRecordList(&reader, &lists)
                seen = true
            } else {
                try reader.skip()
            }
        }
        guard seen else { throw .missingField }
        return .putMany
    }

    private static func decodeRecordList(_ reader: inout CborReader, _ lists: inout MessageLists)
        throws(WireError)
    {
        let count = try reader.arrayHead()
        guard count > 0 else { throw .malformed }
        guard count <= Limits.recordsPerMessage else { throw .tooMany }
        lists.records.removeAll(keepingCapacity: true)
        for _ in 0..<count { lists.records.append(try decodeRecord(&reader)) }
    }

    private static func decodeStoredMany(_ reader: inout CborReader, _ lists: inout MessageLists)
        throws(WireError) -> MessageView
    {
        var stored: UInt64?
        for _ in 0..<(try reader.mapHead()) {
            let name = try reader.text()
            if reader.spells(name, "stored") {
                stored = try reader.uint()
            } else if reader.spells(name, "refused") {
                try decodeRefusalList(&reader, &lists)
            } else {
                try reader.skip()
            }
        }
        guard let stored else { throw .missingField }
        guard stored <= UInt64(Limits.recordsPerMessage) else { throw .tooMany }
        return .storedMany(count: stored)
    }

    private static func decodeRefusalList(_ reader: inout CborReader, _ lists: inout MessageLists)
        throws(WireError)
    {
        let count = try reader.arrayHead()
        guard count <= Limits.recordsPerMessage else { throw .tooMany }
        lists.refusals.removeAll(keepingCapacity: true)
        var next: UInt64 = 0
        for _ in 0..<count {
            let refusal = try decodeRefusal(&reader, atLeast: next)
            lists.refusals.append(refusal)
            next = UInt64(refusal.index) + 1
        }
    }

    /// One refusal, whose index must be `first` or higher, so that the list names no record twice.
    private static func decodeRefusal(
        _ reader: inout CborReader, atLeast first: UInt64
    ) throws(WireError) -> RefusalView {
        var index: UInt64?
        var code: BorrowedBytes?
        var seq: UInt64 = 0
        for _ in 0..<(try reader.mapHead()) {
            let name = try reader.text()
            if reader.spells(name, "index") {
                index = try reader.uint()
            } else if reader.spells(name, "code") {
                code = try reader.text()
            } else if reader.spells(name, "seq") {
                seq = try reader.uint()
            } else {
                try reader.skip()
            }
        }
        guard let index, let code else { throw .missingField }
        guard index >= first, index < UInt64(Limits.recordsPerMessage) else { throw .malformed }
        return RefusalView(index: Int(index), code: code, seq: seq)
    }

    private static func decodeProvide(_ reader: inout CborReader) throws(WireError) -> MessageView {
        var cid: Key?
        var node: BorrowedBytes?
        var ttl: UInt64?
        for _ in 0..<(try reader.mapHead()) {
            let name = try reader.text()
            if reader.spells(name, "cid") {
                cid = try reader.nodeID()
            } else if reader.spells(name, "node") {
                node = try reader.text()
            } else if reader.spells(name, "ttl") {
                ttl = try reader.uint()
            } else {
                try reader.skip()
            }
        }
        guard let cid, let node, let ttl else { throw .missingField }
        return .provide(cid: cid, node: node, ttlSeconds: ttl)
    }

    private static func decodeFindProviders(_ reader: inout CborReader) throws(WireError) -> MessageView {
        var cid: Key?
        var limit = UInt64(Limits.contactsPerMessage)
        for _ in 0..<(try reader.mapHead()) {
            let name = try reader.text()
            if reader.spells(name, "cid") {
                cid = try reader.nodeID()
            } else if reader.spells(name, "limit") {
                limit = try reader.uint()
            } else {
                try reader.skip()
            }
        }
        guard let cid else { throw .missingField }
        return .findProviders(cid: cid, limit: limit)
    }

    private static func decodeProviders(_ reader: inout CborReader, _ lists: inout MessageLists)
        throws(WireError) -> MessageView
    {
        var seen = false
        for _ in 0..<(try reader.mapHead()) {
            let name = try reader.text()
            if reader.spells(name, "providers") {
                try decodeProviderList(&reader, &lists)
                seen = true
            } else if reader.spells(name, "nodes") {
                try decodeContacts(&reader, &lists)
            } else {
                try reader.skip()
            }
        }
        guard seen else { throw .missingField }
        return .providers
    }

    private static func decodeProviderList(_ reader: inout CborReader, _ lists: inout MessageLists)
        throws(WireError)
    {
        let count = try reader.arrayHead()
        guard count <= Limits.contactsPerMessage else { throw .tooMany }
        lists.providers.removeAll(keepingCapacity: true)
        for _ in 0..<count {
            guard try reader.arrayHead() == 2 else { throw .malformed }
            lists.providers.append(ProviderView(node: try reader.text(), ttlSeconds: try reader.uint()))
        }
    }

    private static func decodeBusy(_ reader: inout CborReader) throws(WireError) -> MessageView {
        var retryMs: UInt64?
        for _ in 0..<(try reader.mapHead()) {
            if reader.spells(try reader.text(), "retry_ms") {
                retryMs = try reader.uint()
            } else {
                try reader.skip()
            }
        }
        guard let retryMs else { throw .missingField }
        return .busy(retryMs: retryMs)
    }

    private static func decodeError(_ reader: inout CborReader) throws(WireError) -> MessageView {
        var kind: BorrowedBytes?
        var detail = BorrowedBytes.empty
        for _ in 0..<(try reader.mapHead()) {
            let name = try reader.text()
            if reader.spells(name, "kind") {
                kind = try reader.text()
            } else if reader.spells(name, "detail") {
                detail = try reader.text()
            } else {
                try reader.skip()
            }
        }
        guard let kind else { throw .missingField }
        return .error(kind: kind, detail: detail)
    }
}
