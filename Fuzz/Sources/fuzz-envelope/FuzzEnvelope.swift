// RO:WHAT  Any bytes as a payload: the decoder must end with a value or an error, and a value must be sound.
// RO:TEST  scripts/live/fuzz.sh
import CFuzzer
import DhtLoop
import Glibc

@main
enum FuzzEnvelope {
    nonisolated(unsafe) static var decoder = EnvelopeDecoder()

    static func main() {
        var (count, arguments): (CInt, _) = (CommandLine.argc, Optional(CommandLine.unsafeArgv))
        exit(LLVMFuzzerRunDriver(&count, &arguments, tryEnvelope))
    }

    static func tryFrame(_ frame: UnsafeRawBufferPointer) {
        let view = try? decoder.decode(frame)
        if let view { check(view, in: frame) }
        let address = EnvelopeHead.address(of: frame, decoder: &decoder)
        if let view {
            precondition(address?.dst == view.dst && address?.src == view.src, "switch and node disagree")
        }
    }

    /// Every slice lies in the frame, and every list is bounded.
    private static func check(_ view: EnvelopeView, in frame: UnsafeRawBufferPointer) {
        precondition(decoder.contacts.count <= Limits.contactsPerMessage)
        precondition(decoder.providers.count <= Limits.contactsPerMessage)
        precondition(decoder.records.count <= Limits.recordsPerMessage)
        precondition(zip(decoder.refusals, decoder.refusals.dropFirst()).allSatisfy { $0.index < $1.index })
        precondition((decoder.refusals.last?.index ?? 0) < Limits.recordsPerMessage)
        for record in decoder.records { check(record.value, in: frame, limit: frame.count) }
        var slices = [view.at] + decoder.contacts.map(\.at) + decoder.providers.map(\.node)
        slices += decoder.refusals.map(\.code)
        switch view.message {
        case .found(let record), .put(let record): check(record.value, in: frame, limit: frame.count)
        case .stored(_, let code, _, _): slices.append(code)
        case .provide(_, let node, _): slices.append(node)
        case .error(let kind, let detail): slices += [kind, detail]
        case .unsupported(let name): slices.append(name)
        default: break
        }
        for slice in slices { check(slice, in: frame, limit: Limits.textBytes) }
    }

    private static func check(_ slice: ByteSlice, in frame: UnsafeRawBufferPointer, limit: Int) {
        precondition(Int(slice.count) <= limit, "a text over the limit")
        precondition(Int(slice.offset) + Int(slice.count) <= frame.count, "a slice outside its frame")
    }
}

/// What libFuzzer calls; its archive wants this very name.
@_cdecl("LLVMFuzzerTestOneInput")
func tryEnvelope(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzEnvelope.tryFrame(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
