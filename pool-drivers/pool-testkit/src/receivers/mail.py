"""An SMTP server on loopback. Its first line of input says how it is wanted, each later one how to
answer a mail or, as `RCPT address answer`, a recipient; it ends with its input. What it receives, it
prints as JSON, a line each."""

import asyncio
import collections
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

answers = collections.deque()
recipients = collections.defaultdict(collections.deque)


def tell(**what):
    print(json.dumps(what), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if recipients[address]:
            return recipients[address].popleft()
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        texts = [
            [part.get_content_type(), part.get_content().replace("\r\n", "\n")]
            for part in mail.walk()
            if part.get_content_maintype() == "text"
        ]
        tell(
            mail={
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "user": session.auth_data,
                "is_encrypted": session.ssl is not None,
                "headers": [[name, str(value)] for name, value in mail.items()],
                "texts": texts,
                "raw": envelope.content.decode(errors="replace"),
            }
        )
        answer = answers.popleft() if answers else "250 received"
        if answer == "hang":
            await asyncio.Event().wait()
        if answer == "250 and hang":
            session.hangs = True
            return "250 received"
        return answer

    async def handle_QUIT(self, server, session, envelope):
        if getattr(session, "hangs", False):
            await asyncio.Event().wait()
        return "221 bye"


def authenticator(wanted):
    def authenticate(server, session, envelope, mechanism, given):
        user = given.login.decode(errors="replace")
        if [user, given.password.decode(errors="replace")] == [wanted["user"], wanted["password"]]:
            return AuthResult(success=True, auth_data=user)
        tell(refused=user)
        return AuthResult(success=False, handled=False)

    return authenticate


async def serve():
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    wanted = json.loads(await orders.readline())
    tls = None
    if wanted["certificate"]:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(wanted["certificate"], wanted["key"])

    def session():
        return SMTP(
            Handler(),
            hostname="localhost",
            tls_context=tls,
            require_starttls=wanted["requires_tls"],
            auth_required=True,
            auth_require_tls=wanted["requires_tls"],
            authenticator=authenticator(wanted),
        )

    server = await loop.create_server(session, "127.0.0.1", 0)
    tell(port=server.sockets[0].getsockname()[1])
    while order := await orders.readline():
        order = order.decode().strip()
        if order.startswith("RCPT "):
            _, address, answer = order.split(" ", 2)
            recipients[address].append(answer)
        else:
            answers.append(order)


asyncio.run(serve())
