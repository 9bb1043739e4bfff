"""A TCP proxy that can cut what passes through it, as a bad network does; the server behind it goes on."""

import contextlib
import select
import socket
import struct
import threading


class CuttableProxy:
    """Listens on `port` and hands each connection on to the server's.

    cut() resets all connections at both ends; those made afterwards are accepted and held, so that a test decides what
    happens while the client is away, until let_through().
    """

    def __init__(self, server_port):
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._passing = threading.Event()
        self._passing.set()
        self._lock = threading.Lock()
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        self._passing.clear()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # wakes the pump

    def let_through(self):
        self._passing.set()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # close() alone would not wake the thread in accept()
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        self._passing.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port))
        except OSError:
            client.close()
            return
        with self._lock:
            self._open.add(client)
        try:
            self._pump(client, server)
        finally:
            with self._lock:
                self._open.discard(client)
            for one in client, server:
                if not self._passing.is_set():
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.close()

    @staticmethod
    def _pump(client, server):
        other = {client: server, server: client}
        while True:
            for one in select.select([client, server], [], [])[0]:
                try:
                    data = one.recv(1 << 16)
                    if not data:
                        return
                    other[one].sendall(data)
                except OSError:
                    return
