// RO:WHAT  Payload bytes to EnvelopeView.
// RO:WHY   The head every node of ours writes is constant, so it is compared, not decoded; any other
//          order of keys, or extra keys, takes the real decoder.
// RO:INVARIANTS  no allocation once the lists have grown; slices point into the decoded bytes.
// RO:SECURITY  reads a peer's bytes: typed errors only.
// RO:TEST  Tests/DhtLoopTests/Proto/EnvelopeTests.swift, Tests/DhtLoopTests/Proto/vectors.json, Fuzz/

/// Decodes envelopes, by the descriptions in `MessageDescription` and `EnvelopeField`.
public enum EnvelopeDecoder {
    /// Decodes one payload. What its message has in lists replaces what is in `lists`.
    ///
    /// A good head with a bad message comes back as `.malformed`, so that a request can be answered;
    /// a bad head throws, because nobody can be told.
    public static func decode(
        _ payload: UnsafeRawBufferPointer, into lists: inout MessageLists
    ) throws(WireError) -> EnvelopeView {
        lists.clear()
        var view = EnvelopeView(dst: .zero, src: .zero, at: .empty, net: 0, rpc: 0, message: .ping)
        if try readConstantHead(payload, into: &view, &lists) { return view }
        try readAnyOrder(payload, into: &view, &lists)
        return view
    }

    /// Reads the shape we send; false when the bytes have another.
    private static func readConstantHead(
        _ payload: UnsafeRawBufferPointer, into view: inout EnvelopeView, _ lists: inout MessageLists
    ) throws(WireError) -> Bool {
        guard EnvelopeHead.hasConstantShape(payload), let base = payload.baseAddress else { return false }
        var reader = CborReader(payload, offset: EnvelopeHead.atKeyOffset)
        guard reader.take("\u{62}at") else { return false }
        view.dst = NodeID(loading: base + EnvelopeHead.dstOffset)
        view.src = NodeID(loading: base + EnvelopeHead.srcOffset)
        view.at = try reader.text()
        guard reader.take("\u{63}net") else { return false }
        view.net = try reader.uint()
        guard reader.take("\u{62}id") else { return false }
        view.rpc = try reader.uint()
        guard reader.take("\u{63}msg") else { return false }
        view.message = decodeLastMessage(&reader, &lists)
        return true
    }

    private static func decodeLastMessage(
        _ reader: inout CborReader, _ lists: inout MessageLists
    ) -> MessageView {
        if let usual = UsualRequest.match(reader.rest) { return usual }
        do throws(WireError) {
            let message = try decodeMessage(&reader, &lists)
            return reader.isAtEnd ? message : .malformed(.trailingBytes)
        } catch {
            return .malformed(error)
        }
    }

    private static func readAnyOrder(
        _ payload: UnsafeRawBufferPointer, into view: inout EnvelopeView, _ lists: inout MessageLists
    ) throws(WireError) {
        var reader = CborReader(payload)
        let pairs: Int
        do throws(WireError) {
            pairs = try reader.mapHead()
        } catch {
            throw error == .wrongType ? .notEnvelope : error
        }
        let map = EnvelopeField.all
        let seen = try map.read(pairs, &reader) { (field, reader) throws(WireError) in
            try read(field, &reader, into: &view, &lists)
        }
        guard map.isComplete(seen) else { throw seen == 0 ? .notEnvelope : .missingField }
        guard reader.isAtEnd else { throw .trailingBytes }
    }

    private static func read(
        _ field: EnvelopeField, _ reader: inout CborReader, into view: inout EnvelopeView,
        _ lists: inout MessageLists
    ) throws(WireError) {
        switch field {
        case .version: guard try reader.uint() == 1 else { throw .version }
        case .dst: view.dst = try reader.nodeID()
        case .src: view.src = try reader.nodeID()
        case .at: view.at = try reader.text()
        case .net: view.net = try reader.uint()
        case .rpc: view.rpc = try reader.uint()
        case .message: view.message = try decodeMessageOrSkip(&reader, &lists)
        }
    }

