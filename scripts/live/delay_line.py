#!/usr/bin/env python3
"""A wire with a length: joins two network interfaces, and hands each packet over a fixed time after it came.

Usage: delay_line.py LEFT RIGHT MILLISECONDS        as root of the network namespace that holds both

What `tc netem delay` does where the kernel has it. Packets keep the virtio header that says what the sending
interface left undone (checksums, segments), so that nothing has to be switched off on either side.
"""

import collections
import select
import signal
import socket
import sys
import time

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_OUTGOING = 4
LONGEST = 1 << 17


def port(interface):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    wire.bind((interface, ETH_P_ALL))
    wire.setblocking(False)
    return wire


def main():
    left, right, delay = port(sys.argv[1]), port(sys.argv[2]), float(sys.argv[3]) / 1000
    other_end = {left: right, right: left}
    on_the_way = collections.deque()  # (when it is there, where to, packet); the delay is the same for all
    print("up", flush=True)
    while True:
        patience = max(0, on_the_way[0][0] - time.monotonic()) if on_the_way else None
        for wire in select.select([left, right], [], [], patience)[0]:
            packet, address = wire.recvfrom(LONGEST)
            if address[2] != PACKET_OUTGOING:
                on_the_way.append((time.monotonic() + delay, other_end[wire], packet))
        while on_the_way and on_the_way[0][0] <= time.monotonic():
            _, wire, packet = on_the_way.popleft()
            try:
                wire.send(packet)
            except OSError:
                pass  # a full queue loses packets, as wires do


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
