// RO:WHAT  What the package traits `pq` and `quic` do today: nothing but change what this example says.
// RO:WHY   The names are reserved for a post-quantum handshake and a QUIC transport of the overlay, so that a
//          build line that names them keeps working. No other file asks for them.

#if pq
    print("pq is on: a placeholder for a post-quantum handshake; sessions are as without it")
#else
    print("pq is off (a placeholder)")
#endif
#if quic
    print("quic is on: a placeholder for QUIC sessions; sessions are TCP as without it")
#else
    print("quic is off (a placeholder)")
#endif