    /// A message that more keys may follow: where it is bad but whole, the reader goes on behind it.
    private static func decodeMessageOrSkip(
        _ reader: inout CborReader, _ lists: inout MessageLists
    ) throws(WireError) -> MessageView {
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

// MARK: - Messages

extension EnvelopeDecoder {
    /// `{name: body}`.
    private static func decodeMessage(
        _ reader: inout CborReader, _ lists: inout MessageLists
    ) throws(WireError) -> MessageView {
        guard try reader.mapHead() == 1 else { throw .malformed }
        let name = try reader.text()
        guard let description = MessageDescription.find(name) else {
            try reader.skip()
            return .unsupported(name: name)
        }
        var values = BodyValues()
        try read(description.body, pairs: try reader.mapHead(), &reader, into: &values, &lists)
        return description.view(values)
    }

    /// Reads the `pairs` pairs of a body, or of a map in one.
    private static func read(
        _ map: WireMap<BodyField>, pairs: Int, _ reader: inout CborReader, into values: inout BodyValues,
        _ lists: inout MessageLists
    ) throws(WireError) {
        let seen = try map.read(pairs, &reader) { (field, reader) throws(WireError) in
            try read(field, &reader, into: &values, &lists)
        }
        guard map.isComplete(seen) else { throw .missingField }
    }

    private static func read(
        _ field: BodyField, _ reader: inout CborReader, into values: inout BodyValues,
        _ lists: inout MessageLists
    ) throws(WireError) {
        switch field {
        case .id: values.id = try reader.nodeID()
        case .text: values.text = try reader.text()
        case .detail: values.detail = try reader.text()
        case .bytes: values.bytes = try reader.bytes()
        case .flag: values.flag = try reader.bool()
        case .number: values.number = try reader.uint()
        case .seq: values.seq = try reader.uint()
        case .ttl: values.ttlSeconds = try reader.uint()
        case .limit: values.limit = try reader.uint()
        case .recursion: values.recursion = UInt8(min(try reader.uint(), UInt64(Limits.recursion)))
        case .count:
            values.number = try reader.uint()
            guard values.number <= UInt64(Limits.recordsPerMessage) else { throw .tooMany }
        case .record: values.record = try decodeRecord(&reader, &lists)
        case .contacts: try readContacts(&reader, &lists)
        case .providers: try readProviders(&reader, &lists)
        case .records: try readRecords(&reader, &lists)
        case .refusals: try readRefusals(&reader, &lists)
        }
    }

    private static func decodeRecord(
        _ reader: inout CborReader, _ lists: inout MessageLists
    ) throws(WireError) -> RecordView {
        let pairs = try reader.mapHead()
        if pairs == 4, let usual = try usualRecord(&reader) { return usual }
        var values = BodyValues()
        try read(MessageDescription.record, pairs: pairs, &reader, into: &values, &lists)
        return RecordView(
            key: values.id, seq: values.seq, ttlSeconds: values.ttlSeconds,
            value: values.flag ? .empty : values.bytes, isTombstone: values.flag)
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
}

// MARK: - Lists

extension EnvelopeDecoder {
    private static func readContacts(
        _ reader: inout CborReader, _ lists: inout MessageLists
    ) throws(WireError) {
        assert(lists.contacts.isEmpty, "a key that leads to a list is read once")
        let count = try reader.arrayHead()
        guard count <= Limits.contactsPerMessage else { throw .tooMany }
        for _ in 0..<count {
            if let contact = try reader.usualContact() {
                lists.contacts.append(contact)
                continue
            }
            guard try reader.arrayHead() == 2 else { throw .malformed }
            lists.contacts.append(ContactView(id: try reader.nodeID(), at: try reader.text()))
        }
        assert(lists.contacts.count == count)
    }

    private static func readProviders(
        _ reader: inout CborReader, _ lists: inout MessageLists
    ) throws(WireError) {
        assert(lists.providers.isEmpty, "a key that leads to a list is read once")
        let count = try reader.arrayHead()
        guard count <= Limits.contactsPerMessage else { throw .tooMany }
        for _ in 0..<count {
            guard try reader.arrayHead() == 2 else { throw .malformed }
            lists.providers.append(ProviderView(node: try reader.text(), ttlSeconds: try reader.uint()))
        }
        assert(lists.providers.count == count)
    }

    private static func readRecords(
        _ reader: inout CborReader, _ lists: inout MessageLists
    ) throws(WireError) {
        assert(lists.records.isEmpty, "a key that leads to a list is read once")
        let count = try reader.arrayHead()
        guard count > 0 else { throw .malformed }
        guard count <= Limits.recordsPerMessage else { throw .tooMany }
        for _ in 0..<count {
            let record = try decodeRecord(&reader, &lists)
            lists.records.append(record)
        }
        assert(lists.records.count == count)
    }

    /// Indexes must ascend, so that the list names no record twice.
    private static func readRefusals(
        _ reader: inout CborReader, _ lists: inout MessageLists
    ) throws(WireError) {
        assert(lists.refusals.isEmpty, "a key that leads to a list is read once")
        let count = try reader.arrayHead()
        guard count <= Limits.recordsPerMessage else { throw .tooMany }
        var next: UInt64 = 0
        for _ in 0..<count {
            var values = BodyValues()
            try read(
                MessageDescription.refusal, pairs: try reader.mapHead(), &reader, into: &values, &lists)
            guard values.number >= next, values.number < UInt64(Limits.recordsPerMessage) else {
                throw .malformed
            }
            next = values.number + 1
            lists.refusals.append(
                RefusalView(index: Int(values.number), code: values.text, seq: values.seq))
        }
        assert(lists.refusals.count == count)
    }
}
