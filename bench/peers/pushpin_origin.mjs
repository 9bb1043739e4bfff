// The origin that Pushpin asks what to do with each stream: hold it open, on the channel of its user.
import { createServer } from "node:http";

createServer((request, response) => {
  const user = new URL(request.url, "http://bench").searchParams.get("username");
  const head = { "Content-Type": "text/event-stream", "Grip-Hold": "stream", "Grip-Channel": user };
  response.writeHead(200, head).end();
}).listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 65535 });
