// RO:WHAT  CommandFailure: why a command ends with another code than 0.
// RO:WHY   Exit codes are a contract with scripts; the text says how to mend it.

import DhtLoop
import Glibc

/// Ends the process with a message on standard error.
struct CommandFailure: Error {
    /// The argument parser has a type of this name too.
    typealias Code = DhtLoop.ExitCode

    let code: Code
    /// One line, or more where there is advice; empty when everything has been said.
    let message: String

    func report() {
        if !message.isEmpty { Console.line("svc-dht: \(message)", to: STDERR_FILENO) }
    }
}
