"""Serves Canaille on a free port of loopback until the standard input ends; for scripts that Canaille's own Python runs."""

import json
import os
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def end_with_standard_input():
    sys.stdin.read()
    os._exit(0)


def serve(make_app, paths):
    """`make_app` takes the port. `paths` are beside Canaille's own: each takes the body, and its answer is sent as JSON."""
    server = WSGIServer(("127.0.0.1", 0), Quiet)
    app = make_app(server.server_port)

    def answer(environ, start):
        path = environ["PATH_INFO"]
        if path not in paths:
            return app(environ, start)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with app.app_context():
            done = paths[path](json.loads(body or b"null"))
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(done).encode()]

    server.set_app(answer)
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    print("ready", server.server_port, flush=True)
    server.serve_forever()
