"""A receiver of webhooks: checks each request with two published libraries and by hand, and prints a line about it.

Usage: webhooks.py SECRET. The first line is the port. Every later line is JSON: id, event, subject, version, problems.
"""

import hashlib
import hmac
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

SECRET = sys.argv[1]
PRINTING = threading.Lock()


def problems(headers, body):
    found = []
    names = ["webhook-id", "webhook-timestamp", "webhook-signature"]
    standard = {name: headers[name] for name in names}
    svix = {"svix" + name.removeprefix("webhook"): value for name, value in standard.items()}
    for name, library, sent in [("standardwebhooks", StandardWebhook, standard), ("svix", SvixWebhook, svix)]:
        try:
            library(SECRET).verify(body, sent)
        except Exception as error:
            found.append(f"{name}: {error!r}")
        try:
            library(SECRET).verify(body + b" ", sent)
            found.append(f"{name} took a body that was changed")
        except Exception:
            pass
    wanted = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, headers["x-webhook-signature"]):
        found.append("x-webhook-signature is wrong")
    return found


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        event = json.loads(body)
        line = {
            "id": event["id"],
            "event": event["event"],
            "subject": event["data"]["id"],
            "version": event["data"]["version"],
            "problems": problems(self.headers, body),
        }
        with PRINTING:
            print(json.dumps(line), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
