// RO:WHAT  Any bytes as a payload: the decoder must end with a value or an error, and a value must be sound.
// RO:TEST  scripts/live/fuzz.sh
import CFuzzer
import DhtLoop
import Glibc

@main
enum FuzzEnvelope {
    nonisolated(unsafe) static var lists = MessageLists()

    static func main() {
        var (count, arguments): (CInt, _) = (CommandLine.argc, Optional(CommandLine.unsafeArgv))
        exit(LLVMFuzzerRunDriver(&count, &arguments, tryEnvelope))
    }

    static func tryFrame(_ frame: UnsafeRawBufferPointer) {
        let view = try? EnvelopeDecoder.decode(frame, into: &lists)
        if let view { check(view, in: frame) }
        let address = EnvelopeHead.address(of: frame, lists: &lists)
        if let view {
            precondition(address?.dst == view.dst && address?.src == view.src, "switch and node disagree")
        }
    }

    /// Every slice lies in the frame, and every list is bounded.
    private static func check(_ view: EnvelopeView, in frame: UnsafeRawBufferPointer) {
        precondition(lists.contacts.count <= Limits.contactsPerMessage)
        precondition(lists.providers.count <= Limits.contactsPerMessage)
        precondition(lists.records.count <= Limits.recordsPerMessage)
        precondition(zip(lists.refusals, lists.refusals.dropFirst()).allSatisfy { $0.index < $1.index })
        precondition((lists.refusals.last?.index ?? 0) < Limits.recordsPerMessage)
        for record in lists.records { check(record.value, in: frame, limit: frame.count) }
        var slices = [view.at] + lists.contacts.map(\.at) + lists.providers.map(\.node)
        slices += lists.refusals.map(\.code)
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

    private static func check(_ slice: BorrowedBytes, in frame: UnsafeRawBufferPointer, limit: Int) {
        precondition(slice.count <= limit, "a text over the limit")
        // An empty text may be of no frame: nothing can be read of it.
        guard slice.count > 0, let start = slice.bytes.baseAddress, let first = frame.baseAddress else {
            return
        }
        precondition(start >= first && start + slice.count <= first + frame.count, "bytes outside the frame")
    }
}

/// What libFuzzer calls; its archive wants this very name.
@_cdecl("LLVMFuzzerTestOneInput")
func tryEnvelope(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzEnvelope.tryFrame(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
