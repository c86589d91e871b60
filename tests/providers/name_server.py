"""A name server for TXT records, on loopback: NameServer().records["_rollcall.acme.example"] = "…"."""

import socket
import struct
import threading

TXT = 16


class NameServer:
    def __init__(self):
        self.records = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            self.socket.sendto(self.answer(query), peer)

    def answer(self, query):
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1:at + 1 + length].decode())
            at += 1 + length
        question = query[12:at + 5]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        text = self.records.get(".".join(labels).lower()) if kind == TXT else None
        answers = b""
        if text is not None:
            data = bytes([len(text)]) + text.encode()
            answers = b"\xc0\x0c" + struct.pack(">HHIH", TXT, 1, 60, len(data)) + data
        # An authoritative answer; NXDOMAIN where there is none.
        flags = 0x8580 if text is not None else 0x8583
        return query[:2] + struct.pack(">HHHHH", flags, 1, 1 if answers else 0, 0, 0) + question + answers
