#!/usr/bin/env python3
"""Three small services to load-test, in one process and without dependencies.

    python3 services.py --port 8000 --slow /query=1.6 --fail /execute=0.3

api_gateway: POST /v1/chat/completions, GET /v1/models, GET /health; rag_service: POST /query, POST /index;
mcp_server: POST /execute. Every answer takes its time (see LATENCY_MS), a little more or less. GET /answered tells how many
requests these have answered so far.
"""

import argparse
import asyncio
import json
import random

LATENCY_MS = {
    "/v1/chat/completions": 80,
    "/v1/models": 50,
    "/health": 40,
    "/query": 70,
    "/index": 60,
    "/execute": 60,
}
SPREAD = 0.03  # of a normal distribution, as a share of the latency
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}
MOST_BODY = 1 << 20
ANSWERED = dict.fromkeys(LATENCY_MS, 0)


def settings(texts, what):
    """`/query=1.6` as a pair."""
    found = {}
    for text in texts:
        path, _, number = text.partition("=")
        if path not in LATENCY_MS:
            raise SystemExit(f"{what}: no such path: {path}; there are {', '.join(LATENCY_MS)}")
        try:
            found[path] = float(number)
        except ValueError:
            raise SystemExit(f"{what}: expected a number behind {path}=, found {number!r}") from None
    return found


async def answer(path, slow, fail):
    """Status and body, after the time that it takes."""
    if path == "/answered":
        return 200, ANSWERED
    if path not in LATENCY_MS:
        return 404, {"error": f"no such path: {path}"}
    seconds = LATENCY_MS[path] / 1000 * slow.get(path, 1.0)
    await asyncio.sleep(max(seconds * random.gauss(1, SPREAD), 0))
    ANSWERED[path] += 1
    if random.random() < fail.get(path, 0.0):
        return 500, {"error": "out of order"}
    return 200, {"path": path, "answer": "as you wish"}


async def serve(reader, writer, slow, fail):
    """One connection: requests one after the other until the client has enough."""
    try:
        while line := await reader.readline():
            parts = line.decode("latin-1").split()
            length = 0
            while (header := await reader.readline()).strip():
                name, _, value = header.decode("latin-1").partition(":")
                if name.lower() == "content-length" and value.strip().isdigit():
                    length = int(value)
            if len(parts) != 3 or length > MOST_BODY:
                status, body = 400, {"error": "not a request"}
            else:
                await reader.readexactly(length)
                status, body = await answer(parts[1].partition("?")[0], slow, fail)
            text = json.dumps(body).encode()
            head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            writer.write(head.encode() + text)
            await writer.drain()
            if status == 400:
                break
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        pass
    finally:
        writer.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--times", type=float, default=1.0, metavar="FACTOR", help="everything takes FACTOR times as long")
    parser.add_argument("--slow", action="append", default=[], metavar="PATH=FACTOR", help="answers take FACTOR times as long")
    parser.add_argument("--fail", action="append", default=[], metavar="PATH=SHARE", help="this share of the answers is a 500")
    arguments = parser.parse_args()
    slow, fail = settings(arguments.slow, "--slow"), settings(arguments.fail, "--fail")
    slow = {path: slow.get(path, 1.0) * arguments.times for path in LATENCY_MS}
    server = await asyncio.start_server(lambda r, w: serve(r, w, slow, fail), arguments.bind, arguments.port, backlog=1024)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
