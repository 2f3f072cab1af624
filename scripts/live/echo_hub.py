#!/usr/bin/env python3
"""A hub that only echoes, as the reference svc-overlay does: HELLO, then every frame back to who sent it.

Prints its address, then runs until it is ended.
"""

import selectors
import socket

HELLO = b"OAP1\x01\x00\x00\x00\x01"


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print("%s:%d" % listener.getsockname(), flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ, None)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                peer, _ = listener.accept()
                peer.sendall(HELLO)
                selector.register(peer, selectors.EVENT_READ, bytearray())
                continue
            try:
                received = key.fileobj.recv(65536)
                if received:
                    key.data.extend(received)
                    # The HELLO is not part of what is echoed; frames go back as they came.
                    if len(key.data) > len(HELLO):
                        key.fileobj.sendall(key.data[len(HELLO) :])
                        del key.data[len(HELLO) :]
                    continue
            except ConnectionError:
                pass
            selector.unregister(key.fileobj)
            key.fileobj.close()


if __name__ == "__main__":
    main()
