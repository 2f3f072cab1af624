// RO:WHAT  Any bytes as a session, whole and in pieces: both ways must yield the same HELLO, frames and error.
// RO:WHY   TCP cuts a stream wherever it likes; where it cut must never show.
// RO:TEST  scripts/live/fuzz.sh
import CFuzzer
import DhtLoop
import Glibc

@main
enum FuzzFrames {
    static func main() {
        var (count, arguments): (CInt, _) = (CommandLine.argc, Optional(CommandLine.unsafeArgv))
        exit(LLVMFuzzerRunDriver(&count, &arguments, trySession))
    }

    /// What a session said, frames as hash and length.
    struct Transcript: Equatable {
        var hellos: [Hello] = []
        var frames: [Int] = []
        var error: OapError?
    }

    static func compare(_ stream: UnsafeRawBufferPointer) {
        let whole = transcript(of: stream, pieces: stream.count)
        precondition(transcript(of: stream, pieces: 1) == whole, "bytes one by one say something else")
        // The stream's own last byte chooses the size of the pieces, so that the fuzzer can vary it.
        let size = Int(stream.last ?? 0) + 2
        precondition(transcript(of: stream, pieces: size) == whole, "pieces of \(size) say something else")
    }

    static func transcript(of stream: UnsafeRawBufferPointer, pieces size: Int) -> Transcript {
        var result = Transcript()
        var decoder = FrameDecoder()
        do throws(OapError) {
            for start in stride(from: 0, to: stream.count, by: max(size, 1)) {
                let end = min(start + size, stream.count)
                var piece = UnsafeRawBufferPointer(rebasing: stream[start..<end])
                while let event = try decoder.next(&piece) { result.note(event) }
                precondition(piece.isEmpty, "bytes left over")
                decoder.trim()
            }
        } catch {
            result.error = error
        }
        return result
    }
}

extension FuzzFrames.Transcript {
    mutating func note(_ event: FrameEvent) {
        switch event {
        case .hello(let hello): hellos.append(hello)
        case .frame(let kind, let payload):
            precondition(payload.count < Limits.frameBytes, "a frame over the limit")
            var hasher = Hasher()
            hasher.combine(kind)
            hasher.combine(bytes: payload)
            frames += [payload.count, hasher.finalize()]
        }
    }
}

/// What libFuzzer calls; its archive wants this very name.
@_cdecl("LLVMFuzzerTestOneInput")
func trySession(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzFrames.compare(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
