// What somebody would write in an afternoon with Node's standard library: a map of users with their responses. What a
// slow reader does not take waits in this process, without a bound.
import { createServer } from "node:http";

const users = new Map();

function stream(user, request, response) {
  if (!users.has(user)) users.set(user, new Set());
  const streams = users.get(user).add(response);
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  response.flushHeaders();
  request.on("close", () => {
    streams.delete(response);
    if (streams.size === 0) users.delete(user);
  });
}

function message(user, request, response) {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const event = `data: ${Buffer.concat(pieces)}\n\n`;
    for (const streams of user === "*" ? users.values() : [users.get(user) ?? []]) {
      for (const one of streams) one.write(event);
    }
    response.writeHead(202, { "Content-Length": "0" }).end();
  });
}

createServer((request, response) => {
  const url = new URL(request.url, "http://bench");
  (request.method === "GET" ? stream : message)(url.searchParams.get("username"), request, response);
}).listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 65535 });
