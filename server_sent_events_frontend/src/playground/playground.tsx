import { useRef, useState, type FormEvent } from 'react';
import { SendForm } from './send-form';
import { StreamCard } from './stream-card';
import { versions, type StreamChoice, type Version } from './use-playground-stream';

/** Over HTTP/1.1 a browser has six connections to a server: one is the reports', one must be free for requests. */
const streamsMax = 4;

export function Playground() {
  const [streams, setStreams] = useState<readonly (StreamChoice & { key: number })[]>([]);
  const [types, setTypes] = useState<readonly string[]>([]);
  const keys = useRef(0);

  function open(choice: StreamChoice): void {
    keys.current += 1;
    const opened = { ...choice, key: keys.current };
    setStreams((before) => [opened, ...before]);
  }

  return (
    <main className="playground">
      <header>
        <h1>Playground</h1>
        <p className="lead">
          Open a stream, send to it, cut it and resume: what was sent meanwhile arrives as if nothing had happened.
        </p>
      </header>
      <div className="forms">
        <OpenForm onOpen={open} full={streams.length >= streamsMax} />
        <SendForm onType={(type) => setTypes((before) => (before.includes(type) ? before : [...before, type]))} />
      </div>
      <section className="streams" aria-labelledby="streams-title">
        <h2 id="streams-title">Open streams</h2>
        {streams.length === 0 && <p className="empty hint">None yet. Open one, then send it a message.</p>}
        {streams.map((choice) => (
          <StreamCard
            key={choice.key}
            choice={choice}
            types={types}
            onClose={() => setStreams((before) => before.filter((other) => other !== choice))}
          />
        ))}
      </section>
    </main>
  );
}

const explanations: Record<Version, string> = {
  v1: 'Greets every five seconds, whoever you are.',
  v2: 'Messages over HTTP, kept for a while, so that a stream resumes.',
  v3: 'As V2, through Kafka where the server has one.',
};

function OpenForm({ onOpen, full }: { onOpen(choice: StreamChoice): void; full: boolean }) {
  const [version, setVersion] = useState<Version>('v2');
  const [name, setName] = useState('demo');
  const [earliest, setEarliest] = useState(false);

  function submit(event: FormEvent): void {
    event.preventDefault();
    onOpen({ version, name, earliest: earliest && version !== 'v1' });
  }

  return (
    <form className="panel" onSubmit={submit} aria-labelledby="open-title">
      <h2 id="open-title">Open a stream</h2>
      <fieldset className="choice">
        <legend>Version</legend>
        {versions.map((each) => (
          <label key={each}>
            <input type="radio" name="open-version" checked={version === each} onChange={() => setVersion(each)} />
            {each.toUpperCase()}
          </label>
        ))}
      </fieldset>
      <p className="hint">{explanations[version]}</p>
      <p>
        <label htmlFor="open-name">Name</label>
        <input
          id="open-name"
          value={name}
          onChange={(event) => setName(event.target.value)}
          required
          autoCapitalize="none"
          spellCheck={false}
        />
      </p>
      <label className="check">
        <input
          type="checkbox"
          checked={earliest}
          disabled={version === 'v1'}
          onChange={(event) => setEarliest(event.target.checked)}
        />
        Begin with the earliest message that is kept
      </label>
      <div className="actions">
        <button type="submit" className="primary" disabled={full}>
          Open stream
        </button>
        {full && <p className="hint">Four at a time: a browser has six connections to a server. Close one first.</p>}
      </div>
    </form>
  );
}
