"""A real mail server for the tests: aiosmtpd on loopback, TLS and a login demanded, with faults on order.

Says its ports first (STARTTLS, implicit TLS), then one JSON line per mail that it took. Orders come as lines on
standard input, each for one mail: `rcpt 450`, `data 552`, `data hang`, `data cut`. When standard input ends, it ends.
"""
import asyncio
import collections
import email
import email.policy
import json
import os
import ssl
import sys
import threading
import time

from aiosmtpd.smtp import SMTP, AuthResult

orders = {"rcpt": collections.deque(), "data": collections.deque()}


def say(value):
    print(json.dumps(value), flush=True)


def order(stage):
    return orders[stage].popleft() if orders[stage] else None


def listen():
    for line in sys.stdin:
        stage, what = line.split()
        orders[stage].append(what)
        say({"ordered": line.strip()})
    os._exit(0)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        fault = order("rcpt")
        if fault:
            return f"{fault} not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        fault = order("data")
        if fault and fault.isdigit():
            return f"{fault} no"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say({
            "from": str(mail["from"]), "to": envelope.rcpt_tos, "subject": str(mail["subject"]),
            "id": str(mail["message-id"]), "references": str(mail["references"]), "reply": str(mail["in-reply-to"]),
            "auto": str(mail["auto-submitted"]), "suppress": str(mail["x-auto-response-suppress"]),
            "text": mail.get_content().replace("\r\n", "\n"), "peer": session.peer[1],
            "tls": session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None,
            "ascii": envelope.content.isascii(), "at": int(time.time() * 1000),
        })
        if fault == "hang":
            await asyncio.Event().wait()
        if fault == "cut":
            server.transport.abort()
        return "250 2.0.0 queued"


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"user" and data.password == b"password", handled=False)


async def main(cert, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    common = {"authenticator": login, "auth_required": True, "hostname": "localhost"}
    loop = asyncio.get_running_loop()
    starttls = await loop.create_server(
        lambda: SMTP(Handler(), tls_context=context, require_starttls=True, **common), "127.0.0.1", 0)
    implicit = await loop.create_server(
        lambda: SMTP(Handler(), auth_require_tls=False, **common), "127.0.0.1", 0, ssl=context)
    say({"starttls": starttls.sockets[0].getsockname()[1], "implicit": implicit.sockets[0].getsockname()[1]})
    threading.Thread(target=listen, daemon=True).start()
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
