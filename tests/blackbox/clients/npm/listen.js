// Prints each event of the stream at argv[2] as a line of JSON. The npm package does all of the resuming.
import { EventSource } from 'eventsource'

const source = new EventSource(process.argv[2])
for (const type of ['message', 'stream-open', 'stream-gap', 'stream-position', 'stream-close']) {
  source.addEventListener(type, ({ data, lastEventId: id }) => console.log(JSON.stringify({ type, data, id })))
}
