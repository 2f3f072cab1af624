// RO:WHAT  A program of this package as a child, with its streams in the test's hands.
import CEpoll
import Glibc
import Synchronization

@testable import DhtLoop

/// How a child ended.
struct ChildResult {
    /// The exit code; 128 and the signal for one that was killed.
    let code: Int32
    let output: [UInt8]
    let errors: String

    var text: String { String(decoding: output, as: UTF8.self) }
}

/// A child that does not wait for us: the test turns its loop while the child runs.
final class ChildProcess {
    /// One child at a time is started: another one would keep a copy of a pipe that is not closed on exec yet, and
    /// who reads from that pipe would see no end.
    private static let starting = Mutex(())

    private var pid: pid_t
    private let output: Int32
    private let errors: Int32

    /// Starts `program` of this build with nothing but `environment`. `input` is its standard input, small enough for
    /// a pipe.
    init(_ program: String, _ arguments: [String], environment: [String: String] = [:], input: [UInt8] = []) {
        (pid, output, errors) = Self.starting.withLock { _ in
            Self.start(program, arguments, environment, input)
        }
        for end in [output, errors] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    }

    private static func start(
        _ program: String, _ arguments: [String], _ environment: [String: String], _ input: [UInt8]
    ) -> (pid: pid_t, output: Int32, errors: Int32) {
        let (inputEnds, outputEnds, errorEnds) = (makePipe(), makePipe(), makePipe())
        write(inputEnds[1], input, input.count)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, inputEnds[0], STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, outputEnds[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errorEnds[1], STDERR_FILENO)
        let path = buildDirectory + "/" + program
        var pid: pid_t = 0
        var argv = ([path] + arguments).map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        let status = posix_spawn(&pid, path, &actions, nil, &argv, &envp)
        precondition(status == 0, "\(path): \(String(cString: strerror(status)))")
        posix_spawn_file_actions_destroy(&actions)
        for text in argv + envp { free(text) }
        for end in [inputEnds[0], inputEnds[1], outputEnds[1], errorEnds[1]] { close(end) }
        return (pid, outputEnds[0], errorEnds[0])
    }

    deinit {
        if pid > 0 {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        close(output)
        close(errors)
    }

    /// Turns the loop until the child has ended; nil when it has not after 6000 turns.
    func wait(turning turn: () -> Void) -> ChildResult? {
        var (outputBytes, errorBytes): ([UInt8], [UInt8]) = ([], [])
        for _ in 0..<6000 {
            turn()
            var status: Int32 = 0
            let ended = waitpid(pid, &status, WNOHANG) == pid
            Self.drain(output, into: &outputBytes)
            Self.drain(errors, into: &errorBytes)
            guard ended else { continue }
            pid = 0
            let code = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
            return ChildResult(
                code: code, output: outputBytes, errors: String(decoding: errorBytes, as: UTF8.self))
        }
        return nil
    }

    /// Where the test bundle lies, and the programs beside it.
    private static let buildDirectory: String = {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes {
            readlink("/proc/self/exe", $0.bindMemory(to: CChar.self).baseAddress!, $0.count)
        }
        let path = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        return String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
    }()

    private static func makePipe() -> [Int32] {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return ends
    }

    private static func drain(_ end: Int32, into bytes: inout [UInt8]) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(end, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
    }
}
