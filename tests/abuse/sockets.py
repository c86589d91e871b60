#!/usr/bin/env python3
"""Sockets of five times the hub's limit of open files, in five shapes: nothing is sent, half a head, a body without a key that never
ends, the same with a good key, and the same compressed. A probe and a good token of another organisation are answered in less than a
second.

    sockets.py [SECONDS]
"""

import multiprocessing, selectors, socket, time
from callers import Watch, attacked, raise_files, seconds

FILES = 1024
SOCKETS = 5 * FILES
# Sockets that are opened again each second, once the hub has closed them.
REOPENED = 500
# The begin of a compressed body, and a block of it that holds nothing, as chunks.
GZIP_HEAD = b"a\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff\r\n"
EMPTY_BLOCK = b"5\r\n\0\0\0\xff\xff\r\n"


def attack(port, said, drip):
    """Holds sockets for ever: opens them, says a little now and then, and opens those again that the hub closes."""
    raise_files()
    held = selectors.DefaultSelector()

    def fresh():
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        held.register(one, selectors.EVENT_WRITE, [False])

    for _ in range(SOCKETS):
        fresh()
    while True:
        begun, reopened = time.monotonic(), 0
        for key, events in held.select(0.5):
            one, state = key.fileobj, key.data
            try:
                if events & selectors.EVENT_WRITE and not state[0]:
                    state[0] = True
                    if said:
                        one.send(said)
                    held.modify(one, selectors.EVENT_READ, state)
                elif not one.recv(4096):
                    raise ConnectionError
            except BlockingIOError:
                pass
            except OSError:
                held.unregister(one)
                one.close()
                if reopened < REOPENED:
                    reopened += 1
                    fresh()
        if drip:
            for key in list(held.get_map().values()):
                if key.data[0]:
                    try:
                        key.fileobj.send(drip)
                    except OSError:
                        pass
        while len(held.get_map()) < SOCKETS and reopened < REOPENED:
            reopened += 1
            fresh()
        time.sleep(max(0, 1 - (time.monotonic() - begun)))


async def shape(hub, name, said, drip, other, good, length):
    attacker = multiprocessing.Process(target=attack, args=(hub.port, said, drip), daemon=True)
    attacker.start()
    # The flood itself, and then what it holds.
    watch = Watch(hub, [("probe", "/healthz", None), ("good token", f"{other}/Users?count=1", good)])
    await watch.run(length)
    attacker.kill()
    attacker.join()
    return watch.verdict(name, 1.0)


async def every_shape(hub):
    tenant, other = hub.tenant("Acme"), hub.tenant("Globex")
    key = f"authorization: Bearer {tenant.token}\r\n"
    chunked = f"POST {tenant.base}/Users HTTP/1.1\r\nhost: hub\r\ntransfer-encoding: chunked\r\n"
    shapes = {
        "silent": (b"", b""),
        "half a head": (b"GET /healthz HTTP/1.1\r\nx-slow: ", b"y"),
        "a body without a key": (f"{chunked}\r\n1\r\n{{\r\n".encode(), b"1\r\n \r\n"),
        "a body with a good key": (f"{chunked}{key}\r\n1\r\n{{\r\n".encode(), b"1\r\n \r\n"),
        "a compressed body": (f"{chunked}{key}content-encoding: gzip\r\n\r\n".encode() + GZIP_HEAD, EMPTY_BLOCK),
    }
    length = seconds(60) / len(shapes)
    held = [await shape(hub, name, *said, other.base, other.token, length) for name, said in shapes.items()]
    return all(held)


if __name__ == "__main__":
    attacked(every_shape, files=FILES)
