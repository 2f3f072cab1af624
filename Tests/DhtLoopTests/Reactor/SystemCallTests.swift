// RO:WHAT  systemCall: interruptions are made again, other failures are named.
import Glibc
import Testing

@testable import DhtLoop

@Suite("System calls")
struct SystemCallTests {
    @Test("a call that signals interrupt is made again until it is through")
    func interrupted() throws {
        var calls = 0
        let result = try systemCall("recv") { () -> Int in
            calls += 1
            errno = EINTR
            return calls < 4 ? -1 : 7
        }
        #expect(result == 7 && calls == 4)
    }

    @Test("another failure is thrown once, with the call's name and the errno")
    func failed() {
        var calls = 0
        let error = #expect(throws: SystemError.self) {
            try systemCall("bind") { () -> Int32 in
                calls += 1
                errno = EADDRINUSE
                return -1
            }
        }
        #expect(error == SystemError(operation: "bind", code: EADDRINUSE) && calls == 1)
        #expect(error?.description == "bind: Address already in use")
        #expect(error != SystemError(operation: "listen", code: EADDRINUSE))
    }
}
